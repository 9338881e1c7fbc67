"""The embedded cluster against the real Helm and kubectl: what the demo and the end-to-end tests lean on."""

import itertools
import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from infra.local import cluster
from tests.contract.test_deploy import running

_ROOT = Path(__file__).parents[2]
_WEB = _ROOT / "infra/local/example/charts/web"
_HOOKED = _ROOT / "tests/charts/hooked"
_READY = r"annotations.cluster\.gatestream\.dev/ready"
_READY_AFTER = r"annotations.cluster\.gatestream\.dev/ready-after"


@dataclass(frozen=True)
class Tools:
    """Helm and kubectl, pointed at one namespace of the cluster."""

    namespace: str
    env: dict[str, str]

    def run(self, *command: str | Path, stdin: str = "", ok: bool = True) -> str:
        done = subprocess.run(
            [*map(str, command), "--namespace", self.namespace],
            check=False,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
        )
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    def install(self, release: str, *options: str, ok: bool = True) -> str:
        wait = ("--wait", "--timeout", "20s", "--create-namespace")
        return self.run("helm", "upgrade", "--install", release, _WEB, *wait, *options, ok=ok)

    def read(self, *command: str) -> Any:
        return json.loads(self.run(*command, "--output", "json"))

    def image(self, deployment: str) -> str:
        found = self.read("kubectl", "get", "deployment", deployment)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def statuses(self, release: str) -> list[str]:
        return [revision["status"] for revision in self.read("helm", "history", release)]


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("cluster") / "kubeconfig"
    with cluster.start(path, ready_after=0.05):
        yield path


@pytest.fixture
def tools(kubeconfig: Path) -> Tools:
    home = str(kubeconfig.parent)
    env = {"PATH": os.environ["PATH"], "HOME": home, "KUBECACHEDIR": home, "KUBECONFIG": str(kubeconfig)}
    return Tools(f"test-{uuid.uuid4()}", env)


def test_an_install_waits_until_the_pods_are_ready_and_carries_the_image_tag(tools: Tools) -> None:
    tools.install("web", "--set", "image.tag=4f2a", "--set", "replicaCount=3", "--set", f"{_READY_AFTER}=0.3s")
    status = tools.read("kubectl", "get", "deployment", "web")["status"]
    assert (status["readyReplicas"], status["observedGeneration"]) == (3, 1)
    assert tools.image("web") == "registry.example.com/web:4f2a"
    assert "registry.example.com/web:4f2a" in tools.run("kubectl", "get", "deployments", "-o", "wide")
    assert [pod["status"]["phase"] for pod in tools.read("kubectl", "get", "pods")["items"]] == ["Running"] * 3


def test_without_wait_helm_returns_before_the_pods_are_ready(tools: Tools) -> None:
    tools.run("helm", "install", "web", _WEB, "--create-namespace", "--set", f"{_READY_AFTER}=10m")
    status = tools.read("kubectl", "get", "deployment", "web")["status"]
    assert ("readyReplicas" in status, status["unavailableReplicas"]) == (False, 2)


def test_an_upgrade_replaces_the_pods_and_keeps_the_history(tools: Tools) -> None:
    for tag in ("one", "two", "three"):
        tools.install("web", "--set", f"image.tag={tag}")
    pods = tools.read("kubectl", "get", "pods")["items"]
    assert [pod["spec"]["containers"][0]["image"] for pod in pods] == ["registry.example.com/web:three"] * 2
    assert tools.statuses("web") == ["superseded", "superseded", "deployed"]


def test_a_release_that_never_gets_ready_times_out_and_goes_back(tools: Tools) -> None:
    tools.install("web", "--set", "image.tag=good")
    never = ("--set", "image.tag=bad", "--set", f"{_READY}=never", "--timeout", "10s", "--rollback-on-failure")
    assert "has been rolled back" in tools.install("web", *never, ok=False)
    assert tools.image("web") == "registry.example.com/web:good"
    assert tools.statuses("web") == ["superseded", "failed", "deployed"]
    tools.install("web", "--set", "image.tag=better")
    assert tools.image("web") == "registry.example.com/web:better"


