"""A repository as a grid: its commits down, newest first; gates and environments across; the heads drawn on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from pipeline_state.cli.dashboard.marks import Mark, decision_mark, gate_mark
from pipeline_state.cli.facts import Row
from pipeline_state.cli.matrix import Key, gates_of, key_of, places_of
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import Record, note_of
from pipeline_state.table.listing import Cursor, Listed

PAGE = 50
"""Commits of a page."""

_AFTER = re.compile(r"(?:(-?[0-9]{1,38})-(?=.)|-)([0-9a-f]{40})?")
"""A place and a commit, a commit without a place, or neither."""

_PATTERN = re.compile(r"[*?\[]")

_SETTLED = frozenset({"Superseded", "NotACandidate", "NoPipeline"})
"""Decisions of which nothing more comes by itself."""


@dataclass(frozen=True, slots=True)
class GateCell:
    """A gate of a commit. since: when what is pending began to be (RFC 3339)."""

    mark: Mark
    by: str = ""
    reason: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class PlaceCell:
    """What is decided about a commit and an environment. sentence: as `why` says it.

    is_head: whether it is what the environment was promoted to last. is_here: whether it runs there.
    is_open: whether something still comes of it, or should.
    """

    mark: Mark
    sentence: str
    is_head: bool
    is_here: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A commit. Cells are None where it has no such gate or environment."""

    commit: str
    branch: str
    pushed_at: str
    gates: Sequence[GateCell | None]
    places: Sequence[PlaceCell | None]


@dataclass(frozen=True, slots=True)
class Grid:
    """gates: names, in the order of the cells. places: what to call the environments, likewise."""

    gates: Sequence[str]
    places: Sequence[str]
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Standing:
    """What each environment was promoted to last, and what runs there where that is another commit."""

    heads: Mapping[Key, str]
    running: Mapping[Key, str] = field(default_factory=dict)

    def cell(self, key: Key, commit: str, environment: Mapping[str, Any]) -> PlaceCell:
        """The cell of a commit, by what is decided about it there."""
        head, mark = self.heads.get(key), decision_mark(environment)
        is_open = environment["decision"] not in {"Promoted", *_SETTLED} or (head == commit and mark.tone != "good")
        is_here = self.running.get(key, head) == commit
        return PlaceCell(mark, environment["reason"], head == commit, is_here, is_open)


def grid_of(rows: Sequence[Row], standing: Standing, records: Mapping[str, Record]) -> Grid:
    """From commits as `facts.rows` tells of them. records: by commit."""
    gates, places = gates_of(rows), places_of(rows)
    lines = [_line(row, gates, list(places), standing, records[row.commit]) for row in rows]
    return Grid(gates, list(places.values()), lines)


def _line(row: Row, gates: Sequence[str], places: Sequence[Key], standing: Standing, record: Record) -> Line:
    known = {gate["name"]: gate for gate in row.status["gates"]}
    decided = {key_of(each): each for each in row.status["environments"]}
    return Line(
        commit=row.commit,
        branch=row.status["branch"] or "",
        pushed_at=row.pushed_at,
        gates=[
            _gate_cell(known[name], _set_at(record, name) or row.pushed_at) if name in known else None for name in gates
        ],
        places=[standing.cell(key, row.commit, decided[key]) if key in decided else None for key in places],
    )


def _gate_cell(gate: Mapping[str, Any], there_since: str) -> GateCell:
    """there_since: what counts where its value does not say since when it is so."""
    is_pending = gate["status"] == "pending"
    since = gate["at"] or there_since if is_pending else ""
    return GateCell(gate_mark(gate["status"]), gate["by"] or "", gate["reason"] or "", since)


def _set_at(record: Record, gate: str) -> str:
    """When its column got the value that it has, by the note beside it; empty for what is there since the push."""
    at = note_of(record.gates.get(gate), record.written.get(gate)).get("at")
    return at if isinstance(at, str) else ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which commits. branch: empty for all. after: where the page before ended; None for the newest."""

    repo: str
    branch: str = ""
    after: Cursor | None = None

    @classmethod
    def from_query(cls, repo: str, query: Mapping[str, str]) -> Wanted:
        """Of a URL; what cannot be understood is left out."""
        return cls(repo, query.get("branch", ""), _cursor(query.get("after", "")))

    def url(self, path: str, **changes: Any) -> str:
        """The URL of the same, but for some of it; what goes without saying is left out."""
        told = {"branch": self.branch, "after": self.after} | changes
        told["after"] = _told(told["after"]) if told["after"] else ""
        kept = {name: value for name, value in told.items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path


WITHOUT_PUSH = Cursor(None, "")
"""Before the records that no push has told of: CI has, or people."""


def _cursor(text: str) -> Cursor | None:
    found = _AFTER.fullmatch(text)
    return Cursor(int(found[1]) if found[1] else None, found[2] or "") if found else None


def _told(cursor: Cursor) -> str:
    return f"{'' if cursor.sequence is None else cursor.sequence}-{cursor.commit}"


def branches_of(pipelines: Iterable[Pipeline], listed: Iterable[Listed], wanted: Wanted) -> list[str]:
    """Those that are offered: the pipelines' own as far as they are names, those on the page, and the wanted one."""
    taken = [branch for pipeline in pipelines for branch in pipeline.branches if not _PATTERN.search(branch)]
    names = dict.fromkeys([*taken, wanted.branch, *(each.branch for each in listed)])
    return [name for name in names if name]
