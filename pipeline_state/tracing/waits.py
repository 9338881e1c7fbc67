"""A commit's waits as spans: what they are called, and what they say."""

from __future__ import annotations

from datetime import timedelta

from pipeline_state.model.times import format_time
from pipeline_state.model.waits import Wait
from pipeline_state.tracing.context import TraceContext, derived_span_id
from pipeline_state.tracing.spans import KIND, WAIT, Fields, finished_span

ENVIRONMENT = "deployment.environment.name"


def wait_span_id(trace_id: str, wait: Wait) -> str:
    """The same wait has the same span, whoever finds it and however often."""
    return derived_span_id(trace_id, wait.what, wait.environment, format_time(wait.start))


def wait_fields(wait: Wait) -> Fields:
    """What a wait's span says beside name and times; empty fields are left out."""
    told = {"wait.for": wait.what, "wait.who": wait.who, "wait.ended_by": wait.ended_by, "wait.known": wait.known}
    told |= {KIND: WAIT, ENVIRONMENT: wait.environment}
    return {name: value for name, value in told.items() if value}


def send_wait(wait: Wait, *, parent: TraceContext) -> None:
    """Record a wait that is over, beneath the root of its commit; one that lasts is left to whoever reads."""
    if wait.end:
        finished_span(
            wait.name,
            parent=parent,
            start=wait.start,
            duration=max(wait.end - wait.start, timedelta()),
            fields=wait_fields(wait),
            span_id=wait_span_id(parent.trace_id, wait),
        )
