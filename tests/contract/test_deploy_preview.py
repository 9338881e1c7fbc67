"""What a promotion would change, by the real Helm and kubectl on the embedded cluster."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from infra.local import cluster
from pipeline_state.deploy import Deployed, Install, Workspace, install
from pipeline_state.deploy.preview import Preview, preview
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Cluster, Release
from tests.registry_server import serving

KUBECTL = shutil.which("kubectl") or ""
COMMIT, NEXT = "1" * 40, "2" * 40

KEYS = """\
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData:
  password: {{ .Values.password | quote }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  url: db://ann:{{ .Values.password }}@db
  color: {{ .Values.color | default "red" | quote }}
{{- if .Values.color }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: colors}
{{- end }}
"""
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: before, annotations: {helm.sh/hook: pre-upgrade}}
data: {tag: {{ .Values.image.tag }}}
"""


@dataclass(frozen=True)
class Stall:
    """One namespace of the cluster, and a chart whose templates a test may change."""

    workspace: Workspace
    namespace: str

    def wanted(self, commit: str, **release: Any) -> Install:
        usual: dict[str, Any] = {"name": "web", "namespace": self.namespace, "chart": "charts/keys", "timeout": 30}
        usual["values"] = {"password": "hunter22"}
        return Install(Release(**usual | release), Cluster(), commit, f"promotion of {commit[:4]}")

    def install(self, commit: str = COMMIT, **release: Any) -> None:
        done = install(self.wanted(commit, **release), workspace=self.workspace, budget_seconds=60.0)
        assert isinstance(done, Deployed), done

    def preview(
        self, commit: str = NEXT, *, kubectl: str = KUBECTL, then: Mapping[str, Any] | None = None, **release: Any
    ) -> Preview:
        request = self.wanted(commit, **release)
        return preview(request, workspace=self.workspace, budget_seconds=60.0, then=then, kubectl=kubectl)

    def run(self, *command: str) -> str:
        target = [f"--kubeconfig={self.workspace.local_kubeconfig}", f"--namespace={self.namespace}"]
        return subprocess.run([*command, *target], check=True, capture_output=True, text=True).stdout

    def template(self, name: str, text: str) -> None:
        (self.workspace.charts_dir / "keys" / "templates" / name).write_text(text)


@pytest.fixture
def stall(embedded: cluster.Cluster, tmp_path: Path) -> Stall:
    chart = tmp_path / "charts" / "keys"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: keys\nversion: 0.1.0\n")
    workspace = Workspace(tmp_path / "work", tmp_path / "charts", local_kubeconfig=str(embedded.kubeconfig))
    made = Stall(workspace, f"stall-{uuid.uuid4().hex[:12]}")
    made.template("keys.yaml", KEYS)
    made.template("hook.yaml", HOOK)
    return made


def actions(seen: Preview) -> list[str]:
    return [f"{change.action} {change.title}" for change in (*seen.changes, *seen.hooks)]


def shown(seen: Preview) -> str:
    changes = [line for change in (*seen.changes, *seen.hooks) for line in [change.title, *change.lines]]
    return "\n".join([*changes, *seen.refusals, *seen.notes, repr(seen.changes)])


def test_a_release_that_is_not_there_is_all_new_and_nothing_is_made(stall: Stall) -> None:
    seen = stall.preview()
    assert (seen.live, seen.last, seen.chart) == (None, None, "keys-0.1.0")
    assert actions(seen) == ["created Secret/keys", "created ConfigMap/settings", "created ConfigMap/before"]
    assert seen.has_changes
    assert stall.run("helm", "list", "--output", "json").strip() == "[]"
    assert stall.run("kubectl", "get", "configmaps,secrets", "--output", "name") == ""


def test_after_the_promotion_there_is_nothing_left_to_change(stall: Stall) -> None:
    stall.install(NEXT)
    seen = stall.preview(NEXT)
    assert not seen.has_changes
    assert (seen.refusals, seen.notes) == ((), ())
    assert seen.live
    assert (seen.live.number, seen.live.chart) == (1, "keys-0.1.0")
    assert seen.live == seen.last


def test_what_differs_is_told_and_what_is_gone(stall: Stall) -> None:
    stall.install(values={"password": "hunter22", "color": "blue"})
    seen = stall.preview()
    assert actions(seen) == [
        "unchanged Secret/keys",
        "changed ConfigMap/settings",
        "removed ConfigMap/colors",
        "changed ConfigMap/before",
    ]
    assert [line for line in seen.changes[1].lines if line[0] in "+-"] == ["-  color: blue", "+  color: red"]
    assert [line for line in seen.hooks[0].lines if line[0] in "+-"] == [f"-  tag: {COMMIT}", f"+  tag: {NEXT}"]


def test_secrets_are_read_changed_and_never_shown(stall: Stall) -> None:
    values = {"password": {"from_secret": "db"}}
    told = iter(["hunter22", "hunter33"])
    rights = replace(stall, workspace=replace(stall.workspace, fetch_secret=lambda _: next(told)))
    stall.install(values={"password": next(told)})
    seen = rights.preview(values=values)
    assert actions(seen)[:2] == ["changed Secret/keys", "changed ConfigMap/settings"]
    assert "password: (8 bytes, changed)" in shown(seen)
    assert seen.changes[1].lines == ["(only in what is not shown)"]
    assert "hunter" not in shown(seen)


def test_who_may_not_read_a_secret_sees_the_rest_and_is_told(stall: Stall) -> None:
    stall.install()
    seen = stall.preview(COMMIT, values={"password": {"from_secret": "db"}, "color": "blue"})
    assert actions(seen)[:2] == ["unchanged Secret/keys", "changed ConfigMap/settings"]
    assert seen.notes[0].startswith("password is taken from the cluster, as it is there: ")
    assert "hunter22" not in shown(seen)


def test_what_was_a_secret_then_is_not_shown_although_it_is_a_plain_value_now(stall: Stall) -> None:
    stall.install()
    seen = stall.preview(values={"password": "nothing to hide"}, then={"password": {"from_secret": "db"}})
    assert "nothing to hide" in shown(seen)
    assert "hunter22" not in shown(seen)


def test_what_helm_says_no_with_has_no_secret_in_it(stall: Stall) -> None:
    stall.template("fails.yaml", '{{ fail (printf "no %s" .Values.password) }}')
    rights = replace(stall, workspace=replace(stall.workspace, fetch_secret=lambda _: "hunter22"))
    with pytest.raises(PermanentFault, match=r"no \*\*\*"):
        rights.preview(values={"password": {"from_secret": "db"}})


def test_the_api_server_is_asked_and_names_whose_field_it_is(stall: Stall) -> None:
    web: dict[str, Any] = {"chart": "charts/web", "values": {"replicaCount": 1}}
    charts = Path(cluster.__file__).parents[1] / "example" / "charts"
    shop = replace(stall, workspace=replace(stall.workspace, charts_dir=charts))
    shop.install(**web)
    shop.run("kubectl", "scale", "deployment", "web", "--replicas=5")
    (refusal,) = shop.preview(**web).refusals
    assert refusal.startswith('Deployment/web: Apply failed with 1 conflict: conflict with "kubectl"')
    assert refusal.endswith(".spec.replicas")
    assert shop.preview(**web, kubectl="").refusals == ()
    assert "kubectl is not on PATH" in shop.preview(**web, kubectl="").notes[0]
    forced = replace(shop.wanted(NEXT, **web), force_conflicts=True)
    assert preview(forced, workspace=shop.workspace, budget_seconds=60.0, kubectl=KUBECTL).refusals == ()


def test_a_failed_revision_is_told_beside_the_one_that_helm_goes_on_from(stall: Stall) -> None:
    stall.install()
    stall.template("bad.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: nowhere-at-all}\n")
    target = [f"--kubeconfig={stall.workspace.local_kubeconfig}", f"--namespace={stall.namespace}"]
    chart = str(stall.workspace.charts_dir / "keys")
    bad = ["helm", "upgrade", "web", chart, *target, "--set", "password=hunter22,image.tag=x"]
    assert subprocess.run(bad, check=False, capture_output=True).returncode != 0
    stall.template("bad.yaml", "")
    seen = stall.preview(COMMIT)
    assert seen.live
    assert seen.last
    assert (seen.live.number, seen.last.number, seen.last.status) == (1, 2, "failed")
    assert not seen.has_changes


@pytest.mark.parametrize("trouble, refusals, notes", [(404, 1, 0), (403, 0, 1), (503, 0, 1)])
def test_an_image_that_is_not_there_is_a_refusal_and_a_registry_that_does_not_tell_is_none(
    stall: Stall, trouble: int, refusals: int, notes: int
) -> None:
    stall.install()
    with serving() as registry:
        registry.troubles[f"/v2/team/web/manifests/{NEXT}"] = trouble
        seen = stall.preview(image=f"{registry.host}/team/web")
    assert (len(seen.refusals), len(seen.notes)) == (refusals, notes)
    assert NEXT in (*seen.refusals, *seen.notes)[0]


def test_names_that_would_be_flags_are_refused(stall: Stall) -> None:
    with pytest.raises(PermanentFault, match="release name"):
        stall.preview(name="--post-renderer=x")


def test_a_cluster_out_of_reach_is_told_as_such(stall: Stall, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    text = Path(stall.workspace.local_kubeconfig).read_text()
    lost.write_text(
        text.replace(text[text.index("http://") : text.index('"', text.index("http://"))], "http://127.0.0.1:1")
    )
    elsewhere = replace(stall, workspace=replace(stall.workspace, local_kubeconfig=str(lost)))
    with pytest.raises(TemporaryFault, match="connection refused"):
        elsewhere.preview()
