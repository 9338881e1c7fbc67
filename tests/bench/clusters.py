"""The two clusters that the installer is measured on: the embedded one, and a real control plane of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.local import control_plane
from infra.local.cluster import Cluster
from infra.local.process import ROOT
from tests.contract.clusters import INSTALLERS, ClusterUnderTest, embedded, missing

READY_AFTER = 0.05
"""Seconds until Pods are ready: what the stages of the real one's kwok say, too."""


def names() -> list[str]:
    """Those that there can be; of the real one, standard error says why not."""
    reason = missing()
    if reason:
        print(f"figures of the real control plane are left out: {reason}", file=sys.stderr)
    return ["embedded"] if reason else ["embedded", "real"]


@contextmanager
def running(name: str) -> Iterator[ClusterUnderTest]:
    """The cluster of that name, for the length of the block. Raises RuntimeError and PlaneError."""
    with TemporaryDirectory() as folder:
        if name == "embedded":
            with _start(Path(folder) / "cluster" / "kubeconfig") as started:
                yield embedded(started, Path(folder))
        else:
            with control_plane.start(Path(folder) / "plane") as plane:
                yield ClusterUnderTest(name, plane.kubeconfig, plane.admin_kubeconfig, plane, INSTALLERS)


def _start(kubeconfig: Path) -> Cluster:
    """The embedded cluster by its program of the bench, which ends with this process."""
    command = [sys.executable, "-m", "tests.bench.cluster_program", "--kubeconfig", str(kubeconfig)]
    options = ["--with-parent", str(os.getpid()), "--ready-after", str(READY_AFTER)]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout as output:
        line = output.readline()
    if not line:
        raise RuntimeError(f"the embedded cluster ended with code {process.wait()} before it was ready")
    return Cluster(json.loads(line)["url"], kubeconfig, process)
