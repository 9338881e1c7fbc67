"""A trace in the terminal: one line a span, under its parent, with a bar where it was in time and how long it took.

Work, hops and waits are told apart by their strokes; functions by colours, and by their names or marks beside the bars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells
from rich.text import Text

from pipeline_state.cli.console import printable
from pipeline_state.cli.traces.account import account_of
from pipeline_state.cli.traces.durations import duration_text
from pipeline_state.cli.traces.marks import marks
from pipeline_state.cli.traces.scale import Scale, scale_of
from pipeline_state.cli.traces.spans import Span
from pipeline_state.cli.traces.tree import tree
from pipeline_state.cli.traces.words import account_texts, note_of, took_text, who_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_STYLES = ("cyan", "green", "magenta", "blue", "bright_cyan", "bright_magenta", "bright_green")
_WAITING, _WRONG = "yellow", "red"
_STROKES = {"work": "━", "transit": "─", "wait": "╌"}
_POINTS = {"work": "╸", "transit": "╴", "wait": "╌"}
_LEGEND = (("work", "work"), ("transit", "on its way"), ("wait", "waiting"))
_FOLD, _NOTE = "┊", "└ "
_MARGIN = 2
"""Columns of a wait's bar that are left on both sides of what is written in it."""
_DURATION_WIDTH = 11
_WIDEST = 160
"""Columns where there is no terminal to fill."""
_NARROWEST_NAMES, _NARROWEST_BARS = 16, 12
_WIDE = 120
"""From so many columns on, the function, or for whom a wait is, is named; below, it has a mark."""
_WIDEST_FOLD = 6.0


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
        sheet = _sheet(self.spans, width)
        yield sheet.head()
        for depth, span in sheet.rows:
            yield from sheet.lines(depth, span)
        yield Text()
        for sentence in account_texts(len(self.spans), account_of(self.spans)):
            yield from _flow([Text(clause) for clause in re.split(r"(?<=; )", sentence)], width)
        yield from sheet.legend(width)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What all lines have in common.

    styles: by function. shown: for each function, and whoever a wait is for, its name or its mark. names, whose, bars:
    widths, in cells, of the spans' names, of what is shown and of the bars.
    """

    rows: Sequence[tuple[int, Span]]
    scale: Scale
    styles: Mapping[str, str]
    shown: Mapping[str, str]
    names: int
    whose: int
    bars: int

    def head(self) -> Text:
        """When it began and ended, above the bars."""
        first, last = self.scale.moments[0], self.scale.moments[-1]
        day = f"{first.astimezone(UTC):%Y-%m-%d}, UTC"
        begun, ended = _clock(first, first), _clock(last, first)
        room = " " * max(1, self.bars - len(begun) - len(ended))
        return Text(f"{day:<{self.names + self.whose}} {begun}{room}{ended}", "dim", no_wrap=True)

    def lines(self, depth: int, span: Span) -> Iterator[Text]:
        """The span's line; below it, what there is to say that does not fit beside its bar."""
        start, end = self._columns(span)
        bar, note, style = self._bar(span, start, end), note_of(span), _WRONG if span.error else "dim"
        written = f" {note} " if note else ""
        wide = cell_len(written)
        left = _place(wide, start, end, self.bars, is_wait=span.is_wait)
        if left is not None:
            bar = Text.assemble(bar[:left], (written, style), bar[left + wide :])
        took = Text(took_text(span).rjust(_DURATION_WIDTH), _WRONG if span.error else "")
        yield Text.assemble(self._label(depth, span), " ", bar, " ", took, no_wrap=True)
        if left is None:
            yield from self._below(depth, note, style)

    def legend(self, width: int) -> Iterator[Text]:
        """What strokes, folds, colours and marks mean."""
        strokes = [Text(f"{_STROKES[kind]} {word}  ", "dim") for kind, word in _LEGEND]
        pauses = ", ".join(duration_text(fold.pause) for fold in self.scale.folds)
        yield from _flow([*strokes, *([Text(f"{_FOLD} folded: {pauses}", "dim")] if pauses else [])], width)
        functions = [self._named("work", name, style) for name, style in self.styles.items() if name]
        awaited = dict.fromkeys(who_text(span) for _, span in self.rows if span.is_wait)
        marked = [self._named("wait", who, _WAITING) for who in awaited if self.shown[who] != who]
        yield from _flow([*functions, *marked], width)

    def _named(self, kind: str, who: str, style: str) -> Text:
        """A name in the legend, after the mark that stands for it if one does."""
        mark = "" if self.shown[who] == who else f"{self.shown[who]} "
        return Text(f"{_STROKES[kind]} {mark}{who}  ", style)

    def _label(self, depth: int, span: Span) -> Text:
        label = Text("  " * depth)
        label.append(printable(span.name) or "span", "" if depth else "bold")
        label.truncate(self.names, overflow="ellipsis", pad=True)
        whose = Text(f" {self.shown[who_text(span)]}", "dim")
        whose.truncate(self.whose, overflow="ellipsis", pad=True)
        return Text.assemble(label, whose)

    def _columns(self, span: Span) -> tuple[int, int]:
        """Where its bar starts and before where it ends: it is never narrower than a column."""
        start, end = (min(self.bars - 1, _whole(self.scale.position(moment))) for moment in (span.start, span.end))
        return start, max(end, start + 1)

    def _bar(self, span: Span, start: int, end: int) -> Text:
        style = _WRONG if span.error else _WAITING if span.is_wait else self.styles[who_text(span)]
        is_point = self.scale.position(span.end) - self.scale.position(span.start) < 1
        text = Text()
        text.append(" " * start)
        text.append(_POINTS[span.kind] if is_point else _STROKES[span.kind] * (end - start), style)
        text.append(" " * (self.bars - len(text)))
        for fold in self.scale.folds:
            middle = _whole((fold.start + fold.end) / 2)
            if not is_point or middle != start:
                inside = style if start <= middle < end else "dim"
                text = Text.assemble(text[:middle], (_FOLD, inside), text[middle + 1 :])
        return text

    def _below(self, depth: int, note: str, style: str) -> Iterator[Text]:
        indent = "  " * depth
        room = max(_NARROWEST_NAMES, self.names + self.whose + self.bars + _DURATION_WIDTH + 2 - len(indent) - 2)
        for at, part in enumerate(chop_cells(note, room)):
            yield Text(f"{indent}{'  ' if at else _NOTE}{part}", style, no_wrap=True)


