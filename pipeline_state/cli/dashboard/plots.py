"""Plots as SVG that needs no script and no style of its own: where everything is, in per cent of width and height."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pipeline_state.cli.delivery.headlines import Point
from pipeline_state.cli.delivery.texts import PARTS
from pipeline_state.cli.spans import took
from pipeline_state.model.lead_time import Part

_FILLED = 0.72
"""Of a bar's place; the rest lies between it and its neighbours."""

_LOWEST = 2.0
"""So high is a bar at least, to be seen; the smallest part of a stack that bears its share."""

_LABELLED = 0.12


@dataclass(frozen=True, slots=True)
class Bar:
    """One of a row of bars, counted from above. is_known: whether there was anything to measure."""

    x: float
    y: float
    width: float
    height: float
    text: str
    is_known: bool

    @property
    def middle(self) -> float:
        """Where its middle is."""
        return round(self.x + self.width / 2, 3)


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of a bar that is the whole. label: its share, where there is room for it."""

    part: Part
    name: str
    x: float
    width: float
    share: str
    taken: str
    label: str

    @property
    def middle(self) -> float:
        """Where its middle is."""
        return round(self.x + self.width / 2, 3)


def bars(course: Sequence[Point]) -> list[Bar]:
    """A course as bars side by side, the highest as high as the plot."""
    highest = max((point.value or 0.0 for point in course), default=0.0)
    step = 100 / max(len(course), 1)
    return [_bar(at * step, step, point, highest) for at, point in enumerate(course)]


def slices(parts: Mapping[Part, timedelta], count: int = 1) -> list[Slice]:
    """Parts of a time one after the other. count: of how many it is the sum; what is told is the mean."""
    total = sum(parts.values(), timedelta())
    found, x = [], 0.0
    for part, taken in parts.items():
        share = taken / total if total else 0.0
        told = f"{100 * share:.0f} %"
        mean = took(taken.total_seconds() / max(count, 1))
        label = told if share >= _LABELLED else ""
        found.append(Slice(part, PARTS[part], round(x, 3), round(100 * share, 3), told, mean, label))
        x += 100 * share
    return found


def _bar(x: float, step: float, point: Point, highest: float) -> Bar:
    part = (point.value or 0.0) / highest if highest else 0.0
    height = max(100 * part, _LOWEST) if point.value is not None else 0.0
    margin = step * (1 - _FILLED) / 2
    told = f"{point.since:%a %d %b %Y}: {point.text}"
    return Bar(
        round(x + margin, 3),
        round(100 - height, 3),
        round(step * _FILLED, 3),
        round(height, 3),
        told,
        point.value is not None,
    )
