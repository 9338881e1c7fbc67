"""A cluster of somebody else's: the installer's cases find there what they need, and leave it as it was."""

from pathlib import Path
from typing import Any

import pytest

from infra.local import control_plane
from infra.local.control_plane.access import ApiError, Client
from infra.local.control_plane.furnish import until
from tests.contract.borrowed_cluster import LABEL, borrowed

KINDS = (
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
)


def labelled(admin: Client, run: str) -> list[Any]:
    return [thing for kind in KINDS for thing in admin.get(f"{kind}?labelSelector={LABEL}={run}")["items"]]


def test_pods_run_on_a_node_of_ours_under_the_role_that_is_shipped_and_nothing_stays(
    plane: control_plane.Plane, tmp_path: Path
) -> None:
    with borrowed(plane.admin_kubeconfig, tmp_path) as cluster:
        run = cluster.labels[LABEL]
        namespace = cluster.new_namespace()
        pods = f"/api/v1/namespaces/{namespace}/pods"
        cluster.first(f"/api/v1/namespaces/{namespace}/serviceaccounts?fieldSelector=metadata.name=default")
        containers = [{"name": "web", "image": "registry.example.com/web:1"}]
        cluster.request("POST", pods, {"metadata": {"name": "web"}, "spec": {"containers": containers}})
        until(lambda: cluster.get(f"{pods}/web")["status"]["phase"] == "Running", "a Pod that runs", lambda: None)
        assert cluster.get(f"{pods}/web")["spec"]["nodeName"] == run
        installer = Client.of(cluster.kubeconfig)
        assert [pod["metadata"]["name"] for pod in installer.get(pods)["items"]] == ["web"]
        with pytest.raises(ApiError, match=f"system:serviceaccount:{run}:installer.*cannot delete"):
            installer.request("DELETE", f"/api/v1/namespaces/{namespace}")
        assert len(labelled(plane.admin, run)) == 2 + 1 + 2 + 1 + 1 + 1
    assert labelled(plane.admin, run) == []
