"""Spans by beeline: one a message, children, and spans about the past.

State is beeline's, per thread: one message at a time per process, and no two coroutines that open spans side by side.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.tracing.context import TraceContext, trace_of
from pipeline_state.tracing.setup import flush, process

Field: TypeAlias = str | bool | int | float | None
Fields: TypeAlias = Mapping[str, Field]

KIND = "gatestream.kind"
"""The field that tells time in which nothing was done from work, which needs none: one of the next two."""

TRANSIT = "transit"
WAIT = "wait"


@contextmanager
def invocation(context: object) -> Iterator[None]:
    """The whole body of a handler: spans carry the request id of Lambda's context, and have left when it returns."""
    if process.beeline:
        client = process.beeline.client
        client.add_field("faas.invocation_id", getattr(context, "aws_request_id", None))
        client.add_field("faas.coldstart", process.is_cold)
        process.is_cold = False
    try:
        yield
    finally:
        flush()


@contextmanager
def message_span(name: str, *, parent: TraceContext | None, fields: Fields | None = None) -> Iterator[None]:
    """The span of one message, in its parent's trace; without a parent in a fresh one, which adopt may still change.

    An exception that leaves it is recorded by class, and by reason if it is one of our faults. Not to be nested.
    """
    if process.beeline is None:
        yield
        return
    trace_id = parent.trace_id if parent else secrets.token_hex(16)
    process.fresh_trace = "" if parent else trace_id
    try:
        with _Span(name, fields or {}, trace_id, parent.span_id if parent else None):
            yield
    finally:
        process.fresh_trace = ""
        process.outbox.forget(trace_id)


def adopt(parent: TraceContext) -> None:
    """Move the current message, its finished spans too, under parent: for those who learn the commit only by reading.

    Once per message, and only for one that was begun without a parent; nothing happens otherwise.
    """
    if process.fresh_trace:
        process.outbox.adopt(process.fresh_trace, parent)
        process.fresh_trace = ""


def span(name: str, more: Fields | None = None, /, **fields: Field) -> AbstractContextManager[None]:
    """A child of the current span; exceptions as in message_span. more: fields whose names are no identifiers."""
    return _Span(name, {**(more or {}), **fields}) if process.beeline else nullcontext()


def add_field(key: str, value: Field) -> None:
    """Put a value on the current span, if there is one."""
    if process.beeline:
        process.beeline.tracer_impl.add_context_field(key, value)


def add_fields(fields: Fields) -> None:
    """Put several values on the current span, if there is one."""
    if process.beeline:
        process.beeline.tracer_impl.add_context(fields)


def current() -> TraceContext | None:
    """The current span, for whatever is sent from within it."""
    active = process.beeline.tracer_impl.get_active_span() if process.beeline else None
    return TraceContext(process.outbox.trace_now(active.trace_id), active.id) if active else None


@contextmanager
def beside(name: str, *, parent: TraceContext, fields: Fields | None = None) -> Iterator[TraceContext]:
    """A span of another trace than the current one, which stays as it is; yields the context for what is sent in it.

    Exceptions as in message_span.
    """
    if process.beeline is None:
        yield parent
        return
    context, start, began = _child(parent), datetime.now(UTC), time.perf_counter()
    told: dict[str, Field] = {**(fields or {}), "trace.parent_id": parent.span_id}
    try:
        yield context
    except BaseException as error:
        told |= _error_fields(error)
        raise
    finally:
        _send_past(name, context, start, timedelta(seconds=time.perf_counter() - began), told)


def wants_waits(context: TraceContext) -> bool:
    """Whether a trace goes to anybody who does not find its waits in the journal, so that these are worth a look."""
    return process.beeline is not None and process.outbox.wants_waits(context.trace_id)


def finished_span(
    name: str,
    *,
    parent: TraceContext,
    start: datetime,
    duration: timedelta,
    fields: Fields | None = None,
    span_id: str = "",
) -> TraceContext:
    """Record what is already over: a child of parent from start (timezone-aware) on. Returns its context.

    span_id: 16 hex, for what may be recorded twice and is to count once.
    """
    context = TraceContext(parent.trace_id, span_id) if span_id else _child(parent)
    _send_past(name, context, start, duration, {**(fields or {}), "trace.parent_id": parent.span_id})
    return context


def transit(
    name: str, *, sent_at_ms: int, now: datetime, parent: TraceContext, fields: Fields | None = None, span_id: str = ""
) -> TraceContext:
    """A hop between two functions, from the message's SentTimestamp (epoch milliseconds) to now.

    span_id: as of `finished_span`. Clocks that disagree give a duration of 0.
    """
    sent_at = datetime.fromtimestamp(sent_at_ms / 1000, UTC)
    duration, told = max(now - sent_at, timedelta(0)), {KIND: TRANSIT, **(fields or {})}
    return finished_span(name, parent=parent, start=sent_at, duration=duration, fields=told, span_id=span_id)


def send_root(repo: str, commit: str, *, start: datetime, fields: Fields | None = None) -> TraceContext:
    """The root of a commit's trace, under which all else hangs: once, by whoever wrote the commit's first record."""
    context = trace_of(repo, commit)
    own = {"repo": repo, "commit": commit, "meta.span_type": "root"}
    _send_past("commit", context, start, timedelta(0), {**(fields or {}), **own})
    return context


def _child(parent: TraceContext) -> TraceContext:
    return TraceContext(parent.trace_id, secrets.token_hex(8))


def _send_past(name: str, context: TraceContext, start: datetime, duration: timedelta, fields: Fields) -> None:
    if process.beeline is None:
        return
    ids = {"trace.trace_id": context.trace_id, "trace.span_id": context.span_id}
    event = process.beeline.client.new_event(
        {**fields, **ids, "name": name, "duration_ms": duration / timedelta(milliseconds=1)}
    )
    event.created_at = start.astimezone(UTC)
    event.send_presampled()


class _Span:
    """A span of beeline's while a block runs, with our words about an exception that leaves it.

    Beeline's own way to say so takes twice as long, and writes down the exception's text. trace_id, parent_id: of the
    trace that begins with it; without them it is a child of the current span, if there is one.
    """

    def __init__(self, name: str, fields: Fields, trace_id: str | None = None, parent_id: str | None = None) -> None:
        self._name, self._fields, self._trace_id, self._parent_id = name, fields, trace_id, parent_id

    def __enter__(self) -> None:
        self._tracer, named = process.beeline.tracer_impl, {"name": self._name}
        if self._trace_id is None and self._tracer.get_active_trace_id():
            self._span = self._tracer.start_span(named)
        else:
            self._span = self._tracer.start_trace(named, self._trace_id, self._parent_id)
        self._span.add_context(self._fields)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            self._span.add_context(_error_fields(error))
        (self._tracer.finish_trace if self._span.is_root() else self._tracer.finish_span)(self._span)


def _error_fields(error: BaseException) -> dict[str, Field]:
    fields: dict[str, Field] = {"error": type(error).__name__}
    if isinstance(error, PermanentFault | TemporaryFault):
        fields["error_detail"] = error.reason
    return fields
