"""The dashboard as a web application, and what serves it on loopback."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline_state.cli.console import CommandError, told
from pipeline_state.cli.dashboard import pages
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.security import HOST, Guard
from pipeline_state.faults import PermanentFault, TemporaryFault

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

_FOREVER = "private, max-age=31536000, immutable"


_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""By suffix: what the system believes of them may be anything, and browsers take no script under another type."""

_PATIENCE = 20
"""Seconds that an answer which is under way may take when the dashboard ends, on a machine that is busy, too."""

_EXPECTED = (CommandError, PermanentFault, TemporaryFault, ClientError, BotoCoreError)
"""Errors that commands tell on one line. Whatever else is raised is a bug, which the terminal tells of."""


def application(board: Board, routes: Sequence[BaseRoute]) -> ASGIApp:
    """All pages behind the guard."""
    pages_ = Starlette(
        routes=[
            *routes,
            Route("/live", board.live.endpoint),
            Route(f"/static/{pages.digest()}/{{name:path}}", _files()),
        ],
        exception_handlers={
            HTTPException: _not_there(board),
            **dict.fromkeys(_EXPECTED, _went_wrong(board)),
            Exception: _went_wrong(board),
        },
        lifespan=partial(_ahead, board),
    )
    return Guard(pages_, board.door)


@asynccontextmanager
async def _ahead(board: Board, _: Starlette) -> AsyncIterator[None]:
    """Read what the first page will ask for, while the browser is still being opened."""
    reading = asyncio.create_task(board.read_ahead())
    yield
    reading.cancel()


def _files() -> Callable[[Request], Awaitable[Response]]:
    """Files that browsers load, held here: found by the digest of what is in them, so that none is asked for twice."""
    kept = {path.relative_to(folder).as_posix(): path for folder in pages.FOLDERS for path in pages.files(folder)}
    held = {name: (path.read_bytes(), _TYPES.get(path.suffix, "text/plain")) for name, path in kept.items()}

    async def file(request: Request) -> Response:  # no thread is needed
        if request.path_params["name"] not in held:
            raise HTTPException(404, "There is no such file.")
        content, media_type = held[request.path_params["name"]]
        return Response(content, media_type=media_type, headers={"Cache-Control": _FOREVER})

    return file


def _not_there(board: Board) -> Callable[[Request, Exception], Response]:
    def page(request: Request, error: Exception) -> Response:
        status, why = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
        return board.page(request, "error.html", status=status, why=why)

    return page


def _went_wrong(board: Board) -> Callable[[Request, Exception], Response]:
    def page(request: Request, error: Exception) -> Response:
        line = told(error)
        if line is None:
            bug = f"{type(error).__name__}: a bug; the dashboard's terminal tells more"
            return board.page(request, "error.html", status=500, why=bug)
        board.mend()
        return board.page(request, "error.html", status=502, why=line[0])

    return page


def listen(port: int) -> socket.socket:
    """A socket on loopback and nowhere else. port: 0 takes a free one. Raises OSError where it is taken."""
    return socket.create_server((HOST, port), reuse_port=False)


def server_of(application_: ASGIApp) -> uvicorn.Server:
    """A server that Ctrl-C or SIGTERM ends, from now on, even before it runs; pages that are open lose their events."""
    options = uvicorn.Config(
        application_,
        loop="asyncio",
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,  # it would tell the link
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    server = uvicorn.Server(options)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)  # which uvicorn puts back, and calls once more, when it has ended
    return server
