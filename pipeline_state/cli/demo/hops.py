"""How long each hop of the way took, read from the spans of the trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pipeline_state.cli.traces.spans import Span

PUSH = "com.github.push"
BUILD = "com.circleci.workflow-completed"
DEPLOYED = "dev.cdevents.service."

TYPE, ENVIRONMENT = "cloudevents.event_type", "deployment.environment.name"
"""Fields of spans."""

WEBHOOK = "webhook"
STREAM = "DynamoDB stream"
CHECK = "check, claim, send"
FIFO = "SNS FIFO → SQS FIFO"
BEFORE_HELM = "lease, chart, look-up"
HELM = "helm upgrade"
AFTER_HELM = "lease back, send"
QUEUE = "SNS → SQS"
RECORD = "record gates"

HOPS = (WEBHOOK, STREAM, CHECK, FIFO, BEFORE_HELM, HELM, AFTER_HELM, QUEUE, RECORD)
"""In the order in which an event passes them; no event passes all."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of the way: its hops in order, and how long it took from end to end."""

    name: str
    hops: Mapping[str, timedelta]
    total: timedelta


def legs(spans: Sequence[Span], environments: Iterable[str]) -> list[Leg]:
    """The push, the build, and the deployment to each environment. Legs that are not complete yet are left out."""
    found = [_webhook_leg("push", PUSH, spans), _webhook_leg("build", BUILD, spans)]
    found += [_deployment_leg(environment, spans) for environment in environments]
    return [leg for leg in found if leg]


def decision_after(spans: Sequence[Span], gate: str, environment: str) -> str | None:
    """What the promoter decided about an environment when a change of this gate had woken it.

    A check that failed before it came to that is tried again, and so left out.
    """
    checks = (span.fields for span in spans if span.name == "check for promotion")
    woken = (fields for fields in checks if gate in str(fields.get("gates", "")).split(", "))
    return next((str(fields[name]) for fields in woken if (name := f"decision.{environment}") in fields), None)


def _webhook_leg(name: str, event_type: str, spans: Sequence[Span]) -> Leg | None:
    publish = _one(spans, "send event", TYPE, event_type)
    webhook = publish and next((span for span in spans if span.id == publish.parent), None)
    queue, record = _recorded(spans, publish, event_type)
    if not (webhook and queue and record):
        return None
    hops = {WEBHOOK: webhook.duration, QUEUE: queue.duration, RECORD: record.duration}
    return Leg(name, hops, record.end - webhook.start)


def _deployment_leg(environment: str, spans: Sequence[Span]) -> Leg | None:
    claim = _one(spans, "claim", ENVIRONMENT, environment)
    check = claim and next((span for span in spans if span.id == claim.parent), None)
    install = _one(spans, "install", ENVIRONMENT, environment)
    told = _one([span for span in spans if install and span.parent == install.id], "send event", TYPE, DEPLOYED)
    queue, record = _recorded(spans, told, DEPLOYED)
    if not (check and install and queue and record):
        return None
    helm = next((span for span in spans if span.parent == install.id and span.name == "helm upgrade"), None)
    fifo = next((span for span in spans if span.parent == install.parent and span.name.startswith(FIFO)), None)
    stream = min(
        (span for span in spans if span.service == "promoter" and span.name == STREAM),
        key=lambda span: abs(span.end - check.start),
        default=None,
    )
    if not (helm and fifo and stream):
        return None
    hops = {
        STREAM: stream.duration,
        CHECK: check.duration,
        FIFO: fifo.duration,
        BEFORE_HELM: helm.start - install.start,
        HELM: helm.duration,
        AFTER_HELM: install.end - helm.end,
        QUEUE: queue.duration,
        RECORD: record.duration,
    }
    return Leg(environment, hops, record.end - stream.start)


def _recorded(spans: Sequence[Span], sender: Span | None, event_type: str) -> tuple[Span | None, Span | None]:
    """The transit and the recording of an event that was sent in the span `sender`."""
    sent = [span for span in spans if sender and span.parent == sender.id]
    record = next((span for span in sent if str(span.fields.get(TYPE, "")).startswith(event_type)), None)
    queue = min(
        (span for span in sent if span.name == QUEUE and record),
        key=lambda span: abs(span.end - record.start) if record else timedelta.max,
        default=None,
    )
    return queue, record


def _one(spans: Sequence[Span], name: str, field: str, start: str) -> Span | None:
    """The first span of a name with a field that begins so."""
    return next(
        (span for span in spans if span.name == name and str(span.fields.get(field, "")).startswith(start)), None
    )
