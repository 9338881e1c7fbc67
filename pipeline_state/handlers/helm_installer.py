"""A promotion becomes a Helm release: lease, Helm, result."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeGuard

from pipeline_state import metrics, tracing
from pipeline_state.deploy import Applied, Deployed, Failed, install, roll_back
from pipeline_state.events import deployment
from pipeline_state.events.codec import decode, encode
from pipeline_state.events.deployment import Course
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers import hops
from pipeline_state.handlers.batch import Record
from pipeline_state.handlers.helm_function import Answer, HelmWorker, helm_function
from pipeline_state.handlers.watching import GRACE, RESERVE, begun, look_later, wanted
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.rollout import SOONEST, Rollout
from pipeline_state.model.times import format_time, parse_time
from pipeline_state.startup import utc_now
from pipeline_state.table import leases, rollouts, withdrawals
from pipeline_state.table.lease import Barred, Busy, Ended, Finished, Lease, Overtaken, Taken, Watched
from pipeline_state.table.retry import ATTEMPTS

if TYPE_CHECKING:
    from cloudevents.core.v1.event import CloudEvent

_log = logging.getLogger(__name__)


class HelmInstaller(HelmWorker):
    """Carries out promotions."""

    def receive(self, message: Record, *, owner: str, ends: float) -> None:
        """A promotion is installed; one that was withdrawn is rolled back."""
        event = decode(message["body"])
        promotion = deployment.read_promotion(event)
        parent = hops.parent_of(promotion.traceparent, promotion.repo, promotion.commit)
        fields = {**hops.of_event(event), **hops.of_promotion(promotion)}
        hop = "SNS FIFO → SQS FIFO"
        with hops.handling("install", message, hop=hop, parent=parent, now=self.now(), fields=fields):
            last = self.is_last_attempt(message)
            promotion = replace(promotion, traceparent=_here(promotion))
            reason = deployment.why_withdrawn(event)
            if reason is None:
                self._under_lease(promotion, event, owner, ends, is_last_attempt=last)
            else:
                self._withdraw(promotion, reason, owner, ends, is_last_attempt=last)

    def _under_lease(
        self, promotion: Promotion, event: CloudEvent, owner: str, ends: float, *, is_last_attempt: bool
    ) -> None:
        lease = self._lease(promotion, event, owner, ends)
        match lease:
            case Busy(until, same):
                tracing.add_field("lease_until", until)
                if same:
                    left = until - self.now().timestamp()
                    raise TemporaryFault("another invocation installs this promotion, or died with it", max(left, 1))
            case Finished(outcome, parked):
                self.verdicts.settle(promotion, outcome, Ended(parked or "", lease.outcomes))
            case Overtaken(generation, parked):
                self.verdicts.say(deployment.superseded(promotion, at=self.now(), by=generation))
                self.verdicts.resume(promotion, parked)
            case Barred(why):
                tracing.add_field("parked", why)
            case Watched(until):  # whoever handed it over, or watched it, may have died before saying so
                tracing.add_field("watched_until", until)
                if found := rollouts.find(promotion, self.now().timestamp()):
                    self._say_applied(promotion, found.rollout, Course(healed=found.rollout.healed))
                look_later(self.rollouts, promotion, seconds=1)
            case Taken(verified):
                self._carry_out(promotion, owner, ends, verified, is_last_attempt=is_last_attempt)

    def _withdraw(self, promotion: Promotion, reason: str, owner: str, ends: float, *, is_last_attempt: bool) -> None:
        """Roll back a release that was deployed, because one beside it failed."""
        now = self.now().timestamp()
        lease = withdrawals.take_back(promotion, owner, now, now + self.left(ends))
        if isinstance(lease, Busy):
            raise TemporaryFault(
                "another invocation rolls this release back, or died with it", max(lease.until - now, 1)
            )
        if lease is None:
            known = leases.finished(promotion, now)
            if known and known.outcome["kind"] == "failed":
                self.verdicts.settle(promotion, known.outcome, Ended(known.parked or "", known.outcomes))
            elif known:  # a newer promotion has gone on from it
                self.verdicts.resume(promotion, known.parked)
            return
        broken, revision, previous = None, int(lease.outcome["revision"]), int(lease.outcome.get("previous", 0))
        try:
            done = self._roll_back(promotion, revision, previous, ends)
        except TemporaryFault as fault:
            if not is_last_attempt:
                leases.give_back(promotion, owner)
                raise
            done = f"not rolled back, given up after {self.attempts} attempts: {fault.reason}"
            broken = PermanentFault(done)
        at = format_time(self._after(lease.outcome))
        outcome = {**lease.outcome, "kind": "failed", "at": at, "reason": f"{reason}; {done}"}
        ended = leases.finish(promotion, owner, outcome, previous)
        if ended:
            self.verdicts.settle(promotion, outcome, ended)
        if broken:
            raise broken

    def _after(self, outcome: Mapping[str, Any]) -> datetime:
        """Now, and later than an outcome whatever the clocks say: told in any order, this one then counts."""
        before = parse_time(outcome["at"])
        return max(self.now(), before + timedelta(milliseconds=1)) if before else self.now()

    def _roll_back(self, promotion: Promotion, revision: int, previous: int, ends: float) -> str:
        if revision == previous:
            return "left as it was, since nothing had changed"
        request = wanted(promotion, previous)
        return roll_back(request, revision, workspace=self.workspace, budget_seconds=self.left(ends) - RESERVE)

    def _lease(self, promotion: Promotion, event: CloudEvent, owner: str, ends: float) -> Lease:
        """The lease, or why not. What has to wait is parked, to be published again when the way is free."""
        with tracing.span("take lease", generation=promotion.generation):
            until = self._moment() + self.left(ends)
            for _ in range(ATTEMPTS):
                lease = leases.take(promotion, owner, self._moment, until)
                if not _has_to_wait(lease):
                    return lease
                parked = encode(event).body
                self._tell_replaced(promotion, lease.parked)
                if not leases.park(promotion, parked, lease.parked):
                    continue  # somebody else has parked, claimed or carried it out since the look
                if isinstance(lease, Busy):
                    # It may have been given back between the refusal and the parking: nobody would come for it soon.
                    lease = leases.take(promotion, owner, self._moment, until)
                    if not _has_to_wait(lease):
                        leases.unpark(promotion, parked)
                return lease
        raise TemporaryFault("others keep changing what is put aside for the release", delay_seconds=2)

    def _tell_replaced(self, promotion: Promotion, parked: str) -> None:
        """What this promotion is about to take the place of comes to nothing; nobody else would say so any more."""
        try:
            replaced = deployment.read_promotion(decode(parked)) if parked else promotion
        except PermanentFault:  # somebody's edit
            return
        if replaced.generation < promotion.generation and leases.is_overtaken(replaced, self._moment()):
            self.verdicts.say(deployment.superseded(replaced, at=self.now(), by=promotion.generation))

    def _moment(self) -> float:
        return self.now().timestamp()

    def _carry_out(
        self, promotion: Promotion, owner: str, ends: float, verified: int, *, is_last_attempt: bool
    ) -> None:
        broken, since = None, self.now()
        try:
            self.verdicts.say(deployment.started(promotion, at=since))
            request = wanted(promotion, verified)
            result = install(request, workspace=self.workspace, budget_seconds=self.left(ends) - RESERVE)
            if result.helm_seconds:
                metrics.measure(metrics.HELM_DURATION, result.helm_seconds)
        except PermanentFault as fault:
            result = Failed(fault.reason, 0)
        except Exception as error:
            reason = error.reason if isinstance(error, TemporaryFault) else f"unexpected {type(error).__name__}"
            if not is_last_attempt:
                leases.give_back(promotion, owner)
                self.verdicts.say(deployment.errored(promotion, at=self.now(), reason=f"{reason}; to be tried again"))
                raise
            broken = PermanentFault(f"given up after {self.attempts} attempts: {reason}")
            result = Failed(broken.reason, 0)
        if isinstance(result, Applied):
            self._hand_over(promotion, owner, result, since)
            return
        self._end(promotion, owner, result, since)
        if broken:
            raise broken

    def _end(self, promotion: Promotion, owner: str, result: Deployed | Failed, since: datetime) -> None:
        seconds = round((self.now() - since).total_seconds(), 1)
        outcome = {"at": format_time(self.now()), **asdict(result), "kind": _kind(result), "seconds": seconds}
        verified = result.revision if isinstance(result, Deployed) else None
        with tracing.span("give lease back"):
            ended = leases.finish(promotion, owner, outcome, verified)
        if ended is None:
            raise PermanentFault("the release's lease had passed to another invocation; see its result")
        self.verdicts.conclude(promotion, outcome, ended)

    def _hand_over(self, promotion: Promotion, owner: str, applied: Applied, since: datetime) -> None:
        """Leave the release to be watched; no invocation waits for it."""
        rollout = begun(applied, promotion.release, since.timestamp(), self.now().timestamp())
        with tracing.span("hand lease over", phase=rollout.phase):
            if not rollouts.hand_over(promotion, owner, rollout, rollout.until + GRACE):
                raise PermanentFault("the release's lease had passed to another invocation; see its result")
        self._say_applied(
            promotion, rollout, Course(healed=applied.healed, changes=applied.changes, output=applied.output)
        )
        look_later(self.rollouts, promotion, seconds=1 if applied.is_ready else SOONEST)

    def _say_applied(self, promotion: Promotion, rollout: Rollout, course: Course) -> None:
        """As of the beginning of its phase, so that no verdict is ever older, however late this comes."""
        at = datetime.fromtimestamp(rollout.since, UTC)
        self.verdicts.say(deployment.applied(promotion, at=at, reason=rollout.told(), course=course))


def handler() -> Answer:
    """What answers a batch of the Installs queue, put together from the settings. Raises MissingSettingError."""
    return helm_function("helm_installer", "installs_queue_url", kind=HelmInstaller, now=utc_now)


def _has_to_wait(lease: Lease) -> TypeGuard[Barred | Busy]:
    """Whether it is for others to give the way free; a message behind its own promotion's comes back by itself."""
    return isinstance(lease, Barred) or (isinstance(lease, Busy) and not lease.same)


def _kind(result: Deployed | Failed) -> str:
    return "failed" if isinstance(result, Failed) else "deployed"


def _here(promotion: Promotion) -> str:
    context = tracing.current()
    return context.traceparent if context else promotion.traceparent
