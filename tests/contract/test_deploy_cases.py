"""What charts, clusters and people do to a deployment: each has its verdict, and a sentence that says whose it is."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.control_plane.furnish import until
from pipeline_state.deploy import Applied
from pipeline_state.deploy.rollouts import look
from pipeline_state.model.rollout import Broken, Pending, Seen
from tests.contract.clusters import ClusterUnderTest
from tests.contract.deploy_room import (
    FAILS,
    NEVER,
    account,
    as_user,
    asked,
    behind,
    carried_out,
    eventually,
    opened,
    with_charts,
)
from tests.contract.test_deploy import COMMITS, Shop, deployed, reason
from tests.payloads.helm.faulty_api import Fault, status


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    return opened(a_cluster, tmp_path)


def image(number: int) -> str:
    return f"registry.example.com/web:{COMMITS[number]}"


@pytest.mark.parametrize("values", [FAILS, NEVER], ids=["crash loop", "no image"])
def test_what_never_gets_ready_has_failed_is_rolled_back_and_named(shop: Shop, values: dict[str, Any]) -> None:
    shop.install("p1", commit=COMMITS[0])
    said = reason(shop.install("p2", commit=COMMITS[1], values=values))
    assert "has been rolled back" in said
    assert f"Deployment/{shop.namespace}/web not ready. status: Failed" in said
    assert (shop.image(), shop.statuses()) == (image(0), ["superseded", "failed", "deployed"])


@pytest.mark.parametrize(
    "values,state", [(FAILS, "CrashLoopBackOff"), (NEVER, "ImagePullBackOff")], ids=["crash loop", "no image"]
)
def test_a_look_at_what_is_not_ready_names_the_container_and_its_trouble(
    shop: Shop, values: dict[str, Any], state: str
) -> None:
    request = asked(shop, timeout=3600, values=values)
    applied = carried_out(shop, request)
    assert isinstance(applied, Applied), applied
    pods = f"/api/v1/namespaces/{shop.namespace}/pods"
    eventually(shop, pods, lambda found: state in str(found))
    seen = look(request, applied.revision, workspace=shop.workspace, budget_seconds=60)
    assert isinstance(seen, Pending | Broken), seen
    assert f"Deployment/{shop.namespace}/web: " in seen.why
    assert f"Pod/{shop.namespace}/web-" in seen.why
    assert f": container web: {state}" in seen.why


def test_what_fails_goes_back_past_what_somebody_installed_by_hand(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    chart = str(shop.workspace.charts_dir / "web")
    shop.run("helm", "upgrade", "web", chart, "--set", "image.repository=registry.example.com/web,image.tag=by-hand")
    assert shop.image() == "registry.example.com/web:by-hand"
    said = reason(carried_out(shop, asked(shop, "p2", COMMITS[1], verified=1, values=FAILS)))
    assert "; rolled back to revision 1" in said
    assert (shop.image(), shop.statuses()) == (image(0), ["superseded", "superseded", "failed", "deployed"])


def with_quota(shop: Shop, **hard: str) -> None:
    """A quota, in force."""
    wanted = {name.replace("__", "/").replace("_", "."): number for name, number in hard.items()}
    path = f"/api/v1/namespaces/{shop.namespace}/resourcequotas"
    shop.cluster.request("POST", path, {"metadata": {"name": "small"}, "spec": {"hard": wanted}})
    eventually(shop, f"{path}/small", lambda quota: set(wanted) <= set(quota.get("status", {}).get("used", {})))


def test_what_exceeds_a_quota_has_failed_and_the_quota_is_named(shop: Shop) -> None:
    with_quota(shop, count__services="0")
    said = reason(shop.install())
    assert 'services "web" is forbidden: exceeded quota: small, requested: count/services=1' in said
    assert (shop.deployments(), shop.statuses()) == ([], [])


def test_pods_that_exceed_a_quota_are_told_of_by_a_look(shop: Shop) -> None:
    with_quota(shop, pods="1")
    request = asked(shop, timeout=3600)
    applied = carried_out(shop, request)
    assert isinstance(applied, Applied), applied
    seen: list[Seen] = []

    def is_told() -> bool:
        seen.append(look(request, applied.revision, workspace=shop.workspace, budget_seconds=60))
        return "FailedCreate" in getattr(seen[-1], "why", "")

    until(is_told, "a look that tells of Pods that cannot be made", lambda: None)
    assert isinstance(seen[-1], Pending), seen
    assert "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1" in seen[-1].why


def scaled(shop: Shop, replicas: int) -> None:
    target = ["--kubeconfig", str(shop.cluster.admin_kubeconfig), "--namespace", shop.namespace]
    subprocess.run(["kubectl", "scale", "deployment/web", f"--replicas={replicas}", *target], check=True)


def test_a_field_that_somebody_has_scaled_is_a_conflict_that_names_them(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    scaled(shop, 5)
    request = asked(shop, "p2", COMMITS[1], values={"replicaCount": 3})
    said = reason(carried_out(shop, request))
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in said
    assert shop.image() == image(0)
    assert shop.get(f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/web")["spec"]["replicas"] == 5


def test_an_environment_that_forces_conflicts_takes_the_field_over(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    scaled(shop, 5)
    request = asked(shop, "p2", COMMITS[1], force_conflicts=True, values={"replicaCount": 3})
    assert deployed(carried_out(shop, request))[0] == "upgraded"
    live = shop.get(f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/web")
    assert (live["spec"]["replicas"], shop.image()) == (3, image(1))


def test_a_hook_that_fails_before_an_upgrade_is_named_and_the_release_stays(shop: Shop, tmp_path: Path) -> None:
    shop = with_charts(shop, tmp_path / "charts", "hooked")
    hooked: dict[str, Any] = {"name": "app", "chart": "charts/hooked"}
    assert deployed(shop.install("p1", **hooked))[:2] == ("deployed", 1)
    said = reason(shop.install("p2", values={"migration": "fail"}, **hooked))
    assert "pre-upgrade hooks failed" in said
    assert f"Job/{shop.namespace}/app-migration" in said
    assert "has been rolled back" in said
    assert shop.statuses("app") == ["superseded", "failed", "deployed"]
    assert deployed(shop.install("p3", values={"more": 1}, **hooked))[0] == "upgraded"


def test_a_hook_that_fails_at_a_first_install_leaves_no_release(shop: Shop, tmp_path: Path) -> None:
    shop = with_charts(shop, tmp_path / "charts", "hooked")
    said = reason(shop.install(name="app", chart="charts/hooked", values={"migration": "fail"}))
    assert "failed pre-install" in said or "pre-install hooks failed" in said
    assert f"Job/{shop.namespace}/app-migration" in said
    assert shop.statuses("app") == []


def test_a_hook_that_never_ends_is_named(shop: Shop, tmp_path: Path) -> None:
    shop = with_charts(shop, tmp_path / "charts", "hooked")
    hooked: dict[str, Any] = {"name": "app", "chart": "charts/hooked"}
    shop.install("p1", **hooked)
    said = reason(shop.install("p2", values={"migration": "never"}, timeout=10, **hooked))
    assert f"Job/{shop.namespace}/app-migration not ready" in said
    assert shop.statuses("app")[-1] == "deployed"


def test_a_namespace_that_is_missing_is_made(shop: Shop, tmp_path: Path) -> None:
    somebody = account(shop.cluster, tmp_path, "gatestream-installer", "gatestream-namespaces")
    shop = replace(as_user(shop, somebody), namespace=f"shop-{uuid.uuid4().hex[:12]}")
    assert deployed(shop.install()) == ("deployed", 1, "web-0.1.0")
    assert shop.get(f"/api/v1/namespaces/{shop.namespace}")["status"]["phase"] == "Active"
    shop.cluster.request("DELETE", f"/api/v1/namespaces/{shop.namespace}")


def forbidden(verb: str, plural: str, group: str = "") -> Fault:
    """What the embedded cluster, which knows no rights, is to answer to whoever may not do that."""
    said = f'User "gatestream" cannot {verb} resource "{plural}" in API group "{group}" at the cluster scope'
    about = f"{plural}.{group}" if group else plural
    return Fault(
        "GET|PATCH|POST", f"/{plural}(/[^/]*)?([?]|$)", status(403, "Forbidden", f"{about} is forbidden: {said}")
    )


def test_a_namespace_that_may_not_be_made_is_told_of(shop: Shop, tmp_path: Path) -> None:
    somebody = account(shop.cluster, tmp_path, "gatestream-installer")
    faults = [forbidden("patch", "namespaces")] if shop.cluster.name == "embedded" else []
    missing = f"shop-{uuid.uuid4().hex[:12]}"
    with behind(shop, *faults, kubeconfig=somebody) as (restricted, _):
        said = reason(replace(restricted, namespace=missing).install())
    assert "namespaces" in said
    assert 'cannot patch resource "namespaces" in API group ""' in said
    assert missing not in str(shop.get("/api/v1/namespaces"))


@pytest.fixture
def group() -> str:
    """An API group, of which no other test knows."""
    return f"g{uuid.uuid4().hex[:12]}.example.com"


@pytest.fixture
def custom(shop: Shop, tmp_path: Path, group: str) -> Shop:
    return with_charts(shop, tmp_path / "charts", "crds", "custom", **{"example.com": group})


def test_a_kind_of_its_own_is_more_than_the_installer_may_make(custom: Shop) -> None:
    faults = [forbidden("patch", "customresourcedefinitions", "apiextensions.k8s.io")]
    with behind(custom, *(faults if custom.cluster.name == "embedded" else [])) as (restricted, _):
        said = reason(restricted.install(name="crds", chart="charts/crds"))
    assert "failed to install CRD crds/shops.yaml" in said
    assert (
        'cannot patch resource "customresourcedefinitions" in API group "apiextensions.k8s.io" at the cluster scope'
        in said
    )
    assert custom.statuses("crds") == []


def test_a_kind_of_its_own_serves_a_later_release_also_where_discovery_is_cached(
    custom: Shop, tmp_path: Path, group: str
) -> None:
    admin = as_user(custom, custom.cluster.admin_kubeconfig)
    other = replace(admin, workspace=replace(admin.workspace, directory=tmp_path / "other"))
    said = reason(other.install("p1", name="shop", chart="charts/custom"))
    assert f'no matches for kind "Shop" in version "{group}/v1"' in said
    assert deployed(admin.install("p2", name="crds", chart="charts/crds")) == ("deployed", 1, "crds-0.1.0")
    assert deployed(other.install("p3", name="shop", chart="charts/custom")) == ("deployed", 1, "custom-0.1.0")
    shops = custom.get(f"/apis/{group}/v1/namespaces/{custom.namespace}/shops")["items"]
    assert [each["spec"] for each in shops] == [{"city": "Berlin"}]
    assert deployed(other.install("p4", name="shop", chart="charts/custom", values={"city": "Rome"}))[0] == "upgraded"
