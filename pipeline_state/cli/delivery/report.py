"""The figures of a period, for the terminal, the dashboard and programs: counted once, shown in several ways."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.cli.delivery.reading import MOST_JOURNALS, MOST_PROMOTIONS, Key, Tell, read
from pipeline_state.cli.delivery.spending import Spent, awaited, spent, sum_of
from pipeline_state.cli.delivery.texts import HOW, SOURCE
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.delivery import Delivery, Figures, deliveries, figures, last_environments, periods
from pipeline_state.model.lead_time import Part
from pipeline_state.model.times import format_time
from pipeline_state.table.definitions import load_definitions, readable_definitions
from pipeline_state.table.snapshot import Definitions

_DAY = timedelta(days=1)
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What figures are asked for. repo, environment: empty for all, and for the last ones of each pipeline.

    days: the period's, today included.
    """

    repo: str = ""
    environment: str = ""
    days: int = 30


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC, the last of them as far as it has come."""

    since: datetime
    until: datetime
    now: datetime

    @classmethod
    def of(cls, days: int, now: datetime) -> Period:
        """The last so many days."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        return cls(midnight - days * _DAY, midnight, now)

    @property
    def before(self) -> datetime:
        """Since when the period before it counts, so that it is as long as this one has been so far."""
        return self.since - (self.now - self.since)

    def failures(self, found: Iterable[Delivery]) -> list[Delivery]:
        """Those that came to a verdict in it."""
        return [
            each for each in found if each.failure and each.attempt.is_change and self.since <= each.at < self.until
        ]

    def figures(self, found: Iterable[Delivery]) -> Figures:
        """Of what came to a verdict in it."""
        return replace(figures(found, self.since, self.until), days=(self.now - self.since) / _DAY)


