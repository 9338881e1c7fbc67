"""A server of charts over https: archives by URL, and an OCI registry to pull from.

The registry speaks the pulling half of the distribution API, nothing of the pushing one: a test says what is there.
https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull, https://helm.sh/docs/topics/registries/
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import ssl
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def packaged(chart: Path, version: str) -> bytes:
    """The chart's folder as an archive of this version."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for path in sorted(each for each in chart.rglob("*") if each.is_file()):
            content = path.read_bytes()
            if path.name == "Chart.yaml":
                kept = [line for line in content.decode().splitlines() if not line.startswith("version:")]
                content = "\n".join([*kept, f"version: {version}", ""]).encode()
            entry = tarfile.TarInfo(f"{chart.name}/{path.relative_to(chart).as_posix()}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class ChartServer(ThreadingHTTPServer):
    """files: by path. manifests: by repository and tag or digest. asked: every path that was asked for."""

    def __init__(self, certificate: Path | None, handler: type[Handler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler or Handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.asked: list[str] = []
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def publish(self, repository: str, tag: str, archive: bytes) -> str:
        """Puts a chart into the registry, over whatever has that tag; the digest of its manifest."""
        described = [(_CONFIG, b"{}"), (_LAYER, archive)]
        self.blobs |= {digest(content): content for _, content in described}
        parts = [{"mediaType": kind, "digest": digest(blob), "size": len(blob)} for kind, blob in described]
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": parts[0], "layers": parts[1:]}
        content = json.dumps(manifest).encode()
        self.manifests |= {(repository, reference): content for reference in (tag, digest(content))}
        return digest(content)

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Content type and content of a path; None where there is nothing."""
        if path in self.files:
            return "application/gzip", self.files[path]
        if path == "/v2/":
            return "application/json", b"{}"
        repository, _, reference = path.removeprefix("/v2/").rpartition("/")
        repository, _, what = repository.rpartition("/")
        if what == "tags":
            tags = [tag for name, tag in self.manifests if name == repository and not tag.startswith("sha256:")]
            return "application/json", json.dumps({"name": repository, "tags": tags}).encode()
        content = self.blobs.get(reference) if what == "blobs" else self.manifests.get((repository, reference))
        kind = "application/octet-stream" if what == "blobs" else _MANIFEST
        return None if content is None else (kind, content)

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is nothing to tell of."""


class Handler(BaseHTTPRequestHandler):
    server: ChartServer

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(path)
        answer = self.server.answer(path)
        if answer is None:
            self.send_error(404)
            return
        kind, content = answer
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Content-Digest", digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815 - http.server's name for it

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@contextmanager
def serving(certificate: Path) -> Iterator[ChartServer]:
    with ChartServer(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
