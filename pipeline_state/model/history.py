"""What has happened to a repository, as facts in the order in which the pipeline learned of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from pipeline_state.model.environments import Freeze
from pipeline_state.model.order import Push
from pipeline_state.model.promotion import AUTOMATIC, Action
from pipeline_state.model.results import Result

LATENCY = timedelta(minutes=2)
"""How long a promotion may take from the moment it is due: most come at once, some with the sweeper."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push. In this and the others, at: when the pipeline learned of it."""

    at: datetime
    branch: str
    push: Push


@dataclass(frozen=True, slots=True)
class Reported:
    """A CI result. is_app_known: whether the history tells who reported it; otherwise any app may have."""

    at: datetime
    commit: str
    result: Result
    is_app_known: bool = True


@dataclass(frozen=True, slots=True)
class Edited:
    """Somebody gave gates values.

    values: by gate, None where the column was removed. told_at: RFC 3339, of the edit itself.
    """

    at: datetime
    commit: str
    values: Mapping[str, Any]
    told_at: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A commit was promoted to an environment. holds: whether that held the environment, too."""

    at: datetime
    commit: str
    pipeline: str
    environment: str
    generation: int
    by: str = AUTOMATIC
    action: Action = Action.PROMOTE
    reason: str = ""
    holds: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Pipeline and environment."""
        return self.pipeline, self.environment


@dataclass(frozen=True, slots=True)
class Ended:
    """How a release of a promotion ended.

    status: TRUE, FALSE, or "" while it is to be tried again. told_at: RFC 3339, of the end itself.
    """

    at: datetime
    commit: str
    pipeline: str
    environment: str
    release: str
    generation: int
    status: str
    told_at: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Pipeline and environment."""
        return self.pipeline, self.environment


@dataclass(frozen=True, slots=True)
class Froze:
    """A freeze began, or ended where there is none. pipeline, environment: both empty for the stop of everything."""

    at: datetime
    pipeline: str
    environment: str
    freeze: Freeze | None


@dataclass(frozen=True, slots=True)
class Pinned:
    """An environment was held by somebody, or released by nobody."""

    at: datetime
    pipeline: str
    environment: str
    by: str
    reason: str = ""


Fact = Pushed | Reported | Edited | Claimed | Ended | Froze | Pinned


@dataclass(frozen=True, slots=True)
class Ending:
    """How a release of a replayed promotion ends.

    told_at: RFC 3339, as history has it; empty where the replay has another time. if_last: only if the environment has
    nothing newer by then.
    """

    at: datetime
    release: str
    status: str
    told_at: str = ""
    if_last: bool = False


@dataclass
class _Course:
    """One promotion as it went. overtaken_at: of the next one's claim."""

    claimed_at: datetime | None = None
    overtaken_at: datetime | None = None
    endings: list[Ended] = field(default_factory=list)


class Deployments:
    """How deployments went, and so would have gone.

    One that is replayed ends as it did in history: after the same time, and at the very moment where it is replayed for
    about the moment it really began. One that history does not know succeeds after the time that its environment
    usually took; so does one that was overtaken before it began, unless it is overtaken in the replay, too. A release
    that history does not know goes with the others of its promotion.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        claims: dict[tuple[str, str], dict[int, Claimed]] = defaultdict(dict)
        ended: dict[tuple[str, str], dict[int, list[Ended]]] = defaultdict(lambda: defaultdict(list))
        for fact in facts:
            if isinstance(fact, Claimed):
                claims[fact.key][fact.generation] = fact
            elif isinstance(fact, Ended):
                ended[fact.key][fact.generation].append(fact)
        self._courses: dict[tuple[str, str, str], list[_Course]] = defaultdict(list)
        self._usual: dict[tuple[str, str], timedelta] = {}
        self._known = {key: {each.release for found in by.values() for each in found} for key, by in ended.items()}
        for key in {**claims, **ended}:
            self._read(key, claims[key], ended[key])

    def endings(self, key: tuple[str, str], commit: str, releases: Iterable[str], now: datetime) -> Iterator[Ending]:
        """How the releases of a promotion that is claimed now end; nothing of those of which nothing is known."""
        names, usual = list(releases), self._usual.get(key, timedelta())
        courses = self._courses.get((*key, commit))
        if not courses:
            yield from (Ending(now + usual, name, "TRUE", if_last=True) for name in names)
            return
        course = min(courses, key=lambda each: abs(_shift(each, now)))
        if course.endings:
            yield from self._as_it_went(key, course, names, now)
        elif course.overtaken_at:
            end = max(now + usual, _moved(course, course.overtaken_at, now))
            yield from (Ending(end, name, "TRUE", if_last=True) for name in names)

    def _as_it_went(self, key: tuple[str, str], course: _Course, names: list[str], now: datetime) -> Iterator[Ending]:
        for each in course.endings:
            if each.release in names:
                end = _moved(course, each.at, now)
                yield Ending(end, each.release, each.status, each.told_at if end == each.at else "")
        last = course.endings[-1]
        for name in (name for name in names if name not in self._known[key]):
            yield Ending(_moved(course, last.at, now), name, last.status)

    def _read(self, key: tuple[str, str], claims: dict[int, Claimed], ended: dict[int, list[Ended]]) -> None:
        generations = sorted({*claims, *ended})
        courses = {
            generation: _Course(
                claimed_at=claims[generation].at if generation in claims else None, endings=ended.get(generation, [])
            )
            for generation in generations
        }
        for before, after in pairwise(generations):
            courses[before].overtaken_at = courses[after].claimed_at
        for generation, course in courses.items():
            commit = claims[generation].commit if generation in claims else course.endings[0].commit
            self._courses[(*key, commit)].append(course)
        took = [each.endings[-1].at - each.claimed_at for each in courses.values() if each.endings and each.claimed_at]
        if took:
            self._usual[key] = timedelta(seconds=median(each.total_seconds() for each in took))


def _shift(course: _Course, now: datetime) -> timedelta:
    """How much later a promotion is replayed than it was; nothing where that is not known."""
    return now - course.claimed_at if course.claimed_at else timedelta()


def _moved(course: _Course, then: datetime, now: datetime) -> datetime:
    """When something comes in the replay of a promotion that began then; the very time if it began about now."""
    shift = _shift(course, now)
    return then if abs(shift) <= LATENCY and then >= now else max(then + shift, now)
