"""How promotions went: said to everybody, and to what waits behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline_state import metrics, tracing
from pipeline_state.events import deployment
from pipeline_state.events.codec import decode
from pipeline_state.events.deployment import Course
from pipeline_state.events.publish import Publisher
from pipeline_state.handlers import hops
from pipeline_state.model import beside
from pipeline_state.model.beside import Outcomes
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.times import format_time, parse_time
from pipeline_state.table import leases, withdrawals
from pipeline_state.table.claims import claimed_promotions
from pipeline_state.table.lease import Ended

if TYPE_CHECKING:
    from cloudevents.core.v1.event import CloudEvent


@dataclass(frozen=True, slots=True)
class Verdicts:
    """results_topic, promotions_topic: ARNs. now: the current time, aware."""

    publisher: Publisher
    results_topic: str
    promotions_topic: str
    now: Callable[[], datetime]

    def say(self, event: CloudEvent) -> None:
        """Publish what an installer has to say. Raises TemporaryFault."""
        self.publisher.publish(event, self.results_topic)

    def conclude(self, promotion: Promotion, outcome: Mapping[str, Any], ended: Ended) -> None:
        """Settle an outcome that has just been kept, which counts once. Raises as `settle`."""
        verdict = metrics.DEPLOYMENTS_FAILED if outcome["kind"] == "failed" else metrics.DEPLOYMENTS
        commit = f"{promotion.repo}@{promotion.commit}"
        metrics.count(verdict, commits=commit, environments=promotion.environment, releases=promotion.release.name)
        tracing.add_fields(hops.of_verdict(promotion, outcome))
        self.settle(promotion, outcome, ended)

    def settle(self, promotion: Promotion, outcome: Mapping[str, Any], ended: Ended) -> None:
        """All that follows from an outcome that is kept. It may be done again: each part then is what it was.

        Raises TemporaryFault and PermanentFault.
        """
        self.tell(promotion, outcome)
        self._see_to_others(promotion, ended.outcomes)
        self.resume(promotion, ended.parked)

    def _see_to_others(self, promotion: Promotion, outcomes: Outcomes) -> None:
        """The releases beside it: who begins, who never does, who goes back."""
        begins, never = beside.next_release(promotion, outcomes), beside.never_begun(promotion, outcomes)
        back = beside.taken_back(promotion, outcomes)
        if not (begins or never or back):
            return
        culprit = beside.failed(promotion, outcomes)
        claimed = claimed_promotions(promotion.pipeline, promotion.environment, promotion.generation)
        by_name = {each.release.name: replace(each, traceparent=promotion.traceparent) for each in claimed}
        if begins:
            self._announce(deployment.promoted(by_name[begins], at=self.now()), by_name[begins])
        for name in never:
            told = {"kind": "failed", "at": format_time(self.now()), "reason": f"not begun, since {culprit} failed"}
            outcome = outcomes.get(name, {**told, "begun": False})
            if name in outcomes or withdrawals.skip(by_name[name], outcome):
                self.tell(by_name[name], outcome)
        for name in back:
            reason = f"taken back, since {culprit} failed"
            self._announce(deployment.withdrawn(by_name[name], at=self.now(), reason=reason), by_name[name])

    def _announce(self, event: CloudEvent, promotion: Promotion) -> None:
        self.publisher.publish_ordered(event, self.promotions_topic, group=promotion.lock)

    def tell(self, promotion: Promotion, outcome: Mapping[str, Any]) -> None:
        """Publish an outcome as it was kept, so that telling it twice is telling the same. Raises TemporaryFault."""
        at = parse_time(outcome["at"]) or self.now()
        course = Course(
            seconds=float(outcome.get("seconds", 0)),
            healed=outcome.get("healed", ""),
            changes=outcome.get("changes", {}),
            output=outcome.get("output", ""),
        )
        if outcome["kind"] == "failed":
            self.say(deployment.failed(promotion, at=at, reason=outcome["reason"], course=course))
            return
        action: deployment.Action = "deployed" if outcome["action"] == "deployed" else "upgraded"
        if promotion.action is Action.ROLLBACK:
            action = "rolledback"
        told = deployment.deployed(
            promotion,
            at=at,
            action=action,
            revision=int(outcome["revision"]),
            chart=outcome["chart"],
            digest=outcome.get("digest", ""),  # an older version kept none
            course=course,
        )
        self.say(told)

    def resume(self, promotion: Promotion, parked: str | None) -> None:
        """Publish what was parked once more. Raises TemporaryFault."""
        if parked:
            self.publisher.publish_again(decode(parked), self.promotions_topic, group=promotion.lock)
            leases.unpark(promotion, parked)