def test_a_failing_deployment_is_named_in_helms_error(tools: Tools) -> None:
    tools.install("web")
    said = tools.install("web", "--set", f"{_READY}=fail", ok=False)
    assert f"Deployment/{tools.namespace}/web not ready. status: Failed" in said
    assert "CrashLoopBackOff" in tools.run("kubectl", "get", "pods")
    tools.install("web")
    assert "CrashLoopBackOff" not in tools.run("kubectl", "get", "pods")


def test_pods_that_are_not_ready_by_the_progress_deadline_fail_the_deployment(tools: Tools) -> None:
    tools.run("kubectl", "create", "namespace", tools.namespace)
    spec = {**_deployment()["spec"], "progressDeadlineSeconds": 1}
    metadata = {"name": "slow", "annotations": {"cluster.gatestream.dev/ready": "never"}}
    tools.run("kubectl", "apply", "-f", "-", stdin=json.dumps({**_deployment(), "metadata": metadata, "spec": spec}))
    assert "exceeded its progress deadline" in tools.run("kubectl", "rollout", "status", "deployment/slow", ok=False)


def test_a_rollback_brings_the_image_back_as_a_new_revision(tools: Tools) -> None:
    for tag in ("one", "two"):
        tools.install("web", "--set", f"image.tag={tag}")
    tools.run("helm", "rollback", "web", "1", "--wait")
    assert tools.image("web") == "registry.example.com/web:one"
    assert [entry["description"] for entry in tools.read("helm", "history", "web")][-1] == "Rollback to 1"


def test_an_uninstall_leaves_nothing_behind(tools: Tools) -> None:
    tools.install("web")
    tools.run("helm", "uninstall", "web", "--wait")
    assert tools.read("kubectl", "get", "all,secrets")["items"] == []


def test_equal_names_in_two_namespaces_are_two_releases(tools: Tools) -> None:
    other = Tools(f"{tools.namespace}-b", tools.env)
    tools.install("web", "--set", "image.tag=a")
    other.install("web", "--set", "image.tag=b")
    listed = {(entry["namespace"], entry["name"]) for entry in tools.read("helm", "list", "--all-namespaces")}
    assert {(tools.namespace, "web"), (other.namespace, "web")} <= listed
    assert (tools.image("web")[-1], other.image("web")[-1]) == ("a", "b")


def test_a_namespace_must_exist_or_be_asked_for(tools: Tools) -> None:
    assert f'namespaces "{tools.namespace}" not found' in tools.run("helm", "install", "web", _WEB, ok=False)
    tools.run("kubectl", "create", "namespace", tools.namespace)
    tools.run("helm", "install", "web", _WEB, "--wait")
    tools.run("kubectl", "delete", "namespace", tools.namespace)
    assert tools.read("helm", "list") == []


def test_scaling_by_hand_conflicts_with_the_next_upgrade_unless_forced(tools: Tools) -> None:
    tools.install("web")
    tools.run("kubectl", "scale", "deployment", "web", "--replicas", "3")
    tools.run("kubectl", "rollout", "status", "deployment/web")
    said = tools.install("web", "--set", "image.tag=next", ok=False)
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in said
    tools.install("web", "--set", "image.tag=next", "--force-conflicts")
    assert tools.read("kubectl", "get", "deployment", "web")["spec"]["replicas"] == 2


