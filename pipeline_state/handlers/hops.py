"""How a message came to a function: the span in which it is handled, and before it those of the hops that it took.

Field names are OpenTelemetry's: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/, …/faas/,
…/cloudevents/cloudevents-spans/, …/cicd/cicd-spans/, …/registry/attributes/vcs/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline_state import tracing
from pipeline_state.handlers import dead_letters
from pipeline_state.handlers.dead_letters import DIED_AT
from pipeline_state.tracing import Field, Fields, TraceContext

if TYPE_CHECKING:
    from cloudevents.core.v1.event import CloudEvent

    from pipeline_state.model.promotion import Promotion

ATTEMPT = "messaging.attempt"
ENVIRONMENT = "deployment.environment.name"
REDRIVEN = "redriven"

TRIED = "attempt"
"""Where a stream's record says how often it has been tried, which Lambda does not."""

DATABASE: Fields = {"span.kind": "client", "db.system.name": "aws.dynamodb"}
"""What a span says that is about the tables."""

Record = Mapping[str, Any]

_LONGEST_DELIVERY = timedelta(days=3)
"""How long GitHub can be asked to deliver an event once more."""

_LATEST = 4_102_444_800_000
"""Epoch milliseconds of the year 2100: what is said to be from then is no time of ours."""


@contextmanager
def burying(record: Record, reason: str) -> Iterator[None]:
    """The span of giving a record up, in the trace of its commit as far as there is one."""
    fields: Fields = {"span.kind": "producer", ATTEMPT: attempt_of(record), "error_detail": reason}
    with tracing.message_span("dead letter", parent=_sender(record), fields={"error": "dead letter", **fields}):
        yield


@contextmanager
def handling(
    name: str, message: Record, *, hop: str, parent: TraceContext, now: datetime, fields: Fields
) -> Iterator[None]:
    """The span of one message of a queue, and before it the spans of its way here. hop: what the way is called."""
    with tracing.message_span(name, parent=parent, fields={**of_message(message), **fields}):
        came(message, hop=hop, parent=parent, now=now)
        yield


def came(message: Record, *, hop: str, parent: TraceContext, now: datetime) -> None:
    """The spans of a message's way to where it is handled now, from wherever it was last."""
    attributes = message["attributes"]
    sent, fields = int(attributes["SentTimestamp"]), _of_queue(message)
    if died := died_at(message):
        tracing.add_field(REDRIVEN, True)  # noqa: FBT003 - a field's value
    if died and attempt_of(message) == 1:
        _lay_dead(message, died, parent=parent, until=_moment(sent))
    if attempt_of(message) > 1:
        first = int(attributes.get("ApproximateFirstReceiveTimestamp") or sent)
        tracing.transit("until tried again", sent_at_ms=first, now=now, parent=parent, fields=fields)
    else:
        tracing.transit(hop, sent_at_ms=sent, now=now, parent=parent, fields=fields)


def parent_of(traceparent: str, repo: str, commit: str) -> TraceContext:
    """Where a message about a commit hangs: under its sender, if that spoke within the commit's trace; else the root.

    A sender that knows nothing of the derived ids has a trace of its own, and one commit has one trace.
    """
    sender, root = tracing.parse_traceparent(traceparent), tracing.trace_of(repo, commit)
    return sender if sender and sender.trace_id == root.trace_id else root


def delivered(event: CloudEvent, sender: str, *, parent: TraceContext, now: datetime) -> None:
    """The span of an event's way from its sender to us. What is older than any redelivery was not on its way."""
    happened = event.get_time()
    if happened and now - _LONGEST_DELIVERY < happened < now:
        sent = int(happened.timestamp() * 1000)
        tracing.transit(f"{sender} → API Gateway", sent_at_ms=sent, now=now, parent=parent)


def changed(record: Record, at: datetime, *, parent: TraceContext, now: datetime) -> None:
    """The span of a change's way to us. at: when it was made."""
    if died := died_at(record):
        tracing.add_field(REDRIVEN, True)  # noqa: FBT003 - a field's value
        _lay_dead(record, died, parent=parent, until=now)
        return
    name = "DynamoDB stream" if attempt_of(record) == 1 else "until tried again"
    made = int(at.timestamp() * 1000)
    tracing.transit(name, sent_at_ms=made, now=now, parent=parent, fields=of_change(record))


@contextmanager
def checking(repo: str, commit: str, fields: Fields | None = None) -> Iterator[None]:
    """The span in which somebody looks whether a commit can go on."""
    told = {**of_commit(repo, commit), **(fields or {})}
    with tracing.message_span("check for promotion", parent=tracing.trace_of(repo, commit), fields=told):
        yield


