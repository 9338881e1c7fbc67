"""One look at one rollout, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline_state import deploy, tracing
from pipeline_state.deploy.verification import answers
from pipeline_state.deploy.words import added
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers.helm_function import HelmWorker
from pipeline_state.handlers.watching import GRACE, RESERVE, look_later, wanted
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
    Unseen,
    Verified,
    next_step,
)
from pipeline_state.model.times import format_time
from pipeline_state.table import leases, rollouts
from pipeline_state.table.records import gate_of
from pipeline_state.table.rollouts import Watching

_ROLLBACK_SECONDS = 40.0
"""What a rollback wants: after a test that took all the time there was, it is the next invocation's."""

_RETRY_SECONDS = 30.0


@dataclass
class RolloutTurn:
    """One look at one rollout, and what follows from it.

    found: as it was when the turn began; rollout: as it is now. until: when the invocation's time is up, epoch seconds.
    """

    observer: HelmWorker
    promotion: Promotion
    found: Watching
    rollout: Rollout
    owner: str
    until: float

    def run(self, *, is_last_attempt: bool) -> None:
        """Look; where there is something to do, take the lease and do it, up to a verdict or to the next wait.

        A test is something to do, too: there are never two at once. Raises TemporaryFault where it is to be tried
        again, PermanentFault where the last attempt has failed and the release was left as it is.
        """
        step = None if self.rollout.phase is Phase.TEST else self._next()
        if isinstance(step, LookAgain):
            look_later(self.observer.rollouts, self.promotion, step.seconds)
            return
        if not rollouts.take_over(self.promotion, self.found, self.owner, self._time(), self.until + RESERVE):
            return
        try:
            self._go_on(step or self._next())
        except Exception as error:
            reason = error.reason if isinstance(error, TemporaryFault) else f"unexpected {type(error).__name__}"
            told = f"given up after {self.observer.attempts} attempts: {reason}"
            if not is_last_attempt:
                self._hand_over()
                raise
            if self._end_badly(f"{self.rollout.failed}; not rolled back, {told}" if self.rollout.failed else told):
                raise PermanentFault(f"not rolled back, {told}") from error
            raise  # it has a verdict, or is watched: what failed is to say so

    def _go_on(self, step: Step) -> None:
        while isinstance(step, Enter):
            self.rollout = step.rollout
            step = self._next()
        match step:
            case LookAgain(seconds):
                self._leave_to_next(seconds)
            case Unseen(why):
                raise TemporaryFault(why, _RETRY_SECONDS)
            case Verified():
                self._end({"kind": "deployed"}, verified=self.rollout.revision)
            case GoBack(reason) if self._settle_on(reason):
                if self._time() > self.until - _ROLLBACK_SECONDS and not self.found.rollout.failed:
                    self._leave_to_next(seconds=1)
                else:
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
        """What there is to see; who cannot be asked just now can be asked later."""
        request = wanted(self.promotion, self.found.verified)
        if self.rollout.phase is Phase.TEST:
            return deploy.test(request, **self._means())
        try:
            if self.rollout.phase is Phase.VERIFY:
                return self._verify()
            return deploy.look(request, self.rollout.revision, **self._means())
        except TemporaryFault as fault:
            return Unseen(fault.reason)

    def _verify(self) -> Seen:
        verify = self.promotion.release.verify
        if verify is None:
            return Done()
        if verify.url:
            return answers(verify)
        gate = gate_of(self.promotion.repo, self.promotion.commit, verify.gate, self.observer.now())
        if gate.status is GateStatus.PASSED:
            return Done()
        told = f"the gate {verify.gate} {'failed' if gate.status is GateStatus.FAILED else 'is pending'}"
        told = f"{told}: {gate.reason}" if gate.reason else told
        return Broken(told) if gate.status is GateStatus.FAILED else Pending(told)

    def _leave_to_next(self, seconds: int) -> None:
        if self._hand_over():
            look_later(self.observer.rollouts, self.promotion, seconds)

    def _hand_over(self) -> bool:
        return rollouts.hand_over(self.promotion, self.owner, self.rollout, self.rollout.until + GRACE)

    def _roll_back(self) -> str:
        request = wanted(self.promotion, self.rollout.previous)
        return deploy.roll_back(request, self.rollout.revision, **self._means())

    def _end_badly(self, reason: str) -> bool:
        return self._end({"kind": "failed", "reason": reason})

    def _end(self, verdict: Mapping[str, Any], verified: int | None = None) -> bool:
        """False where the lease is not ours any more, and so neither the verdict."""
        told = {name: value for name, value in self.rollout.to_dict().items() if name in _KEPT}
        seconds = round(self._time() - self.rollout.begun, 1)
        outcome = {"at": format_time(self.observer.now()), **told, **verdict, "seconds": seconds}
        with tracing.span("give lease back"):
            ended = leases.finish(self.promotion, self.owner, outcome, verified)
        if ended:
            self.observer.verdicts.conclude(self.promotion, outcome, ended)
        return ended is not None

    def _means(self) -> dict[str, Any]:
        return {"workspace": self.observer.workspace, "budget_seconds": self.until - self._time()}

    def _time(self) -> float:
        return self.observer.now().timestamp()


_KEPT = ("revision", "chart", "digest", "action", "previous", "healed", "helm_seconds")
"""What an outcome tells of its rollout."""
