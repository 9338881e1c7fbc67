"""Commits × gates and environments, in as few columns of text as it takes: nothing is left out for want of width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline_state.cli.console import UNLIMITED
from pipeline_state.cli.facts import Row
from pipeline_state.cli.views import GATES, SHORT, decision_style, has_failed, minute, plain_table, shown
from pipeline_state.model.pipelines import DEPLOYED_TO

MARKS = {
    "deployed": "✓",
    "failed": "✗",
    "promoted": "→",
    "Promote": "↑",
    "Wait": "·",
    "Blocked": "!",
    "Soaking": "~",
    "Queued": ":",
    "Frozen": "*",
    "Held": "=",
    "Superseded": "<",
    "NotACandidate": "-",
    "NoPipeline": "?",
}
"""A word of a decision as one character, where there is no room for words."""

_FIRST_COLUMNS, _MARKED_COLUMN = 33, 5
"""Columns of text that hash and time take, and a number with a mark below it, with what keeps them apart."""

_Column = tuple[str, Sequence[Text]]

Key = tuple[str, str]
"""Pipeline and environment."""


def gates_of(rows: Sequence[Row]) -> list[str]:
    """The gates of commits, but for those that tell where they are deployed."""
    names = dict.fromkeys(gate["name"] for row in rows for gate in row.status["gates"])
    return [name for name in names if not name.startswith(DEPLOYED_TO)]


def places_of(rows: Sequence[Row]) -> dict[Key, str]:
    """Environments of commits by pipeline and name: what to call them."""
    found = {key_of(each): each["name"] for row in rows for each in row.status["environments"] if each["name"]}
    several = len({pipeline for pipeline, _ in found}) > 1
    return {key: f"{key[0]} {key[1]}" if several else name for key, name in found.items()}


def key_of(environment: Mapping[str, Any]) -> Key:
    """Of an environment in a commit's status."""
    return environment["pipeline"], environment["name"]


def commits_table(rows: Sequence[Row], width: int) -> RenderableType:
    """Commits, newest first, with their gates, and what is decided for each environment.

    Where names are too wide for it, columns have numbers and a legend tells the names; where words are, marks.
    """
    matrix = _Matrix(rows)
    whole = matrix.table(matrix.columns(named=True, worded=True))
    if _width(whole) <= width:
        return whole
    worded = matrix.table(matrix.columns(named=False, worded=True))
    if _width(worded) <= width:
        return Group(worded, Text(), *matrix.legend())
    columns = matrix.columns(named=False, worded=False)
    fitting = max(1, (width - _FIRST_COLUMNS) // _MARKED_COLUMN)
    blocks = [columns[start : start + fitting] for start in range(0, len(columns), fitting)]
    return Group(
        *(part for block in blocks for part in (matrix.table(block), Text())), *matrix.legend(), matrix.marks()
    )


def _width(table: Table) -> int:
    """Columns of text it takes with nothing folded."""
    return Console(width=UNLIMITED).measure(table).maximum


@dataclass(frozen=True, slots=True)
class _Matrix:
    rows: Sequence[Row]

    @property
    def gates(self) -> list[str]:
        return gates_of(self.rows)

    @property
    def places(self) -> dict[Key, str]:
        return places_of(self.rows)

    def columns(self, *, named: bool, worded: bool) -> list[_Column]:
        """The gates and the environments: a head and a cell for each row."""
        heads = [*self.gates, *self.places.values()]
        heads = heads if named else [str(number) for number, _ in enumerate(heads, 1)]
        cells = [[_gate_cell(row, name) for row in self.rows] for name in self.gates]
        cells += [[_place_cell(row, key, worded=worded) for row in self.rows] for key in self.places]
        return list(zip(heads, cells, strict=True))

    def table(self, columns: Sequence[_Column]) -> Table:
        table = plain_table("commit", "pushed (UTC)", *(head for head, _ in columns))
        for at, row in enumerate(self.rows):
            time = minute(row.pushed_at) or "not yet"
            table.add_row(shown(row.commit[:SHORT], "cyan"), time, *(cells[at] for _, cells in columns))
        return table

    def legend(self) -> Iterator[Text]:
        """What the numbers mean."""
        gates, places = self.gates, list(self.places.values())
        for what, names, first in (("gates", gates, 1), ("environments", places, len(gates) + 1)):
            if names:
                told = "  ".join(f"{number} {name}" for number, name in enumerate(names, first))
                yield shown(f"{what}: {told}", "dim")

    def marks(self) -> Text:
        """What the marks of environments mean, of those that are there."""
        words = dict.fromkeys(word(each) for row in self.rows for each in row.status["environments"] if each["name"])
        return Text("  ".join(f"{_mark(each)} {each}" for each in words), "dim")


def _gate_cell(row: Row, name: str) -> Text:
    status = next((gate["status"] for gate in row.status["gates"] if gate["name"] == name), None)
    return Text(*GATES[status]) if status else Text()


def _place_cell(row: Row, key: Key, *, worded: bool) -> Text:
    found = next((each for each in row.status["environments"] if key_of(each) == key), None)
    if found is None:
        return Text()
    told = word(found)
    return Text(told if worded else _mark(told), decision_style(found))


def _mark(word: str) -> str:
    return MARKS.get(word, word[:1])


def word(environment: Mapping[str, Any]) -> str:
    """The decision in a word; of a promoted commit, how far it got."""
    if environment["decision"] != "Promoted":
        return str(environment["decision"])
    if has_failed(environment):
        return "failed"
    return "deployed" if environment["deployed_at"] else "promoted"
