"""The forms by which people act on a commit: asked on GET, done on POST, told on the page of the commit."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipeline_state.cli import facts
from pipeline_state.cli.console import CommandError, told
from pipeline_state.cli.dashboard import pages
from pipeline_state.cli.dashboard.acts import Act, Case, Close, Form, SetGate
from pipeline_state.cli.dashboard.letters import Redrive
from pipeline_state.cli.dashboard.moves import Move
from pipeline_state.cli.dashboard.once import Once
from pipeline_state.model.promotion import Action

if TYPE_CHECKING:
    from pipeline_state.cli.dashboard.board import Board

ACTS: Mapping[str, Callable[[Case], Act]] = {
    "gate": SetGate,
    **{name: partial(Close, action=name) for name in ("freeze", "unfreeze", "hold", "release")},
    **{action.value: partial(Move, action=action) for action in Action if action is not Action.PROMOTE},
    "redrive": Redrive,
}
"""By their names in the URL."""

KEY = "key"
"""The field that tells a form from every other one, so that it is carried out once."""

_REFUSED = 409


@dataclass(frozen=True)
class Actions:
    """The endpoints. once: what the forms of this run have done."""

    board: Board
    once: Once = field(default_factory=Once)

    @property
    def routes(self) -> list[Route]:
        """Below the page of a commit."""
        path = "/repo/{owner}/{name}/commit/{sha}/act/{action}"
        return [Route(path, self.ask), Route(path, self.act, methods=["POST"])]

    def ask(self, request: Request) -> Response:
        """The form, as a page or, for the page's own dialog, alone."""
        case = self._case(request, dict(request.query_params))
        try:
            return self._page(request, case, self._act(request, case).form())
        except Exception as error:  # noqa: BLE001 - what is no refusal is raised again there
            return self._page(request, case, refusal=_refusal(error))

    def act(self, request: Request) -> Response:
        """Do it and go back to the commit; a refusal is told where it was asked for."""
        case = self._case(request, request.state.form)
        act, key = self._act(request, case), case.given.get(KEY, "")
        if not key:
            raise HTTPException(400, "That form is not whole; go back to the commit and choose again.")
        try:
            self.once.do(key, act.carry_out)
        except Exception as error:  # noqa: BLE001 - the same
            return self._refused(request, case, act, _refusal(error))
        return RedirectResponse(f"{pages.commit_url(case.repo, case.commit)}?done={key}", 303)

    def _refused(self, request: Request, case: Case, act: Act, why: str) -> Response:
        """The question once more, as things are now, if it still is one."""
        try:
            form = act.form()
        except Exception as error:  # noqa: BLE001 - the same
            return self._page(request, case, refusal=_refusal(error) if _refusal(error) == why else why)
        return self._page(request, case, form, refusal=why)

    def _page(self, request: Request, case: Case, form: Form | None = None, refusal: str = "") -> Response:
        template = "commit_form.html" if "hx-request" in request.headers else "commit_act.html"
        return self.board.page(
            request,
            template,
            status=_REFUSED if refusal and request.method == "POST" else 200,
            repo=case.repo,
            commit=case.commit,
            by=case.by,
            form=form,
            refusal=refusal,
            key=secrets.token_urlsafe(16),
        )

    def _case(self, request: Request, given: Mapping[str, str]) -> Case:
        """Raises HTTPException for a commit without a record: none is to be made by naming it."""
        path = request.path_params
        try:
            repo, commit = facts.find_commit(f"{path['owner']}/{path['name']}", path["sha"])
        except CommandError as error:
            raise HTTPException(404, str(error)) from error
        return Case(self.board.stack, self.board.identity, repo, commit, given, self.board.now)

    def _act(self, request: Request, case: Case) -> Act:
        name = request.path_params["action"]
        if name not in ACTS:
            raise HTTPException(404, f"Nothing here is called {name!r}.")
        return ACTS[name](case)


def _refusal(error: Exception) -> str:
    """Why it is not done, in a sentence with what to do; raises what is a bug."""
    line = told(error)
    if line is None:
        raise error
    return line[0].removeprefix(CommandError.prefix)
