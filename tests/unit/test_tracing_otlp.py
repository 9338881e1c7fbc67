"""Spans in OpenTelemetry's terms: the same as OpenTelemetry's own exporter makes of them, in protobuf and in JSON."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from pipeline_state.tracing import Item, to_otlp_json
from pipeline_state.tracing.otlp import parse_headers
from pipeline_state.tracing.otlp_protobuf import encode
from pipeline_state.tracing.otlp_spans import KINDS, OtlpSpan, otlp_span
from pipeline_state.tracing.outbox import is_sampled

TRACE, SPAN, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "b7ad6b7169203331"

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
trace_ids = st.text("0123456789abcdef", min_size=32, max_size=32).filter(lambda text: text.strip("0"))
span_ids = st.text("0123456789abcdef", min_size=16, max_size=16).filter(lambda text: text.strip("0"))
our_fields = st.fixed_dictionaries(
    {"trace.trace_id": trace_ids, "trace.span_id": span_ids, "service.name": texts},
    optional={
        "name": texts,
        "trace.parent_id": st.none() | span_ids,
        "duration_ms": st.floats(0, 1e9),
        "span.kind": st.sampled_from([*KINDS, "unheard of"]),
        "error": texts,
        "error_detail": texts,
        "meta.local_hostname": texts,
    },
)
items = st.builds(
    lambda time, rate, others, ours: {"time": f"{time.isoformat()}Z", "samplerate": rate, "data": {**others, **ours}},
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - the Z is added
    st.integers(1, 1000),
    st.dictionaries(st.text("abc.é", min_size=1), values),
    our_fields,
)


def item(fields: Mapping[str, Any] = MappingProxyType({}), rate: int = 1) -> Item:
    data = {
        "name": "record",
        "trace.trace_id": TRACE,
        "trace.span_id": SPAN,
        "trace.parent_id": PARENT,
        "duration_ms": 12.5,
        "service.name": "gate-recorder",
    }
    return {"time": "2026-03-01T12:00:00.000250Z", "samplerate": rate, "data": {**data, **fields}}


def test_a_span_keeps_its_ids_its_times_to_the_nanosecond_and_its_name() -> None:
    span = otlp_span(item())
    assert (span.trace_id, span.span_id, span.parent_id, span.name) == (TRACE, SPAN, PARENT, "record")
    assert (span.start, span.end) == (1772366400_000250_000, 1772366400_012750_000)
    assert span.resource == (("service.name", "gate-recorder"),)
    assert (span.attributes, span.error, span.trace_state) == ((), None, "")


@pytest.mark.parametrize(
    "fields, kind",
    [({}, 1), ({"span.kind": "server"}, 2), ({"span.kind": "producer"}, 4), ({"span.kind": "consumer"}, 5)],
)
def test_kinds_are_opentelemetrys_and_internal_unless_told(fields: Mapping[str, Any], kind: int) -> None:
    assert otlp_span(item(fields)).kind == kind == SpanKind(kind - 1).value + 1


def test_a_root_has_no_parent_and_a_moment_no_duration() -> None:
    span = otlp_span(item({"trace.parent_id": None, "duration_ms": 0}))
    assert (span.parent_id, span.end - span.start) == ("", 0)


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"error": "PermanentFault", "error_detail": "no field after in the push"}, "no field after in the push"),
        ({"error": "KeyError"}, "KeyError"),
        ({"error": None}, None),
    ],
    ids=["with its reason", "by class", "none"],
)
def test_an_error_is_the_spans_status(fields: Mapping[str, Any], error: str | None) -> None:
    span = otlp_span(item(fields))
    assert span.error == error
    assert dict(span.attributes).get("error.type") == fields["error"]


def test_attributes_are_the_fields_that_have_no_place_of_their_own_and_a_value() -> None:
    fields = {
        "repo": "myOrg/myApp",
        "messaging.attempt": 2,
        "faas.coldstart": False,
        "ratio": 0.5,
        "nothing": None,
        "service_name": "gate-recorder",
        "meta.beeline_version": "3.6.0",
        "meta.local_hostname": "ip-10-0-0-1",
        "span.kind": "consumer",
    }
    span = otlp_span(item(fields))
    assert span.attributes == (
        ("repo", "myOrg/myApp"),
        ("messaging.attempt", 2),
        ("faas.coldstart", False),
        ("ratio", 0.5),
    )
    assert span.resource == (("service.name", "gate-recorder"), ("host.name", "ip-10-0-0-1"))


@pytest.mark.parametrize("rate, threshold", [(2, "8"), (4, "c"), (10, "e6666666666667"), (256, "ff")])
def test_a_sampled_span_tells_the_rate_to_collectors_and_to_honeycomb(rate: int, threshold: str) -> None:
    span = otlp_span(item(rate=rate))
    assert span.trace_state == f"ot=th:{threshold}"
    assert span.attributes == (("SampleRate", rate),)


@given(trace_ids, st.integers(2, 10_000))
def test_a_collector_that_samples_as_told_keeps_what_was_kept(trace_id: str, rate: int) -> None:
    threshold = otlp_span(item(rate=rate)).trace_state.removeprefix("ot=th:").ljust(14, "0")
    assert is_sampled(trace_id, rate) is (trace_id[-14:] >= threshold)


def by_opentelemetry(span: OtlpSpan) -> ReadableSpan:
    def context(span_id: str, **more: Any) -> SpanContext:
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote=False, **more)

    member, _, value = span.trace_state.partition("=")
    return ReadableSpan(
        name=span.name,
        context=context(
            span.span_id, trace_flags=TraceFlags(1), trace_state=TraceState([(member, value)] if member else [])
        ),
        parent=context(span.parent_id) if span.parent_id else None,
        resource=Resource(dict(span.resource)),
        attributes=dict(span.attributes),
        kind=SpanKind(span.kind - 1),
        start_time=span.start,
        end_time=span.end,
        instrumentation_scope=InstrumentationScope("gatestream"),
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.error),
    )


def sorted_and_bare(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """Without what says the same another way: flags that no parent is remote, a status that is not set."""
    for span in (span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans):
        span.ClearField("flags")
        if not span.status.code:
            span.ClearField("status")
        attributes = sorted(span.attributes, key=lambda each: each.key)
        del span.attributes[:]
        span.attributes.extend(attributes)
    for each in request.resource_spans:
        attributes = sorted(each.resource.attributes, key=lambda each: each.key)
        del each.resource.attributes[:]
        each.resource.attributes.extend(attributes)
    return request


@given(st.lists(items, max_size=4))
def test_spans_are_encoded_as_by_opentelemetrys_own_exporter(given: list[Item]) -> None:
    ours = ExportTraceServiceRequest.FromString(encode(given))
    theirs = encode_spans([by_opentelemetry(otlp_span(each)) for each in given])
    assert sorted_and_bare(ours) == sorted_and_bare(theirs)


def in_base64(told: dict[str, Any]) -> dict[str, Any]:
    """OTLP's JSON writes ids in hex, protobuf's own in base64: that is how they differ."""
    return {
        name: base64.b64encode(bytes.fromhex(value)).decode() if name.endswith(("traceId", "panId")) else value
        for name, value in told.items()
    }


@given(st.lists(items, max_size=4))
def test_json_says_the_same_as_protobuf(given: list[Item]) -> None:
    told = to_otlp_json(given)
    for resource in told["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            scope["spans"] = list(map(in_base64, scope["spans"]))
    assert ParseDict(told, ExportTraceServiceRequest()) == ExportTraceServiceRequest.FromString(encode(given))


def test_json_is_as_the_specification_writes_it() -> None:
    told = to_otlp_json([item({"error": "KeyError", "messaging.attempt": 2, "ratio": 0.5, "redriven": True})])
    (resource,) = told["resourceSpans"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "gate-recorder"}}]
    assert resource["scopeSpans"][0]["scope"] == {"name": "gatestream"}
    assert resource["scopeSpans"][0]["spans"] == [
        {
            "traceId": TRACE,
            "spanId": SPAN,
            "parentSpanId": PARENT,
            "name": "record",
            "kind": 1,
            "startTimeUnixNano": "1772366400000250000",
            "endTimeUnixNano": "1772366400012750000",
            "attributes": [
                {"key": "error.type", "value": {"stringValue": "KeyError"}},
                {"key": "messaging.attempt", "value": {"intValue": "2"}},
                {"key": "ratio", "value": {"doubleValue": 0.5}},
                {"key": "redriven", "value": {"boolValue": True}},
            ],
            "status": {"code": 2, "message": "KeyError"},
        }
    ]


@pytest.mark.parametrize(
    "text, headers",
    [
        ("", {}),
        ("x-honeycomb-team=abc123", {"x-honeycomb-team": "abc123"}),
        ("Authorization=Basic%20dXNl, X-Scope = 7", {"Authorization": "Basic dXNl", "X-Scope": "7"}),
        ("Authorization=Basic dXNlcjpwYXNz==", {"Authorization": "Basic dXNlcjpwYXNz=="}),
        (' {"Authorization": "Bearer a,b=c"}', {"Authorization": "Bearer a,b=c"}),
    ],
    ids=["none", "one", "percent-encoded", "as it is", "JSON"],
)
def test_headers_are_read_as_opentelemetry_writes_them_or_as_secrets_manager_does(
    text: str, headers: dict[str, str]
) -> None:
    assert parse_headers(text) == headers


@pytest.mark.parametrize(
    "text", ["hunter2", "=hunter2", '{"x-key": 5}', '{"x-key": "hunter2"', "x-key=hunter2%0A", "{}5"]
)
def test_malformed_headers_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="OTLP's headers are neither") as refused:
        parse_headers(text)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_opentelemetry_is_loaded_by_the_first_export_only() -> None:
    script = """
import sys
from pipeline_state import tracing
tracing.configure("f", tracing.OtlpSink("http://127.0.0.1:1", "a=b"))
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert not {"opentelemetry", "google.protobuf", "requests"}.intersection(loaded)
