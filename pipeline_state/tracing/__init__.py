"""Tracing: the only room that knows beeline and libhoney."""

from pipeline_state.tracing.context import TraceContext, derived_span_id, parse_honeycomb, parse_traceparent, trace_of
from pipeline_state.tracing.exporter import Exporter, Item
from pipeline_state.tracing.otlp_spans import to_otlp_json
from pipeline_state.tracing.setup import configure, flush, lost, shutdown
from pipeline_state.tracing.sinks import HoneycombSink, MarkerSink, OtlpSink, Sink, StoreSink
from pipeline_state.tracing.spans import (
    KIND,
    TRANSIT,
    WAIT,
    Field,
    Fields,
    add_field,
    add_fields,
    adopt,
    beside,
    current,
    finished_span,
    invocation,
    message_span,
    send_root,
    span,
    transit,
    wants_waits,
)

__all__ = [
    "KIND",
    "TRANSIT",
    "WAIT",
    "Exporter",
    "Field",
    "Fields",
    "HoneycombSink",
    "Item",
    "MarkerSink",
    "OtlpSink",
    "Sink",
    "StoreSink",
    "TraceContext",
    "add_field",
    "add_fields",
    "adopt",
    "beside",
    "configure",
    "current",
    "derived_span_id",
    "finished_span",
    "flush",
    "invocation",
    "lost",
    "message_span",
    "parse_honeycomb",
    "parse_traceparent",
    "send_root",
    "shutdown",
    "span",
    "to_otlp_json",
    "trace_of",
    "transit",
    "wants_waits",
]
