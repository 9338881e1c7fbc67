"""Topics and queues in memory: what is published is sent on, hidden while it is worked on, and comes again if it fails.

Nothing keeps an order here, FIFO queues included: their order saves work, the lease is the guarantee.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_state.events.deployment import WITHDRAWN
from tests.property.workers import Calls

EVENTS, INSTALLS, ROLLOUTS, RESULTS, PROMOTIONS = "events", "installs.fifo", "rollouts", "results", "promotions.fifo"
DEAD = {
    EVENTS: "events-dead",
    INSTALLS: "installs-dead.fifo",
    ROLLOUTS: "rollouts-dead",
    "changes": "changes-dead",
}
VISIBILITY = {EVENTS: 180, INSTALLS: 960, ROLLOUTS: 960}
DEDUPLICATION = 300


@dataclass(eq=False)
class Message:
    """hidden_until: when it can be received again (epoch seconds)."""

    id: str
    body: str
    sent_at: float
    hidden_until: float = 0.0
    received: int = 0

    @property
    def record(self) -> dict[str, Any]:
        """As Lambda shows it."""
        sent, received = str(int(self.sent_at * 1000)), str(self.received)
        attributes = {"SentTimestamp": sent, "ApproximateReceiveCount": received}
        return {"messageId": self.id, "receiptHandle": self.id, "body": self.body, "attributes": attributes}


@dataclass
class MemoryQueues:
    """SNS and SQS, as far as functions use them.

    published: sees what goes to the promotions' topic: a promotion, and whether it is withdrawn.
    """

    calls: Calls
    published: Callable[[Mapping[str, Any], bool], None]
    queues: dict[str, list[Message]] = field(default_factory=lambda: {name: [] for name in VISIBILITY})
    dead: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in DEAD.values()})
    count: int = 0
    _taken: dict[str, float] = field(default_factory=dict)

    def send(self, queue: str, body: str, delay: float = 0) -> None:
        self.count += 1
        now = self.calls.moment()
        self.queues[queue].append(Message(f"m{self.count}", body, now, now + delay))

    def visible(self, queue: str) -> list[Message]:
        now = self.calls.moment()
        return [each for each in self.queues[queue] if each.hidden_until <= now]

    def at_hand(self, queue: str) -> list[Message]:
        """What can be received, and what somebody has received: it can come again."""
        now = self.calls.moment()
        return [each for each in self.queues[queue] if each.received or each.hidden_until <= now]

    def receive(self, queue: str, message: Message) -> dict[str, Any]:
        message.received += 1
        message.hidden_until = self.calls.moment() + VISIBILITY[queue]
        return message.record

    def acknowledge(self, queue: str, message: Message) -> None:
        if message in self.queues[queue]:
            self.queues[queue].remove(message)

    def redrive(self) -> None:
        """What lies in dead-letter queues is sent once more."""
        bodies = [(queue, body) for queue in VISIBILITY for body in self.dead[DEAD[queue]]]
        for queue, body in bodies:
            self.send(queue, body)
            self.dead[DEAD[queue]].remove(body)

    # the clients' own names

    def publish(self, **request: Any) -> None:
        self.calls.make("Publish", lambda: self._published(request))

    def send_message(self, **request: Any) -> None:
        self.calls.make("SendMessage", lambda: self._sent(request))

    def change_message_visibility(self, **request: Any) -> None:
        self.calls.make("ChangeMessageVisibility", lambda: self._hide(request))

    def _published(self, request: Mapping[str, Any]) -> None:
        if request["TopicArn"] == RESULTS:
            self.send(EVENTS, request["Message"])
            return
        event = json.loads(request["Message"])
        self.published(event["data"]["subject"]["content"]["promotion"], event["type"] == WITHDRAWN)
        once, now = request["MessageDeduplicationId"], self.calls.moment()
        if now - self._taken.get(once, -DEDUPLICATION) >= DEDUPLICATION:
            self._taken[once] = now
            self.send(INSTALLS, request["Message"])

    def _sent(self, request: Mapping[str, Any]) -> None:
        queue, body = request["QueueUrl"], request["MessageBody"]
        if queue in self.dead:
            self.dead[queue].append(body)
        else:
            self.send(queue, body, request.get("DelaySeconds", 0))

    def _hide(self, request: Mapping[str, Any]) -> None:
        for message in self.queues[request["QueueUrl"]]:
            if message.id == request["ReceiptHandle"]:
                message.hidden_until = self.calls.moment() + request["VisibilityTimeout"]
