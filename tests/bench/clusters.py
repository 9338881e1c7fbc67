"""The two clusters that the installer is measured on: the embedded one, and a real control plane of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.local import cluster, control_plane
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
            with cluster.start(Path(folder) / "cluster" / "kubeconfig", ready_after=READY_AFTER) as started:
                yield embedded(started, Path(folder))
        else:
            with control_plane.start(Path(folder) / "plane") as plane:
                yield ClusterUnderTest(name, plane.kubeconfig, plane.admin_kubeconfig, plane, INSTALLERS)
