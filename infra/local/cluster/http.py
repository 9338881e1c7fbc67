"""HTTP/1.1 over asyncio: keep-alive, bodies with a known length, chunked streams that end when the client leaves."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from infra.local.cluster.errors import ApiError

_MAX_BODY = 3 * 1024 * 1024  # etcd refuses larger requests at 1.5 MiB, the API server at 3


@dataclass(frozen=True, slots=True)
class Request:
    """What the client asked; header names are lower case, repeated query keys keep the last value."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What it is answered: ``body``, or, where ``stream`` is given, that, piece by piece."""

    body: Any = None
    status: int = 200
    content_type: str = "application/json"
    stream: AsyncIterator[Any] | None = None


Handler = Callable[[Request], Awaitable[Response]]


async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
    """Answer requests one after the other until the client closes the connection or the server stops."""
    ends = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
    with contextlib.closing(writer), contextlib.suppress(*ends):
        while (request := await _read(reader)) is not None:
            await _write(reader, writer, await _answer(request, handle))


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if length > _MAX_BODY or "transfer-encoding" in headers:
        return None
    body = await reader.readexactly(length)
    url = urlsplit(target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return Request(method, unquote(url.path), query, headers, body)


async def _answer(request: Request, handle: Handler) -> Response:
    try:
        return await handle(request)
    except ApiError as error:
        return Response(error.body(), error.status)


async def _write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: Response) -> None:
    status = HTTPStatus(response.status)
    head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: {response.content_type}\r\n"
    if response.stream is None:
        body = _encode(response.body)
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
    else:
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        await _stream(reader, writer, response.stream)


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pieces: AsyncIterator[Any]) -> None:
    sending = asyncio.ensure_future(_send_pieces(writer, pieces))
    leaving = asyncio.ensure_future(reader.read(1))  # a watching client sends nothing: whatever comes, it left
    await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in (sending, leaving):
        task.cancel()
    await asyncio.gather(sending, leaving, return_exceptions=True)
    if not sending.cancelled():
        sending.result()
        writer.write(b"0\r\n\r\n")
    raise ConnectionAbortedError


async def _send_pieces(writer: asyncio.StreamWriter, pieces: AsyncIterator[Any]) -> None:
    async for piece in pieces:
        data = _encode(piece) + b"\n"
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()


def _encode(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode()
