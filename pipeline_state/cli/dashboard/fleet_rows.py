"""The fleet's rows: what one shows, which are wanted, and in what order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from pipeline_state.cli.dashboard.marks import Mark, outcome_mark
from pipeline_state.cli.dashboard.query import number
from pipeline_state.cli.steering.closures import Hold, frozen_told, held_told, stopped_told
from pipeline_state.model.environments import Freeze
from pipeline_state.table.listing import in_order

PAGE = 50
"""Rows of a page."""

Key = tuple[str, str]
"""Pipeline and environment."""


@dataclass(frozen=True, slots=True)
class Row:
    """One environment. head: what `facts.head_of` tells of it. sequence: the head's place, -1 without one.

    newest: the commit of the latest place it ever had; another one than the head where somebody went back.
    """

    head: Mapping[str, Any]
    sequence: int = -1
    newest: str = ""
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Of its item."""
        return self.head["pipeline"], self.head["environment"]

    @property
    def mark(self) -> Mark:
        """How far the head got."""
        if self.head["state"] is None:
            return Mark("empty", "○", "none")
        return (
            replace(outcome_mark("promoted"), word="under way") if self.is_moving else outcome_mark(self.head["state"])
        )

    @property
    def charts(self) -> list[str]:
        """The charts that are installed, as far as their installers told."""
        told = (str(outcome.get("chart") or "") for outcome in self.outcomes.values())
        return list(dict.fromkeys(filter(None, told)))

    @property
    def is_failing(self) -> bool:
        """Whether what was promoted there last did not get there."""
        return bool(self.head["state"] == "failed")

    @property
    def has_arrived(self) -> bool:
        """Whether its head runs there, or it never had one."""
        return self.head["state"] in {None, "deployed"}

    @property
    def is_moving(self) -> bool:
        """Whether something is on its way there."""
        return bool(self.head["state"] == "promoted" or self.head["parked"] or self.head["rollouts"])

    @property
    def is_closed(self) -> bool:
        """Whether somebody or something keeps commits from going there."""
        return any(self.head[name] for name in ("frozen", "held", "stopped"))

    @property
    def closures(self) -> list[tuple[str, str]]:
        """A symbol and a sentence for each thing that keeps it closed."""
        frozen, held, stopped = (self.head[name] for name in ("frozen", "held", "stopped"))
        found = [("■", stopped_told(_freeze(stopped)))] if stopped else []
        found += [("❄", frozen_told(_freeze(frozen)))] if frozen else []
        return found + ([("⚑", held_told(Hold(**held)))] if held else [])

    @property
    def reasons(self) -> list[str]:
        """Why it failed, or what is awaited."""
        awaited = [f"{each['release']} is {each['reason']}" for each in self.head["rollouts"]]
        parked = self.head["parked"]
        awaited += [f"{', '.join(parked)}: to be installed once the way is free"] if parked else []
        return [*([self.head["reason"]] if self.head["reason"] else []), *awaited]

    @property
    def words(self) -> str:
        """What it is found by."""
        told = (self.head[name] for name in ("repo", "pipeline", "environment", "head", "branch"))
        return " ".join(each for each in told if each).lower()


def _freeze(told: Mapping[str, Any]) -> Freeze:
    return Freeze(told["by"], told["until"] or "", told["reason"])


SHOWS: Mapping[str, tuple[str, Callable[[Row], bool]]] = {
    "all": ("all", lambda _: True),
    "failing": ("failing", lambda row: row.is_failing),
    "moving": ("under way", lambda row: row.is_moving),
    "closed": ("frozen or held", lambda row: row.is_closed),
}
"""What can be asked for by a word of the query: how it is called, and which rows that is; BEHIND takes more to know."""

BEHIND = "behind"

ORDERS: Mapping[str, str] = {"name": "by name", "latest": "latest first"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the fleet. find: words that all have to be in a row. page: counted from 1."""

    find: str = ""
    show: str = "all"
    order: str = "name"
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Wanted:
        """Of a URL; what cannot be understood is left out."""
        show, order, page = (query.get(name, "") for name in ("show", "order", "page"))
        return cls(
            find=query.get("find", "").strip(),
            show=show if show in {*SHOWS, BEHIND} else "all",
            order=order if order in ORDERS else "name",
            page=number(page),
        )

    def url(self, path: str = "/", **changes: str | int) -> str:
        """The URL of the same, but for some of it; what goes without saying is left out."""
        told = {name: getattr(self, name) for name in self.__slots__} | changes
        kept = {name: value for name, value in told.items() if value != getattr(_ANYTHING, name)}
        return f"{path}?{urlencode(kept)}" if kept else path

    @property
    def is_anything(self) -> bool:
        """Whether it can be told without a look at the rows."""
        return (self.find, self.show, self.order) == (_ANYTHING.find, _ANYTHING.show, _ANYTHING.order)


_ANYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Found:
    """A page of rows. counts: how many rows of those that are found each `show` has; empty while that is not known.

    pages: how many there are.
    """

    rows: Sequence[Row]
    counts: Mapping[str, int]
    total: int
    page: int
    pages: int


def find(rows: Iterable[Row], wanted: Wanted, is_behind: Callable[[Row], bool]) -> Found:
    """The rows of a page. is_behind: asked of all rows only where those are wanted, since it takes reading."""
    words = wanted.find.lower().split()
    those = [row for row in rows if all(word in row.words for word in words)]
    counts = {name: sum(map(is_one, those)) for name, (_, is_one) in SHOWS.items()}
    is_shown = is_behind if wanted.show == BEHIND else SHOWS[wanted.show][1]
    shown = [row for row in those if is_shown(row)]
    if wanted.show == BEHIND:
        counts[BEHIND] = len(shown)
    if wanted.order == "latest":
        shown.sort(key=lambda row: in_order(row.head["promoted_at"] or ""), reverse=True)
    page, pages, here = page_of(len(shown), wanted)
    return Found(shown[here], counts, len(shown), page, pages)


def page_of(total: int, wanted: Wanted) -> tuple[int, int, slice]:
    """The page that is shown, how many there are, and which of so many are on it."""
    pages = max(1, -(-total // PAGE))
    page = min(wanted.page, pages)
    return page, pages, slice((page - 1) * PAGE, page * PAGE)
