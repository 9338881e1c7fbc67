"""An API server with a fault: everything is passed on to the cluster, but for what a fault is for."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

Answer = Callable[["Handler"], None]

_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Fault:
    """The answer to every request whose method and path, with its query, match."""

    method: str
    path: str
    answer: Answer

    def is_for(self, method: str, path: str) -> bool:
        return bool(re.fullmatch(self.method, method) and re.search(self.path, path))


@dataclass
class FaultyApi:
    """Where it listens. faults: may change while it runs. reached: set once a request hangs."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """One connection. A watch is passed on as it comes."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    tls: ssl.SSLContext | None = None
    api: FaultyApi

    def _any(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        for fault in list(self.api.faults):
            if fault.is_for(self.command, self.path):
                fault.answer(self)
                return
        self.pass_on()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - http.server's names

    def pass_on(self) -> int:
        """The cluster's own answer; its status."""
        headers = {name: text for name, text in self.headers.items() if name.lower() not in {"host", "accept-encoding"}}
        with closing(self.connected()) as connection:
            connection.request(self.command, self.path, self.body, headers)
            with connection.getresponse() as response:
                self._answer_as(response)
                return response.status

    def _answer_as(self, response: http.client.HTTPResponse) -> None:
        self.send_response(response.status)
        for name, text in response.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "date", "server"}:
                self.send_header(name, text)
        self.send_header("Connection", "close")
        self.end_headers()
        while part := response.read1(_AT_ONCE):
            self.wfile.write(part)
            self.wfile.flush()

    def connected(self) -> http.client.HTTPConnection:
        """To the cluster, once a request is made."""
        if self.tls:
            return http.client.HTTPSConnection(self.upstream, context=self.tls)
        return http.client.HTTPConnection(self.upstream)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up is nothing to tell of."""


def status(code: int, why: str, message: str, **headers: str) -> Answer:
    """An answer in the API server's own form."""
    told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    body = json.dumps({**told, "message": message, "reason": why, "code": code})
    return plain(code, body, **{"Content-Type": "application/json", **headers})


def plain(code: int, body: str, **headers: str) -> Answer:
    """An answer of a load balancer's, or of an API server too busy for more."""

    def answer(handler: Handler) -> None:
        content = body.encode()
        handler.send_response(code)
        for name, text in {"Content-Type": "text/plain", **headers}.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    return answer


def close(handler: Handler) -> None:
    """No answer: the connection ends."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def reset(handler: Handler) -> None:
    """No answer: the connection breaks."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.rfile.close()
    if isinstance(handler.connection, ssl.SSLSocket):
        os.close(handler.connection.detach())  # without TLS's own farewell
    else:
        handler.connection.close()


def cut(handler: Handler) -> None:
    """The beginning of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"kind":')
    handler.connection.shutdown(socket.SHUT_RDWR)


def hang(handler: Handler) -> None:
    """No answer until the client gives up."""
    handler.api.reached.set()
    handler.rfile.read(1)


def twice(handler: Handler) -> None:
    """What another client's same request, just before this one, makes of it."""
    connection = handler.connected()
    connection.request(handler.command, handler.path, handler.body, dict(handler.headers.items()))
    connection.getresponse().read()
    connection.close()
    handler.pass_on()


@contextmanager
def serving(
    upstream: str, *faults: Fault, certificate: Path | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[FaultyApi]:
    """On a free port of 127.0.0.1, with TLS where there is a certificate. tls: what the upstream's is trusted by."""
    handler = type("_Handler", (Handler,), {"upstream": urlsplit(upstream).netloc, "tls": tls})
    with _Server(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            scheme = "https"
        api = FaultyApi(f"{scheme}://127.0.0.1:{server.server_port}", list(faults))
        handler.api = api  # type: ignore[attr-defined]  # of this very server
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
