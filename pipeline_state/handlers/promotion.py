"""Promoting: look, decide, claim, publish, mark; for one commit, or for all that wait in a repository."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from pipeline_state import metrics, tracing
from pipeline_state.events.deployment import promoted
from pipeline_state.events.publish import Publisher
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers import hops
from pipeline_state.handlers.announced import mark_and_count
from pipeline_state.handlers.parking import Parking
from pipeline_state.model.decision import Decision, Promote, Promoted
from pipeline_state.model.pipelines import Pipeline, Policy
from pipeline_state.model.promotion import Promotion
from pipeline_state.table import waiting
from pipeline_state.table.claims import claim, claimed_promotions, mark_repeated
from pipeline_state.table.openings import free_at
from pipeline_state.table.retry import ATTEMPTS, step_aside
from pipeline_state.table.snapshot import Reader, Snapshot
from pipeline_state.table.transaction import ConflictError, RefusedError

REPEATS = 3
"""How often a promotion without a result is published once more, before it is left to a person."""

_Claim: TypeAlias = tuple[str, str, int]
"""Pipeline, environment, generation."""

_log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What was found and done.

    counts: by name, `waiting`, `promoted`, `published` (claims that nobody had announced), `repeated` (promotions
    without a result), `resumed` (parked ones), `stuck` (repeated in vain). faults: of single commits; they did not keep
    the others from moving on. seen: the one commit that it was about, as it was looked at last.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[PermanentFault | TemporaryFault] = field(default_factory=list)
    seen: Snapshot | None = None

    def add(self, other: Outcome) -> None:
        """Take another one into this."""
        self.counts += other.counts
        self.faults += other.faults

    def raise_fault(self) -> None:
        """Raise one of the faults, if there is one; first those that a retry may help."""
        for fault in sorted(self.faults, key=lambda each: isinstance(each, PermanentFault)):
            raise fault


@dataclass(frozen=True, slots=True)
class Promotions:
    """Moves commits on.

    topic_arn: of the promotions' FIFO topic. now: the current time, aware. since: when something happened that may have
    freed the way, of which the tables themselves do not tell.
    """

    reader: Reader
    publisher: Publisher
    topic_arn: str
    now: Callable[[], datetime]
    since: datetime | None = None

    def promote(self, repo: str, commit: str) -> Outcome:
        """Take one commit wherever it can go, until nobody's concurrent write has come between.

        Raises TemporaryFault, and PermanentFault where it cannot be promoted or an environment cannot be read; it goes
        to the others all the same.
        """
        found, finished = Outcome(), dict[_Claim, str]()
        for _ in range(ATTEMPTS):
            try:
                snapshot = self.reader.read(repo, commit)
                decided = self._decide(snapshot)
                if self._finish_all(decided, finished, found):
                    continue  # it took time, in which a gate may have expired, or a freeze begun
                for pipeline, decision in decided:
                    self._claim(snapshot, pipeline, decision, found)
            except RefusedError:
                continue
            except ConflictError:
                step_aside()
                continue
            _report([*finished.values(), *_problems(snapshot, self.now())])
            found.seen = snapshot
            return found
        raise TemporaryFault(f"others keep changing what {repo}@{commit[:12]} depends on", delay_seconds=1)

    def promote_waiting(self, repo: str) -> Outcome:
        """Take what waits in a repository wherever it can go.

        Raises TemporaryFault and PermanentFault.
        """
        commits = [each.commit for each in waiting.of_repo(repo)]
        return self.promote_among(self.look(repo, commits)) if commits else Outcome()

    def look(self, repo: str, commits: Iterable[str]) -> list[Snapshot]:
        """Commits that wait, each as it is now; those without a record are left out.

        Raises TemporaryFault and PermanentFault.
        """
        records = waiting.records(repo, commits)
        if not records:
            return []
        snapshot = self.reader.read(repo, next(iter(records)))
        whole = replace(snapshot, items={**records, **snapshot.items})
        return [whole.of(commit) for commit in records]

    def promote_among(self, snapshots: list[Snapshot]) -> Outcome:
        """Act on what has been looked at. Each commit that can move is looked at once more for that.

        Claims left half done are finished first. Of several that are ready for an environment, one goes: the newest, or
        the oldest where each has its turn; the next one only if that one's record cannot be written.
        """
        found, now = Outcome(Counter(waiting=len(snapshots))), self.now()
        decided = [(each, pipeline, each.decisions(pipeline, now)) for each, pipeline in _cases(snapshots)]
        unfinished = {
            snapshot.commit: snapshot
            for snapshot, _, decisions in decided
            if any(self._is_unfinished(decision) for decision in decisions)
        }
        for snapshot in unfinished.values():
            found.add(self._promote_one(snapshot))
        for candidates in _ready(decided):
            for snapshot in candidates:
                outcome = self._promote_one(snapshot)
                found.add(outcome)
                if not any(isinstance(fault, PermanentFault) for fault in outcome.faults):
                    break
        if snapshots:
            found.counts["resumed"] += Parking(self.publisher, self.topic_arn, self.now).resume(snapshots[0])
        return found

    def _promote_one(self, snapshot: Snapshot) -> Outcome:
        repo, commit = snapshot.repo, snapshot.commit
        try:
            with hops.checking(repo, commit):
                return self.promote(repo, commit)
        except (PermanentFault, TemporaryFault) as fault:
            _log.warning("%s@%s: %s", repo, commit[:12], fault.reason)
            return Outcome(faults=[fault])

    def _is_unfinished(self, decision: Decision) -> bool:
        """Whether a claim is still to be announced, or to be announced once more."""
        return isinstance(decision, Promoted) and (not decision.published or decision.is_overdue(self.now()))

    def _decide(self, snapshot: Snapshot) -> list[tuple[Pipeline, Decision]]:
        """For every environment of every pipeline, all by one time."""
        now = self.now()
        pipelines = snapshot.definitions.pipelines
        decided = [(pipeline, decision) for pipeline in pipelines for decision in snapshot.decisions(pipeline, now)]
        for pipeline, decision in decided:
            tracing.add_field(f"decision.{pipeline.key_of(decision.environment)}", decision.kind)
        return decided

    def _claim(self, snapshot: Snapshot, pipeline: Pipeline, decision: Decision, found: Outcome) -> None:
        if not isinstance(decision, Promote):
            return
        now = self.now()
        if decision not in snapshot.decisions(pipeline, now):
            raise RefusedError(frozenset({"the clock"}))  # another environment was claimed since the look
        with tracing.span("claim", {**hops.DATABASE, hops.ENVIRONMENT: decision.environment}):
            promotions = claim(snapshot, pipeline, decision, now)
        self._publish(promotions)
        self._measure_lag(snapshot, pipeline, decision, now)
        found.counts["promoted"] += 1

    def _measure_lag(self, snapshot: Snapshot, pipeline: Pipeline, decision: Promote, now: datetime) -> None:
        """How late a claim was, made just now. Clocks that disagree give 0."""
        if free := free_at(snapshot, pipeline, decision, now):
            lag = now - max(free, self.since or free)
            metrics.measure(metrics.PROMOTION_LAG, max(lag.total_seconds(), 0.0))

    def _finish_all(
        self, decided: Iterable[tuple[Pipeline, Decision]], finished: dict[_Claim, str], found: Outcome
    ) -> bool:
        """Whether claims were announced: each once, and `finished` has them, with the reason of one that cannot be."""
        announced = False
        for pipeline, decision in decided:
            if not isinstance(decision, Promoted) or not self._is_unfinished(decision):
                continue
            it = pipeline.name, decision.environment, decision.generation
            if it in finished:
                continue
            try:
                announced |= self._finish(pipeline, decision, found)
                finished[it] = ""
            except PermanentFault as fault:
                finished[it] = fault.reason
        return announced

    def _finish(self, pipeline: Pipeline, decision: Promoted, found: Outcome) -> bool:
        """Announce a claim that nobody marked: its promoter may have died before that. The ids are the same.

        What came to nothing is announced once more: the installer's lease sees to it that it is installed once. False
        where that was done often enough.
        """
        is_overdue = decision.is_overdue(self.now())
        if is_overdue and decision.repeats >= REPEATS:
            found.counts["stuck"] += 1
            return False
        promotions = claimed_promotions(pipeline.name, decision.environment, decision.generation)
        self._publish(promotions, decision.repeats + 1 if is_overdue else 0)
        found.counts["repeated" if is_overdue else "published"] += 1
        return True

    def _publish(self, promotions: list[Promotion], repeats: int = 0) -> None:
        """One message a release, then the mark. A repetition wants another deduplication id than what it repeats.

        Of releases that go in order only the first: the installer announces each of the others after the one before it.
        """
        for promotion in promotions[:1] if promotions[0].in_order else promotions:
            context = tracing.current() or tracing.trace_of(promotion.repo, promotion.commit)
            event = promoted(replace(promotion, traceparent=context.traceparent), at=self.now())
            again = f"{promotion.id}-again-{repeats}" if repeats else ""
            self.publisher.publish_ordered(event, self.topic_arn, group=promotion.lock, deduplication_id=again)
        self._mark(promotions[0], repeats)

    def _mark(self, first: Promotion, repeats: int) -> None:
        """What is announced once more was counted before."""
        if repeats:
            mark_repeated(first, self.now(), repeats)
        else:
            mark_and_count(first, self.now())


def _problems(snapshot: Snapshot, now: datetime) -> list[str]:
    return [snapshot.state(*place, now).problem for place in snapshot.places]


def _report(problems: Iterable[str]) -> None:
    if told := "; ".join(filter(None, problems)):
        raise PermanentFault(told)


def _cases(snapshots: Iterable[Snapshot]) -> Iterator[tuple[Snapshot, Pipeline]]:
    return ((snapshot, pipeline) for snapshot in snapshots for pipeline in snapshot.definitions.pipelines)


def _ready(decided: Iterable[tuple[Snapshot, Pipeline, list[Decision]]]) -> list[list[Snapshot]]:
    """For each environment the commits that are to go there, in the order in which it takes them."""
    ready: dict[tuple[str, str], list[tuple[int, Snapshot]]] = {}
    oldest_first = set()
    for snapshot, pipeline, decisions in decided:
        for environment, decision in zip(pipeline.environments, decisions, strict=True):
            if isinstance(decision, Promote):
                ready.setdefault((pipeline.name, environment.name), []).append((decision.sequence, snapshot))
            if environment.policy is Policy.EVERY:
                oldest_first.add((pipeline.name, environment.name))
    return [
        [snapshot for _, snapshot in sorted(candidates, key=_sequence, reverse=place not in oldest_first)]
        for place, candidates in ready.items()
    ]


def _sequence(candidate: tuple[int, Snapshot]) -> int:
    return candidate[0]
