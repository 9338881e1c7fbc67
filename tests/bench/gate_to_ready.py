"""`gate_to_ready`, from the last gate's webhook to a ready release, and `installer_overhead_ms`, the installer's part.

Ready is when Helm says so, having waited: the moment at which the bare command ends, too.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from infra.local.stack import StackInfo
from tests.bench.deployments import CHARTS, ENVIRONMENT, next_commit, spans_until, warm_stack, way_to_one_environment
from tests.bench.figures import Figure

GOAL, OVERHEAD_GOAL = 3.0, 40.0
MOST_HELMS = 2
WARM_UP = 2
DEPLOYMENTS, QUICK_DEPLOYMENTS = 20, 3


def measure(*, quick: bool) -> Iterator[Figure]:
    """A commit through Gatestream and the bare command in turn, on one stack and one cluster."""
    ready, overhead, bare = [], [], []
    with warm_stack() as info:
        way, sha = way_to_one_environment(info), ""
        for turn in range(WARM_UP + (QUICK_DEPLOYMENTS if quick else DEPLOYMENTS)):
            bare_ms = bare_helm(info, str(turn))
            sha = next_commit(way, sha)
            posted = time.time()
            way.build(sha)
            spans = spans_until(way, sha, "install")
            way.deployed(sha, ENVIRONMENT)
            if turn >= WARM_UP:
                bare.append(bare_ms)
                ready.append(1000 * (ready_at(spans) - posted))
                overhead.append(beyond_helm(spans))
    yield Figure("gate_to_ready", "ms", GOAL, ready, bare)
    yield Figure("installer_overhead_ms", "ms", OVERHEAD_GOAL, overhead)


def bare_helm(info: StackInfo, tag: str) -> float:
    """The same chart, on the same cluster, as a person would install it; in ms."""
    command = [
        info.helm,
        "upgrade",
        "--install",
        "bare",
        str(CHARTS / "web"),
        "--wait",
        "--set-string",
        f"image.tag={tag}",
    ]
    target = ["--namespace", "bare", "--create-namespace", "--kubeconfig", info.kubeconfig]
    environment = {"PATH": os.defpath, "HOME": str(Path(info.kubeconfig).parent)}
    begun = time.perf_counter()
    subprocess.run([*command, *target], env=environment, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - begun)


def ready_at(spans: Iterable[Mapping[str, Any]]) -> float:
    """When `helm upgrade` ended, in epoch seconds."""
    (upgrade,) = (span for span in spans if span["data"]["name"] == "helm upgrade")
    seconds: float = upgrade["data"]["duration_ms"] / 1000
    return datetime.fromisoformat(upgrade["time"]).timestamp() + seconds


def beyond_helm(spans: Iterable[Mapping[str, Any]]) -> float:
    """The install's duration without its Helm processes, in ms. There may be two of those, or nothing is proved."""
    data = [span["data"] for span in spans]
    (install,) = (span["duration_ms"] for span in data if span["name"] == "install")
    helms = [span["duration_ms"] for span in data if span["name"].startswith("helm ")]
    if not 1 <= len(helms) <= MOST_HELMS:
        raise ValueError(f"an install ran {len(helms)} Helm processes; this figure allows {MOST_HELMS}")
    return float(install - sum(helms))
