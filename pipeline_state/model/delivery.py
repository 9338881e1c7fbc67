"""How well an environment is delivered to: DORA's metrics, from what it was given and what came of it.

The definitions are those of https://dora.dev/guides/dora-metrics/, brought down to what a pipeline can know: it sees
deployments that fail and those that somebody goes back from, and no incident that nobody answers with a deployment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Literal

from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.promotion import Action

Outcome = Literal["deployed", "failed", "superseded", ""]
_VERDICTS = {"deployed", "failed"}

BLAME = timedelta(days=7)
"""How long after a deployment somebody may go back from it for the deployment to count as failed."""

_DAY = timedelta(days=1)
_MOST_DAYS = 31
"""Of a period that is shown day by day; longer ones are shown week by week."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One promotion of an environment.

    claimed_at, ended_at: of its claim, and of its verdict; the latter None while there is none. pushed_at: of the push
    that brought the commit; None where it is not known. outcome: empty while it has none.
    """

    repo: str
    pipeline: str
    environment: str
    commit: str
    generation: int
    action: Action
    claimed_at: datetime
    outcome: Outcome = ""
    ended_at: datetime | None = None
    pushed_at: datetime | None = None

    @property
    def place(self) -> tuple[str, str]:
        """Pipeline and environment."""
        return self.pipeline, self.environment

    @property
    def is_change(self) -> bool:
        """Whether it brings something new; what goes back or is installed once more repairs."""
        return self.action in {Action.PROMOTE, Action.OVERRIDE}


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt with a verdict, deployed or failed, and what it counts as.

    at: of the verdict. is_new: whether it has deployed a commit for the first time. failure: how it failed, if it did.
    restored_at: when the environment had a good deployment after that; None while it has not.
    """

    attempt: Attempt
    at: datetime
    is_new: bool
    failure: Literal["failed", "rolled back", ""] = ""
    restored_at: datetime | None = None

    @property
    def lead_time(self) -> timedelta | None:
        """From push to verdict, of what is new; GitHub's clock has whole seconds, so it may be before the push."""
        pushed_at = self.attempt.pushed_at
        return max(self.at - pushed_at, timedelta()) if self.is_new and pushed_at else None

    @property
    def recovery(self) -> timedelta | None:
        """From the failure to what put it right."""
        return self.restored_at - self.at if self.restored_at else None


@dataclass(frozen=True, slots=True)
class Figures:
    """DORA's four of a period.

    days: its length. deployed: commits deployed for the first time. lead_times: theirs, shortest first. changes: those
    that came to a verdict; failed: of these. recoveries: shortest first; unrecovered: failures without one yet.
    """

    days: float
    deployed: int = 0
    lead_times: tuple[timedelta, ...] = ()
    changes: int = 0
    failed: int = 0
    recoveries: tuple[timedelta, ...] = ()
    unrecovered: int = 0

    @property
    def per_day(self) -> float:
        """Deployment frequency."""
        return self.deployed / self.days if self.days > 0 else 0.0

    @property
    def lead_time(self) -> timedelta | None:
        """The median."""
        return _median(self.lead_times)

    @property
    def lead_time_p90(self) -> timedelta | None:
        """Nine of ten commits took no longer."""
        return percentile(self.lead_times, 90)

    @property
    def failure_rate(self) -> float | None:
        """From 0 to 1."""
        return self.failed / self.changes if self.changes else None

    @property
    def recovery(self) -> timedelta | None:
        """The median."""
        return _median(self.recoveries)


def deliveries(attempts: Iterable[Attempt]) -> list[Delivery]:
    """What the attempts of one environment come to, oldest first.

    One that was superseded, or has no verdict yet, counts for nothing.
    """
    ordered = sorted(attempts, key=lambda each: each.generation)
    taken_back = _taken_back(ordered)
    return [
        _delivery(at, each.ended_at, ordered, taken_back)
        for at, each in enumerate(ordered)
        if each.outcome in _VERDICTS and each.ended_at
    ]


