"""Markers on Honeycomb's graphs: a real endpoint on loopback that takes, refuses, or takes its time."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline_state import tracing
from pipeline_state.tracing.markers import MarkerExporter, marker_of

VERDICT: dict[str, Any] = {
    "name": "install",
    "duration_ms": 2000.0,
    "vcs.owner.name": "myOrg",
    "vcs.repository.name": "myApp",
    "vcs.ref.head.revision": "a" * 40,
    "deployment.environment.name": "production",
    "release": "web",
    "deployment.status": "succeeded",
    "deployment.seconds": 61.5,
}
NOON = 1_772_366_400


def item(**data: Any) -> tracing.Item:
    return {"time": "2026-03-01T12:00:00.000000Z", "samplerate": 1, "data": {**VERDICT, **data}}


class Markers(ThreadingHTTPServer):
    """The markers API. status: of its answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 201
        self.taken: list[tuple[str, str | None, Any]] = []  # path, key, body
        self.may_answer = threading.Event()
        self.may_answer.set()


class _Handler(BaseHTTPRequestHandler):
    server: Markers

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, self.headers["X-Honeycomb-Team"], json.loads(body)))
        self.server.may_answer.wait()
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[Markers]:
    server = Markers()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.may_answer.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def exporter(api: Markers) -> Iterator[MarkerExporter]:
    exporter = MarkerExporter(api.url, "key")
    yield exporter
    exporter.close()


def flush(exporter: MarkerExporter, *items: tracing.Item, seconds: float = 60) -> None:
    exporter.export(items)
    exporter.wait(time.monotonic() + seconds)


def test_a_marker_says_what_went_where_and_how_long_it_took() -> None:
    assert marker_of(item()) == {
        "message": "myOrg/myApp@aaaaaaaaaaaa succeeded in production (web)",
        "type": "deploy",
        "start_time": NOON + 2 - 62,
        "end_time": NOON + 2,
    }
    failed = marker_of(item(**{"deployment.status": "failed"}))
    assert failed["type"] == "deploy failed"
    assert "failed in production" in failed["message"]


def test_only_a_verdict_becomes_a_marker(api: Markers, exporter: MarkerExporter) -> None:
    before = {*threading.enumerate()}  # those of earlier tests end by themselves, a moment after their exporters
    flush(exporter, {"time": "2026-03-01T12:00:00Z", "samplerate": 1, "data": {"name": "chart"}})
    assert [each for each in threading.enumerate() if "markers" in each.name and each not in before] == []
    flush(exporter, item(), item(**{"deployment.status": "failed"}))
    assert [(path, key, body["type"]) for path, key, body in api.taken] == [
        ("/1/markers/__all__", "key", "deploy"),
        ("/1/markers/__all__", "key", "deploy failed"),
    ]


def test_a_key_that_may_send_events_only_is_told_of_once(
    api: Markers, exporter: MarkerExporter, caplog: pytest.LogCaptureFixture
) -> None:
    api.status = 401
    with caplog.at_level(logging.WARNING):
        flush(exporter, item())
        flush(exporter, item())
    assert len(api.taken) == 1
    assert caplog.text.count("Manage Markers") == 1
    assert exporter.lost == 0, "no span was"


def test_an_api_that_does_not_answer_holds_nobody_up(api: Markers, exporter: MarkerExporter) -> None:
    api.may_answer.clear()
    flush(exporter, item(), seconds=0)
    flush(exporter, item(), seconds=0)
    assert len(api.taken) <= 1


def test_a_dataset_of_a_classic_key_has_its_own_markers() -> None:
    classic, newer = "0" * 32, "hcaik_" + "0" * 58
    for key, path in ((classic, "/1/markers/gate%20stream"), (newer, "/1/markers/__all__")):
        exporter = tracing.MarkerSink(key, "http://127.0.0.1:9", "gate stream").exporter("promoter")
        assert isinstance(exporter, MarkerExporter)
        assert exporter.path == path
