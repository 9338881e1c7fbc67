"""Every flag that pipeline_state.deploy.dialect has for a version is one that the real Helm of that version takes."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from infra.local import cluster, tools
from pipeline_state.deploy import Workspace, dialect
from pipeline_state.deploy.dialect import Major, Wish
from pipeline_state.deploy.helm import environment

CHART = Path(__file__).parents[2] / "infra/local/example/charts/web"
ALL = Wish(waits=True, goes_back=True, force_conflicts=True, is_there=True)
WISHES = {
    "nothing": Wish(),
    "waits": Wish(waits=True),
    "goes back": Wish(goes_back=True),
    "force conflicts": Wish(force_conflicts=True),
    "is there": Wish(is_there=True),
    "all": ALL,
}
VERBS = {"upgrade": dialect.upgrade, "rollback": dialect.rollback, "uninstall": dialect.uninstall}


@dataclass(frozen=True)
class Shop:
    """One namespace of the embedded cluster, and Helm of both versions."""

    cluster: cluster.Cluster
    directory: Path
    namespace: str

    def helm(self, major: Major, *command: str) -> subprocess.CompletedProcess[bytes]:
        helm = str((tools.helm_and_kubectl() if major == dialect.NEWEST else tools.helm_3()) / "helm")
        target = ["--namespace", self.namespace, "--kubeconfig", str(self.cluster.kubeconfig)]
        return subprocess.run(
            [helm, *command, *target],
            env=environment(Workspace(self.directory, self.directory), helm),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    def upgrade(self, major: Major, wish: Wish, *more: str) -> subprocess.CompletedProcess[bytes]:
        flags = dialect.upgrade(major, wish)
        return self.helm(major, "upgrade", "web", str(CHART), "--create-namespace", *flags, *more)

    def scale(self, replicas: int) -> None:
        target = ["--namespace", self.namespace, "--kubeconfig", str(self.cluster.kubeconfig)]
        command = ["kubectl", "scale", "deployment", "web", f"--replicas={replicas}", *target]
        subprocess.run(command, check=True, capture_output=True)

    def replicas(self) -> int:
        return int(self.get("/apis/apps/v1", "deployments/web")["spec"]["replicas"])

    def revisions(self) -> list[str]:
        found = self.get("/api/v1", "secrets?labelSelector=owner=helm,name=web")["items"]
        return sorted(item["metadata"]["labels"]["status"] for item in found)

    def get(self, root: str, what: str) -> Any:
        with urlopen(f"{self.cluster.url}{root}/namespaces/{self.namespace}/{what}") as answer:  # noqa: S310 - ours
            return json.load(answer)


@pytest.fixture
def shop(embedded: cluster.Cluster, tmp_path: Path) -> Shop:
    return Shop(embedded, tmp_path, f"shop-{uuid.uuid4().hex[:12]}")


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES.keys())
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("major", [4, 3])
def test_helm_knows_every_flag_of_its_version(shop: Shop, major: Major, verb: str, wish: Wish) -> None:
    words: Callable[[Major, Wish], list[str]] = VERBS[verb]
    done = shop.helm(major, verb, *words(major, wish), "--help")  # a flag before it that it does not know is an error
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("major", [4, 3])
def test_a_release_is_installed_where_it_is_not_there_and_then_upgraded(shop: Shop, major: Major) -> None:
    assert shop.upgrade(major, Wish(is_there=True)).returncode != 0
    assert shop.upgrade(major, Wish(waits=True, goes_back=True)).returncode == 0
    assert shop.upgrade(major, ALL, "--set=replicaCount=7").returncode == 0
    assert (shop.replicas(), shop.revisions()) == (7, ["deployed", "superseded"])


@pytest.mark.parametrize("wish", [Wish(goes_back=True), Wish(force_conflicts=True)], ids=["goes back", "forces"])
def test_helm_3_refuses_what_is_said_to_helm_4_before_it_does_anything(shop: Shop, wish: Wish) -> None:
    flags = dialect.upgrade(4, wish)
    done = shop.helm(3, "upgrade", "web", str(CHART), "--create-namespace", *flags)
    assert done.returncode != 0
    assert dialect.is_older(4, done.stderr)
    assert shop.revisions() == []
    assert shop.upgrade(3, wish).returncode == 0


@pytest.mark.parametrize("made_by", [4, 3])
def test_fields_are_taken_over_whichever_helm_made_the_release(shop: Shop, made_by: Major) -> None:
    shop.upgrade(made_by, Wish()).check_returncode()
    shop.scale(5)
    taken = shop.upgrade(4, Wish(force_conflicts=True), "--set=replicaCount=3")
    assert (taken.returncode, taken.stderr) == (0, b"")
    assert shop.replicas() == 3
    shop.scale(5)
    done = shop.helm(4, "rollback", "web", "1", *dialect.rollback(4, Wish(force_conflicts=True)))
    assert (done.returncode, done.stderr) == (0, b"")
    assert shop.replicas() == 2