@dataclass(frozen=True, slots=True)
class Row:
    """One environment. commits: those whose time was looked into."""

    place: Place
    figures: Figures
    commits: Sequence[Spent]


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of a period. before: of the one before it. course: by day, or by week. rows: by environment.

    failures: newest first. commits: where the time of each went, newest deployment first. environments: the names there
    are to choose from. is_cut: whether some environment was given more than is read. unread: why a repository's
    pipelines are left out, a sentence each.
    """

    wanted: Wanted
    period: Period
    figures: Figures
    before: Figures
    course: Sequence[tuple[datetime, datetime, Figures]]
    rows: Sequence[Row]
    failures: Sequence[Delivery]
    commits: Sequence[Spent]
    environments: Sequence[str]
    is_cut: bool = False
    unread: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """What was left out, in sentences."""
        looked, known = len(self.commits), len(self.figures.lead_times)
        cut = f"Of each environment the newest {MOST_PROMOTIONS} promotions are counted." if self.is_cut else ""
        some = (
            f"Where the time went is told of the newest {looked} of {known} commits: {MOST_JOURNALS} journals are read."
        )
        left_out = (f"Left out: {why}." for why in self.unread)
        return [note for note in (cut, some if looked < known else "", *left_out) if note]

    def to_json(self) -> dict[str, Any]:
        """Plain data; times in seconds."""
        return {
            "repo": self.wanted.repo or None,
            "environments": [_row_data(row) for row in self.rows],
            "days": self.wanted.days,
            "since": format_time(self.period.since),
            "until": format_time(self.period.now),
            **_figures_data(self.figures),
            "before": _figures_data(self.before),
            "course": [
                {"since": format_time(since), "until": format_time(until), **_figures_data(each)}
                for since, until, each in self.course
            ],
            "failures": [_failure_data(each) for each in self.failures],
            "seconds_spent": _parts_data(sum_of(self.commits)),
            "commits_looked_into": len(self.commits),
            "awaited": [
                {"what": each.what, "who": each.who, "times": each.times, "seconds": each.total.total_seconds()}
                for each in awaited(self.commits)
            ],
            "how": {**HOW, "source": SOURCE},
            "notes": self.notes,
        }


def report(wanted: Wanted, now: datetime, tell: Tell = lambda *_: None) -> Report:
    """The figures that are wanted, as of now. Raises CommandError where there is no such thing, TemporaryFault."""
    definitions, unread = _definitions(wanted.repo)
    by_repo = {each.repo: each for each in definitions}
    names = _environments(by_repo.values())
    places = _places(by_repo.values(), wanted.environment)
    if not places:
        raise CommandError(_missing(wanted, names, unread), USAGE)
    period = Period.of(wanted.days, now)
    reading = read(places.values(), period.before, tell)
    found = {key: deliveries(attempts) for key, attempts in reading.attempts.items()}
    every = [each for those in found.values() for each in those]
    new = [each for each in every if each.is_new and period.since <= each.at < period.until]
    commits = spent(reading, new, places, by_repo.__getitem__, now, tell)
    return Report(
        wanted=wanted,
        period=period,
        figures=period.figures(every),
        before=figures(every, period.before, period.since),
        course=[(*each, figures(every, *each)) for each in periods(period.since, period.until)],
        rows=_rows(places, found, commits, period),
        failures=sorted(period.failures(every), key=lambda each: each.at, reverse=True),
        commits=commits,
        environments=names,
        is_cut=reading.is_cut,
        unread=unread,
    )


def _definitions(repo: str) -> tuple[list[Definitions], list[str]]:
    """Those that can be read, and why others cannot."""
    if not repo:
        readable, unread = readable_definitions()
        return sorted(readable, key=lambda each: each.repo.lower()), unread
    found = load_definitions(repo)
    if not found.pipelines:
        raise CommandError(f"there are no pipelines of {repo}; `gatestream status` lists those that there are", USAGE)
    return [found], []


def _places(definitions: Iterable[Definitions], environment: str) -> dict[Key, Place]:
    """The environments of a name, or the last ones of every pipeline."""
    found = (
        Place(pipeline, each, of.declared)
        for of in definitions
        for pipeline in of.pipelines
        for each in pipeline.environments
        if each.name in ({environment} if environment else last_environments(pipeline))
    )
    return {place.key: place for place in found}


def _environments(definitions: Iterable[Definitions]) -> list[str]:
    """The names of all environments, each once."""
    pipelines = (pipeline for of in definitions for pipeline in of.pipelines)
    return list(dict.fromkeys(each.name for pipeline in pipelines for each in pipeline.environments))


def _missing(wanted: Wanted, names: Sequence[str], unread: Sequence[str]) -> str:
    if not names:
        return next(iter(unread), "there are no pipelines; define some and run `gatestream pipelines apply`")
    return f"there is no environment {wanted.environment!r}; there are {', '.join(names[:_MOST_NAMES])}"


def _rows(
    places: Mapping[Key, Place], found: Mapping[Key, Sequence[Delivery]], commits: Iterable[Spent], period: Period
) -> list[Row]:
    by_place: dict[Key, list[Spent]] = defaultdict(list)
    for each in commits:
        by_place[each.delivery.attempt.place].append(each)
    return [Row(place, period.figures(found.get(key, ())), by_place.get(key, [])) for key, place in places.items()]


def _row_data(row: Row) -> dict[str, Any]:
    return {**row.place.to_json(), **_figures_data(row.figures), "seconds_spent": _parts_data(sum_of(row.commits))}


def _failure_data(failure: Delivery) -> dict[str, Any]:
    attempt, restored_at = failure.attempt, failure.restored_at
    names = ("repo", "pipeline", "environment", "commit", "generation")
    return {
        **{name: getattr(attempt, name) for name in names},
        "how": failure.failure,
        "at": format_time(failure.at),
        "restored_at": format_time(restored_at) if restored_at else None,
    }


def _figures_data(of: Figures) -> dict[str, Any]:
    times = ("lead_time", "lead_time_p90", "recovery")
    return {
        "deployed": of.deployed,
        "deployed_per_day": round(of.per_day, 4),
        **{f"{name}_seconds": _seconds(getattr(of, name)) for name in times},
        "changes": of.changes,
        "failed": of.failed,
        "failure_rate": of.failure_rate,
        "unrecovered": of.unrecovered,
    }


def _parts_data(parts: Mapping[Part, timedelta]) -> dict[str, float]:
    return {part.value: taken.total_seconds() for part, taken in parts.items()}


def _seconds(taken: timedelta | None) -> float | None:
    return None if taken is None else taken.total_seconds()
