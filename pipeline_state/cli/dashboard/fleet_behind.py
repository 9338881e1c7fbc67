"""How many commits an environment is behind: those pushed after its head, to a branch that its pipeline takes.

What waits somewhere is known by one query, so that only repositories are read in which something newer can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import RLock

from pipeline_state.cli.dashboard.fleet_memory import Fleet, Pace
from pipeline_state.cli.dashboard.fleet_rows import Key, Row
from pipeline_state.model.decide import candidate_place
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import Record, read_record
from pipeline_state.table import listing, waiting
from pipeline_state.table.delivered import items_of

Marks = Mapping[str, str]
"""Of the waiting commits of a repository: what last made each one wait."""


def behind(records: Iterable[Record], pipeline: Pipeline, row: Row) -> int:
    """Commits of these that come after the row's head; of an environment without a head, all that could go there."""
    places = {record.commit: candidate_place(record, pipeline) for record in records}
    sequences = {commit: place[1].sequence for commit, place in places.items() if not isinstance(place, str)}
    head = sequences.get(row.head["head"], row.sequence)
    return sum(1 for sequence in sequences.values() if sequence > head)


@dataclass
class Behind:
    """Counted when asked for, and again when something waits that did not, or the head is another one."""

    fleet: Fleet
    _lock: RLock = field(default_factory=RLock)
    _waiting: dict[str, Marks] | None = None
    _version: int = 0
    _pace: Pace = field(default_factory=Pace)
    _records: dict[tuple[str, str, str], Record] = field(default_factory=dict)
    _counts: dict[Key, tuple[object, int]] = field(default_factory=dict)

    def known(self, rows: Iterable[Row]) -> dict[Key, int]:
        """The counts of those rows that need no reading."""
        with self._lock:
            return {row.key: count for row in rows if (count := self._known(row)) is not None}

    def count(self, rows: Iterable[Row]) -> dict[Key, int]:
        """The counts of all these rows: one query for each of their repositories at most. Raises TemporaryFault."""
        with self._lock:
            self._read_waiting()
            missing = [row for row in rows if self._known(row) is None]
            for repo in {str(row.head["repo"]) for row in missing}:
                records = listing.places(repo)
                for row in (each for each in missing if each.head["repo"] == repo):
                    count = behind(records, self.fleet.place(row.key).pipeline, row)
                    self._counts[row.key] = (self._mark(row), count)
            return self.known(rows)

    def look(self) -> int:
        """Read what waits, once that was asked for and if it is due; a number that grows with every change.

        Raises TemporaryFault.
        """
        with self._lock:
            if self._waiting is not None:
                self._read_waiting()
            return self._version

    def _read_waiting(self) -> None:
        if not self._pace.is_due():
            return
        found: dict[str, dict[str, str]] = {}
        for each in waiting.everywhere():
            found.setdefault(each.repo, {})[each.commit] = each.mark
        self._pace.took(sum(map(len, found.values())))
        self._version += found != self._waiting
        self._waiting = {**found}

    def which(self, rows: Iterable[Row]) -> set[Key]:
        """Those rows that are behind, by what waits: a hundred commits a call. Raises TemporaryFault."""
        with self._lock:
            self._read_waiting()
            rows = list(rows)
            self._read_records({str(row.head["repo"]) for row in rows})
            return {row.key for row in rows if self._is_behind(row)}

    def _is_behind(self, row: Row) -> bool:
        if (count := self._known(row)) is not None:
            return count > 0
        if row.newest not in {"", row.head["head"]}:  # somebody went back
            return True
        repo = str(row.head["repo"])
        records = (self._records.get((repo, *each)) for each in self._marks(repo).items())
        return behind(filter(None, records), self.fleet.place(row.key).pipeline, row) > 0

    def _read_records(self, repos: Iterable[str]) -> None:
        """Of what waits there; a commit's place is as it was as long as nothing new makes it wait."""
        wanted = {(repo, *each) for repo in repos for each in self._marks(repo).items()}
        missing = {key[:2]: key for key in wanted if key not in self._records}
        found = items_of(missing) if missing else {}
        self._records = {key: record for key, record in self._records.items() if key in wanted}
        self._records |= {missing[key]: read_record(item) for key, item in found.items()}

    def _known(self, row: Row) -> int | None:
        """Nothing that waits but the head itself, and nothing to come back to: none is newer."""
        kept = self._counts.get(row.key)
        if kept and kept[0] == self._mark(row):
            return kept[1]
        head = row.head["head"]
        is_last = self._waiting is not None and head and row.newest == head
        return 0 if is_last and not {*self._marks(row.head["repo"])} - {head} else None

    def _mark(self, row: Row) -> object:
        return row.head["generation"], row.head["head"], self._marks(row.head["repo"])

    def _marks(self, repo: str) -> Marks:
        return (self._waiting or {}).get(repo, {})
