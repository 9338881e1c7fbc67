"""HTTP's answer to a POST, as far as one needs it who only asks whether something was taken (RFC 9112, §6.3).

http.client reads the headers with the parser of e-mails: of all that tracing costs a small function, that was a third.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import BadStatusLine, IncompleteRead
from io import BufferedReader

_LONGEST_LINE = 65536  # http.client's own limit


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status."""

    status: int
    body: bytes


def read_response(stream: BufferedReader) -> tuple[Response, bool]:
    """The answer, and whether the connection can be used again. Raises OSError and HTTPException."""
    version, status = _status(stream)
    headers = _headers(stream)
    while HTTPStatus.CONTINUE <= status < HTTPStatus.OK:
        version, status = _status(stream)
        headers = _headers(stream)
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        body = b""
    elif headers.get(b"transfer-encoding") == b"chunked":
        body = b"".join(_chunks(stream))
    elif b"content-length" in headers:
        body = _exactly(stream, int(headers[b"content-length"]))
    else:
        return Response(status, stream.read()), False
    return Response(status, body), version == b"HTTP/1.1" and headers.get(b"connection") != b"close"


def _status(stream: BufferedReader) -> tuple[bytes, int]:
    line = stream.readline(_LONGEST_LINE)
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise BadStatusLine("")  # without its text, which may be anything
    return version, int(rest[:3])


def _headers(stream: BufferedReader) -> dict[bytes, bytes]:
    headers = {}
    while line := stream.readline(_LONGEST_LINE).strip():
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip().lower()
    return headers


def _chunks(stream: BufferedReader) -> Iterator[bytes]:
    while size := int(stream.readline(_LONGEST_LINE).partition(b";")[0], 16):
        yield _exactly(stream, size)
        stream.readline(_LONGEST_LINE)
    _headers(stream)  # called trailers here


def _exactly(stream: BufferedReader, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise IncompleteRead(b"")
    return found
