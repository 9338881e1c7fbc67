"""Figures: what was measured, beside the floor it is compared with and the goal of the ratio."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Column, Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: the medians of its samples and of its floor's, both in one unit.

    goal is the most that the ratio may be. A goal that is no ratio has one unit (1 ms, 1 call) for its floor.
    details: what else there is to say, a line each.
    """

    name: str
    unit: str
    goal: float
    samples: Sequence[float]
    floor_samples: Sequence[float] = (1.0,)
    details: Sequence[str] = ()

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def floor(self) -> float:
        return median(self.floor_samples)

    @property
    def ratio(self) -> float:
        return self.value / self.floor

    @property
    def is_reached(self) -> bool:
        return self.ratio <= self.goal


def as_json(figures: Iterable[Figure]) -> str:
    """One line: {"<name>": {"value": …, "floor": …, "ratio": …, "goal": …}}."""
    named = {
        figure.name: {
            "value": round(figure.value, 3),
            "floor": round(figure.floor, 3),
            "ratio": round(figure.ratio, 3),
            "goal": figure.goal,
        }
        for figure in figures
    }
    return json.dumps(named)


def as_table(figures: Iterable[Figure]) -> Table:
    table = Table(Column("figure", no_wrap=True), "unit")
    for heading in ("value", "floor", "ratio", "goal"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for figure in figures:
        numbers = (figure.value, figure.floor, figure.ratio, figure.goal)
        verdict = "[green]reached[/]" if figure.is_reached else "[red]missed[/]"
        table.add_row(figure.name, figure.unit, *(f"{number:.2f}" for number in numbers), verdict)
    return table


def raw_samples(figure: Figure) -> list[str]:
    """The samples as they came: a line for the figure and one for its floor."""
    return [
        f"{figure.name}{what} ({figure.unit}): {' '.join(f'{sample:.2f}' for sample in samples)}"
        for what, samples in (("", figure.samples), (", floor", figure.floor_samples))
    ]
