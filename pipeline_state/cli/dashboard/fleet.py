"""The fleet: what every environment of every repository has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from pipeline_state.cli.dashboard.board import Board


def routes(board: Board) -> list[Route]:
    """The page."""

    def page(request: Request) -> Response:
        return board.page(request, "fleet.html")

    return [Route("/", page)]
