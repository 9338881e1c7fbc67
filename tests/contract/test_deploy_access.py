"""The role in infra/cluster-access: enough for what the real Helm asks of the API, and nothing of the cluster's own."""

from __future__ import annotations

import re
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from infra.local import cluster
from pipeline_state.deploy import Applied, Deployed, Failed, Install, Workspace, install
from pipeline_state.model.pipelines import Cluster, Release

ROOT = Path(__file__).parents[2]
DOCUMENTS = list(yaml.safe_load_all((ROOT / "infra/cluster-access/installer.yaml").read_text()))
ROLES = {document["metadata"]["name"]: document for document in DOCUMENTS if document["kind"] == "ClusterRole"}
REQUEST = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r$", re.MULTILINE)
RESOURCE = re.compile(
    r"/api(?:s/(?P<group>[^/]+))?/v[^/]+/(?:namespaces/[^/]+/(?=\w))?(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?$"
)
METHODS = {"POST": {"create"}, "PUT": {"update"}, "PATCH": {"patch", "create"}, "DELETE": {"delete"}}

Right = tuple[str, str, str]


class Relay(BaseRequestHandler):
    """One connection, passed on in both directions; what is asked in it is noted."""

    server: Listener

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as upstream:
            other = {self.request: upstream, upstream: self.request}
            while True:
                for source in select.select(list(other), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is self.request:
                        self.server.asked += REQUEST.findall(data.decode(errors="replace"))
                    other[source].sendall(data)


class Listener(ThreadingTCPServer):
    """In front of the cluster on that port; asked: every request's method and target."""

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.target = target
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Helm hangs up in the middle of its watches; so do we then."""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    kubeconfig = tmp_path / "kubeconfig"
    with (
        cluster.start(kubeconfig, ready_after=0.05) as embedded,
        Listener(urlsplit(embedded.url).port or 0) as listener,
    ):
        kubeconfig.write_text(kubeconfig.read_text().replace(embedded.url, listener.url))
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listener
        listener.shutdown()
        thread.join()


def rights(asked: list[tuple[str, str]]) -> set[Right]:
    """The rights that these requests need; discovery and /version everybody has."""
    found = set()
    for method, target in asked:
        path, _, query = target.partition("?")
        match = RESOURCE.match(path)
        if match:
            reading = "watch" if "watch=true" in query else "get" if match["name"] else "list"
            verbs = METHODS.get(method, {reading})
            found |= {(match["group"] or "", match["resource"], verb) for verb in verbs}
    return found


def granted(role: dict[str, Any]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_role_allows_all_that_helm_asks_for(listener: Listener, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "work", ROOT / "infra/local/example/charts", str(tmp_path / "kubeconfig"))
    fails = {"annotations": {"cluster.gatestream.dev/ready": "fail"}}

    def run(promotion: str, **release: Any) -> Deployed | Applied | Failed:
        wanted = Release("web", "shop", "charts/web", timeout=30, **release)
        commit = f"{promotion.removeprefix('p'):0>40}"
        return install(Install(wanted, Cluster(), commit, promotion), workspace=workspace, budget_seconds=60)

    verdicts = [run("p0", values=fails), *(run(f"p{number}") for number in range(1, 12)), run("p12", values=fails)]
    assert [type(verdict) for verdict in verdicts] == [Failed, *[Deployed] * 11, Failed]
    needed = rights(listener.asked)
    assert {("", "secrets", "delete"), ("apps", "deployments", "watch"), ("", "namespaces", "patch")} <= needed
    assert needed <= granted(ROLES["gatestream-installer"]) | granted(ROLES["gatestream-namespaces"])


def test_the_role_reaches_nothing_that_belongs_to_the_whole_cluster() -> None:
    groups = {group for group, _, _ in granted(ROLES["gatestream-installer"])}
    resources = {resource for _, resource, _ in granted(ROLES["gatestream-installer"])}
    assert not {"*", "rbac.authorization.k8s.io", "apiextensions.k8s.io", "admissionregistration.k8s.io"} & groups
    assert not {"*", "namespaces", "nodes", "persistentvolumes"} & resources
    assert granted(ROLES["gatestream-namespaces"]) == {("", "namespaces", verb) for verb in ("get", "create", "patch")}


def test_nobody_but_the_installers_group_is_bound() -> None:
    bindings = [document for document in DOCUMENTS if document["kind"] == "ClusterRoleBinding"]
    assert [binding["roleRef"]["name"] for binding in bindings] == ["gatestream-namespaces"]
    assert [subject["name"] for binding in bindings for subject in binding["subjects"]] == ["gatestream-installers"]