def attempt_of(record: Record) -> int:
    """Which attempt at a queue's message or a stream's record this is, from 1 on."""
    attributes = record.get("attributes", {})
    return int(attributes.get("ApproximateReceiveCount") or record.get(TRIED) or 1)


def died_at(record: Record) -> int | None:
    """When a record that was sent back had come into the dead-letter queue, in epoch milliseconds; None for others."""
    told = str(record.get(DIED_AT) or _attribute(record, DIED_AT))
    at = int(told) if told.isdecimal() else _LATEST
    return at if at < _LATEST else None


def of_event(event: CloudEvent) -> dict[str, Field]:
    """What a span says of the event that it is about."""
    return {
        "cloudevents.event_id": event.get_id(),
        "cloudevents.event_source": event.get_source(),
        "cloudevents.event_type": event.get_type(),
        "cloudevents.event_subject": event.get_subject(),
        "cloudevents.event_spec_version": event.get_specversion(),
    }


def of_commit(repo: str, commit: str) -> dict[str, Field]:
    """What a span says of the commit that it is about. repo: "owner/name"."""
    owner, _, name = repo.partition("/")
    return {"vcs.owner.name": owner, "vcs.repository.name": name, "vcs.ref.head.revision": commit}


def of_promotion(promotion: Promotion) -> dict[str, Field]:
    """What a span says of the promotion that it is about."""
    return {
        **of_commit(promotion.repo, promotion.commit),
        "cicd.pipeline.name": promotion.pipeline,
        ENVIRONMENT: promotion.environment,
        "release": promotion.release.name,
        "generation": promotion.generation,
    }


def of_verdict(promotion: Promotion, outcome: Mapping[str, Any]) -> dict[str, Field]:
    """What the span says in which a release's deployment came to its end; Honeycomb's graphs get a marker from it."""
    status = "failed" if outcome["kind"] == "failed" else "succeeded"
    return {
        "deployment.id": promotion.id,
        "deployment.status": status,
        "deployment.seconds": float(outcome.get("seconds", 0)),
    }


def of_change(record: Record) -> dict[str, Field]:
    """What a span says of the stream's record that it handles."""
    table = str(record.get("eventSourceARN", "")).partition("/")[2].partition("/")[0]
    fields: dict[str, Field] = {"span.kind": "consumer", "faas.trigger": "datasource", ATTEMPT: attempt_of(record)}
    return fields | {"db.system.name": "aws.dynamodb", "db.collection.name": table}


def of_message(message: Record) -> dict[str, Field]:
    """What a span says of the queue's message that it handles."""
    fields: dict[str, Field] = {"span.kind": "consumer", "faas.trigger": "pubsub", ATTEMPT: attempt_of(message)}
    return {**fields, **_of_queue(message), "messaging.operation.type": "process"}


def _sender(record: Record) -> TraceContext | None:
    """Who sent a record, or the root of the commit that it is about; None where it tells neither."""
    header = _attribute(record, "x-honeycomb-trace")
    about = dead_letters.about_record(record)
    if "repo" in about and "commit" in about:
        sender, root = tracing.parse_honeycomb(header), tracing.trace_of(about["repo"], about["commit"])
        return sender if sender and sender.trace_id == root.trace_id else root
    return tracing.parse_honeycomb(header)


def _attribute(record: Record, name: str) -> str:
    """The text in a message's attribute; empty where there is none."""
    return record.get("messageAttributes", {}).get(name, {}).get("stringValue") or ""


def _lay_dead(record: Record, died: int, *, parent: TraceContext, until: datetime) -> None:
    """What was given up lay in a dead-letter queue until somebody sent it back: one span, however often it is told."""
    span_id = tracing.derived_span_id(parent.trace_id, _once(record), str(died))
    tracing.transit(
        "dead-letter queue", sent_at_ms=died, now=until, parent=parent, fields={REDRIVEN: True}, span_id=span_id
    )


def _once(record: Record) -> str:
    """The id of a message or of a stream's record, which all attempts at it have in common."""
    return str(record.get("messageId") or record.get("eventID", ""))


def _of_queue(message: Record) -> dict[str, Field]:
    return {
        "messaging.system": "aws_sqs",
        "messaging.destination.name": str(message.get("eventSourceARN", "")).rpartition(":")[2],
        "messaging.message.id": message["messageId"],
    }


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
