"""`gatestream pipelines`: definitions checked, compared, applied and shown."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import NO, OK, CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline_state.cli.definitions.applying import Change
    from pipeline_state.cli.definitions.pipelines_rules import Home
    from pipeline_state.cli.stacks import Stack
    from pipeline_state.model.pipelines import Pipeline
    from pipeline_state.table.snapshot import Definitions

File = Annotated[Path, typer.Argument(help="The file of definitions.")]


def apply(
    choice: Choice,
    file: File = Path("pipelines.yaml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Show what a file changes, ask, and make it so.

    Repositories that the file does not name keep their pipelines. A gate that goes is removed from the commits on their
    way, unless somebody has set it there; so is what an apply that was cut short has left.

    With --json, nothing is asked: without --yes it tells what would change, and exits with 1 if anything would.
    """
    from pipeline_state.cli.definitions import applying, pipelines_file
    from pipeline_state.table.definitions import all_definitions

    stack = choice.open()
    applied = [pipeline for definitions in all_definitions() for pipeline in definitions.pipelines]
    changes = applying.plan(pipelines_file.read(file, applied, _home(stack)), datetime.now(UTC))
    todo = [change for change in changes if not change.is_empty]
    if not choice.as_json:
        choice.say(_changes_view(changes))
    agreed = bool(todo) and (yes or (not choice.as_json and _agreed(len(todo))))
    if agreed:
        by = stack.identity()
        for change in todo:
            _apply(choice, change, by)
        _look_again(choice, [change.repo for change in todo], by)
    if choice.as_json:
        choice.show([{**change.to_json(), "applied": agreed and change in todo} for change in changes], str)
    elif todo:
        choice.say("Applied." if agreed else "Nothing was changed.")
    return OK if agreed or not todo else NO


def check(choice: Choice, file: File = Path("pipelines.yaml")) -> None:
    """Check a file without any stack."""
    from pipeline_state.cli.definitions import pipelines_file

    pipelines = pipelines_file.read(file)
    names = [pipeline.name for pipeline in pipelines]
    choice.show({"valid": True, "pipelines": names}, lambda: f"{file} is valid: {', '.join(names)}")


def show(
    choice: Choice,
    repo: Annotated[str, typer.Argument(help="Only this repository's.")] = "",
    as_yaml: Annotated[bool, typer.Option("--yaml", help="As a file that can be applied again.")] = False,
) -> None:
    """Show the pipelines that are applied."""
    from pipeline_state.table.definitions import all_definitions, load_definitions
    from pipeline_state.table.listing import applications

    choice.open()
    found = [load_definitions(repo)] if repo else sorted(all_definitions(), key=lambda each: each.repo.lower())
    found = [definitions for definitions in found if definitions.version]
    if not found and (as_yaml or not choice.as_json):
        about = f"{repo} has no pipelines" if repo else "there are no pipelines"
        raise CommandError(f"{about}; define some in pipelines.yaml and run `gatestream pipelines apply`")
    if as_yaml:
        _print_yaml([pipeline for definitions in found for pipeline in definitions.pipelines])
        return
    by = applications()
    choice.show([_json(each, by[each.repo.lower()]) for each in found], lambda: _pipelines_view(found, by))


def schema(choice: Choice) -> None:
    """Print the JSON Schema of pipelines.yaml, for editors."""
    from pipeline_state.cli.console import print_json
    from pipeline_state.cli.definitions.pipelines_schema import json_schema

    del choice
    print_json(json_schema())


def _home(stack: Stack) -> Home:
    """Its account is told by the ARN of a secret of its own."""
    from pipeline_state.cli.definitions.pipelines_rules import Home

    return Home(stack.region, stack.secret_arns["github"].split(":")[4])


def _agreed(count: int) -> bool:
    from pipeline_state.cli.asking import agreed

    return agreed(f"Apply {'this change' if count == 1 else f'these {count} changes'}?")


