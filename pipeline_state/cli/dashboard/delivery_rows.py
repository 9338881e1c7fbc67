"""The environments of a report as a table: in what order, and some at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pipeline_state.cli.dashboard.plots import Slice, slices
from pipeline_state.cli.delivery.headlines import told
from pipeline_state.cli.delivery.report import Row
from pipeline_state.cli.delivery.spending import sum_of

PAGE = 50
"""Environments at a time."""

USUAL = "deployments"
"""The order, unless another one is wanted."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A row as it is shown. values: by figure. slices: where its lead times went; none where that is not known."""

    row: Row
    values: Mapping[str, str]
    slices: Sequence[Slice]


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of rows. order: the name of one of the ORDERS. count: of all rows."""

    rows: Sequence[Cells]
    order: str
    page: int
    pages: int
    count: int


def listed(rows: Sequence[Row], order: str, page: int) -> Listed:
    """What is wanted, or what comes next to it."""
    order = order if order in ORDERS else USUAL
    ordered = sorted(sorted(rows, key=ORDERS["name"]), key=ORDERS[order])
    pages = max(-(-len(rows) // PAGE), 1)
    page = min(max(page, 1), pages)
    shown = ordered[(page - 1) * PAGE : page * PAGE]
    return Listed([_cells(row) for row in shown], order, page, pages, len(rows))


def _cells(row: Row) -> Cells:
    return Cells(row, told(row.figures), slices(sum_of(row.commits), len(row.commits)) if row.commits else ())


def _longest_first(taken: timedelta | None) -> float:
    return 1.0 if taken is None else -taken.total_seconds()


ORDERS: Mapping[str, Callable[[Row], Any]] = {
    "name": lambda row: (row.place.pipeline.name.lower(), row.place.environment.name),
    "deployments": lambda row: -row.figures.deployed,
    "lead_time": lambda row: _longest_first(row.figures.lead_time),
    "failure_rate": lambda row: -(row.figures.failure_rate if row.figures.failure_rate is not None else -1.0),
    "recovery": lambda row: _longest_first(row.figures.recovery),
}
"""By name, or what most is deployed to, what takes longest, what fails most; what was not measured comes last."""
