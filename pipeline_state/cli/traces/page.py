"""A trace as HTML: the waterfall for any page, and a page of its own that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline_state.cli.traces.account import account_of
from pipeline_state.cli.traces.scale import Scale, scale_of
from pipeline_state.cli.traces.spans import Span
from pipeline_state.cli.traces.tree import tree
from pipeline_state.cli.traces.words import account_texts, note_of, took_text, who_text

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
"""Files that belong to the waterfall: waterfall.css and waterfall.js, and page.css for the page of its own."""

_WIDTH, _FOLD = 100.0, 5.0
"""Percent."""
_NARROWEST = 0.05
"""Percent, for what takes no time: a bar without any width is not drawn."""
_COLOURS = 7
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class _Row:
    """A span on the page. start, end: milliseconds since the trace began. x, width: percent."""

    id: str
    depth: int
    name: str
    service: str
    colour: int
    kind: str
    error: str
    open: bool
    note: str
    took: str
    start: str
    end: str
    x: str
    width: str
    fields: Sequence[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class _View:
    """A waterfall. points: as JSON, when it began and where its moments are drawn, which the script zooms by."""

    trace: str
    sentences: Sequence[str]
    points: str
    ticks: Sequence[str]
    folds: Sequence[str]
    rows: Sequence[_Row]
    services: Sequence[tuple[str, int]]


def waterfall_html(spans: Sequence[Span], link: str = "") -> Markup:
    """The waterfall as a fragment for pages that load waterfall.css and waterfall.js; nothing in it is inline.

    link: where Honeycomb shows the trace, if it does.
    """
    if not spans:
        return Markup("<p>No spans.</p>")
    html = _templates().get_template("waterfall.html").render(view=_view(spans), link=link)
    return Markup(html)  # noqa: S704 - escaped by Jinja


def page_html(title: str, trace_id: str, spans: Sequence[Span], link: str = "") -> str:
    """A whole page that asks for nothing else. link: where Honeycomb shows the trace, if it does."""
    return (
        _templates()
        .get_template("page.html")
        .render(
            title=title,
            trace=trace_id,
            waterfall=waterfall_html(spans, link),
            styles=Markup(_static("page.css") + _static("waterfall.css")),  # noqa: S704 - files of ours
            script=Markup(_static("waterfall.js")),  # noqa: S704 - the same
        )
    )


def _view(spans: Sequence[Span]) -> _View:
    rows = list(tree(spans))
    scale = scale_of(spans, _WIDTH, _FOLD)
    services = list(dict.fromkeys(span.service for _, span in rows if span.service))
    colours = {service: number % _COLOURS for number, service in enumerate(services)}
    origin = scale.moments[0]
    moments = zip(scale.moments, scale.positions, strict=True)
    points = [[_since(origin, moment), round(position, 4)] for moment, position in moments]
    return _View(
        trace=spans[0].trace_id,
        sentences=account_texts(len(spans), account_of(spans)),
        points=json.dumps({"origin": origin.timestamp() * 1000, "points": points}),
        ticks=[f"{moment.astimezone(UTC):%H:%M:%S}" for moment in (origin, scale.moments[-1])],
        folds=[_percent((fold.start + fold.end) / 2) for fold in scale.folds],
        rows=[_row(depth, span, scale, colours.get(span.service, 0)) for depth, span in rows],
        services=list(colours.items()),
    )


def _row(depth: int, span: Span, scale: Scale, colour: int) -> _Row:
    left, right = scale.position(span.start), scale.position(span.end)
    origin = scale.moments[0]
    return _Row(
        id=span.id,
        depth=depth,
        name=span.name or "span",
        service=who_text(span),
        colour=colour,
        kind=span.kind,
        error=span.error,
        open=span.is_open,
        note=note_of(span),
        took=took_text(span),
        start=f"{_since(origin, span.start)}",
        end=f"{_since(origin, span.end)}",
        x=_percent(left),
        width=_percent(max(right - left, _NARROWEST)),
        fields=[("start", f"{span.start.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"), *_told(span.fields.items())],
    )


def _told(fields: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    return sorted((name, value) for name, value in fields if value not in (None, "") and name != "name")


def _since(origin: datetime, moment: datetime) -> float:
    return round((moment - origin) / _MILLISECOND, 3)


def _percent(position: float) -> str:
    return f"{position:.3f}"


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
