"""Loopback endpoints that take spans: Honeycomb's batch API and OTLP. They answer as told, or not before they may."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Receiver(ThreadingHTTPServer):
    """What all of them have in common."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200
        self.answer_headers: dict[str, str] = {}
        self.garbage: bytes | None = None  # the answer's body, instead of the proper one
        self.connections = 0
        self.requests: list[tuple[str, dict[str, str]]] = []  # path, and headers by their names in lower case
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.has_request = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is nothing to tell of."""

    @property
    def names(self) -> list[str]:
        """Of the spans that have come, in their order."""
        raise NotImplementedError

    def take(self, body: bytes) -> bytes:
        """Keep what came; the proper answer."""
        raise NotImplementedError


class HoneycombReceiver(Receiver):
    """Honeycomb's batch API."""

    def __init__(self) -> None:
        super().__init__()
        self.span_status = 202  # of the first span of each batch; the others are accepted
        self.batches: list[list[dict[str, Any]]] = []

    @property
    def names(self) -> list[str]:
        return [item["data"]["name"] for batch in self.batches for item in batch]

    def take(self, body: bytes) -> bytes:
        self.batches.append(json.loads(body))
        others = [{"status": 202}] * (len(self.batches[-1]) - 1)
        return json.dumps([{"status": self.span_status}, *others]).encode()


class OtlpReceiver(Receiver):
    """OTLP over HTTP, in protobuf."""

    def __init__(self) -> None:
        super().__init__()
        self.rejected = 0  # spans of each request, as its answer says
        self.exports: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Span]:
        scopes = (scope for export in self.exports for each in export.resource_spans for scope in each.scope_spans)
        return [span for scope in scopes for span in scope.spans]

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def take(self, body: bytes) -> bytes:
        self.exports.append(ExportTraceServiceRequest.FromString(body))
        success = ExportTracePartialSuccess(rejected_spans=self.rejected)
        answer = ExportTraceServiceResponse(partial_success=success if self.rejected else None)
        return bytes(answer.SerializeToString())


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body go in one write, as those of the servers that people use

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        is_packed = self.headers["Content-Encoding"] == "gzip"
        answer = self.server.take(gzip.decompress(body) if is_packed else body)
        self.server.has_request.set()
        self.server.may_answer.wait()
        self.send_response(self.server.status)
        for name, value in self.server.answer_headers.items():
            self.send_header(name, value)
        answer = answer if self.server.garbage is None else self.server.garbage
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


R = TypeVar("R", bound=Receiver)


@contextmanager
def listening(receiver: R) -> Iterator[R]:
    """The receiver answers for the length of the block, and what waits for an answer then gets it."""
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        receiver.shutdown()
        thread.join()
        receiver.server_close()


@contextmanager
def black_hole() -> Iterator[str]:
    """A URL whose packets vanish: its queue of connections is full, so the kernel drops every further request.

    Its address is no other server's: who still knocks when the block has ended gets into none.
    """
    with socket.create_server(("127.0.0.2", 0), backlog=0) as hole, socket.socket() as first, socket.socket() as second:
        first.connect(hole.getsockname())
        second.setblocking(False)  # noqa: FBT003 - socket's own signature
        second.connect_ex(hole.getsockname())
        yield _url_of(hole)


@contextmanager
def closed_port() -> Iterator[str]:
    """A URL where nobody listens, nor can begin to during the block."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield _url_of(kept)


def _url_of(server: socket.socket) -> str:
    host, port = server.getsockname()
    return f"http://{host}:{port}"
