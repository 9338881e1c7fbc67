"""The whole way's spans leave by OTLP and for Honeycomb: what arrives is what was told, to the last field."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pipeline_state import tracing
from pipeline_state.faults import PermanentFault
from tests.contract.span_room import SpanRoom, span_room
from tests.contract.table_room import A, pipeline
from tests.contract.test_span_tree import PRODUCTION, STAGING, go_the_whole_way
from tests.receivers import HoneycombReceiver, OtlpReceiver, listening
from tests.span_tree import tree


@pytest.fixture
def honeycomb() -> Iterator[HoneycombReceiver]:
    with listening(HoneycombReceiver()) as receiver:
        yield receiver


@pytest.fixture
def otlp() -> Iterator[OtlpReceiver]:
    with listening(OtlpReceiver()) as receiver:
        yield receiver


@pytest.fixture
def room(
    ministack: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    honeycomb: HoneycombReceiver,
    otlp: OtlpReceiver,
) -> Iterator[SpanRoom]:
    sinks = tracing.HoneycombSink("key", honeycomb.url), tracing.OtlpSink(otlp.url, "x-key=key")
    with span_room(ministack, monkeypatch, tmp_path / "spans", *sinks) as room:
        room.way.tables.define(pipeline(STAGING, PRODUCTION))
        yield room


def fields_of(span: Span) -> dict[str, Any]:
    """As far as `tree` wants them, with the attributes."""
    ids = {"trace.trace_id": span.trace_id.hex(), "trace.span_id": span.span_id.hex(), "name": span.name}
    parent = {"trace.parent_id": span.parent_span_id.hex()} if span.parent_span_id else {}
    return {**{each.key: value_of(each.value) for each in span.attributes}, **ids, **parent}


def value_of(value: AnyValue) -> Any:
    return getattr(value, str(value.WhichOneof("value")))


def test_what_arrives_by_otlp_and_at_honeycomb_is_the_tree_that_was_told(
    room: SpanRoom, honeycomb: HoneycombReceiver, otlp: OtlpReceiver
) -> None:
    go_the_whole_way(room)
    told = [item["data"] for item in room.spans()]
    for receiver in (honeycomb, otlp):
        receiver.has_request.wait()
    assert honeycomb.batches == [room.spans()]
    assert tree([fields_of(span) for span in otlp.spans]) == tree(told) == room.tree(A)
    assert [span.end_time_unix_nano - span.start_time_unix_nano for span in otlp.spans] == [
        round(1e6 * fields["duration_ms"]) for fields in told
    ]
    (resource,) = otlp.exports[0].resource_spans
    assert {each.key: each.value.string_value for each in resource.resource.attributes}["service.name"] == "way"
    assert otlp.requests[0][1]["x-key"] == "key"


def test_by_otlp_spans_say_what_opentelemetry_calls_it(room: SpanRoom, otlp: OtlpReceiver) -> None:
    go_the_whole_way(room)
    room.spans()
    otlp.has_request.wait()
    spans = {span.name: span for span in otlp.spans}
    webhook, record, send, legal = (
        spans[name] for name in ("webhook github", "record gates", "send event", "waiting for legal")
    )
    assert (webhook.kind, record.kind, send.kind, legal.kind) == (
        Span.SPAN_KIND_SERVER,
        Span.SPAN_KIND_CONSUMER,
        Span.SPAN_KIND_PRODUCER,
        Span.SPAN_KIND_INTERNAL,
    )
    assert fields_of(record)["messaging.system"] == "aws_sqs"
    assert fields_of(legal)["gatestream.kind"] == "wait"
    assert all(span.status.code == Status.STATUS_CODE_UNSET for span in otlp.spans)


def test_an_error_is_the_spans_status_with_its_reason(room: SpanRoom, otlp: OtlpReceiver) -> None:
    root = tracing.trace_of(room.repo, A)
    with pytest.raises(PermanentFault), tracing.message_span("record gates", parent=root):
        raise PermanentFault("the table is throttled")
    room.spans()
    otlp.has_request.wait()
    (span,) = otlp.spans
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "the table is throttled")
    assert fields_of(span)["error.type"] == "PermanentFault"
