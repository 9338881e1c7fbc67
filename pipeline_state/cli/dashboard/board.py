"""What every page of the dashboard is made with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pipeline_state.cli.dashboard import pages
from pipeline_state.cli.dashboard.live import Live
from pipeline_state.cli.dashboard.security import Door

if TYPE_CHECKING:
    from jinja2 import Environment

    from pipeline_state.cli.stacks import Stack


def utc_now() -> datetime:
    """The current time."""
    return datetime.now(UTC)


@dataclass
class Board:
    """One run of the dashboard.

    A page is a module with `routes(board) -> list[Route]`. Its endpoints are plain functions, since they read tables:
    Starlette runs those in threads. The fields of a form are in `request.state.form`, checked already.
    No page has `style` attributes or scripts of its own in the HTML: the content security policy forbids them.

    reopen: connects to the stack anew, where the rights to it end by themselves. ahead: what reads for the first page.
    """

    stack: Stack
    door: Door
    now: Callable[[], datetime] = utc_now
    live: Live = field(default_factory=Live)
    reopen: Callable[[], Stack] | None = None
    ahead: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live.mend = self.mend

    @cached_property
    def identity(self) -> str:
        """Who does what is done here: the ARN that AWS knows the user by; locally, the user of this machine."""
        return self.stack.identity()

    @cached_property
    def _templates(self) -> Environment:
        return pages.templates(self.now)

    def mend(self) -> None:
        """After an error of AWS's: somebody may have signed in again meanwhile."""
        if self.reopen is None:
            return
        with suppress(Exception):  # as it was before, then
            self.stack = self.reopen()
            self.__dict__.pop("identity", None)

    async def read_ahead(self) -> None:
        """Read for the first page, and its templates; what goes wrong is told by that page itself."""
        for read in (*self.ahead, self._compile):
            with suppress(Exception):
                await run_in_threadpool(read)

    def _compile(self) -> None:
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def page(self, request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
        """A page or a fragment of one from a template, which knows beside what it is given: stack, csrf, path."""
        found = self._templates.get_template(template)
        known = {"stack": self.stack, "csrf": self.door.csrf(request.state.session), "path": request.url.path}
        return HTMLResponse(found.render({**known, "live": "", **context}), status)
