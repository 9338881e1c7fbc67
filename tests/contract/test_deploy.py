"""Deployments with the real Helm against the embedded cluster: every verdict, and nothing left behind after any."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_state import tracing
from pipeline_state.deploy import Applied, Deployed, Failed, Install, Workspace, digests, install, process
from pipeline_state.deploy.values import fingerprint
from pipeline_state.faults import TemporaryFault
from pipeline_state.model.pipelines import Cluster, Release
from tests.contract.clusters import ClusterUnderTest
from tests.span_file import FileSink

CHARTS = Path(__file__).parents[2] / "infra/local/example/charts"
READY = "cluster.gatestream.dev/ready"
NEVER = {"annotations": {READY: "never"}}
FAILS = {"annotations": {READY: "fail"}, "progressDeadlineSeconds": 1}
BUDGET = 600.0
COMMITS = [digit * 40 for digit in "123456789"]


@dataclass(frozen=True)
class Shop:
    """One namespace of the cluster, a workspace, and a record of every Helm process started for it."""

    workspace: Workspace
    cluster: ClusterUnderTest
    namespace: str
    log: Path

    def install(
        self,
        promotion: str = "p1",
        *,
        commit: str = COMMITS[0],
        budget: float = BUDGET,
        cluster: Cluster = Cluster(),  # noqa: B008 - frozen
        **release: Any,
    ) -> Deployed | Applied | Failed:
        usual: dict[str, Any] = {"name": "web", "namespace": self.namespace, "chart": "charts/web", "timeout": 30}
        wanted = Release(**usual | release)
        return install(Install(wanted, cluster, commit, promotion), workspace=self.workspace, budget_seconds=budget)

    def helm_runs(self) -> list[list[str]]:
        """The arguments of every Helm process, in order."""
        runs = self.log.read_bytes().split(b"\0\0")[:-1] if self.log.exists() else []
        return [run.decode().split("\0") for run in runs]

    def verbs(self) -> list[str]:
        return [run[0] for run in self.helm_runs()]

    def statuses(self, release: str = "web") -> list[str]:
        """What Helm keeps about each revision, oldest first."""
        query = f"labelSelector=owner=helm,name={release}"
        found = self.get(f"/api/v1/namespaces/{self.namespace}/secrets?{query}")["items"]
        labels = [item["metadata"]["labels"] for item in found]
        return [label["status"] for label in sorted(labels, key=lambda label: int(label["version"]))]

    def image(self, release: str = "web") -> str:
        found = self.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{release}")
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def deployments(self) -> list[str]:
        found = self.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")["items"]
        return [item["metadata"]["name"] for item in found]

    def get(self, path: str) -> Any:
        return self.cluster.get(path)

    def run(self, *command: str) -> str:
        """What the real helm or kubectl says about the namespace."""
        target = ["--kubeconfig", str(self.cluster.kubeconfig), "--namespace", self.namespace]
        return subprocess.run([*command, *target], check=True, capture_output=True, text=True).stdout

    def with_helm(self, script: str) -> Shop:
        """Helm, but through a script; "$@" are its arguments, $HELM is the real one."""
        return replace(self, workspace=replace(self.workspace, helm=str(wrapper(self.log, script))))


def wrapper(log: Path, script: str) -> Path:
    path = log.with_name(f"helm-{uuid.uuid4()}")
    record = f"printf '%s\\0' \"$@\" '' >> '{log}'"  # at once, since Helms may run side by side
    path.write_text(f"#!/bin/sh\nHELM='{shutil.which('helm')}'\n{record}\n{script}\n")
    path.chmod(0o755)
    return path


def time_is_up(monkeypatch: pytest.MonkeyPatch, when: Callable[[], bool], *, grace: float) -> None:
    """The time of the first Helm during which that holds is up just then, and it has `grace` seconds to stop."""
    finished = process._finished  # noqa: SLF001 - whatever a busy machine makes of so many seconds
    stopped: list[asyncio.Future[Any]] = []

    async def finished_by_then(task: asyncio.Future[Any], seconds: float) -> bool:
        if stopped:
            return await finished(task, grace if task in stopped else seconds)
        while not (task.done() or when()):
            await asyncio.wait({task}, timeout=0.02)
        if not task.done():
            stopped.append(task)
        return task.done()

    monkeypatch.setattr(process, "_finished", finished_by_then)


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    log = tmp_path / "helm.log"
    workspace = Workspace(
        directory=tmp_path / "work",
        charts_dir=CHARTS,
        local_kubeconfig=str(a_cluster.kubeconfig),
        helm=str(wrapper(log, 'exec "$HELM" "$@"')),
    )
    return Shop(workspace, a_cluster, a_cluster.new_namespace(), log)


def reason(verdict: Deployed | Applied | Failed) -> str:
    assert isinstance(verdict, Failed), verdict
    assert 0 < len(verdict.reason.encode()) <= 1024
    return verdict.reason


def deployed(verdict: Deployed | Applied | Failed) -> tuple[str, int, str]:
    assert isinstance(verdict, Deployed), verdict
    assert (verdict.helm_seconds > 0) is (verdict.action != "unchanged")
    return verdict.action, verdict.revision, verdict.chart


def test_a_first_install_is_ready_and_carries_the_commit(shop: Shop) -> None:
    assert deployed(shop.install()) == ("deployed", 1, "web-0.1.0")
    assert shop.image() == f"registry.example.com/web:{COMMITS[0]}"
    assert shop.verbs() == ["upgrade"]


def test_the_next_promotion_is_an_upgrade(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    assert deployed(shop.install("p2", commit=COMMITS[1])) == ("upgraded", 2, "web-0.1.0")
    assert shop.image() == f"registry.example.com/web:{COMMITS[1]}"
    assert shop.statuses() == ["superseded", "deployed"]


def test_a_promotion_delivered_twice_is_installed_once(shop: Shop) -> None:
    shop.install("p1")
    assert deployed(shop.install("p1")) == ("unchanged", 1, "web-0.1.0")
    assert shop.verbs() == ["upgrade"]


def test_a_late_second_delivery_does_not_undo_a_newer_promotion(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    shop.install("p2", commit=COMMITS[1])
    assert deployed(shop.install("p1", commit=COMMITS[0])) == ("unchanged", 1, "web-0.1.0")
    assert shop.image() == f"registry.example.com/web:{COMMITS[1]}"


def test_an_upgrade_that_never_gets_ready_is_rolled_back_and_names_the_resource(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    said = reason(shop.install("p2", commit=COMMITS[1], values=NEVER, timeout=10))  # as long as the rollback may take
    assert "has been rolled back" in said
    assert f"Deployment/{shop.namespace}/web not ready" in said
    assert shop.image() == f"registry.example.com/web:{COMMITS[0]}"
    assert shop.statuses() == ["superseded", "failed", "deployed"]
    assert deployed(shop.install("p3", commit=COMMITS[2])) == ("upgraded", 4, "web-0.1.0")


def test_a_first_install_that_fails_leaves_nothing_behind(shop: Shop) -> None:
    said = reason(shop.install(values=FAILS))
    assert f"Deployment/{shop.namespace}/web not ready. status: Failed" in said
    assert (shop.deployments(), shop.statuses()) == ([], [])
    assert deployed(shop.install("p2")) == ("deployed", 1, "web-0.1.0")


@pytest.mark.parametrize(
    "release,said",
    [
        ({"chart": "charts/none"}, 'charts/none" not found'),
        ({"chart": "../../etc"}, "'../../etc' is not below the bundled charts"),
        ({"values": {"image": "nginx"}}, "the value 'image' is str, not a map"),
        ({"values": {"annotations": ["no map"]}}, "YAML parse error|unable to decode|json: cannot unmarshal"),
        ({"values": {"replicaCount": -1}}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"name": "--kube-context=x"}, "release name '--kube-context=x'"),
        ({"name": "Web"}, "release name 'Web'"),
        ({"name": "a" * 54}, "up to 53 lower-case letters"),
        ({"namespace": "-x; id"}, "namespace '-x; id'"),
    ],
)
def test_what_cannot_be_installed_has_failed_and_says_why(shop: Shop, release: dict[str, Any], said: str) -> None:
    pattern = pytest.raises(AssertionError, match=said)
    with pattern:
        raise AssertionError(reason(shop.install(**release)))
    assert (shop.deployments(), shop.statuses()) == ([], [])


def test_a_context_that_does_not_exist_has_failed_in_helms_words(shop: Shop) -> None:
    said = reason(shop.install(cluster=Cluster(context="no'where $(id)")))
    assert said == """kubernetes cluster unreachable: context "no'where $(id)" does not exist"""


def test_a_kubeconfig_that_does_not_exist_has_failed_in_helms_words(shop: Shop) -> None:
    lost = replace(shop, workspace=replace(shop.workspace, local_kubeconfig="/nowhere/kubeconfig"))
    assert "stat /nowhere/kubeconfig: no such file or directory" in reason(lost.install())


def kubeconfig(server: str, token: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "a", "cluster": {"server": server}}],
            "users": [{"name": "a", "user": {"token": token}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        }
    )


def test_an_api_out_of_reach_is_tried_again(shop: Shop) -> None:
    dead = replace(shop.workspace, fetch_secret=lambda _: kubeconfig("https://127.0.0.1:1", "hush"))
    with pytest.raises(TemporaryFault, match="connection refused") as caught:
        replace(shop, workspace=dead).install(cluster=Cluster(kubeconfig_secret="prod"))
    assert caught.value.delay_seconds == 30.0
    assert shop.verbs() == ["history"]


def test_a_registry_out_of_reach_is_tried_again_before_helm_is_started(shop: Shop) -> None:
    with pytest.raises(TemporaryFault, match="Connection refused"):
        shop.install(chart="oci://127.0.0.1:1/charts/web", version="1.2.3")
    assert shop.helm_runs() == []


def test_helm_gets_these_flags_and_no_others(shop: Shop) -> None:
    shop.install("p1", timeout=20, version="ignored for a bundled chart", values={"password": "hush"})
    (upgrade,) = shop.helm_runs()
    sent = {"password": "hush", "image": {"tag": COMMITS[0]}}
    target = f"--kubeconfig={shop.cluster.kubeconfig}"
    assert upgrade == [
        "upgrade",
        "web",
        str(CHARTS / "web"),
        *words("--history-max 10 --output json --timeout 20s --values -"),
        "--create-namespace",
        "--description",
        f"gatestream p1 {digests.of_chart(str(CHARTS / 'web'))} values:{fingerprint(sent)}",
        "--namespace",
        shop.namespace,
        *words("--disable-openapi-validation --install --wait --wait-for-jobs --rollback-on-failure --debug"),
        target,
    ]


def test_a_release_that_is_there_is_upgraded_and_one_that_was_uninstalled_is_installed(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    shop.install("p2", commit=COMMITS[1])
    shop.run("helm", "uninstall", "web", "--keep-history")
    assert isinstance(shop.install("p3", commit=COMMITS[2]), Deployed)
    assert ["--install" in run for run in shop.helm_runs()] == [True, False, True]


def words(text: str) -> list[str]:
    return text.split()


def test_secrets_are_on_no_command_line_and_in_no_sentence(shop: Shop) -> None:
    token, password = shop.cluster.token, f"password-{uuid.uuid4()}"
    secret = replace(shop.workspace, fetch_secret=lambda _: shop.cluster.kubeconfig.read_text())
    quiet = replace(shop, workspace=secret)
    prod = Cluster(kubeconfig_secret="prod")
    assert deployed(quiet.install(cluster=prod, values={"password": password}))[0] == "deployed"
    said = reason(quiet.with_helm(f"echo 'Error: {token} is no good' >&2; exit 1").install("p2", cluster=prod))
    assert said == "*** is no good"
    recorded = shop.log.read_text()
    assert token not in recorded
    assert password not in recorded
    assert not list(secret.directory.glob("kubeconfig*"))


@pytest.mark.parametrize(
    "text",
    [
        'it\'s "quoted"',
        "$(touch /tmp/x) `id` ; rm -rf / & | > <",
        "a=b,c.d={e},--set f=g\\,h",
        "🚀 \N{LATIN SMALL LETTER E WITH ACUTE} \u2028 \ufeff \x7f \x85",
        "line one\nline two\ttab \\ \\u0041 %s %d",
        "{{ .Values.image.tag }} #{x} ${y} *anchor &ref !tag | - ? : @",
        "../../etc/passwd",
        "",
        "null",
        "0123e45",
    ],
)
def test_awkward_text_is_carried_as_data(shop: Shop, text: str) -> None:
    assert deployed(shop.install(f"p {text}", values={"text": text, text: 1}))[0] == "deployed"
    values = json.loads(shop.run("helm", "get", "values", "web", "--output", "json"))
    assert values == {"text": text, text: 1, "image": {"tag": COMMITS[0]}}
    assert deployed(shop.install(f"p {text}"))[0] == "unchanged"


def test_helm_inherits_nothing_of_our_environment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hush")
    monkeypatch.setenv("HELM_KUBECONTEXT", "nowhere")
    seen = shop.log.with_name("environment")
    shop = shop.with_helm(f'env > "{seen}"; exec "$HELM" "$@"')
    assert deployed(shop.install())
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()} - {"PWD", "_", "SHLVL", "OLDPWD"}
    assert names == {"PATH", "HOME", "KUBECACHEDIR", "GOGC", "GOMEMLIMIT"} | {
        f"HELM_{kind}_HOME" for kind in ("CACHE", "CONFIG", "DATA")
    }


def test_nothing_is_written_outside_the_workspace(shop: Shop) -> None:
    before = sorted(shop.log.parent.iterdir())
    shop.install()
    assert sorted(shop.log.parent.iterdir()) == sorted([*before, shop.log, shop.workspace.directory])


def test_when_the_budget_ends_helm_is_asked_to_stop_and_rolls_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.install("p1", commit=COMMITS[0])
    time_is_up(monkeypatch, lambda: shop.image().endswith(COMMITS[1]), grace=60)
    said = reason(shop.install("p2", commit=COMMITS[1], values=NEVER))
    assert "Helm was stopped when its time was up" in said
    assert shop.statuses() == ["superseded", "failed", "deployed"]
    assert shop.image() == f"registry.example.com/web:{COMMITS[0]}"


def test_a_helm_that_does_not_stop_is_killed_with_its_children_and_the_next_install_heals(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = shop.log.with_name("pids")
    deaf = shop.with_helm(
        f"""[ $1 = upgrade ] || exec "$HELM" "$@"
        trap '' TERM; sleep 600 & echo $$ $! > "{pids}"; "$HELM" "$@"; wait"""
    )
    time_is_up(monkeypatch, lambda: shop.statuses() == ["pending-install"], grace=1)
    said = reason(deaf.install("p1", values=NEVER))
    assert "Helm was stopped" in said
    assert [pid for pid in pids.read_text().split() if running(int(pid))] == []
    assert deployed(shop.install("p2"))


def running(pid: int) -> bool:
    """Whether the process is still there a moment after it was killed."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    with os.fdopen(handle):
        return not select.select([handle], [], [], 60.0)[0]


