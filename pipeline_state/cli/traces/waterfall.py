"""A trace as a waterfall: one line a span, under its parent, with a bar where it was in time and how long it took.

A commit's trace may last days, most of them waiting for somebody. So time runs evenly only while something happens;
each long pause is folded to one dotted line through all bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from pipeline_state.cli.traces.spans import Span

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["Span", "Waterfall", "draw", "duration_text"]

_STYLES = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_magenta")
_FOLD = "┊"
_BAR, _POINT = "━", "╸"
_DURATION_WIDTH = 11
_WIDEST = 160
"""Columns where there is no terminal to fill."""
_NARROWEST_NAMES, _NARROWEST_BARS = 16, 12
_LONG_PAUSE = 0.25
"""Of the time in which something happened: a pause beyond it is folded."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of time without long pauses."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class _Scale:
    """Which column a moment falls in: stretches in proportion, one column between each two of them."""

    stretches: Sequence[_Stretch]
    width: int

    @property
    def folds(self) -> list[int]:
        """The columns of the folded pauses."""
        return [self.column(stretch.start) - 1 for stretch in self.stretches[1:]]

    def column(self, moment: datetime) -> int:
        """The column of a moment, 0 to width - 1."""
        usable = self.width - len(self.stretches)
        total = sum(stretch.seconds for stretch in self.stretches) or 1.0
        passed, before = 0.0, 0
        for at, stretch in enumerate(self.stretches):
            if moment >= stretch.start:
                before = at
                passed = sum(each.seconds for each in self.stretches[:at])
                passed += min((moment - stretch.start).total_seconds(), stretch.seconds)
        return min(self.width - 1, before + int(usable * passed / total))


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Draws itself as wide as the console is."""

    spans: Sequence[Span]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines."""
        if not self.spans:
            yield Text("no spans")
            return
        width = options.max_width if options.is_terminal else min(options.max_width, _WIDEST)
        rows = list(_tree(self.spans))
        labels = [_label(span, depth) for depth, span in rows]
        names = min(max(map(len, labels)), max(_NARROWEST_NAMES, width * 2 // 5))
        bars = max(_NARROWEST_BARS, width - names - _DURATION_WIDTH - 2)
        scale = _Scale(_stretches(self.spans), bars)
        styles = _styles(self.spans)
        for (_, span), label in zip(rows, labels, strict=True):
            style = "red" if span.error else styles[span.service]
            label.truncate(names, overflow="ellipsis", pad=True)
            bar = _bar(span, scale, style)
            took = Text(duration_text(span.duration).rjust(_DURATION_WIDTH), "red" if span.error else "")
            yield Text.assemble(label, " ", bar, " ", took, no_wrap=True)
        yield Text()
        yield _legend(self.spans, scale, styles)


def draw(spans: Sequence[Span]) -> Waterfall:
    """The waterfall of a trace's spans, as something rich can print."""
    return Waterfall(spans)


def duration_text(duration: timedelta) -> str:
    """A duration in the units a person would use: 0.4 ms, 132 ms, 1.24 s, 2 min 5 s, 3 h 20 min, 5 d 2 h."""
    seconds = duration.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"  # noqa: PLR2004
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    units = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
    at = next(at for at, (length, _) in enumerate(units) if seconds >= length)
    (large, name), (small, other) = units[at], units[at + 1]
    count, rest = divmod(int(seconds), large)
    return f"{count} {name} {rest // small} {other}" if rest // small else f"{count} {name}"


def _tree(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """The spans with their depth, children under their parent in the order of their start."""
    ordered = sorted(spans, key=lambda span: (span.start, -span.duration))
    ids = {span.id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in ordered:
        children.setdefault(span.parent if span.parent in ids and span.parent != span.id else "", []).append(span)
    waiting = [(0, span) for span in reversed(children.pop("", []))]
    while waiting or children:
        if not waiting:  # only spans that are each other's parents are left
            waiting = [(0, span) for span in reversed(children.pop(next(iter(children))))]
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(children.pop(span.id, []))]


def _stretches(spans: Sequence[Span]) -> list[_Stretch]:
    """The stretches of time in which something happened, short pauses among them included."""
    merged: list[_Stretch] = []
    for span in sorted(spans, key=lambda span: span.start):
        if merged and span.start <= merged[-1].end:
            merged[-1] = _Stretch(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(_Stretch(span.start, span.end))
    longest = _LONG_PAUSE * sum(stretch.seconds for stretch in merged)
    joined: list[_Stretch] = []
    for stretch in merged:
        if joined and (stretch.start - joined[-1].end).total_seconds() <= longest:
            joined[-1] = _Stretch(joined[-1].start, stretch.end)
        else:
            joined.append(stretch)
    return joined


def _label(span: Span, depth: int) -> Text:
    text = Text("  " * depth)
    text.append(span.name or "span", "bold" if not depth else "")
    return text


def _bar(span: Span, scale: _Scale, style: str) -> Text:
    start, end = scale.column(span.start), scale.column(span.end)
    folds = set(scale.folds)
    text = Text()
    for column in range(scale.width):
        if start <= column <= end and (column < end or start == end):
            text.append(_BAR if end > start else _POINT, style)
        else:
            text.append(_FOLD if column in folds else " ", "dim")
    return text


def _styles(spans: Sequence[Span]) -> dict[str, str]:
    services = list(dict.fromkeys(span.service for span in spans))
    return {service: _STYLES[at % len(_STYLES)] for at, service in enumerate(services)}


def _legend(spans: Sequence[Span], scale: _Scale, styles: dict[str, str]) -> Text:
    text = Text(f"{len(spans)} spans in {duration_text(max(span.end for span in spans) - spans[0].start)}")
    pauses = [later.start - earlier.end for earlier, later in zip(scale.stretches, scale.stretches[1:], strict=False)]
    if pauses:
        text.append(f"; {_FOLD} pauses: {', '.join(map(duration_text, pauses))}", "dim")
    for service, style in styles.items():
        if service:
            text.append("\n" if service == next(iter(styles)) else "  ")
            text.append(f"{_BAR} {service}", style)
    return text
