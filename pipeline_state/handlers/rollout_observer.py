"""A release that Helm has applied gets its verdict: look, test, verify; then finished, or rolled back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline_state import deploy, tracing
from pipeline_state.deploy import Workspace
from pipeline_state.deploy.verification import answers
from pipeline_state.deploy.words import added
from pipeline_state.events import deployment
from pipeline_state.events.codec import decode
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.faults import TemporaryFault
from pipeline_state.handlers.batch import Batch, Failures, Record, backing_off
from pipeline_state.handlers.verdicts import Verdicts
from pipeline_state.handlers.watching import GRACE, RESERVE, wanted, watch
from pipeline_state.handlers.workspace import workspace_of
from pipeline_state.model.gates import GateStatus
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.rollout import (
    Broken,
    Done,
    Enter,
    GoBack,
    LookAgain,
    Pending,
    Phase,
    Rollout,
    Seen,
    Step,
    Verified,
    next_step,
)
from pipeline_state.model.times import format_time
from pipeline_state.settings import read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now
from pipeline_state.table import leases, rollouts
from pipeline_state.table.lease import Ended
from pipeline_state.table.models import connect, tables_of
from pipeline_state.table.records import gate_of
from pipeline_state.table.rollouts import Watching

_LONGEST_DELAY = 120
"""Seconds between two attempts while the cluster cannot be reached."""


@dataclass(frozen=True, slots=True)
class RolloutObserver:
    """Looks at applied releases from time to time; nobody waits in between.

    rollouts: its own queue. attempts: how often a message is tried while the machinery is broken, before the deployment
    counts as failed. now: the current time, aware.
    """

    verdicts: Verdicts
    rollouts: Queue
    workspace: Workspace
    attempts: int
    now: Callable[[], datetime]

    def observe(self, message: Mapping[str, Any], *, owner: str, seconds: float) -> None:
        """One SQS message, its body a promotion. owner: unique to the invocation, which has so many seconds left.

        Raises PermanentFault and TemporaryFault.
        """
        promotion = deployment.read_promotion(decode(message["body"]))
        parent = tracing.parse_traceparent(promotion.traceparent) or tracing.trace_of(promotion.repo, promotion.commit)
        fields = {"environment": promotion.environment, "release": promotion.release.name}
        with tracing.message_span("observe rollout", parent=parent, fields=fields):
            sent_at = int(message["attributes"]["SentTimestamp"])
            tracing.transit("SQS, with its delay", sent_at_ms=sent_at, now=self.now(), parent=parent)
            found = rollouts.find(promotion, self._time())
            if found is None:
                self._tell_again(promotion)
                return
            if not found.is_idle:
                left = found.until - self._time()
                raise TemporaryFault("another invocation sees to this rollout, or died with it", max(left, 1))
            ends = self._time() + seconds - RESERVE
            turn = _Turn(self, promotion, found, found.rollout, owner, ends)
            is_last = int(message["attributes"]["ApproximateReceiveCount"]) >= self.attempts
            turn.run(is_last_attempt=is_last)

    def _tell_again(self, promotion: Promotion) -> None:
        """There is a verdict, or a newer promotion has gone on. Whoever found it may have died before saying so."""
        finished = leases.finished(promotion, self._time())
        if finished:
            self.verdicts.settle(promotion, finished.outcome, Ended(finished.parked or "", finished.outcomes))

    def _time(self) -> float:
        return self.now().timestamp()


@dataclass
class _Turn:
    """One look at one rollout, and what follows from it.

    found: as it was when the turn began; rollout: as it is now. ends: when the invocation's time is up, epoch seconds.
    """

    observer: RolloutObserver
    promotion: Promotion
    found: Watching
    rollout: Rollout
    owner: str
    ends: float

    def run(self, *, is_last_attempt: bool) -> None:
        """Look; where there is something to do, take the lease and do it, up to a verdict or to the next wait.

        A test is something to do, too: there are never two at once.
        """
        step = None if self.rollout.phase is Phase.TEST else self._next()
        if isinstance(step, LookAgain):
            watch(self.observer.rollouts, self.promotion, step.seconds)
            return
        if not rollouts.take_over(self.promotion, self.found, self.owner, self._time(), self.ends + RESERVE):
            return
        try:
            self._go_on(step or self._next())
        except TemporaryFault as fault:
            if not is_last_attempt:
                self._hand_over()
                raise
            told = f"given up after {self.observer.attempts} attempts: {fault.reason}"
            self._end_badly(f"{self.rollout.failed}; not rolled back, {told}" if self.rollout.failed else told)

    def _go_on(self, step: Step) -> None:
        while isinstance(step, Enter):
            self.rollout = step.rollout
            step = self._next()
        match step:
            case LookAgain(seconds):
                if self._hand_over():
                    watch(self.observer.rollouts, self.promotion, seconds)
            case Verified():
                self._end({"kind": "deployed"}, verified=self.rollout.revision)
            case GoBack(reason) if self._settle_on(reason):
                self._end_badly(added(reason, self._roll_back()))

    def _settle_on(self, reason: str) -> bool:
        """Write down that it has failed before anything goes back; False where the lease has passed to somebody else.

        Whoever comes after one that dies in between would see what was gone back to, and might be content with that.
        """
        if self.rollout.failed:
            return True
        self.rollout = replace(self.rollout, failed=reason)
        return rollouts.keep(self.promotion, self.owner, self.rollout)

    def _next(self) -> Step:
        if self.rollout.failed:
            return GoBack(self.rollout.failed)
        seen = self._see()
        tracing.add_field(f"rollout.{self.rollout.phase}", getattr(seen, "why", "done"))
        return next_step(self.rollout, self.promotion.release, seen, self._time())

    def _see(self) -> Seen:
        """What there is to see; who cannot be asked just now can be asked later, within the phase's time."""
        request = wanted(self.promotion, self.found.verified)
        if self.rollout.phase is Phase.TEST:
            return deploy.test(request, **self._means())
        try:
            if self.rollout.phase is Phase.VERIFY:
                return self._verify()
            return deploy.look(request, self.rollout.revision, **self._means())
        except TemporaryFault as fault:
            return Pending(fault.reason)

    def _verify(self) -> Seen:
        verify = self.promotion.release.verify
        if verify is None:
            return Done()
        if verify.url:
            return answers(verify.url)
        gate = gate_of(self.promotion.repo, self.promotion.commit, verify.gate, self.observer.now())
        if gate.status is GateStatus.PASSED:
            return Done()
        told = f"the gate {verify.gate} {'failed' if gate.status is GateStatus.FAILED else 'is pending'}"
        told = f"{told}: {gate.reason}" if gate.reason else told
        return Broken(told) if gate.status is GateStatus.FAILED else Pending(told)

    def _hand_over(self) -> bool:
        return rollouts.hand_over(self.promotion, self.owner, self.rollout, self.rollout.until + GRACE)

    def _roll_back(self) -> str:
        request = wanted(self.promotion, self.rollout.previous)
        return deploy.roll_back(request, self.rollout.revision, **self._means())

    def _end_badly(self, reason: str) -> None:
        self._end({"kind": "failed", "reason": reason})

    def _end(self, verdict: Mapping[str, Any], verified: int | None = None) -> None:
        told = {name: value for name, value in self.rollout.to_dict().items() if name in _KEPT}
        seconds = round(self._time() - self.rollout.begun, 1)
        outcome = {"at": format_time(self.observer.now()), **told, **verdict, "seconds": seconds}
        with tracing.span("give lease back"):
            ended = leases.finish(self.promotion, self.owner, outcome, verified)
        if ended:
            self.observer.verdicts.settle(self.promotion, outcome, ended)

    def _means(self) -> dict[str, Any]:
        return {"workspace": self.observer.workspace, "budget_seconds": self.ends - self._time()}

    def _time(self) -> float:
        return self.observer.now().timestamp()


