"""How many commits an environment is behind: those pushed after what runs there, to a branch that its pipeline takes.

What waits somewhere is known by one query, so that only repositories are read in which something newer can be. Nothing
is read while others wait for what is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock, RLock

from pipeline_state.cli.dashboard.fleet_memory import Fleet, Pace
from pipeline_state.cli.dashboard.fleet_rows import Key, Row
from pipeline_state.cli.dashboard.fleet_running import Runs
from pipeline_state.cli.delivery.reading import in_parallel
from pipeline_state.model.decide import candidate_place
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import Record, read_record
from pipeline_state.table import listing, waiting
from pipeline_state.table.delivered import items_of
from pipeline_state.table.models import to_plain

MOST = 1000
"""Commits of a repository that are looked through: who is further behind than that is so by "at least"."""

Marks = Mapping[str, str]
"""Of the waiting commits of a repository: what last made each one wait."""


_InPipeline = tuple[Row, Pipeline]
_Based = tuple[Key, Pipeline, int]
"""An environment, and the place from which it is counted."""


@dataclass(frozen=True, slots=True)
class Late:
    """How many commits behind. is_all: whether all were looked through; there may be more otherwise."""

    number: int
    is_all: bool = True

    def __bool__(self) -> bool:
        return self.number > 0 or not self.is_all

    def __str__(self) -> str:
        return f"{self.number}{'' if self.is_all else '+'}"


def behind(records: Iterable[Record], pipeline: Pipeline, than: int) -> int:
    """Commits of these that have a later place than that on a branch which the pipeline takes."""
    places = (candidate_place(record, pipeline) for record in records)
    return sum(1 for place in places if not isinstance(place, str) and place[1].sequence > than)


def place_of(record: Record | None, pipeline: Pipeline, row: Row) -> int:
    """Where what runs in an environment stands: by its record, or else by the latest place that was claimed there.

    -1 where nothing does, so that all that could go there is later.
    """
    found = candidate_place(record, pipeline) if record else ""
    return row.sequence if isinstance(found, str) else found[1].sequence


@dataclass
class Behind:
    """Counted when asked for, and again when something waits that did not, or something else runs there."""

    fleet: Fleet
    runs: Runs = field(default_factory=Runs)
    _lock: RLock = field(default_factory=RLock)
    _reading: Lock = field(default_factory=Lock)
    _waiting: dict[str, Marks] | None = None
    _version: int = 0
    _pace: Pace = field(default_factory=Pace)
    _records: dict[tuple[str, str, str], Record] = field(default_factory=dict)
    _counts: dict[Key, tuple[object, Late]] = field(default_factory=dict)

    def known(self, rows: Iterable[Row]) -> dict[Key, Late]:
        """The counts of those rows that need no reading."""
        with self._lock:
            return {row.key: count for row in rows if (count := self._known(row)) is not None}

    def count(self, rows: Iterable[Row]) -> dict[Key, Late]:
        """The counts of all these rows: one query for each of their repositories at most. Raises TemporaryFault."""
        rows = list(rows)
        self._read_waiting()
        self.runs.read(rows)
        with self._lock:
            marks = {row.key: self._mark(row) for row in rows if self._known(row) is None}
        found = self._counted(self.fleet.pipelines(row for row in rows if row.key in marks))
        with self._lock:
            self._counts |= {key: (marks[key], count) for key, count in found.items()}
            return self.known(rows)

    def look(self) -> int:
        """Read what waits, once that was asked for, if it is due; a number that grows with every change.

        Nobody waits here for another who reads already. Raises TemporaryFault.
        """
        if self._waiting is not None and self._reading.acquire(blocking=False):
            try:
                self._read_due()
            finally:
                self._reading.release()
        with self._lock:
            return self._version

    def which(self, rows: Iterable[Row]) -> set[Key]:
        """Those rows that are behind, by what waits: a hundred commits a call.

        And a query for each row whose head was not deployed. Raises TemporaryFault.
        """
        rows = list(rows)
        self._read_waiting()
        self.runs.read(rows)
        self._read_records({_repo(row) for row in rows})
        those = self.fleet.pipelines(rows)
        with self._lock:
            return {row.key for row, pipeline in those if self._is_behind(row, pipeline)}

    def _read_waiting(self) -> None:
        with self._reading:
            self._read_due()

    def _read_due(self) -> None:
        """By one thread at a time."""
        if not self._pace.is_due():
            return
        found: dict[str, dict[str, str]] = {}
        for each in waiting.everywhere():
            found.setdefault(each.repo, {})[each.commit] = each.mark
        self._pace.took(sum(map(len, found.values())))
        with self._lock:
            self._version += found != self._waiting
            self._waiting = {**found}

    def _counted(self, rows: Sequence[_InPipeline]) -> dict[Key, Late]:
        """By one query for each repository, several at once."""
        keys = {(_repo(row), commit) for row, _ in rows if (commit := self.runs.commit(row))}
        records = {key: read_record(item) for key, item in items_of(keys).items()} if keys else {}
        by_repo: dict[str, list[_Based]] = {}
        with self._lock:
            marks = {_repo(row): self._marks(_repo(row)) for row, _ in rows}
        for row, pipeline in rows:
            base = place_of(records.get((_repo(row), self.runs.commit(row))), pipeline, row)
            by_repo.setdefault(_repo(row), []).append((row.key, pipeline, base))
        found = in_parallel([(repo, marks[repo], those) for repo, those in by_repo.items()], _counted_in)
        return {key: count for counts in found for key, count in counts.items()}

    def _is_behind(self, row: Row, pipeline: Pipeline) -> bool:
        if (count := self._known(row)) is not None:
            return bool(count)
        commit = self.runs.commit(row)
        if row.newest not in {"", commit}:  # somebody went back, or the head is not there yet
            return True
        repo = _repo(row)
        records = {each[0]: self._records.get((repo, *each)) for each in self._marks(repo).items()}
        return behind(filter(None, records.values()), pipeline, place_of(records.get(commit), pipeline, row)) > 0

    def _read_records(self, repos: Iterable[str]) -> None:
        """Of what waits there; a commit's place is as it was as long as nothing new makes it wait."""
        with self._lock:
            wanted = {(repo, *each) for repo in repos for each in self._marks(repo).items()}
            missing = {key[:2]: key for key in wanted if key not in self._records}
        found = items_of(missing) if missing else {}
        with self._lock:
            self._records = {key: record for key, record in self._records.items() if key in wanted}
            self._records |= {missing[key]: read_record(item) for key, item in found.items()}

    def _known(self, row: Row) -> Late | None:
        """Nothing that waits but what runs there, and nothing to come back to: none is newer."""
        if not self.runs.is_known(row):
            return None
        kept = self._counts.get(row.key)
        if kept and kept[0] == self._mark(row):
            return kept[1]
        commit = self.runs.commit(row)
        is_last = self._waiting is not None and commit and row.newest == commit
        return Late(0) if is_last and not {*self._marks(_repo(row))} - {commit} else None

    def _mark(self, row: Row) -> object:
        return row.head["generation"], self.runs.commit(row), self._marks(_repo(row))

    def _marks(self, repo: str) -> Marks:
        return (self._waiting or {}).get(repo, {})


def _counted_in(repo: tuple[str, Iterable[str], Sequence[_Based]]) -> dict[Key, Late]:
    """Of a repository's environments. What waits is known to be there, though the index may not have it yet."""
    name, waits, those = repo
    records, is_all = listing.newer(name, min(base for _, _, base in those), MOST)
    last = max((place.sequence for place in records[-1].branches.values()), default=0) if records else 0
    if missing := {*waits} - {record.commit for record in records} if is_all else set():
        records += [read_record(to_plain(raw)) for raw in waiting.records(name, missing).values()]
    return {key: Late(behind(records, pipeline, base), is_all or base >= last) for key, pipeline, base in those}


def _repo(row: Row) -> str:
    return str(row.head["repo"])
