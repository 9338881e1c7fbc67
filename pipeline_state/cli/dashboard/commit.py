"""The page of a commit: where it stands, its gates, what happened, its trace, and what may be done about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipeline_state.cli import facts
from pipeline_state.cli.audit import with_callers
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dashboard import pages
from pipeline_state.cli.dashboard.actions import Actions
from pipeline_state.cli.dashboard.commit_view import commit_view
from pipeline_state.cli.dashboard.letters import letters_view
from pipeline_state.cli.traces.honeycomb import honeycomb_link
from pipeline_state.cli.traces.page import waterfall_html
from pipeline_state.cli.traces.spans import Span, sent_spans, spans_of
from pipeline_state.model.entries import CLAIMED
from pipeline_state.model.past import Former
from pipeline_state.table.deployments import Deployment, deployments_of
from pipeline_state.table.journal import history, latest
from pipeline_state.table.past import former_of
from pipeline_state.table.snapshot import Reader, Snapshot

if TYPE_CHECKING:
    from pipeline_state.cli.dashboard.board import Board
    from pipeline_state.cli.stacks import Stack

TOPIC = "commit"
"""What the live events of the page are called."""

_PATH = "/repo/{owner}/{name}/commit/{sha}"
_WHOLE = 40

_LATEST = 20
"""Entries of the journal that a look takes: more than come between two looks, and journals can be long."""


def routes(board: Board) -> list[Route]:
    """The page, its dead letters, and the forms below it."""
    pages_of_it = _Pages(board)
    board.live.looks[TOPIC] = partial(look, board.stack)
    return [
        Route(_PATH, pages_of_it.commit),
        Route(f"{_PATH}/letters", pages_of_it.letters),
        *pages_of_it.actions.routes,
    ]


def look(stack: Stack, repo: str, commit: str) -> str:
    """What changes whenever the page would look different.

    It is made of the record with its environments, the end of the journal, and the spans.
    Raises TemporaryFault and PermanentFault.
    """
    return _Reading(stack, repo, commit).state


@dataclass(frozen=True)
class _Reading:
    """What the tables and the traces have of a commit, each read once."""

    stack: Stack
    repo: str
    commit: str

    @cached_property
    def snapshot(self) -> Snapshot:
        return Reader().read(self.repo, self.commit)

    @property
    def place(self) -> tuple[str, str]:
        """Repository, as its records spell it, and commit."""
        return self.snapshot.repo, self.commit

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        """The journal, with those who made edits by hand where a trail of calls knows them."""
        return with_callers(self.stack, history(*self.place))

    @property
    def former(self) -> tuple[Former, ...]:
        """Its pipelines since the journal begins."""
        return former_of(self.snapshot.definitions, self.entries)

    @cached_property
    def deployments(self) -> list[Deployment]:
        """Its promotions, as its journal tells of them."""
        whats = [each.get("what") for each in self.entries if each.get("kind") == CLAIMED]
        return list(deployments_of(key for what in whats if (key := _promotion_in(what))).values())

    @cached_property
    def spans(self) -> Sequence[Span]:
        return spans_of(self.stack, *self.place)

    @property
    def waterfall(self) -> str:
        return waterfall_html(self.spans, honeycomb_link(self.stack.parameters, self.spans))

    @property
    def state(self) -> str:
        """What changes whenever the page would look different; that a wait goes on is no change."""
        snapshot, sent = self.snapshot, sorted(span.id for span in sent_spans(self.stack, *self.place))
        read = [
            snapshot.item,
            *snapshot.environments.items(),
            snapshot.definitions.version,
            *latest(*self.place, _LATEST),
            *sent,
        ]
        return hashlib.sha256(json.dumps(read, default=str).encode()).hexdigest()[:16]


def _promotion_in(what: object) -> tuple[str, str, int] | None:
    """Pipeline, environment and generation in what a claim tells; None where somebody made something else of it."""
    if not isinstance(what, Mapping):
        return None
    try:
        return str(what["pipeline"]), str(what["environment"]), int(what["generation"])
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class _Pages:
    """The endpoints that only show."""

    board: Board

    @cached_property
    def actions(self) -> Actions:
        return Actions(self.board)

    def commit(self, request: Request) -> Response:
        repo, commit = _about(request)
        if len(commit) < _WHOLE:
            return _to_whole(repo, commit)
        live = self.board.live.url(TOPIC, repo, commit)
        reading = _Reading(self.board.stack, repo, commit)
        if not reading.snapshot.item:
            raise HTTPException(404, f"{reading.snapshot.repo} has no record of {commit}: no webhook has told of it.")
        now, former = self.board.now(), reading.former
        view = commit_view(reading.snapshot, reading.entries, reading.deployments, now, former)
        done = self.actions.once.said(request.query_params.get("done", ""))
        return self.board.page(request, "commit.html", live=live, view=view, waterfall=reading.waterfall, done=done)

    def letters(self, request: Request) -> Response:
        repo, commit = _about(request)
        template = "commit_letters.html" if "hx-request" in request.headers else "commit_letters_page.html"
        found = letters_view(self.board.stack, repo, commit)
        return self.board.page(request, template, repo=repo, commit=commit, letters=found)


def _about(request: Request) -> tuple[str, str]:
    path = request.path_params
    return f"{path['owner']}/{path['name']}", path["sha"].lower()


def _to_whole(repo: str, prefix: str) -> Response:
    """To the page of the one commit that begins so."""
    try:
        return RedirectResponse(pages.commit_url(*facts.find_commit(repo, prefix)), 303)
    except CommandError as error:
        raise HTTPException(404, str(error)) from error
