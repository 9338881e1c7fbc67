"""Delivery: DORA's figures as plots, and where the time goes, of the fleet and of a repository."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dashboard.delivery_rows import USUAL, listed
from pipeline_state.cli.dashboard.live import stream_url
from pipeline_state.cli.dashboard.plots import bars, slices
from pipeline_state.cli.dashboard.query import number
from pipeline_state.cli.delivery.headlines import headlines
from pipeline_state.cli.delivery.report import Report, Wanted, report
from pipeline_state.cli.delivery.spending import awaited, sum_of
from pipeline_state.cli.delivery.texts import MEANINGS, SOURCE
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.deployments import deployments

if TYPE_CHECKING:
    from pipeline_state.cli.dashboard.board import Board

PERIODS = (7, 30, 90)
"""Days that can be chosen."""

TOPIC = "delivery"
"""What the live events of a repository's page are called. The fleet's page has none: it is counted once a minute."""

_FRESH = 50
"""Seconds for which figures are shown again as they were counted; open pages ask every minute."""

_LATEST = 3
"""Promotions of an environment whose end is looked for."""

_INSTEAD = {"HX-Retarget": "#figures", "HX-Reselect": "#figures"}
"""For htmx: this stands in place of all figures, whatever part of them was asked for."""

_DAYS = 30
_USUALLY = {"environment": "", "days": _DAYS, "order": USUAL, "page": 1}
_MOST_KEPT, _MOST_COMMITS, _MOST_AWAITED = 32, 20, 10


def routes(board: Board, reports: Reports | None = None) -> list[Route]:
    """Of the fleet and of a repository: the page at once, and the figures as soon as they are counted."""
    reports = reports or Reports(board.now)
    board.live.looks[TOPIC] = reports.look

    def page(request: Request) -> Response:
        asked = _asked(request)
        repo, state = asked.wanted.repo, reports.state(asked.wanted)
        live = stream_url(state, TOPIC, repo) if repo else ""
        return board.page(request, "delivery.html", live=live, **_context(asked, reports.known(asked.wanted, state)))

    def figures(request: Request) -> Response:
        asked = _asked(request)
        try:
            found = reports.get(asked.wanted)
        except CommandError as error:
            answer = board.page(request, "delivery_none.html", asked=asked, why=str(error))
            answer.headers.update(_INSTEAD)
            return answer
        return board.page(request, "delivery_figures.html", **_context(asked, found))

    return [
        Route("/delivery", page),
        Route("/delivery/figures", figures),
        Route("/delivery/{owner}/{name}", page),
        Route("/delivery/{owner}/{name}/figures", figures),
    ]


def look(repo: str) -> str:
    """What changes whenever an environment of a repository is given a commit, and when one of the latest has an end.

    A read of its pipelines, and one of each environment. Raises TemporaryFault and PermanentFault.
    """
    definitions = load_definitions(repo)
    places = [(pipeline.name, each.name) for pipeline in definitions.pipelines for each in pipeline.environments]
    ends = [[(each.generation, each.outcome) for each in deployments(*place, _LATEST)] for place in places]
    return hashlib.sha256(json.dumps([definitions.version, ends], default=str).encode()).hexdigest()[:16]


@dataclass
class Reports:
    """Reports that were made within the last minute: each is made once, however many pages ask for it.

    One of a repository is made anew as soon as `look` sees that something was deployed.
    """

    now: Callable[[], datetime]
    make: Callable[[Wanted, datetime], Report] = report
    look: Callable[[str], str] = look
    _kept: dict[Wanted, tuple[str, Report]] = field(default_factory=dict)
    _making: Lock = field(default_factory=Lock)

    def known(self, wanted: Wanted, state: str) -> Report | None:
        """One that is there already, of a state that is still so."""
        seen, found = self._kept.get(wanted, ("", None))
        return found if found and seen == state and self._is_fresh(found) else None

    def get(self, wanted: Wanted) -> Report:
        """Raises what `report` and `look` raise."""
        with self._making:
            state = self.state(wanted)  # before it is made, so that it is not older
            found = self.known(wanted, state)
            if found is None:
                kept = [(key, each) for key, each in self._kept.items() if self._is_fresh(each[1])][-_MOST_KEPT:]
                found = self.make(wanted, self.now())
                self._kept = {**dict(kept), wanted: (state, found)}
            return found

    def state(self, wanted: Wanted) -> str:
        """What a repository's deployments come to; empty for the fleet. Raises what `look` raises."""
        return self.look(wanted.repo) if wanted.repo else ""

    def _is_fresh(self, found: Report) -> bool:
        return (self.now() - found.period.now).total_seconds() < _FRESH


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is asked for: figures, and which of the environments, in which order."""

    wanted: Wanted
    order: str
    page: int

    def url(self, **changes: str | int) -> str:
        """Of the page with something changed, and from the first environments on."""
        given = {"environment": self.wanted.environment, "days": self.wanted.days, "order": self.order, **changes}
        query = urlencode({name: value for name, value in given.items() if value != _USUALLY[name]})
        path = f"/delivery/{quote(self.wanted.repo)}".rstrip("/")
        return path + (f"?{query}" if query else "")

    def of_repo(self, repo: str) -> str:
        """Where the same of a repository is."""
        return replace(self, wanted=replace(self.wanted, repo=repo)).url()

    @property
    def figures_url(self) -> str:
        """Of the figures alone."""
        path, _, query = self.url(page=self.page).partition("?")
        return f"{path}/figures" + (f"?{query}" if query else "")


def _asked(request: Request) -> Asked:
    given, path = request.query_params, request.path_params
    repo = f"{path['owner']}/{path['name']}" if path else ""
    days, page = number(given.get("days", "")), number(given.get("page", ""))
    wanted = Wanted(repo, given.get("environment", ""), days if days in PERIODS else _DAYS)
    return Asked(wanted, given.get("order", USUAL), page)


def _context(asked: Asked, found: Report | None) -> Mapping[str, Any]:
    context = {"asked": asked, "wanted": asked.wanted, "periods": PERIODS, "report": found}
    if found is None:
        return context
    commits = found.commits
    return {
        **context,
        "headlines": [(each, bars(each.course)) for each in headlines(found)],
        "slices": slices(sum_of(commits), len(commits)),
        "meanings": MEANINGS,
        "commits": [(each, slices(each.parts)) for each in commits[:_MOST_COMMITS]] if asked.wanted.repo else (),
        "failures": found.failures[: _MOST_COMMITS if asked.wanted.repo else _MOST_AWAITED],
        "awaited": awaited(commits)[:_MOST_AWAITED],
        "listed": listed(found.rows, asked.order, asked.page),
        "where": _where(found),
        "source": SOURCE,
    }


def _where(found: Report) -> Sequence[str]:
    """The environments that figures are of."""
    return list(dict.fromkeys(row.place.environment.name for row in found.rows))
