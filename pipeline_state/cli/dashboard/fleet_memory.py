"""The fleet as it was read last: a thousand repositories are not read anew for every page and every look."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock, RLock

from pipeline_state.cli.dashboard.fleet_rows import Key, Row
from pipeline_state.cli.facts import head_of, outcome_of
from pipeline_state.cli.steering.closures import closures_of
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.table.definitions import readable_definitions
from pipeline_state.table.listing import environments_at
from pipeline_state.table.models import Raw, to_plain
from pipeline_state.table.snapshot import EVERYTHING, Definitions, read_state

_PER_SECOND = 100
"""Items that the looks read in a second at most, over time, besides what somebody sees: 50 read units of DynamoDB's."""

_VERSIONS = 5
"""Items that are passed for one repository's pipelines: its earlier versions lie beside them."""

_SEEN = 3
"""Pages whose rows are looked at each time."""


@dataclass
class Pace:
    """When something is due to be read again: the more it is, the more seldom. clock: seconds, ever growing."""

    clock: Callable[[], float] = time.monotonic
    _due: float = 0.0

    def is_due(self) -> bool:
        """Whether it is; at first at once."""
        return self.clock() >= self._due

    def took(self, items: int) -> None:
        """It was read, and so many items were."""
        self._due = self.clock() + items / _PER_SECOND


@dataclass
class Fleet:
    """Definitions, and the environments' items. It is used by several threads, of which one reads at a time.

    Who asks for what is known already does not wait for that. What is shown first takes the items of one page; all of
    them are read once somebody asks for more.
    problems: why the pipelines of a repository cannot be read, one sentence each.
    """

    now: Callable[[], datetime]
    problems: list[str] = field(default_factory=list)
    _lock: RLock = field(default_factory=RLock)
    _reading: Lock = field(default_factory=Lock)
    _places: dict[Key, Place] = field(default_factory=dict)
    _items: dict[Key, Raw] = field(default_factory=dict)
    _known: set[Key] = field(default_factory=set)
    _rows: dict[Key, tuple[object, Row]] = field(default_factory=dict)
    _seen: deque[tuple[Key, ...]] = field(default_factory=lambda: deque(maxlen=_SEEN))
    _version: int = 0
    _definitions_pace: Pace = field(default_factory=Pace)
    _items_pace: Pace = field(default_factory=Pace)

    def look(self) -> int:
        """Read what is due, unless somebody does already; a number that grows with every change.

        Raises TemporaryFault.
        """
        if self._reading.acquire(blocking=not self._version):
            try:
                self._read_due()
            finally:
                self._reading.release()
        return self._version

    def _read_due(self) -> None:
        was_whole = self.is_whole
        if self._definitions_pace.is_due():
            self._read_definitions()
        with self._lock:
            every, seen = [*self._places], [key for keys in self._seen for key in keys]
        if was_whole and (not self.is_whole or self._items_pace.is_due()):
            self._read_items(every)
            self._items_pace.took(len(every))
        else:
            self._read_items(seen)

    @property
    def is_whole(self) -> bool:
        """Whether every environment has been read once."""
        with self._lock:
            return self._version > 0 and self._known >= self._places.keys()

    def keys(self) -> list[Key]:
        """All environments by repository, each pipeline's in its order. Raises as `look`."""
        if not self._version:
            self.look()
        with self._lock:
            return [*self._places]

    def rows(self, keys: Iterable[Key] | None = None) -> list[Row]:
        """All of them, or some; those that were never read are. Raises as `look`."""
        wanted = self.keys() if keys is None else list(keys)
        if self._missing(wanted):
            with self._reading:
                if missing := self._missing(wanted):  # still, after whoever was reading
                    self._read_items(missing)
                    self._items_pace.took(len(missing))
        with self._lock:
            stop, minute = self._items.get(EVERYTHING), self.now().replace(second=0, microsecond=0)
            return [self._row(key, stop, minute) for key in wanted if key in self._places]

    def _missing(self, wanted: Iterable[Key]) -> set[Key]:
        with self._lock:
            return {*wanted} - self._known

    def sees(self, rows: Iterable[Row]) -> None:
        """Somebody has these before them: they are looked at each time."""
        keys = tuple(row.key for row in rows)
        with self._lock:
            if keys not in self._seen:
                self._seen.append(keys)

    def pipelines(self, rows: Iterable[Row]) -> list[tuple[Row, Pipeline]]:
        """The rows with their pipelines; those that are gone by now are left out."""
        with self._lock:
            return [(row, self._places[row.key].pipeline) for row in rows if row.key in self._places]

    def _read_definitions(self) -> None:
        found, problems = readable_definitions()
        found.sort(key=lambda each: each.repo.lower())
        places = {place.key: place for definitions in found for place in _places_of(definitions)}
        self._definitions_pace.took(_VERSIONS * len(found))
        with self._lock:
            if (places, problems) != (self._places, self.problems) or not self._version:
                self._places, self.problems = places, problems
                self._known &= places.keys()
                self._version += 1

    def _read_items(self, wanted: Iterable[Key]) -> None:
        with self._lock:
            keys = {EVERYTHING, *(key for key in wanted if key in self._places)}
        found = environments_at(keys)
        with self._lock:
            self._known |= keys
            if any(found.get(key) != self._items.get(key) for key in keys):
                self._items = {**{key: raw for key, raw in self._items.items() if key not in keys}, **found}
                self._version += 1

    def _row(self, key: Key, stop: Raw | None, minute: datetime) -> Row:
        """As made before, if nothing that it is made of has changed; what closes it may end by itself."""
        raw, place = self._items.get(key, {}), self._places[key]
        is_timed = place.environment.freezes or stop or "frozen_by" in raw
        made_of = (raw, place, stop, minute if is_timed else None)
        before = self._rows.get(key)
        if before is None or before[0] != made_of:
            before = self._rows[key] = (made_of, row_of(place, raw, {EVERYTHING: stop or {}}, self.now()))
        return before[1]


def row_of(place: Place, raw: Raw, others: Mapping[Key, Raw], now: datetime) -> Row:
    """The row of an environment by its raw item. others: the item that stops everything."""
    item, state = to_plain(raw), read_state(*place.key, raw)
    head = head_of(place, raw, closures_of(place, {**others, place.key: raw}, now))
    outcomes = {each.name: outcome_of(each.name, item) for each in place.environment.releases}
    return Row(head, state.sequence, state.newest, outcomes)


def _places_of(definitions: Definitions) -> Iterator[Place]:
    for pipeline in definitions.pipelines:
        for environment in pipeline.environments:
            yield Place(pipeline, environment, definitions.declared)
