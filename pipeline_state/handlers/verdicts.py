"""How promotions went: said to everybody, and to what waits behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline_state import tracing
from pipeline_state.events import deployment
from pipeline_state.events.codec import decode
from pipeline_state.events.deployment import Course
from pipeline_state.events.publish import Publisher
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.times import parse_time
from pipeline_state.table import leases
from pipeline_state.table.leases import Ended

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
        with tracing.span("send event", type=event.get_type()):
            self.publisher.publish(event, self.results_topic)

    def settle(self, promotion: Promotion, outcome: Mapping[str, Any], ended: Ended) -> None:
        """All that follows from an outcome that is kept. It may be done again: each part then is what it was.

        Raises TemporaryFault.
        """
        self.tell(promotion, outcome)
        self.resume(promotion, ended.parked)

    def tell(self, promotion: Promotion, outcome: Mapping[str, Any]) -> None:
        """Publish an outcome as it was kept, so that telling it twice is telling the same. Raises TemporaryFault."""
        at = parse_time(outcome["at"]) or self.now()
        course = Course(float(outcome.get("seconds", 0)), outcome.get("healed", ""))
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
        """Publish what was parked once more: under another deduplication id, since the first has been used up.

        Raises TemporaryFault.
        """
        if parked:
            event = decode(parked)
            again = f"{event.get_id()}-{promotion.id}"
            self.publisher.publish_ordered(event, self.promotions_topic, group=promotion.lock, deduplication_id=again)
            leases.unpark(promotion, parked)
