"""Events leave here: to an SNS topic, or, when that cannot be reached, to a queue that is drained into it later."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state import tracing
from pipeline_state.events.codec import Attributes, OutgoingMessage, attribute, encode, with_traceparent
from pipeline_state.faults import TemporaryFault

if TYPE_CHECKING:
    from cloudevents.core.v1.event import CloudEvent
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


TOPIC = "topic"
"""The attribute of a message in the fallback queue that says which topic it is for: an ARN."""

_RETRY_AFTER = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue to write to. Its client is made on first use, since on a good day nobody writes there."""

    url: str
    client: Callable[[], SQSClient]

    def send(
        self, body: str, attributes: Attributes | None = None, deduplication_id: str = "", delay_seconds: int = 0
    ) -> None:
        """Raises TemporaryFault when SQS does not take the message. In a FIFO queue each is a group of its own.

        deduplication_id: what a FIFO queue takes once in five minutes; the body unless given. delay_seconds: until it
        can be received, 900 at most; a FIFO queue has that for all of its messages only.
        """
        message: dict[str, Any] = {"MessageBody": body, "MessageAttributes": attributes or {}}
        if delay_seconds:
            message["DelaySeconds"] = delay_seconds
        if self.url.endswith(".fifo"):
            digest = hashlib.sha256(body.encode()).hexdigest()
            message |= {"MessageGroupId": digest, "MessageDeduplicationId": deduplication_id or digest}
        try:
            self.client().send_message(QueueUrl=self.url, **message)
        except (BotoCoreError, ClientError) as fault:
            raise TemporaryFault(f"SQS did not take a message: {type(fault).__name__}", _RETRY_AFTER) from fault


class Publisher:
    """Hands events to SNS. Every method raises TemporaryFault when nobody took the event."""

    def __init__(self, sns: SNSClient, fallback: Queue | None = None) -> None:
        self._sns = sns
        self._fallback = fallback

    def publish(self, event: CloudEvent, topic_arn: str) -> None:
        """To a standard topic, or else, where there is one, to the fallback queue."""
        with _sending(event, topic_arn) as message:
            try:
                self.forward(message, topic_arn)
            except TemporaryFault:
                if self._fallback is None:
                    raise
                _log.warning("event %s goes to the fallback queue", event.get_id())
                tracing.add_field("fallback", True)  # noqa: FBT003 - a field's value
                self._fallback.send(message.body, message.attributes | {TOPIC: attribute(topic_arn)})

    def forward(self, message: OutgoingMessage, topic_arn: str) -> None:
        """A message as it is, to a standard topic and nowhere else."""
        try:
            self._sns.publish(TopicArn=topic_arn, Message=message.body, MessageAttributes=message.attributes)
        except (BotoCoreError, ClientError) as fault:
            raise TemporaryFault(f"SNS did not take an event: {type(fault).__name__}", _RETRY_AFTER) from fault

    def publish_again(self, event: CloudEvent, topic_arn: str, group: str) -> None:
        """To a FIFO topic although its id has been used up, and however lately it was published again before.

        What was put aside, published and put aside once more would be lost for good under an id that comes twice. One
        that comes too often does no harm: the release's lease sees to that.
        """
        self.publish_ordered(event, topic_arn, group, deduplication_id=f"{event.get_id()}-{uuid4().hex}")

    def publish_ordered(self, event: CloudEvent, topic_arn: str, group: str, deduplication_id: str = "") -> None:
        """To a FIFO topic, in the group's order, once per event id, or else the id given here.

        There is no fallback: a detour would lose the order.
        """
        with _sending(event, topic_arn) as message:
            try:
                self._sns.publish(
                    TopicArn=topic_arn,
                    Message=message.body,
                    MessageAttributes=message.attributes,
                    MessageGroupId=group,
                    MessageDeduplicationId=deduplication_id or event.get_id(),
                )
            except (BotoCoreError, ClientError) as fault:
                raise TemporaryFault(f"SNS did not take an event: {type(fault).__name__}", _RETRY_AFTER) from fault


@contextmanager
def _sending(event: CloudEvent, topic_arn: str) -> Iterator[OutgoingMessage]:
    """The message of an event, in the span of its sending; that is in the event's own trace, whoever sends it.

    Without a trace, the event's and the sender's, none is begun.
    """
    fields: tracing.Fields = {
        "span.kind": "producer",
        "messaging.system": "aws.sns",
        "messaging.destination.name": topic_arn.rpartition(":")[2],
        "messaging.operation.type": "send",
        "cloudevents.event_id": event.get_id(),
        "cloudevents.event_type": event.get_type(),
        "cloudevents.event_subject": event.get_subject(),
    }
    own, here = tracing.parse_traceparent(str(event.get_extension("traceparent") or "")), tracing.current()
    if here and (own is None or own.trace_id == here.trace_id):
        with tracing.span("send event", fields):
            context = tracing.current() or here
            yield encode(with_traceparent(event, context.traceparent))
    elif own:
        with tracing.beside("send event", parent=own, fields=fields) as context:
            yield encode(with_traceparent(event, context.traceparent))
    else:
        yield encode(event)