def figures(found: Iterable[Delivery], since: datetime, until: datetime) -> Figures:
    """Of deliveries to any environments, by when their verdict was: from `since` on, before `until`."""
    those = [each for each in found if since <= each.at < until]
    changes = [each for each in those if each.attempt.is_change]
    failures = [each for each in changes if each.failure]
    return Figures(
        days=(until - since) / _DAY,
        deployed=sum(each.is_new for each in those),
        lead_times=tuple(sorted(each.lead_time for each in those if each.lead_time is not None)),
        changes=len(changes),
        failed=len(failures),
        recoveries=tuple(sorted(each.recovery for each in failures if each.recovery is not None)),
        unrecovered=sum(each.restored_at is None for each in failures),
    )


def periods(since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """A period in days, or in weeks where it is longer than a month; the first one begins with it."""
    step = _DAY if until - since <= _MOST_DAYS * _DAY else 7 * _DAY
    starts = [since + step * each for each in range(ceil((until - since) / step))]
    return [(start, min(start + step, until)) for start in starts]


def percentile(ordered: Sequence[timedelta], percent: int) -> timedelta | None:
    """By the nearest rank, so that it is one that occurred; None of nothing. ordered: shortest first."""
    return ordered[max(ceil(len(ordered) * percent / 100), 1) - 1] if ordered else None


def last_environments(pipeline: Pipeline) -> tuple[str, ...]:
    """Where a pipeline leads: the environments that none comes after, if they come after some themselves.

    What stands alone beside a chain is a place to try things; where there is no chain at all, each one counts.
    """
    before = {name for each in pipeline.environments for name in each.after}
    last = [each for each in pipeline.environments if each.name not in before]
    return tuple(each.name for each in [each for each in last if each.after] or last)


def way_to(pipeline: Pipeline, environment: str) -> frozenset[str]:
    """An environment and all that come before it."""
    found, new = frozenset[str](), frozenset({environment})
    while new - found:
        found |= new
        new = frozenset(name for each in pipeline.environments if each.name in new for name in each.after)
    return found


def _delivery(at: int, ended_at: datetime, ordered: Sequence[Attempt], taken_back: dict[int, int]) -> Delivery:
    attempt = ordered[at]
    delivery = Delivery(attempt, ended_at, _is_new(at, ordered))
    if attempt.outcome == "failed":
        return replace(delivery, failure="failed", restored_at=_restored(ordered[at + 1 :], ended_at))
    if at in taken_back:
        return replace(delivery, failure="rolled back", restored_at=_restored(ordered[taken_back[at] :], ended_at))
    return delivery


def _is_new(at: int, ordered: Sequence[Attempt]) -> bool:
    """A commit that is redeployed is new where it had always failed before."""
    attempt = ordered[at]
    if attempt.outcome != "deployed" or attempt.action is not Action.REDEPLOY:
        return attempt.outcome == "deployed" and attempt.is_change
    before = {each.outcome for each in ordered[:at] if each.commit == attempt.commit}
    return "failed" in before and "deployed" not in before


def _taken_back(ordered: Sequence[Attempt]) -> dict[int, int]:
    """Where the changes are that somebody went back from in time, and where they did."""
    found = {}
    for at, each in enumerate(ordered):
        change = _change_left(at, ordered) if each.action is Action.ROLLBACK else None
        ended_at = ordered[change].ended_at if change is not None else None
        if change is not None and ended_at and each.claimed_at - ended_at <= BLAME:
            found[change] = at
    return found


def _change_left(at: int, ordered: Sequence[Attempt]) -> int | None:
    """Where the change is that brought the commit which a rollback leaves; None where it is not known.

    What was superseded, or never came to a verdict, has left there what was there before.
    """
    before = [each for each in range(at) if ordered[each].outcome in _VERDICTS]
    left = ordered[before[-1]].commit if before else ""
    changes = [each for each in before if ordered[each].is_change and ordered[each].commit == left]
    return changes[-1] if changes and left != ordered[at].commit else None


def _restored(later: Sequence[Attempt], failed_at: datetime) -> datetime | None:
    ends = (each.ended_at for each in later if each.outcome == "deployed" and each.ended_at)
    return next((max(end, failed_at) for end in ends), None)


def _median(ordered: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(each.total_seconds() for each in ordered)) if ordered else None
