"""A GitHub on loopback, as far as its documentation tells of hook deliveries: pages by cursor, and attempts."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pipeline_state.model.times import format_time

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)

Reply = tuple[int, dict[str, str], Any]


@dataclass
class FakeGitHub:
    """Its deliveries, newest last. answers: the status our side gives to whatever it redelivers now.

    trouble: what it replies to a call instead, if anything, by method and path. calls: what it was asked.
    """

    hook: str = "/orgs/myOrg/hooks/7"
    now: datetime = NOON
    answers: int = 202
    url: str = ""
    page: int = 100
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    trouble: Callable[[str, str], Reply | None] = lambda _method, _path: None

    def deliver(self, guid: str, status_code: int | None, *, ago: float = 0, redelivery: bool = False) -> None:
        """An attempt so many minutes ago."""
        self.deliveries.append(
            {
                "id": 10_000 + len(self.deliveries),
                "guid": guid,
                "delivered_at": format_time(self.now - timedelta(minutes=ago)),
                "redelivery": redelivery,
                "duration": 0.27,
                "status": "OK" if status_code == 202 else "failed to connect",
                "status_code": status_code,
                "event": "push",
                "action": None,
                "installation_id": None,
                "repository_id": 42,
                "throttled_at": None,
            }
        )

    @property
    def redelivered(self) -> list[str]:
        """The guids it was asked to deliver again, in that order."""
        return [each["guid"] for each in self.deliveries if each["id"] in self._made]

    _made: set[int] = field(default_factory=set)

    def reply(self, method: str, target: str) -> Reply:
        split = urlsplit(target)
        trouble = self.trouble(method, split.path)
        if trouble:
            return trouble
        if method == "GET" and split.path == f"{self.hook}/deliveries":
            return self._list({name: values[0] for name, values in parse_qs(split.query).items()})
        number = split.path.removeprefix(f"{self.hook}/deliveries/").removesuffix("/attempts")
        found = [each for each in self.deliveries if str(each["id"]) == number]
        if method == "POST" and found:
            self._made.add(10_000 + len(self.deliveries))
            self.deliver(found[0]["guid"], self.answers, redelivery=True)
            return 202, {}, {}
        return 404, {}, {"message": "Not Found"}

    def _list(self, query: dict[str, str]) -> Reply:
        listed = sorted(self.deliveries, key=lambda each: (each["delivered_at"], each["id"]), reverse=True)
        if query.get("redelivery") == "true":
            listed = [each for each in listed if each["redelivery"]]
        cursor = query.get("cursor")
        if cursor:
            ids = [f"v1_{each['id']}" for each in listed]
            if cursor not in ids:
                return 422, {}, {"message": "Validation Failed"}
            listed = listed[ids.index(cursor) :]
        size = min(int(query["per_page"]), self.page)
        links = {"link": f'<{self.url}{self.hook}/deliveries?per_page=1>; rel="first"'}
        if listed[size:]:
            following = f"{self.url}{self.hook}/deliveries?per_page={size}&cursor=v1_{listed[size]['id']}"
            links["link"] += f', <{following}>; rel="next"'
        return 200, links, listed[:size]


@contextmanager
def serving(github: FakeGitHub) -> Iterator[FakeGitHub]:
    """Listens on loopback, and knows its URL, meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            github.calls.append(f"{method} {self.path}")
            github.tokens.append(self.headers.get("authorization", ""))
            status, headers, content = github.reply(method, self.path)
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            if status == 0:  # no HTTP at all
                self.wfile.write(body)
                return
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # all have said what they say before the block ends

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is nothing to tell of."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        github.url = f"http://127.0.0.1:{server.server_port}"
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
