"""What is seen while the demo runs: a line for every step, moving while it lasts, and the evidence below it."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from pipeline_state.cli.traces.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

WIDEST = 100
"""Columns of a step's line: on a wide terminal its seconds would be too far from its words."""

INDENT = " " * 5


@dataclass(slots=True)
class Step:
    """A step under way. text: the words it will be remembered by."""

    text: str


@dataclass(slots=True)
class Stage:
    """The terminal, or the file, that the demo is shown on."""

    console: Console
    chapters: int = 0

    @property
    def width(self) -> int:
        """Columns of a step's line."""
        return min(self.console.width, WIDEST)

    def title(self, text: str) -> None:
        """What it is all about."""
        self._print()
        self._print(Text(f" {text}", "bold"))

    def chapter(self, title: str) -> None:
        """A new heading."""
        self.chapters += 1
        self._print()
        self._print(Text(f" {self.chapters}  {title}", "bold"))

    @contextmanager
    def step(self, text: str) -> Iterator[Step]:
        """A line with its seconds once the block is done, and a moving one until then."""
        step, started = Step(text), time.monotonic()
        try:
            with self._moving(text):
                yield step
        except BaseException:
            self._line(Text(" ✗ ", "bold red"), step.text, time.monotonic() - started)
            raise
        self._line(Text(" ✓ ", "green"), step.text, time.monotonic() - started)

    @contextmanager
    def steps(self) -> Iterator[Callable[[str], None]]:
        """Steps of which each ends where the next begins; the block is given what begins one."""
        with ExitStack() as current:

            def begin(text: str) -> None:
                current.close()
                current.enter_context(self.step(text))

            yield begin

    def say(self, text: str, style: str = "dim") -> None:
        """Evidence that the step brought to light, in words."""
        for line in wrap(text, self.width - len(INDENT), break_on_hyphens=False):
            self._print(Text(INDENT + line, style))

    def quote(self, text: str, style: str = "cyan") -> None:
        """Evidence to be copied: its lines stay whole, whatever the width."""
        for line in text.splitlines():
            self.console.print(Text(INDENT + line, style), highlight=False, soft_wrap=True)

    @contextmanager
    def _moving(self, text: str) -> Iterator[None]:
        words = TextColumn("{task.description}", markup=False)
        columns = (TextColumn(""), SpinnerColumn(style="cyan"), words, TimeElapsedColumn())
        seen = self.console.is_interactive
        with Progress(*columns, console=self.console, transient=True, disable=not seen) as progress:
            progress.add_task(text, total=None)
            yield

    def _line(self, mark: Text, text: str, seconds: float) -> None:
        line = Table.grid(expand=True)
        line.width = self.width
        line.add_column(width=3)
        line.add_column(ratio=1)
        line.add_column(justify="right", width=9, no_wrap=True)
        line.add_row(mark, Text(text), Text(duration_text(timedelta(seconds=seconds)), "dim"))
        self._print(line)

    def _print(self, what: RenderableType = "") -> None:
        self.console.print(what, highlight=False)
