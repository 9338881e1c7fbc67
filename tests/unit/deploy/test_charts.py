"""Where charts come from: bundled, never from elsewhere on disk, and by https from a real server."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline_state.deploy import Workspace
from pipeline_state.deploy.charts import MAX_BYTES, find, locate, shown
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Release
from tests.certificates import write_certificate


class Handler(BaseHTTPRequestHandler):
    """/chart.tgz and redirects to it; /<number> answers with that status."""

    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        name = self.path.partition("?")[0].strip("/")
        if name.isdigit():
            self.send_error(int(name))
        elif name.startswith("to/"):
            self.send_response(302)
            self.send_header("Location", name.removeprefix("to/"))
            self.end_headers()
        else:
            self._send(self.server.chart if name == "chart.tgz" else bytes(MAX_BYTES + 1))

    def _send(self, content: bytes) -> None:
        """The content, unless the client says that it has it."""
        tag = self.server.tag
        is_known = bool(tag) and self.headers.get("If-None-Match") == tag
        self.send_response(304 if is_known else 200)
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        if not is_known:
            self.server.sent += 1
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


class Server(ThreadingHTTPServer):
    """An https server; paths: what was asked for. sent: how many answers had a content. tag: the chart's ETag."""

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []
        self.chart, self.tag, self.sent = b"chart", "", 0
        self.url = f"https://127.0.0.1:{self.server_port}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what these tests are about."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture
def server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "bundled" / "web").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    return Workspace(directory=tmp_path / "work", charts_dir=tmp_path / "bundled")


@pytest.mark.parametrize("chart", ["charts/web", "web", "charts/./web", "charts/x/../web"])
def test_a_bundled_chart_is_found(chart: str, workspace: Workspace) -> None:
    assert locate(chart, workspace) == str(workspace.charts_dir / "web")


@pytest.mark.parametrize(
    "chart", ["../secret", "charts/../../secret", "/etc", "charts//etc", "", "charts/", ".", "link"]
)
def test_a_path_that_leaves_the_bundled_charts_is_refused(chart: str, workspace: Workspace) -> None:
    (workspace.charts_dir / "link").symlink_to(workspace.charts_dir.parent / "secret")
    with pytest.raises(PermanentFault, match="is not below the bundled charts"):
        locate(chart, workspace)


@pytest.mark.parametrize("chart", ["charts/none", "charts/--kube-context=x", "charts/'; id", "charts/🚀"])
def test_whether_a_bundled_chart_exists_is_for_helm_to_say(chart: str, workspace: Workspace) -> None:
    assert locate(chart, workspace) == str(workspace.charts_dir / chart.removeprefix("charts/"))


@pytest.mark.parametrize("chart", ["http://example.com/a.tgz", "file:///etc/passwd", "git://example.com/a"])
def test_other_schemes_are_refused(chart: str, workspace: Workspace) -> None:
    with pytest.raises(PermanentFault, match="only https://, s3:// and oci://"):
        locate(chart, workspace)


def kept(workspace: Workspace) -> list[str]:
    """The names of the archives."""
    return sorted(path.name for path in (workspace.directory / "charts").glob("*.tgz"))


def named(content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()}.tgz"


@pytest.mark.parametrize("tag", ["", 'W/"1"', "1"], ids=["none", "weak", "none that is one"])
def test_an_archive_without_an_etag_is_fetched_each_time_and_kept_by_its_digest(
    tag: str, server: Server, workspace: Workspace
) -> None:
    server.tag = tag
    places = {locate(f"{server.url}/chart.tgz", workspace) for _ in range(3)}
    assert [Path(place).read_bytes() for place in places] == [b"chart"]
    assert (len(server.paths), server.sent) == (3, 3)
    assert kept(workspace) == [Path(place).name for place in places] == [named(b"chart")]


@pytest.mark.parametrize("way", ["", "/to/{0}"], ids=["there", "behind a redirect"])
def test_an_archive_with_an_etag_is_sent_once_until_it_changes(way: str, server: Server, workspace: Workspace) -> None:
    url = f"{server.url}{way.format(server.url)}/chart.tgz"
    server.tag = '"1"'
    assert {Path(locate(url, workspace)).read_bytes() for _ in range(3)} == {b"chart"}
    assert (server.paths.count("/chart.tgz"), server.sent) == (3, 1)
    server.chart, server.tag = b"another", '"2"'
    assert {Path(locate(url, workspace)).read_bytes() for _ in range(2)} == {b"another"}
    assert (server.sent, kept(workspace)) == (2, sorted([named(b"chart"), named(b"another")]))