def test_a_watch_shows_each_step_of_a_rollout_as_it_happens(tools: Tools) -> None:
    tools.install("web", "--set", "replicaCount=1")
    command = ["kubectl", "get", "deployments", "--watch", "--namespace", tools.namespace]
    with subprocess.Popen(command, env=tools.env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        ready = (line.split()[1] for line in iter(watching.stdout.readline, ""))
        assert (next(ready), next(ready)) == ("READY", "1/1")
        tools.install("web", "--set", "replicaCount=2")
        assert list(itertools.takewhile(lambda shown: shown != "2/2", ready))[-1] == "1/2"
        watching.terminate()


def test_different_releases_install_at_once(tools: Tools) -> None:
    tools.run("kubectl", "create", "namespace", tools.namespace)
    names = [f"web-{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tools.install, names))
    assert [(entry["name"], entry["status"]) for entry in tools.read("helm", "list")] == [
        (n, "deployed") for n in names
    ]


def test_two_operations_on_one_release_exclude_each_other_until_the_first_is_told_to_stop(tools: Tools) -> None:
    tools.run("kubectl", "create", "namespace", tools.namespace)
    command = ["helm", "install", "web", str(_WEB), "--wait", "--set", f"{_READY_AFTER}=10m", "-n", tools.namespace]
    with subprocess.Popen(command, env=tools.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        tools.run("kubectl", "wait", "--for=create", "deployment/web", "--timeout=20s")
        assert "another operation (install/upgrade/rollback) is in progress" in tools.install("web", ok=False)
        first.terminate()
    assert tools.statuses("web") == ["failed"]
    tools.install("web", "--set", "image.tag=next")


def test_hooks_and_chart_tests_run_to_their_end(tools: Tools) -> None:
    tools.run("helm", "upgrade", "--install", "app", _HOOKED, "--create-namespace", "--wait")
    tools.run("helm", "upgrade", "--install", "app", _HOOKED, "--wait")
    assert "Phase:          Succeeded" in tools.run("helm", "test", "app")
    failing = tools.run("helm", "upgrade", "app", _HOOKED, "--set", "migration=fail", ok=False)
    assert "pre-upgrade hooks failed" in failing


def test_kubectl_applies_on_either_side_and_a_field_no_longer_wanted_goes(tools: Tools) -> None:
    tools.run("kubectl", "create", "namespace", tools.namespace)
    for side in ("--server-side=true", "--server-side=false"):
        name = side.partition("=")[2]
        for env in ([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], [{"name": "B", "value": "3"}]):
            tools.run("kubectl", "apply", side, "-f", "-", stdin=json.dumps(_deployment(name, env)))
        found = tools.read("kubectl", "get", "deployment", name)
        assert found["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "B", "value": "3"}]


def test_a_deleted_pod_is_replaced(tools: Tools) -> None:
    tools.install("web", "--set", "replicaCount=1")
    before = tools.read("kubectl", "get", "pods")["items"][0]["metadata"]["name"]
    tools.run("kubectl", "delete", "pod", before)
    tools.run("kubectl", "rollout", "status", "deployment/web")
    assert [pod["metadata"]["name"] for pod in tools.read("kubectl", "get", "pods")["items"]] != [before]


@pytest.mark.parametrize(
    "change,said",
    [
        ({"spec": {}}, "spec.selector: Required value"),
        (
            {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"spec": {}}, "replicas": "many"}},
            "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"metadata": {"name": "x", "annotations": {"cluster.gatestream.dev/ready": "maybe"}}},
            "none of yes, never, fail",
        ),
        ({"metadata": {"name": "x", "annotations": {"cluster.gatestream.dev/ready-after": "soon"}}}, "is no delay"),
    ],
    ids=["no spec", "odd replicas", "unknown behaviour", "unknown delay"],
)
def test_an_object_that_cannot_work_is_refused_by_name(tools: Tools, change: dict[str, Any], said: str) -> None:
    tools.run("kubectl", "create", "namespace", tools.namespace)
    assert said in tools.run("kubectl", "apply", "-f", "-", stdin=json.dumps(_deployment() | change), ok=False)


def test_a_kind_that_is_not_served_is_named(tools: Tools) -> None:
    thing = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "x"}}
    apply = ("kubectl", "apply", "--validate=false", "-f", "-")
    assert 'no matches for kind "StatefulSet"' in tools.run(*apply, stdin=json.dumps(thing), ok=False)


def test_the_kubeconfig_is_its_owners_alone_and_the_cluster_stops_quietly_with_a_watch_open(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kubeconfig"
    with cluster.start(path) as running:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        watching = HTTPConnection(running.url.removeprefix("http://"), timeout=20)
        watching.request("GET", "/api/v1/namespaces?watch=true")
        assert json.loads(watching.getresponse().readline())["object"]["metadata"]["name"] == "default"
    watching.close()
    assert running.process.poll() == 0
    assert capfd.readouterr().err == ""


def test_the_cluster_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from infra.local import cluster; "
        "print(cluster.start(Path(sys.argv[1])).process.pid)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "kubeconfig")]
    # the cluster inherits its parent's standard error, so that this returns when both are gone
    done = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert not running(int(done.stdout))


def _deployment(name: str = "x", env: list[dict[str, str]] | None = None) -> dict[str, Any]:
    container = {"name": "web", "image": "registry.example.com/web:1", "env": env or []}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
