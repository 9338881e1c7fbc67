"""What has kept environments closed, and since when: freezes, holds and stops of people, by the journal's entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stretch of time, and what was closed in it; None where nothing is known to have been.

    end: None while it lasts; then nobody has ended it.
    """

    closure: Closure | None
    start: datetime
    end: datetime | None
    ended_by: Doer


def cut(
    closed: Sequence[Closure],
    window: Callable[[datetime], Closure | None],
    stretch: tuple[datetime, datetime | None],
    doer: Doer,
    now: datetime,
) -> Iterator[Part]:
    """A stretch, from its start to its end or until now, cut where closures begin and end.

    closed: those that come first count where there are several at once. window: the freeze window that a time lies in.
    doer: who ended the whole stretch.
    """
    moment, end = stretch
    last = end or now
    while moment < last:
        closure = _covering(closed, moment) or window(moment)
        until = closure.end if closure else _next_start(closed, moment)
        if until and until < last:
            yield Part(closure, moment, until, closure.ended_by if closure else Doer())
        else:
            yield Part(closure, moment, end, doer if end else Doer())
        moment = until or last


def _covering(closed: Iterable[Closure], moment: datetime) -> Closure | None:
    return next((each for each in closed if each.start <= moment and (each.end is None or each.end > moment)), None)


def _next_start(closed: Iterable[Closure], moment: datetime) -> datetime | None:
    return min((each.start for each in closed if each.start > moment), default=None)


def _ended(closure: Closure, entry: Entry) -> Closure:
    """Ended by an entry, unless its own time was over by then."""
    if closure.end and closure.end <= entry.at:
        return closure
    return replace(closure, end=entry.at, ended_by=entry.doer)
