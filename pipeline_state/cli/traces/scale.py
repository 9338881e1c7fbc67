"""Where a moment of a trace is drawn: time runs evenly while something happens, and long pauses are folded.

A commit's trace may last for days, most of them waiting for somebody: drawn evenly, all work would be one point.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline_state.cli.traces.intervals import Interval, covered, joined
from pipeline_state.cli.traces.spans import Span

_LONG_PAUSE = 0.25
"""Of the time in which something happened: a pause beyond it is folded."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A long pause, drawn from one position to another."""

    start: float
    end: float
    pause: timedelta


@dataclass(frozen=True, slots=True)
class Scale:
    """Positions from 0 to the width: straight lines between these points, each a moment and where it is drawn."""

    moments: Sequence[datetime]
    positions: Sequence[float]
    folds: Sequence[Fold]

    def position(self, moment: datetime) -> float:
        """Where a moment is drawn; what lies outside, at the nearer end."""
        after = bisect_right(self.moments, moment)
        if after in {0, len(self.moments)}:
            return self.positions[min(after, len(self.moments) - 1)]
        (start, end), (left, right) = self.moments[after - 1 : after + 1], self.positions[after - 1 : after + 1]
        return left + (right - left) * ((moment - start) / (end - start))


def scale_of(spans: Sequence[Span], width: float, fold: float) -> Scale:
    """The scale of at least one span. fold: how wide a folded pause is, at most: all of them get a third together."""
    stretches = stretches_of(spans)
    pauses, total = len(stretches) - 1, covered(stretches)
    fold = min(fold, width / 3 / pauses) if pauses else 0
    usable = width - fold * pauses
    moments: list[datetime] = []
    positions: list[float] = []
    folds: list[Fold] = []
    at = 0.0
    for start, end in stretches:
        if moments:
            folds.append(Fold(at, at + fold, start - moments[-1]))
            at += fold
        wide = usable * ((end - start) / total) if total else 0.0
        moments += [start, end]
        positions += [at, at + wide]
        at += wide
    return Scale(moments, positions, folds)


def stretches_of(spans: Sequence[Span]) -> list[Interval]:
    """The stretches of time in which something happened, short pauses among them included.

    Of a wait, only its beginning and its end happen.
    """
    times = [(span.start, span.end) for span in spans if not span.is_wait]
    times += [(moment, moment) for span in spans if span.is_wait for moment in (span.start, span.end)]
    return joined(times, gap=covered(times) * _LONG_PAUSE)
