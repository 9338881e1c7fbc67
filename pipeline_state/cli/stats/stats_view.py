"""The figures in the terminal: now, before, and how they went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline_state import metrics
from pipeline_state.cli.bars import bars
from pipeline_state.cli.spans import took
from pipeline_state.cli.stats.figures import Count, Figures, Problem, Timing
from pipeline_state.cli.views import plain_table
from pipeline_state.metrics import Metric

_COUNTS = {
    metrics.EVENTS_RECEIVED: "webhooks received",
    metrics.REJECTED_UNSIGNED: "  rejected: signature",
    metrics.REJECTED_UNREADABLE: "  rejected: not JSON",
    metrics.REJECTED_INCOMPLETE: "  rejected: fields missing",
    metrics.NOT_TAKEN: "  not taken: AWS out of reach",
    metrics.GATE_CHANGES: "gates changed",
    metrics.PROMOTIONS: "promotions",
    metrics.DEPLOYMENTS: "deployments",
    metrics.DEPLOYMENTS_FAILED: "  failed",
    metrics.RETRIES: "tried again",
    metrics.DEAD_LETTERS: "given up",
    metrics.SPANS_LOST: "spans lost",
}
"""What the counts are called; of those that are indented, only what there was is shown."""

_TIMINGS = {metrics.PROMOTION_LAG: "promotion lag", metrics.HELM_DURATION: "Helm duration"}

_UNWELCOME = frozenset(_COUNTS) - {
    metrics.EVENTS_RECEIVED,
    metrics.GATE_CHANGES,
    metrics.PROMOTIONS,
    metrics.DEPLOYMENTS,
}


def stats_view(figures: Figures) -> RenderableType:
    """All of it; what is wrong comes last, where people look."""
    blocks = [_title(figures), _counted(figures), _timed(figures), _wrong(figures.problems)]
    return Group(*(part for block in blocks[:-1] for part in (block, Text())), blocks[-1])


def _title(figures: Figures) -> Text:
    window = figures.window
    hours = f"{window.number * window.stretch // 3_600} h"
    since = f"{window.middle:%Y-%m-%d %H:%M} UTC"
    return Text(f"{hours} since {since}, beside the {hours} before; each bar is {took(window.stretch)}")


def _counted(figures: Figures) -> Table:
    table = _table("", "now", "before", "change", "")
    for metric, name in _COUNTS.items():
        count = figures.counts[metric]
        if count.now or count.before or not name.startswith(" "):
            table.add_row(name, *_numbers(metric, count), _course(count.course))
    lying = sum(figures.dead_letters.values())
    table.add_row("dead letters, at present", Text(str(lying), "red" if lying else ""))
    return table


def _timed(figures: Figures) -> Table:
    table = _table("", "typical", "longest", "before", "")
    for metric, name in _TIMINGS.items():
        timing = figures.timings[metric]
        table.add_row(name, *_times(timing), _course(timing.course))
    return table


def _table(*heads: str) -> Table:
    """Numbers stand to the right."""
    table = plain_table(*heads)
    for column in table.columns[1:-1]:
        column.justify = "right"
    return table


def _numbers(metric: Metric, count: Count) -> Iterator[RenderableType]:
    difference = count.now - count.before
    yield Text(str(count.now), _style(metric, count))
    yield str(count.before)
    yield f"{difference:+}" if difference else ""


def _times(timing: Timing) -> Iterator[RenderableType]:
    yield Text(_seconds(timing.typical), "bold")
    yield _seconds(timing.longest)
    yield _seconds(timing.typical_before)


def _seconds(value: float | None) -> str:
    return "–" if value is None else took(value)


def _style(metric: Metric, count: Count) -> str:
    if metric in _UNWELCOME:
        return "red" if count.now else "dim"
    return "bold"


def _course(values: Sequence[float]) -> Text:
    return Text(bars([value or None for value in values]), "cyan")


def _wrong(problems: Sequence[Problem]) -> RenderableType:
    if not problems:
        return Text("nothing is failing", "green")
    return Group(*(Text.assemble((f"✗ {problem.what}: ", "red"), problem.then) for problem in problems))