@pytest.mark.parametrize("before", [[], ["p1"], ["p1", "bad"], ["bad"]])
def test_a_release_left_pending_by_a_killed_helm_is_freed_by_the_next_install(shop: Shop, before: list[str]) -> None:
    for promotion in before:
        shop.install(promotion, values=FAILS if promotion == "bad" else {})
    pid = shop.log.with_name("pid")
    mortal = shop.with_helm(f"""[ $1 != upgrade ] || echo $$ > "{pid}"; exec "$HELM" "$@" """)
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(mortal.install, "p2", values=NEVER, commit=COMMITS[1])
        status = "pending-upgrade" if "p1" in before else "pending-install"
        shop.cluster.first(f"/api/v1/namespaces/{shop.namespace}/secrets?labelSelector=status={status}")
        os.kill(int(pid.read_text()), signal.SIGKILL)
        with pytest.raises(TemporaryFault, match="signal 9"):
            killed.result()
    assert shop.statuses()[-1] == status
    assert deployed(shop.install("p3", commit=COMMITS[2]))[0] == ("upgraded" if "p1" in before else "deployed")
    assert shop.verbs()[-3:] == ["upgrade", "rollback" if "p1" in before else "uninstall", "upgrade"]
    assert shop.image() == f"registry.example.com/web:{COMMITS[2]}"
    assert shop.statuses()[-1] == "deployed"


