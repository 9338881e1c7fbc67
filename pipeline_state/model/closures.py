"""What has kept environments closed, and since when: freezes, holds and stops of people, by the journal's entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from pipeline_state.model.entries import PIPELINE, Doer, Entry
from pipeline_state.model.times import parse_time

EVERYWHERE = ""
"""Where a stop of everything is closed."""

_BEGINS = {"frozen": "unfrozen", "held": "released", "stopped": "started"}
"""Kinds of entries that begin a closure, each with the one that ends it."""

_ENDS = {end: begin for begin, end in _BEGINS.items()}
_WORDS = {"frozen": "the freeze of {}", "held": "the hold on {}", "stopped": "the stop of everything"}


@dataclass(frozen=True, slots=True)
class Closure:
    """A stretch of time in which a commit that was ready could not go on.

    what: is waited for, as in "the end of the freeze of production". who: can end it. end: None while nobody has.
    ended_by: a time that was set counts as the pipeline.
    """

    what: str
    who: Literal["people", "pipeline"]
    start: datetime
    end: datetime | None = None
    ended_by: Doer = PIPELINE


def closures(entries: Iterable[Entry], names: Mapping[tuple[str, str], str]) -> dict[str, list[Closure]]:
    """What people have closed, by environment; `EVERYWHERE` has the stops of everything. entries: oldest first.

    names: what an environment is called, by pipeline and name; entries about others are left out.
    """
    found: dict[str, list[Closure]] = {}
    begun: dict[tuple[str, str], Closure] = {}
    for entry in entries:
        place = EVERYWHERE if entry.kind in {"stopped", "started"} else names.get(entry.place)
        kind = _ENDS.get(entry.kind, entry.kind)
        if place is None or kind not in _BEGINS:
            continue
        if before := begun.pop((kind, place), None):
            found.setdefault(place, []).append(_ended(before, entry))
        if entry.kind in _BEGINS:
            words = f"the end of {_WORDS[kind].format(place)}"
            begun[kind, place] = Closure(words, "people", entry.at, parse_time(entry.text("until")))
    for (_, place), closure in begun.items():
        found.setdefault(place, []).append(closure)
    return found


def _ended(closure: Closure, entry: Entry) -> Closure:
    """Ended by an entry, unless its own time was over by then."""
    if closure.end and closure.end <= entry.at:
        return closure
    return replace(closure, end=entry.at, ended_by=entry.doer)