def _apply(choice: Choice, change: Change, by: str) -> None:
    """Save the definitions; before that, what would be left of gates that go is removed, while it means nothing."""
    from pipeline_state.cli.definitions import applying, leaving
    from pipeline_state.startup import utc_now

    if change.is_same:
        return
    applying.check_under_way(change, utc_now())
    unset = change.unset
    done = leaving.remove(change.before.repo, unset, by, utc_now, at_once=leaving.AT_ONCE)
    _follow(choice, done, f"removing empty gates from commits of {change.repo}", len(unset))
    applying.apply(change, by, utc_now())


def _look_again(choice: Choice, repos: Sequence[str], by: str) -> None:
    """Have the promoter look at what waits, since it goes by the new definitions now."""
    from pipeline_state.cli.definitions import candidates, leaving
    from pipeline_state.cli.views import shown
    from pipeline_state.startup import utc_now

    for repo in repos:
        found = candidates.of_repo(repo)
        total = len(found.commits)
        behind = leaving.left_behind(repo, found.commits, utc_now())
        done = leaving.remove(repo, behind, by, utc_now)
        _follow(choice, done, f"removing empty gates from commits of {repo}", len(behind))
        _follow(choice, candidates.look_again(repo, found), f"looking at commits of {repo}", total)
        if found.left_out:
            note = f"{repo}: only the newest {total} of {total + found.left_out} commits are looked at again"
            choice.say(shown(f"{note}; push what else is to go on", "yellow"))


def _follow(choice: Choice, done: Iterable[str], what: str, total: int) -> None:
    """Do something for commits, one after the other, for people to see where they are many."""
    from rich.progress import track

    from pipeline_state.cli.definitions.candidates import MANY

    quiet = not choice.console.is_interactive or total < MANY
    list(track(done, what, total, console=choice.console, transient=True, disable=quiet))


def _changes_view(changes: Sequence[Change]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from pipeline_state.cli.definitions.leaving import in_the_way
    from pipeline_state.cli.views import diff_view, shown

    parts: list[RenderableType] = []
    for change in changes:
        if change.is_empty:
            parts.append(f"{change.repo}: nothing to change, version {change.before.version}")
        elif change.is_same:
            parts.append(f"{change.repo}: version {change.before.version} stays")
        else:
            parts += [diff_view(change.diff), Text()]
        parts += [Text(f"• {sentence}") for sentence in ([] if change.is_empty else change.sentences)]
        parts += [shown(f"• {note}", "yellow") for note in in_the_way(change.repo, change.left)]
    return Group(*parts)


def _pipelines_view(found: Sequence[Definitions], by: dict[str, tuple[str, str]]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from pipeline_state.cli.views import environments_of, moment

    parts: list[RenderableType] = []
    for definitions in found:
        who, when = by[definitions.repo.lower()]
        for pipeline in definitions.pipelines:
            version = f"version {definitions.version}, applied {moment(when)} UTC by {who}"
            head = Text.assemble((pipeline.name, "bold"), f"  {pipeline.repo}  ", (version, "dim"))
            parts += [head, environments_of(pipeline), Text()]
    return Group(*parts[:-1])


def _json(definitions: Definitions, by: tuple[str, str]) -> dict[str, Any]:
    return {
        "repo": definitions.repo,
        "version": definitions.version,
        "applied_by": by[0],
        "applied_at": by[1],
        "pipelines": [pipeline.to_dict() for pipeline in definitions.pipelines],
    }


def _print_yaml(pipelines: Sequence[Pipeline]) -> None:
    from pipeline_state.cli.definitions.pipelines_file import to_file

    sys.stdout.write(to_file(pipelines))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Definitions: which gates a commit needs, and what is installed where.", no_args_is_help=True
    )
    for command in (apply, check, show, schema):
        group.command()(common(command))
    app.add_typer(group, name="pipelines", rich_help_panel="Pipelines and commits")
