"""Every given package does work that nothing else does: without it a function stops. Helm runs by pyhelm3 alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.process import ROOT
from infra.local.stack import StackInfo
from tests.bench.lambda_runtime import LambdaRuntime
from tests.e2e.conftest import CHARTS

pytestmark = pytest.mark.e2e

FUNCTIONS = {
    "github_webhook": ("GitHubWebhook", "app"),
    "circleci_webhook": ("CircleCIWebhook", "app"),
    "event_forwarder": ("EventForwarder", "forward_events"),
    "gate_recorder": ("GateRecorder", "record_gates"),
    "promoter": ("Promoter", "promote"),
    "helm_installer": ("HelmInstaller", "install"),
    "rollout_observer": ("RolloutObserver", "observe"),
}

STOPPED_WITHOUT = {
    "boto3": set(FUNCTIONS),  # no client of SNS, SQS or Secrets Manager
    "chalice": set(FUNCTIONS),  # no routes and no event handlers
    "cloudevents": set(FUNCTIONS),  # no form in which events travel
    "beeline": set(FUNCTIONS),  # honeycomb-beeline: no spans
    "pynamodb": {"gate_recorder", "promoter", "helm_installer", "rollout_observer"},  # no tables
    "pyhelm3": {"helm_installer", "rollout_observer"},  # no Helm
}

WITHOUT_A_PACKAGE = """
import importlib, importlib.abc, json, os, sys, types

blocked, functions = sys.argv[1], json.loads(sys.argv[2])

class Refusal(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == blocked:
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Refusal())
context = types.SimpleNamespace(aws_request_id="r", get_remaining_time_in_millis=lambda: 60000)

def answer(function):
    os.environ.update(function["environment"])
    sys.path[0] = function["folder"]
    sys.modules.pop("app", None)
    try:
        return getattr(importlib.import_module("app"), function["handler"])(function["event"], context)
    except ImportError as stop:
        return str(stop)

print(json.dumps({name: answer(function) for name, function in functions.items()}))
"""

HELM_FROM_WHERE = """
import json, subprocess, sys
from pathlib import Path

STARTS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"}
starts = []

def watch(event, arguments):
    if event in STARTS:
        frame, modules = sys._getframe(1), set()
        while frame:
            modules.add(frame.f_globals.get("__name__", "").partition(".")[0])
            frame = frame.f_back
        starts.append({"arguments": list(arguments[1])[1:], "through_pyhelm3": "pyhelm3" in modules})

sys.addaudithook(watch)

from pipeline_state.deploy import Install, Workspace, install
from pipeline_state.model.pipelines import Cluster, Release

directory, charts, kubeconfig, helm, namespace = sys.argv[1:]
workspace = Workspace(Path(directory), Path(charts), local_kubeconfig=kubeconfig, helm=helm)
fails = {"annotations": {"cluster.gatestream.dev/ready": "fail"}}
for promotion, chart, values in [
    ("first", "charts/web", {}),
    ("second", "charts/web", {}),
    ("second", "charts/web", {}),
    ("third", "charts/web", fails),
    ("fourth", "charts/missing", {}),
]:
    release = Release("web", namespace, chart, values=values)
    install(Install(release, Cluster(), promotion.ljust(40, "0"), promotion), workspace=workspace, budget_seconds=60)
subprocess.run([helm, "version"], stdout=subprocess.DEVNULL, check=True)  # so that one is seen which is not pyhelm3's
print(json.dumps(starts))
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> LambdaRuntime:
    """The shared layer as it is built, beside a Python that has boto3 only."""
    return LambdaRuntime.make(tmp_path_factory.mktemp("lambda"))


def calls(stack: StackInfo) -> dict[str, Any]:
    """How to call each function so that it puts itself together: an unsigned webhook, an empty batch."""
    described = stack.client("lambda")
    found = {}
    for name, (logical_id, handler) in FUNCTIONS.items():
        configuration = described.get_function_configuration(FunctionName=stack.functions[logical_id])
        found[name] = {
            "handler": handler,
            "folder": str(ROOT / "functions" / name),
            "environment": configuration["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": stack.endpoint_url},
            "event": unsigned(name.removesuffix("_webhook")) if handler == "app" else {"Records": []},
        }
    return found


def unsigned(provider: str) -> dict[str, Any]:
    return {
        "headers": {"content-type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"httpMethod": "POST", "resourcePath": f"/{provider}", "path": f"/{provider}"},
        "body": "{}",
        "isBase64Encoded": False,
    }


def stopped(answers: dict[str, Any]) -> set[str]:
    """The functions that did not answer as they should: 401 to an unsigned webhook, no failures to an empty batch."""
    statuses = {
        name: answer.get("statusCode", answer) if isinstance(answer, dict) else answer
        for name, answer in answers.items()
    }
    return {name for name, status in statuses.items() if status not in [401, {"batchItemFailures": []}]}


@pytest.mark.parametrize("package", ["", *STOPPED_WITHOUT])
def test_without_a_package_exactly_these_functions_stop(package: str, stack: StackInfo, runtime: LambdaRuntime) -> None:
    *_, last = runtime.run(WITHOUT_A_PACKAGE, "", package, json.dumps(calls(stack))).splitlines()
    answers = json.loads(last)
    assert stopped(answers) == STOPPED_WITHOUT.get(package, set()), answers


def test_no_helm_process_starts_outside_pyhelm3(stack: StackInfo, tmp_path: Path) -> None:
    log, helm = tmp_path / "helm.log", tmp_path / "helm"
    helm.write_text(f"#!/bin/sh\necho \"$1\" >> '{log}'\nexec '{stack.helm}' \"$@\"\n")
    helm.chmod(0o755)
    arguments = [str(tmp_path / "work"), str(CHARTS), stack.kubeconfig, str(helm), "only-by-pyhelm3"]
    done = subprocess.run(
        [sys.executable, "-c", HELM_FROM_WHERE, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    starts = json.loads(done.stdout)
    ran = log.read_text().split()
    assert {"upgrade", "rollback"} <= set(ran)
    told = sorted(start["arguments"][0] for start in starts)  # two may run at once, and write in any order
    assert told == sorted(ran), "Helm came about in a way that Python does not tell of"
    assert [start["arguments"] for start in starts if not start["through_pyhelm3"]] == [["version"]]
