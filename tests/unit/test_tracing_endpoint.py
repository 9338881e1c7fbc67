"""One connection over which spans are posted: what it sends, how it reads an answer, and when it begins anew."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import BadStatusLine, HTTPException, HTTPSConnection, IncompleteRead
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.tracing.endpoint import LARGE, Endpoint, compressed
from pipeline_state.tracing.response import Response, read_response
from tests.certificates import write_certificate
from tests.receivers import HoneycombReceiver, listening


def read(text: bytes) -> tuple[Response, bool]:
    return read_response(io.BufferedReader(io.BytesIO(text)))


@pytest.mark.parametrize(
    "text, status, body, stays_open",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]more", 200, b"[]", True),
        (b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\n[]", 200, b"[]", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\n[]", 200, b"[]", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]", 200, b"[]", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, b"abc", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nETag: b\r\n\r\n", 200, b"a", True),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", 502, b"<html>", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 202, b"", True),
    ],
    ids=["length", "no reason", "closed", "old", "chunks", "trailers", "until closed", "no body", "after 100"],
)
def test_an_answer_ends_where_http_says(text: bytes, status: int, body: bytes, *, stays_open: bool) -> None:
    assert read(text) == (Response(status, body), stays_open)


@pytest.mark.parametrize(
    "text, error",
    [
        (b"", BadStatusLine),
        (b"SSH-2.0-OpenSSH_9.2\r\n", BadStatusLine),
        (b"HTTP/1.1 OK\r\n\r\n", BadStatusLine),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]", IncompleteRead),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n[]", ValueError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ValueError),
    ],
    ids=["nothing", "another protocol", "no status", "cut off", "no length", "no chunk"],
)
def test_what_is_no_answer_is_an_error_that_does_not_quote_it(text: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        read(text)
    assert "SSH" not in str(raised.value)


@given(st.binary())
def test_whatever_comes_is_an_answer_or_one_of_these_errors(text: bytes) -> None:
    try:
        response, _ = read(text)
    except (HTTPException, ValueError):
        return
    assert response.body in text


@given(st.binary(max_size=200_000))
def test_any_gzip_reads_what_is_compressed(body: bytes) -> None:
    assert zlib.decompress(compressed(body), wbits=31) == body


def test_spans_compress_to_a_fraction() -> None:
    body = b'{"name": "write record", "trace.trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "n": %d},'
    assert len(compressed(b"".join(body % n for n in range(1000)))) < 10_000


@pytest.mark.parametrize("size, encoding", [(2, None), (LARGE - 1, None), (LARGE, "gzip")])
def test_what_fits_into_a_few_packets_goes_as_it_is(
    honeycomb: HoneycombReceiver, size: int, encoding: str | None
) -> None:
    with closing(Endpoint(honeycomb.url, {})) as endpoint:
        assert endpoint.post(b"[" + b" " * (size - 2) + b"]").status == 200
    ((_, headers),) = honeycomb.requests
    assert headers.get("content-encoding") == encoding


@pytest.fixture
def honeycomb() -> Iterator[HoneycombReceiver]:
    with listening(HoneycombReceiver()) as receiver:
        yield receiver


def test_a_connection_that_died_while_nobody_looked_is_opened_anew(honeycomb: HoneycombReceiver) -> None:
    with closing(Endpoint(honeycomb.url, {})) as endpoint:
        endpoint.post(b"[{}]")
        endpoint._connection.sock.shutdown(socket.SHUT_RDWR)  # noqa: SLF001 - as when its other end is gone
        assert endpoint.post(b"[{}]").status == 200
    assert honeycomb.connections == 2


def test_headers_are_sent_as_given(honeycomb: HoneycombReceiver) -> None:
    with closing(Endpoint(f"{honeycomb.url}/1/batch/a%20b", {"X-Honeycomb-Team": "key"})) as endpoint:
        endpoint.post(b"[{}]")
    path, headers = honeycomb.requests[0]
    assert path == "/1/batch/a%20b"
    assert (headers["x-honeycomb-team"], headers["user-agent"]) == ("key", "gatestream")
    assert headers["host"] == honeycomb.url.removeprefix("http://")


@pytest.mark.parametrize(
    "url, headers",
    [
        ("localhost:4318", {}),
        ("", {}),
        ("https://", {}),
        ("file:///etc/passwd", {}),
        ("http://collector/\u00e9", {}),
        ("http://collector", {"x-key": "hunter2\r\nX-More: yes"}),
        ("http://collector:port", {}),
    ],
    ids=["no scheme", "nothing", "no host", "a file", "not ASCII", "a line break in a header", "no port"],
)
def test_what_http_cannot_carry_is_refused_at_once_and_keys_are_not_quoted(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\w+") as refused:
        Endpoint(url, headers)
    assert "hunter2" not in str(refused.value)


class _Proxy(BaseHTTPRequestHandler):
    """Passes a tunnel on to wherever is asked for, and notes who asked."""

    asked: tuple[str, str | None] = ("", None)

    def do_CONNECT(self) -> None:
        type(self).asked = (self.path, self.headers.get("Proxy-Authorization"))
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as onward:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pass_on, args=(onward, self.connection))
            back.start()
            _pass_on(self.connection, onward)
            back.join()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _pass_on(come: socket.socket, go: socket.socket) -> None:
    with suppress(OSError):  # whoever hangs up first
        while data := come.recv(65536):
            go.sendall(data)
        go.shutdown(socket.SHUT_WR)


def test_tls_goes_by_the_environments_proxy_and_trusts_whom_the_environment_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver = HoneycombReceiver()
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with listening(receiver), HTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
        threading.Thread(target=proxy.handle_request).start()
        monkeypatch.setenv("https_proxy", f"http://ann:s%40id@127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("no_proxy", "")
        with closing(Endpoint(f"https://127.0.0.1:{receiver.server_port}", {})) as endpoint:
            assert endpoint.post(b"[{}]").status == 200
    assert _Proxy.asked == (f"127.0.0.1:{receiver.server_port}", "Basic YW5uOnNAaWQ=")


def test_hosts_that_the_environment_names_are_reached_without_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "collector")
    connection = Endpoint("https://collector", {})._connection  # noqa: SLF001 - before anything is sent
    assert isinstance(connection, HTTPSConnection)
    assert connection.host == "collector"