def test_helm_3_is_asked_in_its_own_words(shop: Shop) -> None:
    old = shop.with_helm(
        'case "$*" in *--rollback-on-failure*) echo "Error: unknown flag: --rollback-on-failure" >&2; exit 1; esac\n'
        'exec "$HELM" "$@"'
    )
    assert deployed(old.install())[0] == "deployed"
    assert ["--atomic" in run for run in shop.helm_runs()] == [False, True]


def test_pyhelm3_is_what_runs_helm(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking pyhelm3's methods away takes Helm away: no process starts beside them."""
    import pyhelm3  # noqa: PLC0415

    def gone(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(pyhelm3.Command, "install_or_upgrade", gone)
    with pytest.raises(NotImplementedError):
        shop.install()
    assert shop.helm_runs() == []


def test_a_release_has_at_most_ten_revisions(shop: Shop) -> None:
    for number in range(12):
        shop.install(f"p{number}", commit=f"{number:040d}")
    assert len(shop.statuses()) == 10


def test_what_runs_already_is_not_installed_again(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    assert deployed(shop.install("p2", commit=COMMITS[0])) == ("unchanged", 1, "web-0.1.0")
    assert deployed(shop.install("p3", commit=COMMITS[0], values={"replicaCount": 3})) == ("upgraded", 2, "web-0.1.0")
    assert shop.statuses() == ["superseded", "deployed"]


def test_what_helm_has_gone_back_to_runs_already(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    reason(shop.install("p2", commit=COMMITS[1], values=FAILS))
    assert deployed(shop.install("p3", commit=COMMITS[0])) == ("unchanged", 3, "web-0.1.0")


def test_kubectl_sees_what_was_installed(shop: Shop) -> None:
    shop.install()
    assert COMMITS[0] in shop.run("kubectl", "get", "deployments", "--output", "wide")


@pytest.fixture
def trace_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "spans.jsonl"
    tracing.configure("helm-installer", FileSink(path))
    yield path
    tracing.shutdown()


def test_every_step_is_a_span_with_flags_and_exit_code_but_without_values(shop: Shop, trace_file: Path) -> None:
    password = f"password-{uuid.uuid4()}"
    parent = tracing.trace_of("myOrg/myApp", COMMITS[0])
    with tracing.message_span("install", parent=parent):
        shop.install("p1", values={"password": password, **FAILS})
    tracing.flush()
    spans = {span["name"]: span for span in (json.loads(line)["data"] for line in trace_file.read_text().splitlines())}
    ids = {span["trace.span_id"]: name for name, span in spans.items()}
    tree = {(ids.get(span["trace.parent_id"]), name) for name, span in spans.items()}
    assert tree == {
        (None, "install"),
        ("install", "chart"),
        ("install", "release look-up"),
        ("install", "helm upgrade"),
        ("helm upgrade", "wait until ready"),
    }
    assert (spans["release look-up"]["revisions"], spans["helm upgrade"]["helm.exit_code"]) == (0, 1)
    assert spans["helm upgrade"]["helm.flags"].startswith("web /")
    assert 0 < spans["wait until ready"]["duration_ms"] < spans["helm upgrade"]["duration_ms"]
    assert password not in trace_file.read_text()
