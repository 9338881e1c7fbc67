"""A registry on loopback that wants to know who asks, sends to other places, and breaks, as real ones do.

Without a certificate it speaks plain http. https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.chart_server import ChartServer, Handler

USER, PASSWORD, TOKEN = "ann", "hush-hush", "t0ken-of-the-registry"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

Way = Literal["open", "basic", "token", "token for anybody", "hidden"]


class RegistryServer(ChartServer):
    """way: how it lets one in; hidden: what is private is not there for strangers. troubles: a status by path.

    headers: what is sent with troubles. blobs_at: where blobs are to be fetched. seen: method, path and Authorization
    of every request. silence: while it is set, nobody is answered.
    """

    def __init__(self, certificate: Path | None = None, way: Way = "open") -> None:
        super().__init__(certificate, RegistryHandler)
        self.way = way
        self.url = f"{'https' if certificate else 'http'}://{self.host}"
        self.realm = f"{self.url}/token"
        self.troubles: dict[str, int] = {}
        self.headers: dict[str, str] = {}
        self.blobs_at = ""
        self.seen: list[tuple[str, str, str]] = []
        self.silence = threading.Event()
        self.end = threading.Event()

    def lets_in(self, authorization: str) -> bool:
        wanted = {"open": authorization, "basic": BASIC, "hidden": BASIC}
        return authorization == wanted.get(self.way, f"Bearer {TOKEN}")

    def asked_for(self) -> list[str]:
        """What was asked for below /v2/, with its method."""
        return [f"{method} {path.removeprefix('/v2/')}" for method, path, _ in self.seen if path != "/v2/"]


class RegistryHandler(Handler):
    server: RegistryServer

    def do_GET(self) -> None:  # noqa: N802 - http.server's name for it
        server, place = self.server, urlsplit(self.path)
        path, authorization = unquote(place.path), self.headers.get("Authorization", "")
        server.seen.append((self.command, path, authorization))
        if server.silence.is_set():
            server.end.wait(60)
        elif path in server.troubles:
            self._say(server.troubles[path], server.headers)
        elif path == "/token":
            self._token(authorization, parse_qs(place.query))
        elif path != "/v2/" and not server.lets_in(authorization):
            self._say(404 if server.way == "hidden" else 401, {"WWW-Authenticate": self._challenge(path)})
        elif "/blobs/" in path and server.blobs_at:
            self._say(307, {"Location": f"{server.blobs_at}{path}"})
        else:
            super().do_GET()

    do_HEAD = do_GET  # noqa: N815 - http.server's name for it

    def _challenge(self, path: str) -> str:
        if not self.server.way.startswith("token"):
            return 'Basic realm="registry"'
        name = path.removeprefix("/v2/").split("/manifests/")[0].split("/blobs/")[0]
        return f'Bearer realm="{self.server.realm}",service="registry",scope="repository:{name}:pull"'

    def _token(self, authorization: str, query: dict[str, list[str]]) -> None:
        is_known = authorization == BASIC or self.server.way == "token for anybody"
        if not is_known or query["service"] != ["registry"] or not query["scope"][0].endswith(":pull"):
            self._say(401, {})
            return
        self._say(200, {}, json.dumps({"access_token": TOKEN, "expires_in": 60}).encode())

    def _say(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(certificate: Path | None = None, way: Way = "open") -> Iterator[RegistryServer]:
    with RegistryServer(certificate, way) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.end.set()
            server.shutdown()
            thread.join()
