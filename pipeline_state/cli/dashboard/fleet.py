"""The fleet: what every environment of every repository has, since when, by whom, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline_state.cli.dashboard.fleet_behind import Behind
from pipeline_state.cli.dashboard.fleet_memory import Fleet
from pipeline_state.cli.dashboard.fleet_rows import BEHIND, ORDERS, SHOWS, Found, Row, Wanted, find, page_of
from pipeline_state.table.deployments import Deployment, deployments_of

if TYPE_CHECKING:
    from pipeline_state.cli.dashboard.board import Board

TOPIC = "fleet"


def routes(board: Board) -> list[Route]:
    """The page, and its rows alone, which take another look with every change and every word of a search."""
    it = _Fleet(Fleet(board.now))
    board.live.looks[TOPIC] = it.look
    board.ahead.append(it.read_ahead)

    def page(request: Request) -> Response:
        live = board.live.url(TOPIC)
        return board.page(request, "fleet.html", live=live, **it.context(request))

    def rows(request: Request) -> Response:
        context = it.context(request, counting="count" in request.query_params)
        answer = board.page(request, "fleet_rows.html", **context)
        answer.headers["HX-Replace-Url"] = context["wanted"].url()
        return answer

    return [Route("/", page), Route("/fleet/rows", rows)]


@dataclass
class _Fleet:
    """What is kept between requests."""

    fleet: Fleet
    promotions: dict[tuple[str, str, int], Deployment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.behind = Behind(self.fleet)

    def look(self) -> str:
        return f"{self.fleet.look()}.{self.behind.look()}"

    def context(self, request: Request, *, counting: bool = False) -> dict[str, Any]:
        """What the rows are made of. counting: whether to read what the first paint goes without."""
        wanted = Wanted.from_query(request.query_params)
        found = self._found(wanted, counting=counting)
        self.fleet.sees(found.rows)
        behind = self.behind.count(found.rows) if counting else self.behind.known(found.rows)
        running = {row.key: each for row in found.rows if (each := self.behind.runs.of(row))}
        return {
            "wanted": wanted,
            "found": found,
            "groups": _groups(found),
            "behind": behind,
            "running": running,
            "is_counted": found.counts and len(behind) == len(found.rows),
            "promotions": self._promotions(found.rows),
            "shows": {**{name: called for name, (called, _) in SHOWS.items()}, BEHIND: "behind"},
            "orders": ORDERS,
            "is_empty": not self.fleet.keys(),
            "problems": self.fleet.problems,
        }

    def _found(self, wanted: Wanted, *, counting: bool) -> Found:
        if wanted.is_anything and not counting and not self.fleet.is_whole:
            keys = self.fleet.keys()
            page, pages, here = page_of(len(keys), wanted)
            return Found(self.fleet.rows(keys[here]), {}, len(keys), page, pages)
        every = self.fleet.rows()
        late = self.behind.which(every) if wanted.show == BEHIND else set()
        return find(every, wanted, lambda row: row.key in late)

    def read_ahead(self) -> None:
        """What the first paint takes."""
        self._promotions(self._found(Wanted(), counting=False).rows)

    def _promotions(self, rows: Iterable[Row]) -> dict[tuple[str, str], Deployment]:
        """Who wanted the heads of rows, and what was installed; a promotion never changes."""
        wanted = {row.key: (*row.key, int(row.head["generation"])) for row in rows if row.head["generation"]}
        if missing := [each for each in wanted.values() if each not in self.promotions]:
            self.promotions |= deployments_of(missing)
        return {key: self.promotions[each] for key, each in wanted.items() if each in self.promotions}


def _groups(found: Found) -> list[list[Row]]:
    """Rows of one pipeline that follow each other."""
    return [list(rows) for _, rows in groupby(found.rows, key=lambda row: row.key[0])]