@pytest.mark.parametrize("tags", [("", ""), ('"1"', '"2"')], ids=["without ETags", "with ETags"])
def test_whoever_has_a_chart_from_before_finds_the_same_one_as_whoever_has_none(
    tags: tuple[str, str], server: Server, workspace: Workspace, tmp_path: Path
) -> None:
    latest, cold = Release("web", "shop", f"{server.url}/chart.tgz"), replace(workspace, directory=tmp_path / "cold")
    server.tag = tags[0]
    find(latest, workspace)
    server.chart, server.tag = b"another", tags[1]
    found = [find(latest, each) for each in (workspace, cold)]
    assert {each.digest for each in found} == {f"sha256:{hashlib.sha256(b'another').hexdigest()}"}
    assert {Path(each.place).read_bytes() for each in found} == {b"another"}


def test_an_archive_that_is_no_longer_kept_is_fetched_whatever_its_etag(server: Server, workspace: Workspace) -> None:
    server.tag = '"1"'
    Path(locate(f"{server.url}/chart.tgz", workspace)).unlink()
    assert Path(locate(f"{server.url}/chart.tgz", workspace)).read_bytes() == b"chart"


def test_what_is_wanted_by_digest_and_kept_takes_no_request(server: Server, workspace: Workspace) -> None:
    chart = f"{server.url}/chart.tgz"
    old = find(Release("web", "shop", chart), workspace)
    server.chart = b"another"
    find(Release("web", "shop", chart), workspace)
    server.paths.clear()
    assert find(Release("web", "shop", chart, digest=old.digest), workspace) == old
    assert (Path(old.place).read_bytes(), server.paths) == (b"chart", [])


def test_what_is_wanted_by_digest_and_gone_is_refused(server: Server, workspace: Workspace) -> None:
    with pytest.raises(PermanentFault, match="was sha256:0a0a0a0a0a0a when it was deployed, and is sha256:"):
        find(Release("web", "shop", f"{server.url}/chart.tgz", digest="sha256:" + "0a" * 32), workspace)


def test_a_redirect_to_another_https_url_is_followed(server: Server, workspace: Workspace) -> None:
    place = locate(f"{server.url}/to/{server.url}/chart.tgz", workspace)
    assert Path(place).read_bytes() == b"chart"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/chart.tgz", "file:///etc/passwd", "ftp://127.0.0.1:1/chart.tgz"]
)
def test_a_redirect_to_anything_else_is_not_followed(target: str, server: Server, workspace: Workspace) -> None:
    with pytest.raises(PermanentFault):
        locate(f"{server.url}/to/{target}", workspace)
    assert not (workspace.directory / "charts").exists()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_an_archive_that_is_not_there_has_failed(status: int, server: Server, workspace: Workspace) -> None:
    with pytest.raises(PermanentFault, match=f"/{status}: {status} "):
        locate(f"{server.url}/{status}", workspace)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_an_archive_that_is_not_there_for_now_is_tried_again(status: int, server: Server, workspace: Workspace) -> None:
    with pytest.raises(TemporaryFault, match=f"/{status}: {status} ") as caught:
        locate(f"{server.url}/{status}", workspace)
    assert caught.value.delay_seconds > 0


def test_an_endless_archive_is_refused(server: Server, workspace: Workspace) -> None:
    with pytest.raises(PermanentFault, match="larger than"):
        locate(f"{server.url}/endless", workspace)


def test_a_server_that_is_off_is_tried_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(TemporaryFault, match="refused"):
        locate("https://127.0.0.1:1/chart.tgz", workspace)


def test_a_server_nobody_vouches_for_is_refused(
    server: Server, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(PermanentFault, match="certificate verify failed"):
        locate(f"{server.url}/chart.tgz", workspace)


@pytest.mark.parametrize("chart, as_shown", [
    ("https://ann:s3cret@charts.example.com/web.tgz", "https://charts.example.com/web.tgz"),
    ("https://charts.example.com/web.tgz?X-Amz-Signature=s3cret", "https://charts.example.com/web.tgz"),
    ("https://charts.example.com?token=a/s3cret@b", "https://charts.example.com"),
    ("oci://registry.example.com/charts/web:1.0.0@sha256:00", "oci://registry.example.com/charts/web:1.0.0@sha256:00"),
    ("charts/web", "charts/web"),
])  # fmt: skip
def test_a_chart_is_shown_without_what_lets_one_in(chart: str, as_shown: str) -> None:
    assert shown(chart) == as_shown


def test_what_lets_one_in_is_in_no_reason(server: Server, workspace: Workspace) -> None:
    for path, fault in [("404", PermanentFault), ("503", TemporaryFault), ("endless", PermanentFault)]:
        with pytest.raises(fault) as caught:
            locate(f"{server.url}/{path}?X-Amz-Signature=s3cret", workspace)
        assert "s3cret" not in str(caught.value)
