"""Tracing: the only room that knows beeline and libhoney."""

from pipeline_state.tracing.context import TraceContext, parse_honeycomb, parse_traceparent, trace_of
from pipeline_state.tracing.setup import (
    FileSink,
    HoneycombSink,
    NullSink,
    Sink,
    StoreSink,
    choose_sink,
    configure,
    flush,
    shutdown,
)
from pipeline_state.tracing.spans import (
    Field,
    Fields,
    add_field,
    adopt,
    current,
    finished_span,
    invocation,
    message_span,
    send_root,
    span,
    transit,
)

__all__ = [
    "Field",
    "Fields",
    "FileSink",
    "HoneycombSink",
    "NullSink",
    "Sink",
    "StoreSink",
    "TraceContext",
    "add_field",
    "adopt",
    "choose_sink",
    "configure",
    "current",
    "finished_span",
    "flush",
    "invocation",
    "message_span",
    "parse_honeycomb",
    "parse_traceparent",
    "send_root",
    "shutdown",
    "span",
    "trace_of",
    "transit",
]
