"""Runs where the installer runs: each line on standard input is a release to install, each line printed its times.

A line has the release's namespace, name and commit. The cluster's kubeconfig, whose path is given, is what a secret
would hold, and is written for each install as on AWS; tables and topics have no part in it.
"""

import sys
import time

BEGUN = time.perf_counter()  # an interpreter is there; what comes now is the function's
app = __import__("app")
IMPORTED = time.perf_counter()

import json  # noqa: E402
import resource  # noqa: E402
import tempfile  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from pipeline_state import tracing  # noqa: E402
from pipeline_state.deploy import Install, install  # noqa: E402
from pipeline_state.handlers.workspace import workspace_of  # noqa: E402
from pipeline_state.model.pipelines import Cluster, Release  # noqa: E402
from pipeline_state.settings import read_settings  # noqa: E402
from pipeline_state.startup import Clients  # noqa: E402
from pipeline_state.tracing.store import read_all  # noqa: E402

BUDGET = 300.0
KUBECONFIG = Path(sys.argv[1])
TRACES = Path(tempfile.gettempdir()) / "traces.db"

app.handler()  # clients and tracing, as at the function's first event
READY = time.perf_counter()
tracing.configure("helm_installer", tracing.StoreSink(TRACES))
settings = read_settings()
workspace = replace(workspace_of(settings, Clients(settings)), fetch_secret=lambda _: KUBECONFIG.read_text())


def installed(namespace: str, name: str, commit: str) -> dict[str, Any]:
    """One install, as its promotion would have it; times in ms."""
    release = Release(name=name, namespace=namespace, chart="charts/web", values={"replicaCount": 1}, timeout=120)
    request = Install(release, Cluster(kubeconfig_secret="kubeconfig"), commit, f"{name} {commit}")
    begun = time.perf_counter()
    with tracing.message_span("install", parent=None):
        verdict = install(request, workspace=workspace, budget_seconds=BUDGET)
    ended = time.perf_counter()
    return {
        "kind": type(verdict).__name__,
        "reason": getattr(verdict, "reason", ""),
        "ms": 1000 * (ended - begun),
        "helm_ms": 1000 * verdict.helm_seconds,
        "import_ms": 1000 * (IMPORTED - BEGUN),
        "ready_ms": 1000 * (READY - BEGUN),
        "steps": spans(),
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "helm_peak_kb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    }


def spans() -> dict[str, float]:
    """How long each Helm process took, and the look-up of the release, in ms."""
    tracing.flush()
    data = [item["data"] for item in read_all(TRACES)]
    data = [span for span in data if span["trace.trace_id"] == data[-1]["trace.trace_id"]]
    return {span["name"]: span["duration_ms"] for span in data if span["name"].startswith(("helm ", "release "))}


for line in sys.stdin:
    print(json.dumps(installed(**json.loads(line))), flush=True)
