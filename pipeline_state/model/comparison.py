"""What comes out differently: two replays of one history, or a replay and what really happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pipeline_state.model.history import LATENCY, Claimed, Fact
from pipeline_state.model.replay import Key, Replayed, Step


class Kind(StrEnum):
    """What is different about a promotion."""

    EARLIER = "earlier"
    LATER = "later"
    NOT_AT_ALL = "not at all"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Difference:
    """A promotion that comes at another time, or in one of two runs only.

    before, after: when it comes in the first and the second run; None where it does not. why: a decision's sentence.
    """

    pipeline: str
    environment: str
    commit: str
    before: datetime | None
    after: datetime | None
    why: str = ""

    @property
    def kind(self) -> Kind:
        """What is different about it."""
        if self.before is None:
            return Kind.ADDED
        if self.after is None:
            return Kind.NOT_AT_ALL
        return Kind.LATER if self.after > self.before else Kind.EARLIER

    @property
    def by(self) -> timedelta | None:
        """How much earlier or later; None where it comes once only."""
        return abs(self.after - self.before) if self.before and self.after else None

    @property
    def first(self) -> datetime:
        """The first time at which there is anything different."""
        times = [time for time in (self.before, self.after) if time]
        return min(times)


def compare(old: Replayed, new: Replayed) -> list[Difference]:
    """What a change of definitions makes of the promotions, in the order of time."""
    before, after = _numbered(old.steps), _numbered(new.steps)
    return _sorted(
        _difference(old, new, before.get(which), after.get(which))
        for which in {**before, **after}
        if not _is_same(before.get(which), after.get(which), timedelta())
    )


def unlike(facts: Iterable[Fact], replayed: Replayed) -> list[Difference]:
    """Which promotions really went otherwise than in a replay; a delay as the promoter may have it does not count."""
    really = [_step(fact) for fact in facts if isinstance(fact, Claimed)]
    before, after = _numbered(really), _numbered(replayed.steps)
    return _sorted(
        _plain(before.get(which), after.get(which), "")
        for which in {**before, **after}
        if not _is_same(before.get(which), after.get(which), LATENCY)
    )


def _numbered(steps: Sequence[Step]) -> dict[tuple[Key, str, int], Step]:
    """Promotions by environment, commit, and how often it has been there before."""
    often: Counter[tuple[Key, str]] = Counter()
    found = {}
    for step in steps:
        found[step.key, step.commit, often[step.key, step.commit]] = step
        often[step.key, step.commit] += 1
    return found


def _is_same(before: Step | None, after: Step | None, within: timedelta) -> bool:
    return before is not None and after is not None and abs(after.at - before.at) <= within


def _difference(old: Replayed, new: Replayed, before: Step | None, after: Step | None) -> Difference:
    found = _plain(before, after, "")
    key = (found.pipeline, found.environment)
    match found.kind:
        case Kind.LATER if after:
            why = after.waited
        case Kind.EARLIER if before:
            why = f"as it is: {before.waited}" if before.waited else ""
        case Kind.NOT_AT_ALL:
            gone = f"{found.environment} is no environment of {found.pipeline} any more"
            why = new.sentence(key, found.commit) if key in new.environments else gone
        case _:
            told = f"as it is: {old.sentence(key, found.commit)}"
            why = told if key in old.environments else f"{found.environment} of {found.pipeline} is new"
    return _plain(before, after, why)


def _plain(before: Step | None, after: Step | None, why: str) -> Difference:
    step = before or after
    if step is None:
        raise TypeError("a difference is of one promotion at least")
    at = (before.at if before else None, after.at if after else None)
    return Difference(step.pipeline, step.environment, step.commit, *at, why)


def _step(fact: Claimed) -> Step:
    return Step(fact.at, fact.pipeline, fact.environment, fact.commit, fact.by)


def _sorted(differences: Iterable[Difference]) -> list[Difference]:
    return sorted(differences, key=lambda each: (each.first, each.pipeline, each.environment, each.commit))
