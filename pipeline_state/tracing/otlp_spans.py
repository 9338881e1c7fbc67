"""Spans in OpenTelemetry's terms, however they are encoded then; in JSON here, for which no library is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from pipeline_state.tracing.exporter import Item
from pipeline_state.tracing.outbox import rejection_threshold

Value: TypeAlias = str | bool | int | float
Attributes: TypeAlias = tuple[tuple[str, Value], ...]

SCOPE = "gatestream"
KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}  # SpanKind of OTLP's trace.proto
ERROR = 2  # its StatusCode; a span without an error has none, since "ok" is the last word of whoever owns the code
_RESOURCE = {"service.name": "service.name", "meta.local_hostname": "host.name"}
_RENAMED = {"error": "error.type"}
_TOLD_OTHERWISE = {*_RESOURCE, "name", "duration_ms", "span.kind", "service_name", "meta.beeline_version"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OtlpSpan(NamedTuple):
    """Ids are lower-case hex, parent_id is empty for a root; start and end are nanoseconds since 1970.

    kind is one of KINDS' numbers. error is None, or what the status's message says. resource: who made the span.
    """

    trace_id: str
    span_id: str
    parent_id: str
    trace_state: str
    name: str
    kind: int
    start: int
    end: int
    attributes: Attributes
    error: str | None
    resource: Attributes


def otlp_span(item: Item) -> OtlpSpan:
    """The very same span. Its fields are attributes; those for which OTLP has a place of its own are there."""
    data: Mapping[str, Any] = item["data"]
    start = (datetime.fromisoformat(item["time"]) - _EPOCH) // timedelta(microseconds=1) * 1000
    rate = item.get("samplerate", 1)
    return OtlpSpan(
        trace_id=data["trace.trace_id"],
        span_id=data["trace.span_id"],
        parent_id=data.get("trace.parent_id") or "",
        trace_state=_trace_state(rate),
        name=data.get("name") or "",
        kind=KINDS.get(data.get("span.kind", ""), KINDS["internal"]),
        start=start,
        end=start + round(1_000_000 * (data.get("duration_ms") or 0)),
        attributes=_attributes(data) + ((("SampleRate", rate),) if rate > 1 else ()),
        error=(data.get("error_detail") or data["error"]) if data.get("error") else None,
        resource=tuple((name, data[field]) for field, name in _RESOURCE.items() if data.get(field)),
    )


def by_resource(items: Iterable[Item]) -> dict[Attributes, list[OtlpSpan]]:
    """Spans by who made them, each in the order in which it came."""
    resources: dict[Attributes, list[OtlpSpan]] = {}
    for span in map(otlp_span, items):
        resources.setdefault(span.resource, []).append(span)
    return resources


def to_otlp_json(items: Iterable[Item]) -> dict[str, Any]:
    """The spans as a request of OTLP in JSON, which a collector takes as it is (POST /v1/traces).

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes_json(resource)},
                "scopeSpans": [{"scope": {"name": SCOPE}, "spans": list(map(_span_json, spans))}],
            }
            for resource, spans in by_resource(items).items()
        ]
    }


def _trace_state(rate: int) -> str:
    """OpenTelemetry's member: at which threshold the trace was sampled, in hex without the zeros at its end.

    Honeycomb reads the attribute SampleRate instead.
    """
    return f"ot=th:{rejection_threshold(rate):014x}".rstrip("0") if rate > 1 else ""


def _attributes(data: Mapping[str, Any]) -> Attributes:
    return tuple(
        (name, value) for field, value in data.items() if value is not None and (name := _name_of_attribute(field))
    )


@cache
def _name_of_attribute(field: str) -> str:
    """Empty for a field that is told elsewhere."""
    is_told = field in _TOLD_OTHERWISE or field.startswith("trace.")
    return "" if is_told else _RENAMED.get(field, field)


def _span_json(span: OtlpSpan) -> dict[str, Any]:
    told = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "traceState": span.trace_state,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "attributes": _attributes_json(span.attributes),
        "status": {"code": ERROR, "message": span.error} if span.error is not None else None,
    }
    return {name: value for name, value in told.items() if value}


def _attributes_json(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value_json(value)} for key, value in attributes]


def _value_json(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
