"""Where spans go: files shared by processes, and endpoints that answer, refuse, break or stay silent. All real."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from libhoney import Client

from pipeline_state import tracing
from pipeline_state.tracing import trace_of
from pipeline_state.tracing.honeycomb import FLUSH_SECONDS, HoneycombOutbox

ROOT = trace_of("myOrg/myApp", "a" * 40)
BOUND = 0.05  # seconds a flush may wait here
RETRY = 30.0


class Honeycomb(ThreadingHTTPServer):
    """An endpoint of Honeycomb's batch API that answers as it is told to, or not before it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _BatchHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200  # of the request
        self.span_status = 202  # of the first span in it; the others are accepted
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.has_request = threading.Event()

    @property
    def names(self) -> list[str]:
        return [item["data"]["name"] for batch in self.batches for item in batch]


class _BatchHandler(BaseHTTPRequestHandler):
    server: Honeycomb

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        batch = json.loads(gzip.decompress(body))
        self.server.requests.append((self.path, dict(self.headers)))
        self.server.batches.append(batch)
        self.server.has_request.set()
        self.server.may_answer.wait()
        answer = json.dumps([{"status": self.server.span_status}, *({"status": 202} for _ in batch[1:])]).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def honeycomb() -> Iterator[Honeycomb]:
    server = Honeycomb()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.may_answer.set()
    let_attempts_end()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def black_hole() -> Iterator[socket.socket]:
    """A port whose packets vanish: its queue of connections is full, so the kernel drops every further request."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hole, socket.socket() as first, socket.socket() as second:
        first.connect(hole.getsockname())
        second.setblocking(False)  # noqa: FBT003 - socket's own signature
        second.connect_ex(hole.getsockname())
        yield hole


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return url_of(server)


def attempts() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "honeycomb"]


def let_attempts_end() -> None:
    for thread in attempts():
        thread.join()


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sender:
    """An outbox with a small bound, and a libhoney client that fills it."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.outbox = HoneycombOutbox(flush_seconds=BOUND, retry_seconds=RETRY, clock=self.clock)
        self.client = Client(writekey="key", dataset="set", api_host=url, transmission_impl=self.outbox)

    def flush(self, *names: str) -> None:
        for name in names:
            self.client.new_event({"name": name, "trace.trace_id": ROOT.trace_id}).send()
        self.outbox.flush()


@contextmanager
def sending_to(url: str) -> Iterator[Sender]:
    sender = Sender(url)
    yield sender
    sender.clock.now -= 10 * RETRY  # nothing more is sent
    let_attempts_end()
    sender.client.close()


@pytest.mark.parametrize(
    "key, dataset",
    [("hcaik_modern", "github-webhook"), ("0" * 32, "gatestream")],
    ids=["by service", "classic key: by dataset"],
)
def test_honeycomb_receives_what_its_batch_api_asks_for(honeycomb: Honeycomb, key: str, dataset: str) -> None:
    tracing.configure("github-webhook", sink=tracing.HoneycombSink(key, honeycomb.url), dataset="gatestream")
    webhook_span = tracing.message_span("webhook", parent=ROOT, fields={"repo": "myOrg/myApp"})
    with tracing.invocation(None), webhook_span, tracing.span("verify"):
        pass
    honeycomb.has_request.wait()
    tracing.shutdown()
    path, headers = honeycomb.requests[0]
    assert path == f"/1/batch/{dataset}"
    assert (headers["X-Honeycomb-Team"], headers["Content-Type"]) == (key, "application/json")
    verify, webhook = honeycomb.batches[0]
    assert (verify["samplerate"], verify["time"][-1]) == (1, "Z")
    assert webhook["data"]["trace.trace_id"] == ROOT.trace_id
    assert webhook["data"]["trace.parent_id"] == ROOT.span_id
    assert verify["data"]["trace.parent_id"] == webhook["data"]["trace.span_id"]
    assert webhook["data"]["service.name"] == "github-webhook"


def test_a_silent_endpoint_is_not_waited_for_and_then_left_alone(honeycomb: Honeycomb) -> None:
    honeycomb.may_answer.clear()
    with sending_to(honeycomb.url) as sender:
        sender.flush("first")
        honeycomb.has_request.wait()
        sender.flush("second")
        sender.clock.now += RETRY + 1
        sender.flush("third")  # the first attempt is still on its way
        assert set(honeycomb.names) == {"first"}
        honeycomb.may_answer.set()


def test_an_invocation_ends_while_the_endpoint_is_still_silent(honeycomb: Honeycomb) -> None:
    honeycomb.may_answer.clear()
    tracing.configure("github-webhook", sink=tracing.HoneycombSink("key", honeycomb.url), dataset="gatestream")
    with tracing.invocation(None), tracing.message_span("webhook", parent=ROOT):
        pass
    assert attempts()
    honeycomb.may_answer.set()
    let_attempts_end()
    tracing.shutdown()
    assert FLUSH_SECONDS <= 0.5


