"""What every command understands: which stack it is about, and whether to answer in JSON."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import (
    UNLIMITED,
    USAGE,
    CommandError,
    make_console,
    print_json,
    printable,
    told,
    unwrapped,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from pipeline_state.cli.stacks import Stack

_PANEL = "Which stack"
_OPTIONS: Mapping[str, Any] = {
    "stack": Annotated[
        str | None,
        typer.Option(
            help="A deployed stack, by its CloudFormation name; unless given, the local one.", rich_help_panel=_PANEL
        ),
    ],
    "region": Annotated[str | None, typer.Option(help="The deployed stack's AWS region.", rich_help_panel=_PANEL)],
    "profile": Annotated[
        str | None, typer.Option(help="The AWS profile to reach the deployed stack with.", rich_help_panel=_PANEL)
    ],
    "state_dir": Annotated[
        Path | None, typer.Option(help="Where the local stack keeps its files.", rich_help_panel=_PANEL)
    ],
    "as_json": Annotated[bool | None, typer.Option("--json", help="Answer in JSON.")],
}


@dataclass(frozen=True)
class Choice:
    """The options of one call, from before the command's name or after it, and what follows from them."""

    stack: str | None = None
    region: str | None = None
    profile: str | None = None
    state_dir: Path | None = None
    as_json: bool | None = None

    @cached_property
    def console(self) -> Console:
        """For people: standard output, or standard error beside JSON."""
        return make_console(stderr=bool(self.as_json))

    @property
    def local_dir(self) -> Path:
        """The local stack's folder."""
        if self.state_dir:
            return self.state_dir
        from pipeline_state.cli.stacks import local_package

        folder: Path = local_package().DEFAULT_STATE_DIR
        return folder

    def open(self) -> Stack:
        """The stack, with the tables connected. Raises CommandError and NoStackError."""
        from pipeline_state.cli import stacks

        if self.stack:
            stack = stacks.deployed(self.stack, self.region, self.profile)
        elif self.region or self.profile:
            raise CommandError("--region and --profile go with --stack NAME, the deployed stack", USAGE)
        else:
            stack = stacks.local(self.local_dir)
        stack.connect()
        return stack

    def show(self, data: object, view: Callable[[], RenderableType]) -> None:
        """Answer: with the data as JSON, or with what the view makes of it."""
        if self.as_json:
            print_json(data)
        else:
            self.say(view())

    @property
    def width(self) -> int:
        """Columns there are for it."""
        return self.console.width if self.console.is_terminal else UNLIMITED

    def say(self, view: RenderableType) -> None:
        """Tell people, or the programs that read for them."""
        if self.console.is_terminal:
            self.console.print(view)
        else:
            self.console.file.write(unwrapped(view, self.console.file))


def common(function: Callable[..., int | None]) -> Callable[..., None]:
    """A command of typer's from a function whose first parameter is a Choice and that returns its exit code.

    It gets the common options besides its own, and its expected errors are one line on standard error.
    """

    @functools.wraps(function)
    def command(**given: Any) -> None:
        before: Choice = given.pop("context").obj or Choice()
        options = {name: value for name in _OPTIONS if (value := given.pop(name)) is not None}
        try:
            code = function(replace(before, **options), **given)
        except Exception as error:
            line = told(error)
            if line is None:
                raise
            text = "\n".join(map(printable, line[0].splitlines()))
            make_console(stderr=True).print(text, markup=False, soft_wrap=True, style="red")
            raise typer.Exit(line[1]) from error
        raise typer.Exit(code or 0)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    return _with_parameters(command, [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own])


def before_the_command(app: typer.Typer) -> None:
    """Let the same options stand before the command's name."""

    def remember(**given: Any) -> None:
        context = given.pop("context")
        context.obj = Choice(**given)

    app.callback()(_with_parameters(remember, []))


def _with_parameters(function: Callable[..., None], own: list[inspect.Parameter]) -> Callable[..., None]:
    """Make typer see these parameters, the common options and the context as the function's own."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(name, keyword, default=None, annotation=option) for name, option in _OPTIONS.items()]
    parameters = [*own, *options, inspect.Parameter("context", keyword, annotation=typer.Context)]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function
