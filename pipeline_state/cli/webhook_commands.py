"""`gatestream webhook send`: a payload, signed and posted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline_state.cli.console import NO, OK, USAGE, CommandError
from pipeline_state.cli.options import Choice, common


def send(
    choice: Choice,
    provider: Annotated[Literal["github", "circleci"], typer.Argument(help="Who it seems to come from.")],
    payload: Annotated[Path, typer.Argument(help="A file with the payload, or - for standard input.", allow_dash=True)],
    event: Annotated[str, typer.Option(help="GitHub's name of the event.")] = "push",
    delivery: Annotated[str | None, typer.Option(help="The delivery's id; a new one unless given.")] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with the secret to sign with; the stack's current one unless given.", allow_dash=True
        ),
    ] = None,
) -> int:
    """Sign a payload as GitHub or CircleCI would, and post it to the stack's webhook."""
    from pipeline_state.cli import webhooks

    if str(payload) == "-" == str(secret_file):
        raise CommandError("payload and secret cannot both come from standard input; put one into a file", USAGE)
    body = _read(payload)
    secret = _read(secret_file).decode().strip() if secret_file else None
    answer = webhooks.send(choice.open(), provider, body, event=event, delivery=delivery, secret=secret)
    style = "green" if answer.is_accepted else "red"
    data = {"status": answer.status, "body": answer.body, "delivery": answer.delivery}
    choice.show(data, lambda: f"[{style}]{answer.status}[/] {_escaped(answer.body.strip())}")
    return OK if answer.is_accepted else NO


def _read(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", USAGE) from error


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Webhooks, as GitHub and CircleCI send them.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command()(common(send))
    app.add_typer(group, name="webhook", rich_help_panel="Pipelines and commits")
