"""Where the lead times of commits went: each one's waits and installations, from its journal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pipeline_state.cli.delivery.reading import MOST_JOURNALS, Key, Reading, Tell, in_parallel
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.delivery import Delivery, way_to
from pipeline_state.model.lead_time import Part, installations, on_the_way, split, stretches
from pipeline_state.model.past import Former, Past
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import read_record
from pipeline_state.model.waits import Wait, waits
from pipeline_state.table.past import former_pipelines, is_changed
from pipeline_state.table.snapshot import EVERYTHING, Definitions
from pipeline_state.windows import freeze_of


@dataclass(frozen=True, slots=True)
class Spent:
    """Where the lead time of a deployed commit went. waits: those on its way there, which may overlap."""

    delivery: Delivery
    parts: Mapping[Part, timedelta]
    waits: tuple[Wait, ...]

    @property
    def start(self) -> datetime:
        """Of the push."""
        return self.delivery.attempt.pushed_at or self.delivery.at


@dataclass(frozen=True, slots=True)
class Awaited:
    """Something that commits waited for. total: of all of them; several things can be waited for at once."""

    what: str
    who: str
    times: int
    total: timedelta


_PROMPT = timedelta(minutes=1)
"""What the pipeline takes at most for a commit's whole way where nothing is in its way."""

Defined = Callable[[str], Definitions]
"""Tells a repository's pipelines."""


def spent(
    reading: Reading,
    found: Iterable[Delivery],
    places: Mapping[Key, Place],
    defined: Defined,
    now: datetime,
    tell: Tell,
) -> list[Spent]:
    """Where the lead times went, newest deployment first, as far as journals are read. Raises TemporaryFault.

    found: deployments of new commits. places: theirs. What people had closed meanwhile is in the environments'
    journals, which are read only where the pipeline itself was waited for; and what pipelines were before, only where
    others have been applied since.
    """
    known = [each for each in found if each.lead_time is not None]
    newest = sorted(known, key=lambda each: each.at, reverse=True)[:MOST_JOURNALS]
    reading.journals.read(map(_commit, newest), tell)
    reading.records.read(map(_commit, newest), tell)
    there = [each for each in newest if reading.is_there(_commit(each))]
    before = _before(there, defined, tell)

    def look(delivery: Delivery) -> Spent:
        repo = delivery.attempt.repo
        return _spent(reading, delivery, places[delivery.attempt.place], defined(repo).pipelines, before[repo], now)

    looks = [look(each) for each in there]
    late = [each.delivery for each in looks if each.parts[Part.PIPELINE] > _PROMPT]
    closing = [key for each in late for key in _way(places[each.attempt.place])]
    reading.journals.read([EVERYTHING, *closing] if closing else [], tell)
    return [look(each.delivery) if each.parts[Part.PIPELINE] > _PROMPT else each for each in looks]


def sum_of(commits: Iterable[Spent]) -> dict[Part, timedelta]:
    """Where the time of several commits went."""
    total = dict.fromkeys(Part, timedelta())
    for each in commits:
        for part, taken in each.parts.items():
            total[part] += taken
    return total


def awaited(commits: Iterable[Spent]) -> list[Awaited]:
    """What commits waited for, longest first, as far as it lies between their push and their deployment."""
    found: dict[tuple[str, str], list[timedelta]] = defaultdict(list)
    for each in commits:
        for wait in each.waits:
            end = min(wait.end or each.delivery.at, each.delivery.at)
            found[wait.what, wait.who].append(end - max(wait.start, each.start))
    told = [Awaited(what, who, len(taken), sum(taken, timedelta())) for (what, who), taken in found.items()]
    return sorted(told, key=lambda each: (-each.total, each.what))


def _before(found: Iterable[Delivery], defined: Defined, tell: Tell) -> dict[str, tuple[Former, ...]]:
    """What the pipelines of each repository were since the first of its commits was pushed. Raises TemporaryFault."""
    since: dict[str, datetime] = {}
    for each in found:
        repo, pushed_at = each.attempt.repo, each.attempt.pushed_at or each.at
        since[repo] = min(since.get(repo, pushed_at), pushed_at)
    changed = [repo for repo in since if is_changed(defined(repo), since[repo])]
    read = in_parallel(changed, lambda repo: former_pipelines(defined(repo), since[repo]), tell, "former pipelines")
    return dict.fromkeys(since, ()) | dict(zip(changed, read, strict=True))


def _spent(
    reading: Reading,
    delivery: Delivery,
    place: Place,
    pipelines: Sequence[Pipeline],
    before: Iterable[Former],
    now: datetime,
) -> Spent:
    key, way = _commit(delivery), way_to(place.pipeline, place.environment.name)
    start, end = delivery.attempt.pushed_at or delivery.at, delivery.at
    entries = reading.journals.get(key) or ()
    closing = [entry for each in [*_way(place), EVERYTHING] for entry in reading.journals.get(each) or ()]
    passed = on_the_way(pipelines, place.pipeline.name, way)
    past = Past(tuple(replace(each, pipelines=_passed_then(each.pipelines, place)) for each in before))
    waited = waits(read_record(reading.records.get(key) or {}), [*entries, *closing], passed, now, freeze_of, past)
    taken = [*stretches(waited, now), *installations(entries, place.pipeline.name, way)]
    inside = tuple(each for each in waited if each.start < end and (each.end or end) > start)
    return Spent(delivery, split(start, end, taken), inside)


def _passed_then(pipelines: Iterable[Pipeline], place: Place) -> tuple[Pipeline, ...]:
    """What led to an environment by the pipelines of back then, which may have been other environments."""
    ways = {each.name: way_to(each, place.environment.name) for each in pipelines}
    return tuple(on_the_way(pipelines, place.pipeline.name, ways.get(place.pipeline.name, frozenset())))


def _commit(delivery: Delivery) -> Key:
    return delivery.attempt.repo, delivery.attempt.commit


def _way(place: Place) -> list[Key]:
    """The keys of an environment and of those before it."""
    return [(place.pipeline.name, name) for name in sorted(way_to(place.pipeline, place.environment.name))]
