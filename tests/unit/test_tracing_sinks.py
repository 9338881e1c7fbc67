"""Where spans go: files shared by processes, and endpoints that answer, refuse, break or stay silent. All real."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline_state import tracing
from pipeline_state.tracing import Exporter, trace_of
from pipeline_state.tracing.honeycomb import HoneycombExporter
from pipeline_state.tracing.outbox import FLUSH_SECONDS
from tests.receivers import HoneycombReceiver, Receiver, black_hole, closed_port, listening

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


WRITER = """
import sys
from pathlib import Path
from pipeline_state import tracing

tracing.configure(sys.argv[2], tracing.FileSink(Path(sys.argv[1])))
for number in range(100):
    with tracing.invocation(None), tracing.message_span("message", parent=None, fields={"number": number}):
        for _ in range(4):
            with tracing.span("step", text="x" * 200):
                pass
"""


def test_processes_that_share_a_file_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"writer {number}"]) for number in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    spans = [json.loads(line)["data"] for line in path.read_text().splitlines()]
    for number in range(4):
        own = [span for span in spans if span["service.name"] == f"writer {number}"]
        assert [span["number"] for span in own if span["name"] == "message"] == list(range(100))
        assert len(own) == 500


def flushed(exporter: Exporter, *names: str) -> Exporter:
    """After a flush of spans so named, however long the answer takes."""
    fields = {"trace.trace_id": ROOT.trace_id, "trace.span_id": ROOT.span_id, "duration_ms": 1.5, "service.name": "f"}
    items = [
        {"time": "2026-03-01T12:00:00.000000Z", "samplerate": 1, "data": {"name": name, **fields}} for name in names
    ]
    exporter.export(items)
    exporter.wait(time.monotonic() + LONG)
    return exporter


def honeycomb_exporter(url: str) -> Exporter:
    return HoneycombExporter(url, "key", "set")


EXPORTERS: dict[str, tuple[Callable[[], Receiver], Callable[[str], Exporter]]] = {
    "honeycomb": (HoneycombReceiver, honeycomb_exporter),
}


@pytest.fixture(params=EXPORTERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def receiver(kind: str) -> Iterator[Receiver]:
    with listening(EXPORTERS[kind][0]()) as receiver:
        yield receiver


@pytest.fixture
def export(kind: str) -> Iterator[Callable[..., Exporter]]:
    """Flushes spans to a URL by a new exporter, which it returns."""
    exporters: list[Exporter] = []

    def export(url: str, *names: str) -> Exporter:
        exporters.append(EXPORTERS[kind][1](url))
        return flushed(exporters[-1], *names)

    yield export
    for exporter in exporters:
        exporter.close()


def test_connections_stay_open_from_one_flush_to_the_next(receiver: Receiver, export: Callable[..., Exporter]) -> None:
    flushed(export(receiver.url, "first"), "second")
    assert receiver.names == ["first", "second"]
    assert receiver.connections == 1
    assert receiver.requests[0][1]["content-encoding"] == "gzip"


def test_a_connection_that_was_closed_meanwhile_costs_no_spans(
    receiver: Receiver, export: Callable[..., Exporter]
) -> None:
    receiver.answer_headers["Connection"] = "close"
    exporter = flushed(export(receiver.url, "first"), "second")
    assert (receiver.names, receiver.connections, exporter.lost) == (["first", "second"], 2, 0)


@pytest.mark.parametrize("status", [302, 400, 401, 413, 429, 500, 503])
def test_what_is_refused_is_lost_and_the_status_is_told(
    receiver: Receiver, export: Callable[..., Exporter], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.status = status
    receiver.answer_headers = {"Retry-After": "1", "Location": f"{receiver.url}/elsewhere"}
    exporter = flushed(export(receiver.url, "first", "second"), "third")
    assert exporter.lost == 2
    assert len(receiver.requests) == 1  # nothing is sent to where it leads, nor again at once
    assert [message.partition(": ")[2][-len("answered status 503") :] for message in caplog.messages] == [
        f"answered status {status}"
    ]


def test_a_closed_port_loses_its_batch(export: Callable[..., Exporter], caplog: pytest.LogCaptureFixture) -> None:
    url = closed_port()
    assert export(url, "first").lost == 1
    assert caplog.messages[0].endswith("answered NewConnectionError")
    assert url.rpartition(":")[2] not in caplog.text


def test_a_black_hole_is_not_waited_for(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with black_hole() as url:
        exporter = EXPORTERS[kind][1](url)
        exporter.export([{"time": "2026-03-01T12:00:00.000000Z", "samplerate": 1, "data": {}}])
        exporter.wait(time.monotonic())
        exporter.close()
    assert "has not answered in time; spans wait" in caplog.text


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

    absent = tmp_path / "absent" / "spans.jsonl"
    tracing.configure("github-webhook", tracing.HoneycombSink("key", closed_port()), tracing.FileSink(absent))
    assert handle() == "202"
    tracing.shutdown()
    assert "No such file or directory" in caplog.text


def test_the_key_stays_out_of_sight() -> None:
    assert "hunter2" not in repr(tracing.HoneycombSink("hunter2"))


def test_honeycomb_without_a_key_is_a_mistake_that_is_named() -> None:
    with pytest.raises(ValueError, match="write key"):
        tracing.HoneycombSink("")
