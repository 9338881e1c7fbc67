"""Where spans go: files shared by processes, and endpoints that answer, refuse, break or stay silent. All real."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from pipeline_state import tracing
from pipeline_state.table.summaries import SummarySink
from pipeline_state.tracing import Exporter, trace_of
from pipeline_state.tracing.exporter import BackgroundExporter
from pipeline_state.tracing.honeycomb import HoneycombExporter
from pipeline_state.tracing.otlp import OtlpExporter
from pipeline_state.tracing.outbox import FLUSH_SECONDS
from tests.receivers import HoneycombReceiver, OtlpReceiver, Receiver, black_hole, closed_port, listening
from tests.span_file import FileSink

ROOT = trace_of("myOrg/myApp", "a" * 40)
LONG = 60.0


@pytest.fixture
def honeycomb() -> Iterator[HoneycombReceiver]:
    with listening(HoneycombReceiver()) as receiver:
        yield receiver


@pytest.mark.parametrize(
    "key, dataset",
    [("hcaik_modern", "github-webhook"), ("0" * 32, "gatestream")],
    ids=["by service", "classic key: by dataset"],
)
def test_honeycomb_receives_what_its_batch_api_asks_for(honeycomb: HoneycombReceiver, key: str, dataset: str) -> None:
    tracing.configure("github-webhook", tracing.HoneycombSink(key, honeycomb.url))
    webhook_span = tracing.message_span("webhook", parent=ROOT, fields={"repo": "myOrg/myApp"})
    with tracing.invocation(None), webhook_span, tracing.span("verify"):
        pass
    honeycomb.has_request.wait()
    tracing.shutdown()
    path, headers = honeycomb.requests[0]
    assert path == f"/1/batch/{dataset}"
    assert (headers["x-honeycomb-team"], headers["content-type"]) == (key, "application/json")
    verify, webhook = honeycomb.batches[0]
    assert (verify["samplerate"], verify["time"][-1]) == (1, "Z")
    assert webhook["data"]["trace.trace_id"] == ROOT.trace_id
    assert webhook["data"]["trace.parent_id"] == ROOT.span_id
    assert verify["data"]["trace.parent_id"] == webhook["data"]["trace.span_id"]
    assert webhook["data"]["service.name"] == "github-webhook"


def flushed(exporter: Exporter, *names: str, bound: float = LONG) -> Exporter:
    """After a flush of spans so named, which by default waits for the answer however long it takes."""
    fields = {"trace.trace_id": ROOT.trace_id, "trace.span_id": ROOT.span_id, "duration_ms": 1.5, "service.name": "f"}
    items = [
        {"time": "2026-03-01T12:00:00.000000Z", "samplerate": 1, "data": {"name": name, **fields}} for name in names
    ]
    exporter.export(items)
    exporter.wait(time.monotonic() + bound)
    return exporter


EXPORTERS: dict[str, Callable[[str], BackgroundExporter]] = {
    "honeycomb": lambda url: HoneycombExporter(url, "key", "set"),
    "otlp": lambda url: OtlpExporter(url, {"x-key": "key"}),
}
RECEIVERS: dict[str, Callable[[], Receiver]] = {"honeycomb": HoneycombReceiver, "otlp": OtlpReceiver}

Make: TypeAlias = Callable[[str, str], Exporter]


@pytest.fixture(params=EXPORTERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def receiver(kind: str) -> Iterator[Receiver]:
    with listening(RECEIVERS[kind]()) as receiver:
        yield receiver


@pytest.fixture
def make() -> Iterator[Make]:
    """Exporters by kind and URL, which let go of their connections in the end."""
    exporters: list[Exporter] = []

    def make(kind: str, url: str) -> Exporter:
        exporter = EXPORTERS[kind](url)
        exporter._retry_seconds = 3600.0  # noqa: SLF001 - a way that is closed stays so
        exporters.append(exporter)
        return exporter

    yield make
    for exporter in exporters:
        exporter.close()


def test_connections_stay_open_from_one_flush_to_the_next(kind: str, receiver: Receiver, make: Make) -> None:
    flushed(flushed(make(kind, receiver.url), "first"), "second")
    assert receiver.names == ["first", "second"]
    assert receiver.connections == 1


def test_a_few_spans_are_not_worth_packing_and_many_are(kind: str, receiver: Receiver, make: Make) -> None:
    many = [f"span {number}" for number in range(200)]
    flushed(flushed(make(kind, receiver.url), "first"), *many)
    assert receiver.names == ["first", *many]
    assert [headers.get("content-encoding") for _, headers in receiver.requests] == [None, "gzip"]


def test_a_connection_that_was_closed_meanwhile_costs_no_spans(kind: str, receiver: Receiver, make: Make) -> None:
    receiver.answer_headers["Connection"] = "close"
    exporter = flushed(flushed(make(kind, receiver.url), "first"), "second")
    assert (receiver.names, receiver.connections, exporter.lost) == (["first", "second"], 2, 0)


@pytest.mark.parametrize("status", [302, 400, 401, 413, 429, 500, 503])
def test_what_is_refused_is_lost_and_the_status_is_told(
    kind: str, receiver: Receiver, make: Make, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.status = status
    receiver.answer_headers = {"Retry-After": "1", "Location": f"{receiver.url}/elsewhere"}
    exporter = flushed(flushed(make(kind, receiver.url), "first", "second"), "third")
    assert exporter.lost == 2
    assert len(receiver.requests) == 1  # nothing is sent to where it leads, nor again at once
    assert [message.partition(": ")[2][-len("answered status 503") :] for message in caplog.messages] == [
        f"answered status {status}"
    ]


def test_a_closed_port_loses_its_batch(kind: str, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with closed_port() as url:
        assert flushed(make(kind, url), "first").lost == 1
    assert caplog.messages[0].endswith("answered ConnectionRefusedError")
    assert url.rpartition(":")[2] not in caplog.text


def test_a_black_hole_is_not_waited_for(kind: str, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with black_hole() as url:
        flushed(make(kind, url), "first", bound=0)
    assert "has not answered in time; spans wait" in caplog.text


def test_what_a_slow_endpoint_takes_in_the_end_is_not_sent_again(kind: str, receiver: Receiver, make: Make) -> None:
    receiver.may_answer.clear()
    exporter = flushed(make(kind, receiver.url), "first", bound=0)
    receiver.has_request.wait()
    flushed(exporter, "second")  # is kept
    assert (receiver.names, exporter.lost) == (["first"], 0)


def test_an_answer_that_is_not_honeycombs_is_none(
    honeycomb: HoneycombReceiver, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    honeycomb.garbage = b"<html>Welcome to the airport's network"
    assert flushed(make("honeycomb", honeycomb.url), "first").lost == 1
    assert caplog.messages == ["1 spans lost: Honeycomb answered JSONDecodeError"]


@pytest.mark.parametrize("garbage", [b"", b"{}", b"<html>"], ids=["nothing", "JSON", "HTML"])
def test_an_otlp_endpoint_that_says_success_is_believed_whatever_else_it_says(garbage: bytes, make: Make) -> None:
    with listening(OtlpReceiver()) as receiver:
        receiver.garbage = garbage
        assert flushed(make("otlp", receiver.url), "first").lost == 0


def test_of_a_batch_that_is_taken_in_part_the_rest_is_lost(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    with listening(HoneycombReceiver()) as honeycomb, listening(OtlpReceiver()) as otlp:
        honeycomb.span_status, otlp.rejected = 400, 1
        assert flushed(make("honeycomb", honeycomb.url), "first", "second").lost == 1
        exporter = flushed(make("otlp", otlp.url), "first", "second")
        otlp.rejected = 0
        flushed(exporter, "third")  # the way is open, and it is told there
        assert otlp.spans[-1].attributes[-1].key == "meta.lost_spans"
    assert [message.partition(" answered ")[2] for message in caplog.messages] == ["status 400", "a partial success"]


def test_headers_and_path_are_those_of_otlp(make: Make) -> None:
    with listening(OtlpReceiver()) as receiver:
        for url in (receiver.url, f"{receiver.url}/", f"{receiver.url}/v1/traces"):
            flushed(make("otlp", url), "first")
        flushed(make("otlp", f"{receiver.url}/otlp"), "first")
        assert [path for path, _ in receiver.requests] == [*["/v1/traces"] * 3, "/otlp/v1/traces"]
        headers = receiver.requests[0][1]
    assert (headers["x-key"], headers["content-type"]) == ("key", "application/x-protobuf")


def test_the_same_spans_go_everywhere_at_once(honeycomb: HoneycombReceiver, tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    with listening(OtlpReceiver()) as otlp:
        sinks = (tracing.HoneycombSink("key", honeycomb.url), tracing.OtlpSink(otlp.url), FileSink(path))
        tracing.configure("gate-recorder", *sinks, sample_rate=2)
        for commit in range(40):
            root = trace_of("myOrg/myApp", f"{commit:040x}")
            with tracing.message_span("record", parent=root), tracing.span("write"):
                pass
        tracing.flush()
        for receiver in (honeycomb, otlp):
            receiver.has_request.wait()
        tracing.shutdown()
        ids = [(span.trace_id.hex(), span.span_id.hex()) for span in otlp.spans]
    fields = [item["data"] for item in map(json.loads, path.read_text().splitlines())]
    assert [(each["trace.trace_id"], each["trace.span_id"]) for each in fields] == ids
    assert honeycomb.batches == [[json.loads(line) for line in path.read_text().splitlines()]]
    assert 0 < len(ids) < 80


def test_an_invocation_ends_while_the_endpoint_is_still_silent(honeycomb: HoneycombReceiver) -> None:
    honeycomb.may_answer.clear()
    tracing.configure("github-webhook", tracing.HoneycombSink("key", honeycomb.url))
    with tracing.invocation(None), tracing.message_span("webhook", parent=ROOT):
        pass
    honeycomb.may_answer.set()
    tracing.shutdown()
    assert FLUSH_SECONDS <= 0.5


def test_tracing_never_fails_an_invocation(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    def handle() -> str:
        with tracing.invocation(None), tracing.message_span("webhook", parent=ROOT):
            return "202"

    absent = tmp_path / "absent" / "spans.db"
    with closed_port() as url:
        tracing.configure("github-webhook", tracing.HoneycombSink("key", url), tracing.StoreSink(absent))
        assert handle() == "202"
        tracing.shutdown()
    assert "No such file or directory" in caplog.text


def test_a_sink_whose_settings_are_wrong_is_left_out_and_the_others_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spans.jsonl"
    tracing.configure("promoter", tracing.OtlpSink("localhost:4318"), FileSink(path))
    with tracing.message_span("promote", parent=ROOT):
        pass
    tracing.shutdown()
    assert len(path.read_text().splitlines()) == 1
    assert caplog.messages == [
        "no spans go to OtlpSink: where spans go is no URL that begins with https:// or http:// and names a host"
    ]


def test_the_keys_stay_out_of_sight() -> None:
    sinks = tracing.HoneycombSink("hunter2"), tracing.OtlpSink("http://collector:4318", "x-key=hunter2")
    assert "hunter2" not in repr(sinks)


def test_honeycomb_without_a_key_is_a_mistake_that_is_named() -> None:
    with pytest.raises(ValueError, match="write key"):
        tracing.HoneycombSink("")


def test_waits_are_wanted_by_those_alone_who_do_not_read_the_journal(tmp_path: Path) -> None:
    beside = (tracing.StoreSink(tmp_path / "traces.db"), SummarySink())
    for sinks, wanted in (((), False), (beside, False), ((*beside, FileSink(tmp_path / "spans")), True)):
        tracing.configure("promoter", *sinks)
        assert tracing.wants_waits(tracing.trace_of("o/r", "a" * 40)) is wanted
    tracing.shutdown()
