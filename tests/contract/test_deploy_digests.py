"""The chart's digest with the real Helm: told of every deployment, and what is installed when one was asked for."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from infra.local import cluster
from pipeline_state.deploy import Applied, Deployed, Failed, Install, Workspace, digests, install
from pipeline_state.faults import TemporaryFault
from pipeline_state.model.pipelines import Cluster, Release
from tests.certificates import write_certificate
from tests.chart_server import ChartServer, digest, packaged, serving
from tests.registry_server import PASSWORD, TOKEN, USER
from tests.registry_server import serving as serving_privately

CHART = Path(__file__).parents[2] / "infra/local/example/charts/web"
OLD, NEW = packaged(CHART, "1.0.0"), packaged(CHART, "1.0.1")
WATCHED_HELM = """#!/bin/sh
printf '%s\\n' "$@" >> "{log}"
exec "{helm}" "$@"
"""


@dataclass(frozen=True)
class Shop:
    """One namespace of the cluster, and a workspace of its own with one bundled chart."""

    workspace: Workspace
    kubeconfig: Path
    namespace: str

    def install(self, promotion: str, chart: str, **release: Any) -> Deployed | Applied | Failed:
        """Each promotion, "p1" and so on, is of a commit of its own."""
        wanted = Release("web", self.namespace, chart, timeout=30, **release)
        request = Install(wanted, Cluster(), promotion[1:] * 40, promotion)
        return install(request, workspace=self.workspace, budget_seconds=60)

    def deploy(self, promotion: str, chart: str, **release: Any) -> tuple[str, str, str]:
        """Action, chart and digest of a deployment that succeeds."""
        verdict = self.install(promotion, chart, **release)
        assert isinstance(verdict, Deployed), verdict
        return verdict.action, verdict.chart, verdict.digest

    def refusal(self, promotion: str, chart: str, **release: Any) -> str:
        verdict = self.install(promotion, chart, **release)
        assert isinstance(verdict, Failed), verdict
        return verdict.reason

    def history(self) -> list[str]:
        """Which charts have been installed, oldest first."""
        command = ["helm", "history", "web", "-n", self.namespace, "-o", "json", "--kubeconfig", str(self.kubeconfig)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return [line["chart"] for line in json.loads(done.stdout)] if done.returncode == 0 else []


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Cluster]:
    with cluster.start(tmp_path_factory.mktemp("cluster") / "kubeconfig", ready_after=0.05) as started:
        yield started


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChartServer]:
    certificate = write_certificate(tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(certificate) as server:
        yield server


@pytest.fixture
def shop(embedded: cluster.Cluster, server: ChartServer, tmp_path: Path) -> Shop:  # noqa: ARG001 - it is to be trusted
    shutil.copytree(CHART, tmp_path / "bundled/web")
    workspace = Workspace(
        directory=tmp_path / "work",
        charts_dir=tmp_path / "bundled",
        local_kubeconfig=str(embedded.kubeconfig),
        environment={name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE", "no_proxy")},
    )
    return Shop(workspace, embedded.kubeconfig, f"digests-{uuid.uuid4().hex[:12]}")


def test_a_bundled_chart_is_told_and_installed_again_until_it_changes(shop: Shop) -> None:
    bundled = shop.workspace.charts_dir / "web"
    told = digests.of_chart(str(bundled))
    assert shop.deploy("p1", "charts/web") == ("deployed", "web-0.1.0", told)
    assert shop.deploy("p2", "charts/web", digest=told) == ("upgraded", "web-0.1.0", told)
    (bundled / "values.yaml").write_text("replicas: 2\n")
    now = digests.of_chart(str(bundled))
    said = shop.refusal("p3", "charts/web", digest=told)
    assert said.startswith(f"chart 'charts/web' was {told[:19]} when it was deployed, and is {now[:19]} now; ")
    assert shop.history() == ["web-0.1.0", "web-0.1.0"]
    assert shop.deploy("p4", "charts/web")[2] == now != told


def test_an_archive_is_told_and_installed_again_also_when_its_url_leads_elsewhere(
    shop: Shop, server: ChartServer, tmp_path: Path
) -> None:
    url, path = f"https://{server.host}/web.tgz", "/web.tgz"
    server.files[path] = OLD
    assert shop.deploy("p1", url) == ("deployed", "web-1.0.0", digest(OLD))
    assert shop.deploy("p2", url, digest=digest(OLD)) == ("upgraded", "web-1.0.0", digest(OLD))
    assert server.asked == [path]
    server.files[path] = NEW
    assert shop.deploy("p3", url) == ("upgraded", "web-1.0.1", digest(NEW))
    assert shop.deploy("p4", url, digest=digest(OLD)) == ("upgraded", "web-1.0.0", digest(OLD))
    elsewhere = replace(shop, workspace=replace(shop.workspace, directory=tmp_path / "elsewhere"))
    said = elsewhere.refusal("p5", f"{url}?token=hush", digest=digest(OLD))
    assert said.startswith(
        f"chart {url!r} was {digest(OLD)[:19]} when it was deployed, and is {digest(NEW)[:19]} now; "
    )
    assert elsewhere.deploy("p6", url, digest=digest(NEW)) == ("upgraded", "web-1.0.1", digest(NEW))
    assert shop.history() == ["web-1.0.0", "web-1.0.0", "web-1.0.1", "web-1.0.0", "web-1.0.1"]


def test_what_a_url_leads_to_now_is_not_taken_for_what_runs(shop: Shop, server: ChartServer) -> None:
    url, path = f"https://{server.host}/web.tgz", "/web.tgz"
    server.files[path] = OLD
    assert shop.deploy("p1", url)[0] == "deployed"
    assert shop.deploy("q1", url)[0] == "unchanged", "another promotion of the same commit"
    server.files[path] = NEW
    assert shop.deploy("r1", url) == ("upgraded", "web-1.0.1", digest(NEW))


@pytest.mark.parametrize(
    "ending,version",
    [(":1.0.0", None), ("", "1.0.0")],
    ids=["tag", "version"],
)
def test_a_registrys_chart_is_told_and_installed_again_also_when_its_tag_has_moved_on(
    ending: str, version: str | None, shop: Shop, server: ChartServer
) -> None:
    chart = f"oci://{server.host}/charts/web{ending}"
    old = server.publish("charts/web", "1.0.0", OLD)
    assert shop.deploy("p1", chart, version=version) == ("deployed", "web-1.0.0", old)
    new = server.publish("charts/web", "1.0.0", NEW)
    assert shop.deploy("p2", chart, version=version) == ("upgraded", "web-1.0.1", new)
    assert shop.deploy("p3", chart, version=version, digest=old) == ("upgraded", "web-1.0.0", old)
    assert shop.history() == ["web-1.0.0", "web-1.0.1", "web-1.0.0"]


def test_a_chart_of_one_digest_anyway_is_told_and_fetched_once(shop: Shop, server: ChartServer) -> None:
    told = server.publish("charts/web", "1.0.0", OLD)
    chart = f"oci://{server.host}/charts/web:1.0.0@{told}"
    assert shop.deploy("p1", chart) == ("deployed", "web-1.0.0", told)
    server.blobs.clear()
    assert shop.deploy("p2", chart) == ("upgraded", "web-1.0.0", told)


def test_a_chart_that_has_left_its_registry_has_failed(shop: Shop, server: ChartServer) -> None:
    gone = digest(b"gone")
    server.publish("charts/web", "1.0.0", NEW)
    said = shop.refusal("p1", f"oci://{server.host}/charts/web:1.0.0", digest=gone)
    assert f"/charts/web@{gone}: not found in its registry; push it" in said
    assert shop.history() == []


def test_helm_is_given_a_path_and_learns_nothing_of_registry_and_login(
    shop: Shop, server: ChartServer, tmp_path: Path
) -> None:
    login = json.dumps({"auths": {"registry.example.com": {"username": USER, "password": PASSWORD}}})
    log, helm = tmp_path / "log", tmp_path / "helm"
    helm.write_text(WATCHED_HELM.format(helm=shutil.which("helm"), log=log))
    helm.chmod(0o755)
    with serving_privately(tmp_path / "server.pem", "token") as private:
        told = private.publish("charts/web", "1.0.0", OLD)
        workspace = replace(
            shop.workspace, helm=str(helm), fetch_secret=lambda _: login.replace("registry.example.com", private.host)
        )
        watched = replace(shop, workspace=workspace)
        found = watched.deploy("p1", f"oci://{private.host}/charts/web", version="1.0.0", registry_secret="login")
    assert found == ("deployed", "web-1.0.0", told)
    arguments = log.read_text()
    assert str(workspace.directory / f"charts/{told[7:]}.tgz") in arguments.splitlines()
    assert "oci://" not in arguments
    written = b"".join(path.read_bytes() for path in workspace.directory.rglob("*") if path.is_file())
    for secret in (PASSWORD, TOKEN, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()):
        assert secret not in arguments
        assert secret.encode() not in written
    assert server.asked == []


def test_a_second_delivery_tells_the_chart_of_the_first(shop: Shop, server: ChartServer) -> None:
    told = digests.of_chart(str(shop.workspace.charts_dir / "web"))
    shop.deploy("p1", "charts/web")
    (shop.workspace.charts_dir / "web/values.yaml").write_text("replicas: 2\n")
    assert shop.deploy("p1", "charts/web") == ("unchanged", "web-0.1.0", told)
    old = server.publish("charts/web", "1.0.0", OLD)
    chart = f"oci://{server.host}/charts/web:1.0.0"
    shop.deploy("p2", chart, digest=old)
    assert shop.deploy("p2", chart, digest=old) == ("unchanged", "web-1.0.0", old)
    shop.deploy("p3", chart)
    assert shop.deploy("p3", chart) == ("unchanged", "web-1.0.0", old)


def test_a_registry_out_of_reach_is_tried_again_for_a_settled_chart_too(shop: Shop) -> None:
    with pytest.raises(TemporaryFault, match="Connection refused"):
        shop.install("p1", "oci://127.0.0.1:1/charts/web:1.0.0", digest=digest(OLD))
