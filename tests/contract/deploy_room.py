"""What the installer's cases share beside `Shop`: requests of their own, other users, and a cluster with a fault."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.local.control_plane.access import Client, write_config, write_kubeconfig
from infra.local.control_plane.furnish import until
from pipeline_state.deploy import Applied, Deployed, Failed, Install, Workspace, install
from pipeline_state.model.pipelines import Cluster, Release
from tests.certificates import write_certificate
from tests.contract.clusters import ClusterUnderTest
from tests.contract.test_deploy import BUDGET, CHARTS, COMMITS, READY, Shop, wrapper
from tests.payloads.helm.faulty_api import Fault, FaultyApi, serving

FAILS = {"annotations": {READY: "fail"}, "progressDeadlineSeconds": 1}
NEVER = {"annotations": {READY: "never"}, "progressDeadlineSeconds": 1}
TEST_CHARTS = Path(__file__).parents[1] / "charts"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_RIGHTS = {
    "gatestream-installer": {"verb": "list", "resource": "secrets"},
    "gatestream-namespaces": {"verb": "create", "resource": "namespaces"},
}
"""One thing that each of the shipped roles allows: the API server takes note of its binding when it gets to it."""


Verdict = Deployed | Applied | Failed


def opened(cluster: ClusterUnderTest, directory: Path) -> Shop:
    """A shop in a namespace in which the installer may install; directory: a new folder."""
    log = directory / "helm.log"
    helm = str(wrapper(log, 'exec "$HELM" "$@"'))
    workspace = Workspace(directory / "work", CHARTS, str(cluster.kubeconfig), helm=helm)
    return Shop(workspace, cluster, cluster.new_namespace(), log)


def asked(
    shop: Shop,
    promotion: str = "p1",
    commit: str = COMMITS[0],
    *,
    force_conflicts: bool = False,
    verified: int = 0,
    **release: Any,
) -> Install:
    """A release of the shop to bring to a commit."""
    usual: dict[str, Any] = {"name": "web", "namespace": shop.namespace, "chart": "charts/web", "timeout": 30}
    wanted = Release(**usual | release)
    return Install(wanted, Cluster(), commit, promotion, force_conflicts=force_conflicts, verified=verified)


def carried_out(shop: Shop, request: Install, budget: float = BUDGET) -> Verdict:
    """What comes of it; raises TemporaryFault."""
    return install(request, workspace=shop.workspace, budget_seconds=budget)


def as_user(shop: Shop, kubeconfig: Path) -> Shop:
    """The same shop, whose installer is somebody else, or has another way to the cluster."""
    return replace(shop, workspace=replace(shop.workspace, local_kubeconfig=str(kubeconfig)))


def with_charts(shop: Shop, directory: Path, *names: str, **words: str) -> Shop:
    """The same shop with copies of the tests' own charts. words: what is put in place of what in their files."""
    for name in names:
        shutil.copytree(TEST_CHARTS / name, directory / name)
        for path in (each for each in (directory / name).rglob("*.yaml") if words):
            text = path.read_text()
            for word, instead in words.items():
                text = text.replace(word, instead)
            path.write_text(text)
    return replace(shop, workspace=replace(shop.workspace, charts_dir=directory))


def eventually(shop: Shop, path: str, holds: Callable[[Any], bool]) -> Any:
    """What the administrator sees at a path of the shop's namespace once that holds. Raises FurnishError."""
    until(lambda: holds(shop.get(path)), f"what is wanted of {path}", lambda: None)
    return shop.get(path)


def account(cluster: ClusterUnderTest, directory: Path, *roles: str) -> Path:
    """The kubeconfig of a new ServiceAccount that has these of the shipped roles in the whole cluster.

    The embedded cluster knows no rights: what its installer is not to do, a fault has to refuse.
    """
    path = directory / f"{uuid.uuid4().hex}.kubeconfig"
    if cluster.installer is None:
        shutil.copy(cluster.kubeconfig, path)
        return path
    name = f"account-{uuid.uuid4().hex[:12]}"
    place = "/api/v1/namespaces/default/serviceaccounts"
    cluster.request("POST", place, {"metadata": {"name": name}})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    for role in roles:
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _own(cluster, role)}
        body = {
            "metadata": {"name": f"{name}-{role}", "labels": dict(cluster.labels)},
            "roleRef": ref,
            "subjects": [subject],
        }
        cluster.request("POST", f"{_RBAC}/clusterrolebindings", body)
    token = cluster.request("POST", f"{place}/{name}/token", {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    config = json.loads(cluster.kubeconfig.read_text())
    write_config(path, config["clusters"][0]["cluster"], {"token": token})
    rights = [_RIGHTS[role] for role in roles]
    until(lambda: all(_may(Client.of(path), right) for right in rights), "the role bindings' effect", lambda: None)
    return path


def _own(cluster: ClusterUnderTest, role: str) -> str:
    """The name under which a shipped role is in the cluster."""
    return f"{cluster.role.removesuffix('gatestream-installer')}{role}"


def _may(client: Client, right: Mapping[str, str]) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return bool(client.request("POST", path, {"spec": {"resourceAttributes": right}})["status"]["allowed"])


@contextmanager
def behind(shop: Shop, *faults: Fault, kubeconfig: Path | None = None) -> Iterator[tuple[Shop, FaultyApi]]:
    """The shop with an API server of its own, which passes on to the cluster's what no fault is for.

    kubeconfig: of whose installer it is, instead of the cluster's own.
    """
    own = kubeconfig or shop.cluster.kubeconfig
    client, certificate = Client.of(own), write_certificate(shop.log.with_name("certificate.pem"))
    with serving(client.url, *faults, certificate=certificate, tls=client.tls) as api:
        user = json.loads(own.read_text())["users"][0]["user"]
        way = write_kubeconfig(shop.log.with_name(f"{uuid.uuid4().hex}.kubeconfig"), api.url, certificate, user)
        yield as_user(shop, way), api
