"""Stretches of time: joined, added up, and what lies between them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

Interval: TypeAlias = tuple[datetime, datetime]
"""From a time to one that is not before it."""

NOTHING = timedelta(0)


def joined(intervals: Iterable[Interval], gap: timedelta = NOTHING) -> list[Interval]:
    """The same time by as few intervals as can be, in order; across gaps up to the given length."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if found and start - found[-1][1] <= gap:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def covered(intervals: Iterable[Interval]) -> timedelta:
    """How much time lies in at least one of them."""
    return sum((end - start for start, end in joined(intervals)), NOTHING)


def gaps(intervals: Iterable[Interval]) -> list[Interval]:
    """What lies between the first and the last of them and in none."""
    return [(before[1], after[0]) for before, after in pairwise(joined(intervals))]
