"""A commit's waits as spans, found when the trace is read: those that last, and those of which no span was kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipeline_state.cli.traces.spans import Span
from pipeline_state.model.waits import Wait, waits
from pipeline_state.table.journal import history
from pipeline_state.table.past import past_of
from pipeline_state.table.snapshot import EVERYTHING, Reader
from pipeline_state.tracing import TraceContext, trace_of
from pipeline_state.tracing.outbox import scrub
from pipeline_state.tracing.waits import ENVIRONMENT, wait_fields, wait_span_id
from pipeline_state.windows import freeze_of

_SERVICE = "promoter"
"""Who sends the spans of waits."""


def with_waits(spans: Iterable[Span], repo: str, commit: str, now: datetime) -> list[Span]:
    """The spans and the waits that are not among them, by start. Raises TemporaryFault."""
    known, root = list(spans), trace_of(repo, commit)
    found = [wait_span(wait, root, now) for wait in _waits(repo, commit, now)]
    return sorted([*known, *(each for each in found if not _is_among(each, known))], key=lambda span: span.start)


def wait_span(wait: Wait, root: TraceContext, now: datetime) -> Span:
    """The span of a wait, as it would have been sent; of one that lasts, until now and marked as open."""
    ids = {"trace.trace_id": root.trace_id, "trace.parent_id": root.span_id}
    ids["trace.span_id"] = wait_span_id(root.trace_id, wait)
    duration = wait.duration(now)
    fields: dict[str, object] = {**ids, **wait_fields(wait), "name": wait.name, "service.name": _SERVICE}
    fields |= {"duration_ms": duration / timedelta(milliseconds=1)} | ({} if wait.end else {"wait.open": True})
    scrub(fields)
    return Span(str(fields["name"]), _SERVICE, ids["trace.span_id"], root.span_id, wait.start, duration, fields)


def _waits(repo: str, commit: str, now: datetime) -> tuple[Wait, ...]:
    snapshot = Reader().read(repo, commit)
    if not snapshot.item:
        return ()
    own = list(history(repo, commit))
    keys = [*((pipeline.name, place.name) for pipeline, place in snapshot.places), EVERYTHING]
    entries = [*own, *(entry for key in keys for entry in history(*key))]
    past = past_of(snapshot, own, now)
    return waits(snapshot.record, entries, snapshot.definitions.pipelines, now, freeze_of, past)


def _is_among(wait: Span, spans: Iterable[Span]) -> bool:
    """Whether there is a span of the wait, or of the same one as it was known at an earlier time.

    Several environments may be waited for in the same words, such as "the end of the stop of everything".
    """
    return any(span.id == wait.id or (_is_alike(span, wait) and _overlap(span, wait)) for span in spans)


def _is_alike(one: Span, other: Span) -> bool:
    return (one.name, one.fields.get(ENVIRONMENT)) == (other.name, other.fields.get(ENVIRONMENT))


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