def draw(spans: Sequence[Span]) -> Waterfall:
    """The waterfall of a trace's spans, as something rich can print."""
    return Waterfall(spans)


def _sheet(spans: Sequence[Span], width: int) -> _Sheet:
    rows = list(tree(spans))
    functions = dict.fromkeys(who_text(span) for _, span in rows if not span.is_wait)
    styles = {name: _STYLES[number % len(_STYLES)] for number, name in enumerate(functions)}
    whose = dict.fromkeys(who_text(span) for _, span in rows)
    shown = {who: who for who in whose} if width >= _WIDE else marks(whose)
    column = max(map(cell_len, shown.values())) + 1
    longest = max(2 * depth + cell_len(printable(span.name) or "span") for depth, span in rows)
    names = max(_NARROWEST_NAMES, min(longest, (width - column) * 2 // 5))
    bars = max(_NARROWEST_BARS, width - names - column - _DURATION_WIDTH - 2)
    return _Sheet(rows, scale_of(spans, bars, _WIDEST_FOLD), styles, shown, names, column, bars)


def _flow(pieces: Sequence[Text], width: int) -> Iterator[Text]:
    """Pieces in as few lines as they need, none of them broken unless it alone is too long."""
    line = Text()
    for piece in pieces:
        if line and line.cell_len + cell_len(piece.plain.rstrip()) > width:
            line.rstrip()
            yield line
            line = Text()
        line.append_text(piece)
    if line:
        line.rstrip()
        yield line


def _place(wide: int, start: int, end: int, bars: int, *, is_wait: bool) -> int | None:
    """The column for a note: in the middle of a long wait, else right of the bar, else left of it, else nowhere."""
    if is_wait and end - start >= wide + 2 * _MARGIN:
        return start + (end - start - wide) // 2
    if end + wide <= bars:
        return end
    return start - wide if start >= wide else None


def _clock(moment: datetime, first: datetime) -> str:
    """A time of the first one's day, or of another day with that."""
    moment, first = moment.astimezone(UTC), first.astimezone(UTC)
    return f"{moment:%H:%M:%S}" if moment.date() == first.date() else f"{moment:%m-%d %H:%M:%S}"


def _whole(position: float) -> int:
    return int(position + 1e-9)
