"""A browser of the dashboard that needs no socket: it keeps cookies, and sends what browsers send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

from pipeline_state.cli.dashboard.security import CSRF, Door


@dataclass(frozen=True)
class Answer:
    """What came back. status: HTTP's."""

    status: int
    headers: Headers
    body: str

    @property
    def text(self) -> str:
        """What one reads of it: without tags, each run of blanks one blank."""
        reader = _Text()
        reader.feed(self.body)
        return " ".join("".join(reader.found).split())


@dataclass
class Visitor:
    """Comes to the dashboard behind a door; `enter` lets it in. bugs: what the server would show in its terminal."""

    app: ASGIApp
    door: Door
    cookies: dict[str, str] = field(default_factory=dict)
    bugs: list[Exception] = field(default_factory=list)

    def enter(self) -> "Visitor":
        self.get(self.door.new_link())
        return self

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, {"sec_fetch_site": "same-origin", **headers})

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """Sends a form as a page of the dashboard does."""
        session = self.door.session_in(self._cookie) or ""
        body = urlencode({CSRF: self.door.csrf(session), **fields}).encode()
        sent = {"origin": self.door.origin, "content_type": "application/x-www-form-urlencoded", **headers}
        return self.ask("POST", path, sent, body)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """headers: names with _ for -; an empty one is not sent."""
        answer = anyio.run(self._ask, method, urlsplit(path), headers, body)
        for name, morsel in SimpleCookie(answer.headers.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
        return answer

    @property
    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def _ask(self, method: str, url: Any, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = {"host": self.door.address, "cookie": self._cookie, **headers}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": url.path or "/",
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items() if value],
            "server": ("127.0.0.1", self.door.port),
            "client": ("127.0.0.1", 1),
        }
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if not messages:
                raise
            self.bugs.append(error)
        start, *rest = messages
        content = b"".join(message.get("body", b"") for message in rest)
        return Answer(start["status"], Headers(raw=start["headers"]), content.decode())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - html.parser's
        self.found.append(" ")
