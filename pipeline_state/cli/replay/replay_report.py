"""What a replay found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pipeline_state.cli.views import SHORT, moment, plain_table, shown
from pipeline_state.model.comparison import Difference, Kind
from pipeline_state.model.times import format_time

MOST_SHOWN = 50
"""Differences of one environment that people are shown, the newest."""

_ENDS = {
    Kind.LATER: "later",
    Kind.EARLIER: "earlier",
    Kind.NOT_AT_ALL: "not at all",
    Kind.ADDED: "in addition",
}
_STYLES = {Kind.LATER: "yellow", Kind.EARLIER: "green", Kind.NOT_AT_ALL: "red", Kind.ADDED: "green"}
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Report:
    """commits: how many were replayed. otherwise: promotions that really went otherwise than in the replay as it is.

    vague: entries of the journal of which not all is known.
    """

    repo: str
    commits: int
    environments: tuple[tuple[str, str], ...]
    differences: tuple[Difference, ...]
    otherwise: tuple[Difference, ...]
    vague: int

    @property
    def summary(self) -> str:
        """All of it in a sentence."""
        about = f"{_counted(self.commits, 'commit')}, {_counted(len(self.environments), 'environment')}"
        kinds = Counter(each.kind for each in self.differences)
        if not kinds:
            return f"{about}: nothing would have been decided differently"
        (first, count), *others = [(kind, kinds[kind]) for kind in _ENDS if kinds[kind]]
        would = "would not have come at all" if first is Kind.NOT_AT_ALL else f"would have come {_ENDS[first]}"
        told = f"{_counted(count, 'promotion')} {would}"
        return ", ".join([f"{about}: {told}", *(f"{number} {_ENDS[kind]}" for kind, number in others)])

    @property
    def warnings(self) -> list[str]:
        """What to know before believing it."""
        found = []
        if self.otherwise:
            really = f"{_counted(len(self.otherwise), 'promotion')} happened otherwise than in the replay of today's"
            why = "definitions may have changed since, or people and faults came between"
            found.append(f"{really} definitions, e.g. {_example(self.otherwise[-1])}; {why}")
        if self.vague:
            entries = "1 entry of the journal does" if self.vague == 1 else f"{self.vague} entries of the journal do"
            taken = "such pushes touch every pipeline, and what happened was learned at once"
            found.append(f"{entries} not tell all, as older versions wrote them; {taken}")
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "repo": self.repo,
            "commits": self.commits,
            "environments": [{"pipeline": pipeline, "name": name} for pipeline, name in self.environments],
            "summary": self.summary,
            "differences": [_json(each, "as_it_is", "changed") for each in self.differences],
            "happened_otherwise": [_json(each, "really", "as_it_is") for each in self.otherwise],
            "vague_entries": self.vague,
        }

    def view(self) -> RenderableType:
        """A table for each environment with differences, and the sentences."""
        parts: list[RenderableType] = []
        order = sorted(self.differences, key=lambda each: self.environments.index((each.pipeline, each.environment)))
        for (pipeline, environment), group in groupby(order, key=lambda each: (each.pipeline, each.environment)):
            several = len({each for each, _ in self.environments}) > 1
            title = f"{pipeline} {environment}" if several else environment
            parts += [Text.assemble(shown(title, "bold")), *_tables(list(group)), Text()]
        parts += [shown(warning, "yellow") for warning in self.warnings]
        return Group(*parts, shown(self.summary, "bold"))


def _tables(differences: Sequence[Difference]) -> Iterator[RenderableType]:
    table = plain_table("commit", "as it is (UTC)", "changed", "why")
    for each in differences[-MOST_SHOWN:]:
        before = moment(_time(each.before)) or "not promoted"
        table.add_row(shown(each.commit[:SHORT], "cyan"), before, shown(_changed(each), _STYLES[each.kind]), each.why)
    yield table
    if len(differences) > MOST_SHOWN:
        yield shown(f"and {len(differences) - MOST_SHOWN} before; --json tells all", "dim")


def _changed(difference: Difference) -> str:
    if difference.kind is Kind.ADDED:
        return moment(_time(difference.after)) or ""
    return f"{_span(difference.by)} {difference.kind}" if difference.by is not None else difference.kind.value


def _span(span: timedelta) -> str:
    """A duration in its two largest units: 2 h 5 min; below a second, in milliseconds."""
    seconds = int(span.total_seconds())
    if not seconds:
        return f"{span // timedelta(milliseconds=1)} ms"
    parts: list[tuple[str, int]] = []
    for unit, size in _UNITS:
        number, seconds = divmod(seconds, size)
        parts += [(unit, number)] if number or parts else []
    return " ".join(f"{number} {unit}" for unit, number in parts[:2] if number)


def _example(difference: Difference) -> str:
    commit, environment = difference.commit[:SHORT], difference.environment
    replayed = f"in the replay at {moment(_time(difference.after))}"
    if difference.before is None:
        return f"{commit} was not promoted to {environment}, {replayed}"
    really = f"{commit} was promoted to {environment} at {moment(_time(difference.before))}"
    return f"{really}, {replayed}" if difference.after else f"{really}, in the replay not at all"


def _json(difference: Difference, before: str, after: str) -> dict[str, Any]:
    return {
        "pipeline": difference.pipeline,
        "environment": difference.environment,
        "commit": difference.commit,
        "kind": difference.kind.value,
        before: _time(difference.before),
        after: _time(difference.after),
        "seconds": difference.by.total_seconds() if difference.by is not None else None,
        "why": difference.why or None,
    }


def _time(time: datetime | None) -> str | None:
    return format_time(time) if time else None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
