"""DORA's four as people read them: a value, what it is made of, how it was before, and its course by day or week."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pipeline_state.cli.delivery.report import Report
from pipeline_state.cli.delivery.texts import HOW, NAMES
from pipeline_state.cli.spans import took
from pipeline_state.model.delivery import Figures

_WEEK = 7
_SAME = 0.005
"""What a value may have changed by, of itself, and count as the same."""


@dataclass(frozen=True, slots=True)
class Point:
    """A day or a week of a course. value: None where there was nothing to measure. text: the value, for people."""

    since: datetime
    until: datetime
    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Headline:
    """One figure. detail: what it is made of. trend: against the period before. tone: whether that is well."""

    key: str
    name: str
    how: str
    value: str
    detail: str
    trend: str
    tone: Literal["good", "bad", "none"]
    course: tuple[Point, ...]

    @property
    def step(self) -> str:
        """Of what each point is."""
        first = self.course[0]
        return "by day" if first.until - first.since <= timedelta(days=1) else "by week"

    @property
    def highest(self) -> str:
        """The highest value of the course, for people."""
        known = [(point.value, point.text) for point in self.course if point.value is not None]
        return max(known)[1] if known else "–"


@dataclass(frozen=True, slots=True)
class _Figure:
    """How one of them is taken from figures and told. up: what its growth is called; better: which way is well."""

    of: Callable[[Figures], float | None]
    text: Callable[[float], str]
    detail: Callable[[Figures], str]
    words: tuple[str, str]
    better: Literal["up", "down"] = "down"


def headlines(report: Report) -> list[Headline]:
    """The four of a report."""
    return [_headline(key, figure, report) for key, figure in _FIGURES.items()]


def told(figures: Figures) -> dict[str, str]:
    """The four values for people, by name; a dash where there is nothing to measure."""
    return {key: _text(figure, figures) for key, figure in _FIGURES.items()}


def frequency(per_day: float) -> str:
    """How often, in the unit in which it is at least one, if there is such."""
    for days, unit in ((1, "day"), (_WEEK, "week")):
        if per_day * days >= 1:
            return f"{per_day * days:.3g} a {unit}"
    return f"{per_day * 30:.2g} in 30 days"


def _headline(key: str, figure: _Figure, report: Report) -> Headline:
    now, before = figure.of(report.figures), figure.of(report.before)
    trend, way = _trend(figure, now, before)
    return Headline(
        key=key,
        name=NAMES[key],
        how=HOW[key],
        value=_text(figure, report.figures),
        detail=figure.detail(report.figures),
        trend=trend,
        tone="none" if way == "same" else "good" if way == figure.better else "bad",
        course=tuple(Point(since, until, figure.of(each), _text(figure, each)) for since, until, each in report.course),
    )


def _trend(figure: _Figure, now: float | None, before: float | None) -> tuple[str, Literal["up", "down", "same"]]:
    if now is None or before is None or (not now and not before):
        return ("nothing to compare with" if now is not None else ""), "same"
    told = figure.text(before)
    if before and abs(now - before) <= _SAME * before:
        return f"as before ({told})", "same"
    way: Literal["up", "down"] = "up" if now > before else "down"
    arrow, word = ("▲", figure.words[0]) if way == "up" else ("▼", figure.words[1])
    return f"{arrow} {word} than before ({told})", way


def _text(figure: _Figure, figures: Figures) -> str:
    value = figure.of(figures)
    return "–" if value is None else figure.text(value)


def _seconds(taken: timedelta | None) -> float | None:
    return None if taken is None else taken.total_seconds()


def _recovered(figures: Figures) -> str:
    failed = (
        f"median of {len(figures.recoveries)}" if figures.recoveries else "no failure" if not figures.failed else ""
    )
    open_ = f"{figures.unrecovered} not restored yet" if figures.unrecovered else ""
    return ", ".join(filter(None, [failed, open_]))


def _lead_time_detail(figures: Figures) -> str:
    p90 = figures.lead_time_p90
    return f"median; 9 of 10 within {took(p90.total_seconds())}" if p90 is not None else "nothing deployed"


_FIGURES: Mapping[str, _Figure] = {
    "deployments": _Figure(
        lambda figures: float(figures.deployed),
        lambda count: f"{count:,.0f}",
        lambda figures: frequency(figures.per_day),
        ("more", "fewer"),
        "up",
    ),
    "lead_time": _Figure(lambda figures: _seconds(figures.lead_time), took, _lead_time_detail, ("longer", "shorter")),
    "failure_rate": _Figure(
        lambda figures: figures.failure_rate,
        lambda rate: f"{100 * rate:.3g} %",
        lambda figures: f"{figures.failed} of {figures.changes}" if figures.changes else "nothing promoted",
        ("higher", "lower"),
    ),
    "recovery": _Figure(lambda figures: _seconds(figures.recovery), took, _recovered, ("longer", "shorter")),
}
