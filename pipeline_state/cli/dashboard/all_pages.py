"""The pages that there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline_state.cli.dashboard import commit, delivery, fleet, repo
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.live import DEPLOYED, LOCAL, Live
from pipeline_state.cli.dashboard.security import Door

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from pipeline_state.cli.stacks import Stack

_PAGES = (fleet, repo, commit, delivery)


def board_of(stack: Stack, port: int, reopen: Callable[[], Stack] | None = None) -> tuple[Board, list[BaseRoute]]:
    """The board of a stack, and all its pages. port: where it listens. reopen: as of `Board`."""
    is_local = stack.traces is not None
    live = Live(LOCAL if is_local else DEPLOYED)
    board = Board(stack, Door(port), live=live, reopen=None if is_local else reopen)
    return board, [route for page in _PAGES for route in page.routes(board)]
