"""What waits in the fallback queue goes to the topics it was meant for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline_state import tracing
from pipeline_state.events.codec import OutgoingMessage, attribute
from pipeline_state.events.publish import TOPIC, Publisher, Queue
from pipeline_state.faults import PermanentFault, TemporaryFault


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Drains the fallback queue. now: the current time, aware."""

    publisher: Publisher
    dead_letters: Queue
    now: Callable[[], datetime]

    def forward(self, records: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, str]]]:
        """Lambda's answer about a batch of SQS records: `batchItemFailures` names those to be tried again."""
        failed = [record["messageId"] for record in records if not self._is_done(record)]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def _is_done(self, record: Mapping[str, Any]) -> bool:
        try:
            self._forward(record)
        except PermanentFault as fault:
            return self._bury(record["body"], fault)
        except TemporaryFault:
            return False
        return True

    def _forward(self, record: Mapping[str, Any]) -> None:
        given = {name: value["stringValue"] for name, value in record["messageAttributes"].items()}
        parent = tracing.parse_honeycomb(given.get("x-honeycomb-trace", ""))
        with tracing.message_span("forward", parent=parent):
            if parent:
                sent_at = int(record["attributes"]["SentTimestamp"])
                tracing.transit("fallback queue", sent_at_ms=sent_at, now=self.now(), parent=parent)
            topic_arn = given.pop(TOPIC, None)
            if topic_arn is None:
                raise PermanentFault(f"no attribute {TOPIC!r}: nobody knows where this event was to go")
            attributes = {name: attribute(value) for name, value in given.items()}
            self.publisher.forward(OutgoingMessage(record["body"], attributes), topic_arn)

    def _bury(self, body: str, fault: PermanentFault) -> bool:
        try:
            self.dead_letters.send(body, {"reason": attribute(fault.reason)})
        except TemporaryFault:
            return False
        return True
