"""Where spans are posted to over HTTP: one connection, open from one invocation to the next, never waited for long.

Every event pays for what a request costs. By http.client it is half of urllib3's CPU time and a quarter of requests'.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass
from zlib import compressobj

from pipeline_state.tracing.response import Response, read_response

SOCKET_SECONDS = 2.0  # a silent connection is given up then

LARGE = 4096
"""Bytes of a body from which on it goes as gzip: a smaller one is three packets at most, and packing it costs more."""


class Endpoint:
    """One URL, with headers that may hold keys, and so are never shown. Not for two threads at once.

    Raises ValueError when it is no URL of HTTP, or a header no text.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._connection = _connection(parts)
        self._head = _head(parts, {**headers, "User-Agent": "gatestream"})

    def post(self, body: bytes) -> Response:
        """Send a body. Raises OSError, HTTPException and ValueError.

        Once more where a connection that was open turns out to be dead: Lambda may have stood still for long.
        """
        request = self._request(body)
        was_open = self._connection.sock is not None
        try:
            return self._send(request)
        except (OSError, HTTPException, ValueError):
            self.close()
            if not was_open:
                raise
        return self._send(request)

    def close(self) -> None:
        self._connection.close()

    def _request(self, body: bytes) -> bytes:
        if len(body) < LARGE:
            return self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        packed = compressed(body)
        return self._head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed

    def _send(self, request: bytes) -> Response:
        """In one write, so that a small request is as few packets as can be."""
        self._connection.send(request)
        with self._connection.sock.makefile("rb") as stream:
            response, stays_open = read_response(stream)
        if not stays_open:
            self.close()
        return response


def compressed(body: bytes) -> bytes:
    """As gzip, within a window of 4 KB: spans repeat each other within less, and a large one takes longer to set up."""
    packer = compressobj(level=1, wbits=16 + 12, memLevel=5)
    return packer.compress(body) + packer.flush()


def is_success(status: int) -> bool:
    """Whether a status of HTTP says that what was sent has been taken."""
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own classes of status


def _head(url: SplitResult, headers: Mapping[str, str]) -> bytes:
    lines = [f"POST {url.path or '/'} HTTP/1.1", f"Host: {url.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise ValueError("the URL or a header of where spans go has characters that HTTP cannot carry")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _connection(url: SplitResult) -> HTTPConnection:
    """One that opens when it is first used; with TLS by way of the environment's proxy, if it names one."""
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("where spans go is no URL that begins with https:// or http:// and names a host")
    if url.scheme == "http":
        return HTTPConnection(url.hostname, url.port, timeout=SOCKET_SECONDS)
    proxy = urlsplit(getproxies().get("https", ""))
    if not proxy.hostname or proxy_bypass(url.netloc):
        return HTTPSConnection(url.hostname, url.port, timeout=SOCKET_SECONDS)
    connection = HTTPSConnection(proxy.hostname, proxy.port, timeout=SOCKET_SECONDS)
    connection.set_tunnel(url.hostname, url.port, _login(proxy))
    return connection


def _login(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}
