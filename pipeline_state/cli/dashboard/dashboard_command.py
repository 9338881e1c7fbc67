"""`gatestream dashboard`: the board in the browser, over the user's own rights."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    import socket

Port = Annotated[int, typer.Option(help="Where to listen, on loopback; 0 takes a free port.", min=0, max=65535)]
Open = Annotated[bool, typer.Option("--open/--no-open", help="Whether to open it in your browser.")]


def dashboard(choice: Choice, port: Port = 0, opens: Open = True) -> None:
    """Show fleet, repositories, commits and delivery as pages in the browser, until Ctrl-C.

    It listens on loopback alone, reads and acts with your own rights, and lets in the browser that opens its link.
    """
    from pipeline_state.cli.dashboard import server
    from pipeline_state.cli.dashboard.all_pages import board_of

    stack = choice.open()
    listening = _listen(port)
    board, routes = board_of(stack, listening.getsockname()[1], choice.open)
    serving = server.server_of(server.application(board, routes))
    with TemporaryDirectory(prefix="gatestream-") as folder:
        _tell(choice, board.door.new_link(), Path(folder) if opens else None)
        serving.run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    from pipeline_state.cli.dashboard import server

    try:
        return server.listen(port)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise CommandError(f"port {port} cannot be listened on ({why}); choose another: --port N") from error


def _tell(choice: Choice, link: str, folder: Path | None) -> None:
    """Where it is; programs are told on one line, and open it themselves. folder: for what opens it, if it is to be."""
    if choice.as_json:
        sys.stdout.write(json.dumps({"url": link}) + "\n")
        sys.stdout.flush()
        return
    is_open = folder is not None and _open(link, folder)
    told = "Opened in your browser; the link works once:" if is_open else "Open this link, which works once:"
    choice.console.print(f"{told}\n{link}\nCtrl-C ends it.", markup=False, soft_wrap=True)


def _open(link: str, folder: Path) -> bool:
    """Through a file that only the user can read: what is on a command line everybody on the machine can."""
    from pipeline_state.cli.browser import opened

    page = folder / "dashboard.html"
    page.touch(mode=0o600)
    page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={link}"><title>Gatestream</title>')
    return opened(page)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Pipelines and commits")(common(dashboard))