def test_an_answer_that_comes_late_counts_and_opens_the_way(
    honeycomb: Honeycomb, caplog: pytest.LogCaptureFixture
) -> None:
    honeycomb.may_answer.clear()
    with sending_to(honeycomb.url) as sender:
        sender.flush("first")
        honeycomb.has_request.wait()
        honeycomb.may_answer.set()
        let_attempts_end()
        sender.flush("second")
        let_attempts_end()
        assert honeycomb.names == ["first", "second"]
        assert sender.outbox.lost == 0
    assert [record.getMessage() for record in caplog.records if "lost" in record.getMessage()] == []


def test_a_black_hole_is_not_waited_for_and_then_left_alone(black_hole: socket.socket) -> None:
    with sending_to(url_of(black_hole)) as sender:
        sender.flush("first")
        waiting = attempts()
        sender.flush("second")
        assert len(waiting) == 1
        assert attempts() == waiting
        black_hole.close()


def test_a_refused_connection_loses_its_batch_and_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with sending_to(closed_port()) as sender, caplog.at_level(logging.WARNING):
        sender.flush("first", "second")
        let_attempts_end()
        sender.flush("third")
        assert sender.outbox.lost == 2
        sender.flush("fourth")
        assert sender.outbox.lost == 2
    assert "2 spans lost: Honeycomb answered ConnectionError" in caplog.messages


@pytest.mark.parametrize("status", [401, 500])
def test_an_endpoint_that_refuses_is_left_alone_until_its_time_and_then_told_what_was_lost(
    honeycomb: Honeycomb, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    honeycomb.status = status
    with sending_to(honeycomb.url) as sender:
        sender.flush("first", "second")
        let_attempts_end()
        tried = len(honeycomb.batches)
        sender.flush("third")
        assert len(honeycomb.batches) == tried
        assert sender.outbox.lost == 2
        honeycomb.status = 200
        sender.clock.now += RETRY + 1
        sender.flush("fourth")
        let_attempts_end()
        assert honeycomb.names[-2:] == ["third", "fourth"]
        assert honeycomb.batches[-1][0]["data"]["meta.lost_spans"] == 2
        sender.flush()
        assert sender.outbox.lost == 0
    assert any("2 spans lost" in message for message in caplog.messages)


def test_a_single_refused_span_does_not_close_the_way(honeycomb: Honeycomb) -> None:
    honeycomb.span_status = 400
    with sending_to(honeycomb.url) as sender:
        sender.flush("first", "second")
        let_attempts_end()
        sender.flush("third", "fourth")
        let_attempts_end()
        assert honeycomb.names == ["first", "second", "third", "fourth"]
        assert sender.outbox.lost >= 1


def test_while_the_way_is_closed_a_limited_number_of_spans_is_kept(honeycomb: Honeycomb) -> None:
    with sending_to(honeycomb.url) as sender:
        sender.clock.now -= 1  # before the way first opens
        sender.flush(*(f"span {number}" for number in range(1010)))
        assert (honeycomb.names, sender.outbox.lost) == ([], 10)
        sender.clock.now += 1
        sender.flush()
        let_attempts_end()
        assert len(honeycomb.names) == 1000


def test_tracing_never_fails_an_invocation(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    def handle() -> str:
        with tracing.invocation(None), tracing.message_span("webhook", parent=ROOT):
            return "202"

    for sink in (tracing.HoneycombSink("key", closed_port()), tracing.FileSink(tmp_path / "absent" / "spans.jsonl")):
        tracing.configure("github-webhook", sink=sink, dataset="gatestream")
        assert handle() == "202"
        let_attempts_end()
        tracing.shutdown()
    assert "No such file or directory" in caplog.text


def test_the_key_stays_out_of_sight() -> None:
    sink = tracing.choose_sink(writekey="hunter2", trace_file="spans.jsonl")
    assert isinstance(sink, tracing.HoneycombSink)
    assert "hunter2" not in repr(sink)


@pytest.mark.parametrize(
    "trace_file, sink",
    [("/tmp/spans.db", tracing.StoreSink(Path("/tmp/spans.db"))), ("", tracing.NullSink())],  # noqa: S108 - a name
    ids=["file", "nowhere"],
)
def test_without_a_key_spans_go_to_the_store_or_nowhere(trace_file: str, sink: tracing.Sink) -> None:
    assert tracing.choose_sink(trace_file=trace_file) == sink


def test_honeycomb_without_a_key_is_a_mistake_that_is_named() -> None:
    with pytest.raises(ValueError, match="write key"):
        tracing.HoneycombSink("")


WRITER = """
import sys
from pathlib import Path
from pipeline_state import tracing

tracing.configure(sys.argv[2], sink=tracing.FileSink(Path(sys.argv[1])), dataset="gatestream")
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
