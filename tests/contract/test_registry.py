"""Images and charts in a registry on loopback: who is let in, what is not there, what breaks, and who learns of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from pipeline_state.deploy import Workspace, charts, registry, web
from pipeline_state.deploy.images import find_image
from pipeline_state.deploy.web import Bounds
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Release
from tests.certificates import write_certificate
from tests.chart_server import digest, packaged
from tests.registry_server import BASIC, PASSWORD, TOKEN, USER, RegistryServer, Way, serving

CHART = Path(__file__).parents[2] / "infra/local/example/charts/web"
ARCHIVE = packaged(CHART, "1.0.0")
COMMIT = "1" * 40
WAYS: list[Way] = ["open", "basic", "token", "token for anybody", "hidden"]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is slow does not look like a registry that is silent."""
    monkeypatch.setattr(registry, "_TEXT", Bounds(60.0, 4 * 1024 * 1024))
    monkeypatch.setattr(web, "_OWN_MACHINE", Bounds(60.0))


@dataclass
class Shop:
    """A registry with an image and a chart, and a workspace. read: the secrets that were read, in order."""

    server: RegistryServer
    workspace: Workspace
    told: str
    secret: str = "login"
    read: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workspace = replace(self.workspace, fetch_secret=self.fetch)

    def fetch(self, name: str) -> str:
        self.read.append(name)
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return json.dumps({"auths": {self.server.host: {"auth": auth}}})

    def look(self, commit: str = COMMIT, image: str = "team/web") -> str:
        release = Release("web", "shop", "charts/web", image=f"{self.server.host}/{image}", registry_secret=self.secret)
        return find_image(release, commit, self.workspace)

    def chart(self, name: str = "charts/web:1.0.0", **release: Any) -> charts.Chart:
        wanted = {"chart": f"oci://{self.server.host}/{name}", "registry_secret": self.secret} | release
        return charts.find(Release("web", "shop", **wanted), self.workspace)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    certificate = write_certificate(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def shop_of(server: RegistryServer, tmp_path: Path) -> Shop:
    told = server.publish("team/web", COMMIT, b"layer")
    server.publish("charts/web", "1.0.0", ARCHIVE)
    return Shop(server, Workspace(tmp_path / "work", tmp_path / "bundled"), told)


@pytest.fixture
def shop(certificate: Path, tmp_path: Path) -> Iterator[Shop]:
    with serving(certificate) as server:
        yield shop_of(server, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_an_image_is_found_however_the_registry_lets_one_in(way: Way, shop: Shop) -> None:
    shop.server.way = way
    assert shop.look() == shop.told
    assert shop.read == ([] if way == "open" else ["login"])


@pytest.mark.parametrize("way", WAYS)
def test_a_chart_is_fetched_however_the_registry_lets_one_in(way: Way, shop: Shop) -> None:
    shop.server.way = way
    assert Path(shop.chart().place).read_bytes() == ARCHIVE
    assert shop.read == ([] if way == "open" else ["login"])
    assert sum(path == "/token" for _, path, _ in shop.server.seen) == way.startswith("token")


def test_a_registry_without_tls_is_asked_on_this_machine(tmp_path: Path) -> None:
    with serving(way="token") as server:
        shop = shop_of(server, tmp_path)
        assert shop.look() == shop.told
        assert Path(shop.chart().place).read_bytes() == ARCHIVE


def test_a_registry_without_tls_leads_to_no_other_machine_without_tls(tmp_path: Path) -> None:
    with serving() as server:
        shop = shop_of(server, tmp_path)
        server.blobs_at = "http://192.0.2.1/store"
        with pytest.raises(PermanentFault, match="plain http is for this machine only"):
            shop.chart()


def test_an_open_registry_is_asked_for_an_image_once(shop: Shop) -> None:
    shop.look()
    assert shop.server.asked_for() == [f"HEAD team/web/manifests/{COMMIT}"]


def test_nobody_is_asked_for_an_image_that_is_not_named(shop: Shop) -> None:
    assert find_image(Release("web", "shop", "charts/web"), COMMIT, shop.workspace) == ""
    assert shop.server.seen == []


@pytest.mark.parametrize("way", WAYS)
def test_an_image_that_is_not_there_has_failed_with_its_name_and_the_fix(way: Way, shop: Shop) -> None:
    shop.server.way = way
    with pytest.raises(PermanentFault) as caught:
        shop.look("2" * 40)
    said = caught.value.reason
    assert said.startswith(f"image {shop.server.host}/team/web:{'2' * 40} is not in its registry; have the build push")


@pytest.mark.parametrize("way", ["basic", "token"])
def test_who_is_not_let_in_is_told_to_give_a_login(way: Way, shop: Shop) -> None:
    shop.server.way, shop.secret = way, ""
    for ask in (shop.look, shop.chart):
        with pytest.raises(
            PermanentFault, match="401 Unauthorized; there is no such repository, or it is private: give"
        ):
            ask()
    assert not any(authorization for _, _, authorization in shop.server.seen)


@pytest.mark.parametrize("way", ["basic", "token"])
def test_a_wrong_password_has_failed_and_is_not_shown(way: Way, shop: Shop) -> None:
    shop.server.way = way
    entry = {"username": USER, "password": "wrong-and-secret"}
    wrong = json.dumps({"auths": {shop.server.host: entry}})
    shop.workspace = replace(shop.workspace, fetch_secret=lambda _: wrong)
    with pytest.raises(PermanentFault, match="401 Unauthorized") as caught:
        shop.look()
    assert "wrong-and-secret" not in caught.value.reason


def test_forbidden_is_final(shop: Shop) -> None:
    shop.server.troubles[f"/v2/team/web/manifests/{COMMIT}"] = 403
    with pytest.raises(PermanentFault, match="403 Forbidden; there is no such repository, or it is private"):
        shop.look()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize("path", [f"/v2/team/web/manifests/{COMMIT}", "/token"])
def test_a_registry_that_cannot_just_now_is_asked_again_later(status: int, path: str, shop: Shop) -> None:
    shop.server.way = "token"
    shop.server.troubles[path] = status
    with pytest.raises(TemporaryFault, match=f"image {shop.server.host}/team/web:1+: {status} ") as caught:
        shop.look()
    assert caught.value.delay_seconds == (60 if status == 429 else 30)


@pytest.mark.parametrize("said, seconds", [("90", 90), ("86400", 900), ("0", 1), ("Fri, 31 Dec 1999 23:59:59 GMT", 60)])
def test_a_registry_says_when_to_ask_again(said: str, seconds: int, shop: Shop) -> None:
    shop.server.troubles[f"/v2/team/web/manifests/{COMMIT}"] = 429
    shop.server.headers["Retry-After"] = said
    with pytest.raises(TemporaryFault) as caught:
        shop.look()
    assert caught.value.delay_seconds == seconds


def test_a_silent_registry_is_not_waited_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "scheme_of", lambda _: "https")
    monkeypatch.setattr(registry, "_TEXT", Bounds(0.2))
    shop.server.silence.set()
    with pytest.raises(TemporaryFault, match="timed out"):
        shop.look()


def test_a_registry_that_is_off_is_asked_again_later(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path)
    with pytest.raises(TemporaryFault, match="refused"):
        find_image(Release("web", "shop", "web", image="127.0.0.1:1/web"), COMMIT, workspace)


def test_a_registry_nobody_vouches_for_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(PermanentFault, match="certificate verify failed"):
        shop.look()


def test_a_password_goes_to_no_login_without_tls(shop: Shop) -> None:
    shop.server.way, shop.server.realm = "token", "http://registry.example.com/token"
    with pytest.raises(PermanentFault, match="login is not at an https URL"):
        shop.look()
    assert BASIC not in [authorization for _, _, authorization in shop.server.seen]


@pytest.mark.parametrize("way", ["basic", "token"])
def test_blobs_may_lie_elsewhere_and_who_keeps_them_learns_no_login(way: Way, shop: Shop, certificate: Path) -> None:
    shop.server.way = way
    with serving(certificate) as store:
        store.publish("charts/web", "1.0.0", ARCHIVE)
        shop.server.blobs_at = store.url
        assert Path(shop.chart().place).read_bytes() == ARCHIVE
    assert store.seen == [("GET", f"/v2/charts/web/blobs/{digest(ARCHIVE)}", "")]
    assert shop.server.seen[-1][2] == (BASIC if way == "basic" else f"Bearer {TOKEN}")


@pytest.mark.parametrize("place", ["http://192.0.2.1/store", "file:///etc/passwd", "ftp://127.0.0.1:1/store"])
def test_blobs_are_not_fetched_from_elsewhere_than_https(place: str, shop: Shop) -> None:
    shop.server.blobs_at = place
    with pytest.raises(PermanentFault):
        shop.chart()


@pytest.mark.parametrize("way", ["basic", "token"])
def test_a_redirect_within_the_registry_keeps_method_and_login(way: Way, shop: Shop) -> None:
    shop.server.way = way
    shop.server.troubles[f"/v2/team/web/manifests/{COMMIT}"] = 307
    shop.server.publish("moved/web", "1.0.0", b"layer")
    shop.server.headers["Location"] = "/v2/moved/web/manifests/1.0.0"
    assert shop.look() == shop.told
    assert {method for method, path, _ in shop.server.seen if "/manifests/" in path} == {"HEAD"}


def test_what_breaks_off_is_fetched_again_later(shop: Shop) -> None:
    shop.server.troubles[f"/v2/charts/web/blobs/{digest(ARCHIVE)}"] = 200
    shop.server.headers["Content-Length"] = "5000"
    with pytest.raises(TemporaryFault, match="IncompleteRead"):
        shop.chart()


def test_a_blob_without_end_is_refused(shop: Shop) -> None:
    shop.server.publish("charts/web", "1.0.0", bytes(web.MAX_BYTES + 1))
    with pytest.raises(PermanentFault, match="larger than"):
        shop.chart()


class NoWay(BaseRequestHandler):
    """A proxy that leads nowhere."""

    server: Proxy

    def handle(self) -> None:
        self.server.asked.append(self.request.recv(1000).decode().splitlines()[0])
        self.request.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


class Proxy(ThreadingTCPServer):
    """asked: the first line of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), NoWay)
        self.asked: list[str] = []


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


def test_a_registry_is_asked_through_the_proxy_and_this_machine_is_not(shop: Shop, proxy: Proxy) -> None:
    shop.look()
    with pytest.raises(TemporaryFault, match="Tunnel connection failed: 502"):
        find_image(Release("web", "shop", "web", image="registry.example.com/web"), COMMIT, shop.workspace)
    assert [line.rpartition(" ")[0] for line in proxy.asked] == ["CONNECT registry.example.com:443"]


def test_a_chart_that_is_kept_takes_one_request_and_by_digest_none(shop: Shop) -> None:
    first = shop.chart()
    shop.server.seen.clear()
    assert shop.chart() == first
    assert shop.server.asked_for() == ["GET charts/web/manifests/1.0.0"]
    shop.server.seen.clear()
    assert shop.chart(digest=first.digest) == first
    assert shop.chart(f"charts/web@{first.digest}") == first
    assert shop.server.seen == []


def test_a_chart_is_kept_under_its_manifests_digest(shop: Shop) -> None:
    found = shop.chart()
    document = shop.server.manifests["charts/web", "1.0.0"]
    assert found == charts.Chart(str(shop.workspace.directory / f"charts/{digest(document)[7:]}.tgz"), digest(document))


def test_a_tag_that_has_moved_on_is_another_chart(shop: Shop) -> None:
    old = shop.chart()
    newer = packaged(CHART, "1.0.1")
    shop.server.publish("charts/web", "1.0.0", newer)
    assert Path(shop.chart().place).read_bytes() == newer
    assert shop.chart("charts/web:1.0.0", digest=old.digest) == old


def test_a_plus_in_a_version_is_an_underscore_in_its_tag(shop: Shop) -> None:
    shop.server.publish("charts/web", "1.0.0_build.5", b"built")
    assert Path(shop.chart("charts/web", version="1.0.0+build.5").place).read_bytes() == b"built"


@pytest.mark.parametrize("version", ["3.0.0", "^1"])
def test_a_tag_that_is_not_there_is_told(shop: Shop, version: str) -> None:
    told = re.escape(f"chart oci://{shop.server.host}/charts/web:{version}: not found in its registry; push it")
    with pytest.raises(PermanentFault, match=f"^{told}"):
        shop.chart("charts/web", version=version)


@pytest.mark.parametrize("tag,version,said", [(":1.0.0", "1.0.1", "give one"), ("", None, "which one")])
def test_tag_or_version_says_which_and_not_both(shop: Shop, tag: str, version: str | None, said: str) -> None:
    with pytest.raises(PermanentFault, match=said):
        shop.chart(f"charts/web{tag}", version=version)


def manifest(*layers: tuple[str, bytes]) -> bytes:
    return json.dumps({"layers": [{"mediaType": kind, "digest": digest(blob)} for kind, blob in layers]}).encode()


HELM = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b'{"layers": 5}',
        b'{"manifests": []}',
        manifest(),
        manifest(("application/vnd.oci.image.layer.v1.tar+gzip", ARCHIVE)),
        manifest((HELM, ARCHIVE), (HELM, b"another")),
        manifest((HELM, ARCHIVE)).replace(b"sha256:", b"sha512:"),
    ],
)
def test_what_is_no_chart_is_refused(document: bytes, shop: Shop) -> None:
    shop.server.manifests["charts/web", "1.0.0"] = document
    with pytest.raises(PermanentFault, match="is not a Helm chart, going by its manifest"):
        shop.chart()


def test_what_came_damaged_is_not_kept_and_fetched_again_later(shop: Shop) -> None:
    shop.server.blobs[digest(ARCHIVE)] = ARCHIVE[:-1]
    with pytest.raises(TemporaryFault, match="came damaged"):
        shop.chart()
    shop.server.blobs[digest(ARCHIVE)] = ARCHIVE
    assert Path(shop.chart().place).read_bytes() == ARCHIVE


def test_a_manifest_that_is_not_the_one_that_was_asked_for_is_refused(shop: Shop) -> None:
    wanted = "sha256:" + hashlib.sha256(b"that one").hexdigest()
    shop.server.manifests["charts/web", wanted] = b"this one"
    with pytest.raises(TemporaryFault, match=f"came damaged, not as {wanted}"):
        shop.chart(digest=wanted)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"token": null}'])
def test_a_login_without_a_token_is_refused(content: bytes, shop: Shop) -> None:
    shop.server.way, shop.server.realm = "token", f"{shop.server.url}/v2/team/web/blobs/{digest(content)}?no"
    shop.server.blobs[digest(content)] = content
    shop.server.lets_in = lambda authorization: authorization == BASIC  # type: ignore[method-assign]
    with pytest.raises(PermanentFault, match="answers without a token"):
        shop.look()


def test_installers_beside_each_other_fetch_and_keep_whole_charts(shop: Shop) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: shop.chart(), range(24)))
    assert [Path(chart.place).read_bytes() for chart in found] == [ARCHIVE]
    assert [path.name for path in (shop.workspace.directory / "charts").iterdir()] == [Path(found.pop().place).name]
