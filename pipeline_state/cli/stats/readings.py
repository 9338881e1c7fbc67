"""What was counted and timed in some hours and in as many before: one shape, whoever kept it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from pipeline_state.metrics import Metric

MOST_HOURS = 720
"""A month, and a month before it."""

_STRETCHES = (60, 300, 900, 3_600, 10_800, 21_600, 86_400)
_MOST_STRETCHES = 30
"""As many as one line of a terminal can show beside the numbers."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some hours until now, cut into stretches, and as many stretches before them.

    end: when the last stretch ends, which is still going on. All stretches begin at whole multiples of their length
    since 1970, as CloudWatch's data points do. stretch: seconds.
    """

    end: datetime
    stretch: int
    number: int

    @classmethod
    def of(cls, hours: int, now: datetime) -> Self:
        """The window of so many hours, MOST_HOURS at most."""
        seconds = hours * 3_600
        stretch = next(each for each in _STRETCHES if seconds <= each * _MOST_STRETCHES)
        end = -(-int(now.timestamp()) // stretch) * stretch
        return cls(datetime.fromtimestamp(end, UTC), stretch, -(-seconds // stretch))

    @property
    def start(self) -> datetime:
        """When the first stretch of those before begins."""
        return self.end - timedelta(seconds=2 * self.number * self.stretch)

    @property
    def middle(self) -> datetime:
        """When the first of the stretches until now begins."""
        return self.end - timedelta(seconds=self.number * self.stretch)

    def place(self, moment: datetime) -> int | None:
        """Which stretch a moment is in, from the first of those before on; None when it is in none."""
        place = int((moment - self.start).total_seconds() // self.stretch)
        return place if 0 <= place < 2 * self.number else None


@dataclass(frozen=True, slots=True)
class Durations:
    """Of one stretch: how many there were, in seconds the middle one, and the longest."""

    number: int
    median: float
    longest: float


@dataclass(frozen=True, slots=True)
class Readings:
    """By metric, one value a stretch, from the first of those before on; durations are None where there was none."""

    counts: Mapping[Metric, Sequence[int]]
    durations: Mapping[Metric, Sequence[Durations | None]]


class Source(Protocol):
    """Who kept what was counted."""

    def read(self, window: Window) -> Readings:
        """Every metric there is. Raises CommandError, and botocore's errors."""
        ...
