"""The one form in which events travel: CloudEvents 1.0, structured JSON, with what subscribers filter on beside it.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from pipeline_state.faults import PermanentFault
from pipeline_state.tracing import parse_traceparent

_FORMAT = JSONFormat()
_REQUIRED = ("specversion", "id", "source", "type", "time", "data")
_UNUSABLE = re.compile("[\0-\b\v\f\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What SQS refuses (SendMessage in its API reference), also in attributes. An event's body carries it escaped."""

Attributes = dict[str, Any]
"""By name, in the shape that SNS and SQS share: {"DataType": "String", "StringValue": "…"}."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What SNS's publish and SQS's send_message take: the text, and the message attributes in their own shape."""

    body: str
    attributes: Attributes


def encode(event: CloudEvent) -> OutgoingMessage:
    """The event as a message, its attributes ce-type, ce-source, ce-subject and x-honeycomb-trace, if not empty."""
    context = parse_traceparent(str(event.get_extension("traceparent") or ""))
    values = {
        "ce-type": event.get_type(),
        "ce-source": event.get_source(),
        "ce-subject": event.get_subject(),
        "x-honeycomb-trace": context and context.honeycomb,
    }
    return OutgoingMessage(
        body=_FORMAT.write(event).decode(),
        attributes={name: attribute(value) for name, value in values.items() if value},
    )


def decode(body: str) -> CloudEvent:
    """The event in a message's body; its data is always a JSON object. Raises PermanentFault saying what is wrong."""
    try:
        event = cast("CloudEvent", _FORMAT.read(_whole_event, body))
    except BaseCloudEventException as fault:
        raise PermanentFault(f"not a CloudEvent: {fault}") from fault
    except (ValueError, TypeError, AttributeError, RecursionError) as fault:
        raise PermanentFault(f"not a CloudEvent in structured JSON: {type(fault).__name__}") from fault
    return event


def with_traceparent(event: CloudEvent, traceparent: str) -> CloudEvent:
    """The same event, spoken within another trace context; an empty one leaves it as it is."""
    if not traceparent:
        return event
    return CloudEvent({**event.get_attributes(), "traceparent": traceparent}, event.get_data())


def attribute(value: str) -> dict[str, str]:
    """A text as a message attribute."""
    return {"DataType": "String", "StringValue": sendable(value)}


def sendable(text: str) -> str:
    """The text with what no message may hold replaced."""
    return _UNUSABLE.sub("\ufffd", text)


def _whole_event(attributes: dict[str, Any], data: dict[str, Any] | str | bytes | None) -> CloudEvent:
    """The SDK reads an event without a time as one of this very moment, so a missing time is looked for here."""
    present = attributes.keys() | ({"data"} if isinstance(data, dict) else set())
    missing = [name for name in _REQUIRED if name not in present]
    if missing:
        raise PermanentFault(f"not a whole CloudEvent: {', '.join(missing)} missing")
    return CloudEvent(attributes, data)
