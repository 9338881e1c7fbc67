"""The real control plane of the tests: who may do what, how Pods behave, and that nothing is left of it."""

import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.local import control_plane
from infra.local.control_plane.access import ApiError, Client
from infra.local.control_plane.assets import PROGRAMS
from infra.local.control_plane.furnish import answers, until
from tests.contract.clusters import ClusterUnderTest, go_without, missing, real

_READY = "cluster.gatestream.dev/ready"
_ROOT = Path(__file__).parents[2]


@pytest.fixture
def cluster(plane: control_plane.Plane) -> ClusterUnderTest:
    return real(plane)


def pod(annotations: dict[str, str], **spec: Any) -> dict[str, Any]:
    containers = [{"name": "web", "image": "registry.example.com/web:1"}]
    return {"metadata": {"name": "web", "annotations": annotations}, "spec": {"containers": containers, **spec}}


def eventually(cluster: ClusterUnderTest, path: str, wanted: Callable[[Any], bool]) -> Any:
    until(lambda: wanted(cluster.get(path)), f"what is wanted of {path}", lambda: None)
    return cluster.get(path)


@pytest.mark.parametrize(
    "annotations,spec,phase,state",
    [
        ({}, {}, "Running", "running"),
        ({f"{_READY}-after": "200ms"}, {}, "Running", "running"),
        ({_READY: "yes"}, {"restartPolicy": "Never"}, "Succeeded", "Completed"),
        ({_READY: "never"}, {}, "Pending", "ImagePullBackOff"),
        ({_READY: "never"}, {"restartPolicy": "OnFailure"}, "Pending", "ImagePullBackOff"),
        ({_READY: "fail"}, {}, "Running", "CrashLoopBackOff"),
        ({_READY: "fail"}, {"restartPolicy": "Never"}, "Failed", "Error"),
    ],
)
def test_pods_behave_as_their_annotations_say(
    cluster: ClusterUnderTest, annotations: dict[str, str], spec: dict[str, Any], phase: str, state: str
) -> None:
    pods = f"/api/v1/namespaces/{cluster.new_namespace()}/pods"
    created_once_there_is_an_account(cluster, pods, pod(annotations, **spec))
    found = eventually(cluster, f"{pods}/web", lambda one: "containerStatuses" in one["status"])["status"]
    ((kind, more),) = found["containerStatuses"][0]["state"].items()
    assert (found["phase"], more.get("reason", kind)) == (phase, state)
    ready = {condition["type"]: condition["status"] for condition in found["conditions"]}["Ready"]
    assert (ready == "True") == (state == "running")
    cluster.request("DELETE", f"{pods}/web")
    eventually(cluster, pods, lambda left: not left["items"])


def created_once_there_is_an_account(cluster: ClusterUnderTest, pods: str, body: dict[str, Any]) -> None:
    """A Pod needs the ServiceAccount that a controller makes in each namespace."""
    cluster.first(f"{pods.removesuffix('pods')}serviceaccounts?fieldSelector=metadata.name=default")
    cluster.request("POST", pods, body)


def test_a_deployment_whose_pods_crash_fails_once_its_deadline_has_passed(cluster: ClusterUnderTest) -> None:
    deployments = f"/apis/apps/v1/namespaces/{cluster.new_namespace()}/deployments"
    template = {**pod({_READY: "fail"}), "metadata": {"labels": {"app": "web"}, "annotations": {_READY: "fail"}}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, "progressDeadlineSeconds": 1}
    cluster.request("POST", deployments, {"metadata": {"name": "web"}, "spec": spec})
    eventually(cluster, f"{deployments}/web", lambda one: "ProgressDeadlineExceeded" in str(one["status"]))


def test_the_installer_may_do_nothing_where_it_has_not_been_let_in(cluster: ClusterUnderTest) -> None:
    installer = Client.of(cluster.kubeconfig)
    inside = cluster.new_namespace()
    assert installer.get(f"/api/v1/namespaces/{inside}/secrets")["items"] == []
    for path in ("/api/v1/namespaces/default/secrets", "/api/v1/nodes", f"/api/v1/namespaces/{inside}/endpoints"):
        with pytest.raises(ApiError, match=r"gatestream.*cannot (get|list)") as caught:
            installer.get(path)
        assert caught.value.code == 403


def test_whoever_has_no_key_is_not_answered(cluster: ClusterUnderTest) -> None:
    installer = Client.of(cluster.kubeconfig)
    with pytest.raises(ApiError) as caught:
        Client(installer.url, {"Authorization": "Bearer guessed"}, installer.tls).get("/api/v1/namespaces")
    assert caught.value.code == 401


def test_keys_and_kubeconfigs_are_their_owners_alone(plane: control_plane.Plane) -> None:
    secrets = [
        plane.kubeconfig,
        plane.admin_kubeconfig,
        *plane.directory.glob("keys/*.key"),
        *plane.directory.glob("keys/*.csv"),
    ]
    assert len(secrets) == 7
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_what_ends_is_started_anew_and_all_ends_with_its_supervisor(own_plane: control_plane.Plane) -> None:
    killed = own_plane.pid("kube-apiserver")
    os.kill(killed, signal.SIGKILL)
    until(lambda: own_plane.pid("kube-apiserver") != killed and answers(own_plane.admin), "an answer", lambda: None)
    family = handles([own_plane.pid(name) for name in PROGRAMS])
    os.kill(own_plane.supervisor, signal.SIGKILL)
    assert_that_all_end(family)


@pytest.mark.cluster
def test_it_ends_with_the_process_that_started_it_however_that_ends(tmp_path: Path) -> None:
    if reason := missing():
        go_without(reason)
    script = (
        "import pathlib, sys, time; from infra.local import control_plane;"
        "control_plane.start(pathlib.Path(sys.argv[1])); print('started', flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "plane")], cwd=_ROOT, stdout=subprocess.PIPE
    )
    with starter, ExitStack() as later:
        later.callback(starter.kill)
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        plane = control_plane.load(tmp_path / "plane")
        family = handles([plane.supervisor, *(plane.pid(name) for name in PROGRAMS)])
        starter.kill()
        assert_that_all_end(family)


def handles(pids: list[int]) -> list[int]:
    return [os.pidfd_open(pid) for pid in pids]


def assert_that_all_end(family: list[int]) -> None:
    for handle in family:
        with os.fdopen(handle):
            assert select.select([handle], [], [], 20.0)[0]
