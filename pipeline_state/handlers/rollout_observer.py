"""A release that Helm has applied gets its verdict: look, test, verify; then finished, or rolled back."""

from __future__ import annotations

from pipeline_state.events import deployment
from pipeline_state.events.codec import decode
from pipeline_state.faults import TemporaryFault
from pipeline_state.handlers import hops
from pipeline_state.handlers.batch import Record
from pipeline_state.handlers.helm_function import Answer, HelmWorker, helm_function
from pipeline_state.handlers.rollout_turn import RolloutTurn
from pipeline_state.handlers.watching import RESERVE
from pipeline_state.model.promotion import Promotion
from pipeline_state.startup import utc_now
from pipeline_state.table import leases, rollouts
from pipeline_state.table.lease import Ended


class RolloutObserver(HelmWorker):
    """Looks at applied releases from time to time; nobody waits in between."""

    def receive(self, message: Record, *, owner: str, ends: float) -> None:
        """One look at one rollout."""
        event = decode(message["body"])
        promotion = deployment.read_promotion(event)
        parent = hops.parent_of(promotion.traceparent, promotion.repo, promotion.commit)
        fields = {**hops.of_event(event), **hops.of_promotion(promotion)}
        hop = "SQS delay queue"
        with hops.handling("observe rollout", message, hop=hop, parent=parent, now=self.now(), fields=fields):
            found = rollouts.find(promotion, self._time())
            if found is None:
                self._tell_again(promotion)
                return
            if not found.is_idle:
                left = found.until - self._time()
                raise TemporaryFault("another invocation sees to this rollout, or died with it", max(left, 1))
            until = self._time() + self.left(ends) - RESERVE
            turn = RolloutTurn(self, promotion, found, found.rollout, owner, until)
            turn.run(is_last_attempt=self.is_last_attempt(message))

    def _tell_again(self, promotion: Promotion) -> None:
        """There is a verdict, or a newer promotion has gone on. Whoever found it may have died before saying so."""
        finished = leases.finished(promotion, self._time())
        if finished:
            self.verdicts.settle(promotion, finished.outcome, Ended(finished.parked or "", finished.outcomes))

    def _time(self) -> float:
        return self.now().timestamp()


def handler() -> Answer:
    """What answers a batch of the Rollouts queue, put together from the settings. Raises MissingSettingError."""
    return helm_function("rollout_observer", "rollouts_queue_url", "gates_table", kind=RolloutObserver, now=utc_now)
