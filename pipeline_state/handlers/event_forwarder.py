"""What waits in the fallback queue goes to the topics it was meant for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline_state import tracing
from pipeline_state.events.codec import OutgoingMessage, attribute
from pipeline_state.events.publish import TOPIC, Publisher, Queue
from pipeline_state.faults import PermanentFault
from pipeline_state.handlers import hops
from pipeline_state.handlers.batch import Batch, Handle, Record
from pipeline_state.handlers.dead_letters import DIED_AT
from pipeline_state.settings import read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Drains the fallback queue. now: the current time, aware."""

    publisher: Publisher
    now: Callable[[], datetime]

    def forward(self, message: Record) -> None:
        """One SQS message, its body an event and its attribute `topic` where it was to go.

        Raises PermanentFault and TemporaryFault.
        """
        given = {name: value["stringValue"] for name, value in message["messageAttributes"].items()}
        parent = tracing.parse_honeycomb(given.get("x-honeycomb-trace", ""))
        with tracing.message_span("forward", parent=parent, fields=hops.of_message(message)):
            if parent:
                hops.came(message, hop="fallback queue", parent=parent, now=self.now())
            topic_arn = given.pop(TOPIC, None)
            if topic_arn is None:
                raise PermanentFault(f"no attribute {TOPIC!r}: nobody knows where this event was to go")
            attributes = {name: attribute(value) for name, value in given.items() if name != DIED_AT}
            self.publisher.forward(OutgoingMessage(message["body"], attributes), topic_arn)


def handler() -> Handle:
    """What answers a batch of the FallbackEvents queue, put together from the settings. Raises MissingSettingError."""
    settings = read_settings("dead_letter_queue_url")
    clients = Clients(settings)
    start_tracing("event_forwarder", settings, lambda: clients("secretsmanager"))
    forwarder = Forwarder(Publisher(clients("sns")), utc_now)
    dead_letters = Queue(settings.dead_letter_queue_url, lambda: clients("sqs"))
    return Batch(forwarder.forward, dead_letters, settings.receive_attempts).messages