_KEPT = ("revision", "chart", "digest", "action", "previous", "healed", "helm_seconds")
"""What an outcome tells of its rollout."""

Answer = Callable[[Sequence[Record], str, float], Failures]


def handler() -> Answer:
    """What answers a batch of the Rollouts queue, put together from the settings. Raises MissingSettingError.

    The answer also takes the invocation's id and the seconds it has left.
    """
    settings = read_settings(
        "gates_table",
        "environments_table",
        "deployment_topic_arn",
        "promotion_topic_arn",
        "rollouts_queue_url",
        "dead_letter_queue_url",
    )
    clients = Clients(settings)
    start_tracing("rollout_observer", settings, lambda: clients("secretsmanager"))
    connect(tables_of(settings))
    topics = settings.deployment_topic_arn, settings.promotion_topic_arn
    observer = RolloutObserver(
        verdicts=Verdicts(Publisher(clients("sns")), *topics, utc_now),
        rollouts=Queue(settings.rollouts_queue_url, lambda: clients("sqs")),
        workspace=workspace_of(settings, clients),
        attempts=settings.install_attempts,
        now=utc_now,
    )
    dead_letters = Queue(settings.dead_letter_queue_url, lambda: clients("sqs"))

    def answer(records: Sequence[Record], owner: str, seconds: float) -> Failures:
        def work(message: Record) -> None:
            observer.observe(message, owner=owner, seconds=seconds)

        patient = backing_off(work, lambda: clients("sqs"), settings.rollouts_queue_url, _LONGEST_DELAY)
        return Batch(patient, dead_letters, settings.receive_attempts).messages(records)

    return answer
