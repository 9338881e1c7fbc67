"""Secrets among the values with the real Helm: the release has them, and nothing else does."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local import cluster
from pipeline_state import tracing
from pipeline_state.deploy import Deployed, Failed, Install, Workspace, install
from pipeline_state.model.pipelines import Cluster, Release
from tests.span_file import FileSink

CHARTS = Path(__file__).parents[2] / "infra/local/example/charts"
READY = "cluster.gatestream.dev/ready"
TOKEN, PASSWORD = f"token-{uuid.uuid4()}", f"password-{uuid.uuid4()}"
KEY = f"-----BEGIN KEY-----\n{uuid.uuid4()}\n-----END KEY-----\n"
SECRETS = {"token": TOKEN, "db": json.dumps({"password": PASSWORD, "other": f"other-{uuid.uuid4()}"}), "key": KEY}
VALUES = {
    "token": {"from_secret": "token"},
    "db": [{"password": {"from_secret": "db", "key": "password"}}],
    "key": {"from_parameter": "key"},
}
HELM = """#!/bin/sh
printf '%s\\n' "$@" >> "{log}"
env >> "{log}"
exec "{helm}" "$@"
"""


@dataclass(frozen=True)
class Shop:
    """A namespace of a cluster, and a workspace whose Helm notes its arguments and environment, beside our spans."""

    workspace: Workspace
    cluster: cluster.Cluster
    namespace: str
    log: Path

    def install(self, values: Mapping[str, Any], promotion: str = "p1") -> Deployed | Failed:
        release = Release("web", self.namespace, "charts/web", values=values, timeout=30)
        request = Install(release, Cluster(), "1" * 40, promotion)
        with tracing.message_span("install", parent=tracing.trace_of("myOrg/myApp", "1" * 40)):
            verdict = install(request, workspace=self.workspace, budget_seconds=90)
        tracing.flush()
        assert isinstance(verdict, Deployed | Failed), verdict
        return verdict

    def left_behind(self) -> str:
        """All that is written anywhere below the workspace, by Helm's watch, and as spans."""
        files = [path for path in self.log.parent.rglob("*") if path.is_file() and "kubeconfig" not in path.name]
        return "\n".join(path.read_text(errors="replace") for path in files)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Cluster]:
    with cluster.start(tmp_path_factory.mktemp("cluster") / "kubeconfig", ready_after=0.05) as started:
        yield started


@pytest.fixture
def shop(embedded: cluster.Cluster, tmp_path: Path) -> Iterator[Shop]:
    log, helm = tmp_path / "log", tmp_path / "helm"
    helm.write_text(HELM.format(helm=shutil.which("helm"), log=log))
    helm.chmod(0o755)
    workspace = Workspace(
        directory=tmp_path / "work",
        charts_dir=CHARTS,
        local_kubeconfig=str(embedded.kubeconfig),
        fetch_secret=SECRETS.__getitem__,
        helm=str(helm),
        environment={"PATH": os.environ["PATH"]},
        fetch_parameter=SECRETS.__getitem__,
    )
    tracing.configure("helm-installer", FileSink(tmp_path / "trace"))
    yield Shop(workspace, embedded, f"secrets-{uuid.uuid4().hex[:12]}", log)
    tracing.shutdown()


def shapes() -> Iterator[str]:
    """The texts, and what would tell them."""
    for text in (TOKEN, PASSWORD, KEY.splitlines()[1]):
        yield from (text, base64.b64encode(text.encode()).decode())
    yield from (SECRETS["db"], json.loads(SECRETS["db"])["other"])


def test_the_release_gets_the_texts_and_nothing_else_does(shop: Shop) -> None:
    verdict = shop.install(VALUES)
    assert isinstance(verdict, Deployed)
    assert "helm upgrade: done" in verdict.output
    target = ["--namespace", shop.namespace, "--kubeconfig", str(shop.cluster.kubeconfig), "--output", "json"]
    done = subprocess.run(["helm", "get", "values", "web", *target], check=True, capture_output=True, text=True)
    image = {"tag": "1" * 40}
    assert json.loads(done.stdout) == {"token": TOKEN, "db": [{"password": PASSWORD}], "key": KEY, "image": image}
    left = shop.left_behind()
    assert "upgrade" in left
    assert [shape for shape in shapes() if shape in left + verdict.output] == []


@pytest.mark.parametrize("text", [TOKEN, f"first line\n{TOKEN}"], ids=["one line", "two lines"])
def test_what_the_cluster_says_of_a_text_is_told_without_it(shop: Shop, text: str) -> None:
    SECRETS["odd"] = text
    verdict = shop.install({"annotations": {READY: {"from_secret": "odd"}}})
    assert isinstance(verdict, Failed)
    assert "***" in verdict.reason
    assert "none of yes, never, fail" in verdict.reason
    assert "none of yes, never, fail" in verdict.output
    assert TOKEN not in verdict.reason + verdict.output + shop.left_behind()


def test_with_secrets_among_its_values_a_release_is_installed_anew_and_no_hash_of_them_is_told(shop: Shop) -> None:
    values = {"turns": {"from_secret": "turns"}}
    actions = []
    for promotion, text in [("p1", "one-and-only"), ("p2", "one-and-only"), ("p3", "the-next-one")]:
        SECRETS["turns"] = text
        verdict = shop.install(values, promotion)
        assert isinstance(verdict, Deployed), verdict
        actions.append(verdict.action)
    assert actions == ["deployed", "upgraded", "upgraded"]
    assert "values:" not in shop.log.read_text()
    plain = [shop.install({}, promotion) for promotion in ("p4", "p5")]
    assert [getattr(verdict, "action", verdict) for verdict in plain] == ["upgraded", "unchanged"]
    assert "values:" in shop.log.read_text()


def test_what_is_missing_is_said_before_helm_is_started(shop: Shop) -> None:
    verdict = shop.install({"db": {"from_secret": "db", "key": "user"}})
    assert verdict == Failed(
        "value 'db': secret 'db' has no key 'user'; add it to the secret, or mend key in pipelines.yaml", 0.0
    )
    assert not shop.log.exists()
