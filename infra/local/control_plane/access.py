"""Who may do what: kubeconfigs (mode 0600), and a small client of the API for those that hold no plugin."""

import base64
import json
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.local.control_plane.keys import Pair

NAME = "gatestream-control-plane"
_JSON = "application/json"


class ApiError(Exception):
    """The API server said no; `code` is the HTTP status, the text its own message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def with_certificate(pair: Pair) -> dict[str, str]:
    """The `user` of a kubeconfig who shows a client certificate."""
    return {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}


def write_kubeconfig(path: Path, url: str, authority: Path | None, user: Mapping[str, str]) -> Path:
    """A kubeconfig with one context, named NAME; the path once more.

    authority: the PEM file that vouches for the server; None where it is plain HTTP.
    """
    vouched = {"certificate-authority-data": _encoded(authority)} if authority else {}
    return write_config(path, {"server": url, **vouched}, user)


def write_config(path: Path, cluster: Mapping[str, Any], user: Mapping[str, str]) -> Path:
    """The same, of a kubeconfig's own `cluster` and `user`."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": dict(cluster)}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "users": [{"name": NAME, "user": dict(user)}],
    }
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
    with os.fdopen(handle, "w") as file:
        json.dump(config, file, indent=2)
    return Path(temporary).replace(path)


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the API server of a kubeconfig as its user; one connection a request."""

    url: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, kubeconfig: Path) -> "Client":
        """The client for a kubeconfig as `write_kubeconfig`, or the embedded cluster, makes it: all in the one file."""
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        return cls(cluster["server"], headers, _tls(cluster, user))

    def get(self, path: str) -> Any:
        """What is there; raises ApiError."""
        return self.request("GET", path)

    def request(self, method: str, path: str, body: Any = None, content_type: str = _JSON) -> Any:
        """What the server answers; raises ApiError, and OSError where it cannot be reached."""
        with self.open(method, path, body, content_type) as response:
            return json.loads(response.read())

    @contextmanager
    def open(self, method: str, path: str, body: Any = None, content_type: str = _JSON) -> Iterator[HTTPResponse]:
        """The answer as it comes, for watches and /readyz. Raises as `request`."""
        host = urlsplit(self.url).netloc
        connection = HTTPSConnection(host, context=self.tls) if self.tls else HTTPConnection(host)
        sent = None if body is None else json.dumps(body)
        with closing(connection):
            connection.request(method, path, sent, {"Content-Type": content_type, **self.headers})
            response = connection.getresponse()
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise ApiError(response.status, _message(response.read()))
            yield response


def _tls(cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext | None:
    if urlsplit(cluster["server"]).scheme == "http":
        return None
    authority = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(cadata=_decoded(authority).decode() if authority else None)
    if "client-key-data" in user:  # which Python takes from a file only
        with tempfile.NamedTemporaryFile() as file:
            file.write(_decoded(user["client-key-data"]) + _decoded(user["client-certificate-data"]))
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text)
