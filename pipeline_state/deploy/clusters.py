"""The way to a cluster: a kubeconfig file, readable by us alone and gone after the install."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from pipeline_state import tracing
from pipeline_state.deploy import eks
from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Cluster

_PREFIX = "kubeconfig-"
_SECRET = re.compile(r"""(?:token|password|client-key-data)["']?\s*:\s*["']?([^\s"',}]{6,})""")


@dataclass(frozen=True, slots=True)
class Access:
    """How Helm reaches the cluster. secrets: what must never be shown of it."""

    kubeconfig: Path
    context: str | None
    secrets: tuple[str, ...] = ()


@contextmanager
def access(cluster: Cluster, workspace: Workspace) -> Iterator[Access]:
    """Access for the time of one install.

    Raises PermanentFault when the cluster or its secret does not exist, TemporaryFault when AWS cannot say for now.
    """
    if not cluster.eks and not cluster.kubeconfig_secret:
        yield _local(cluster, workspace)
        return
    with tracing.span("kubeconfig", cluster=cluster.name):
        content = _fetched(cluster, workspace)
    _sweep(workspace.directory)
    # mkstemp: mode 0600 from the first byte.
    with tempfile.NamedTemporaryFile("w", dir=workspace.directory, prefix=_PREFIX) as file:
        flock(file, LOCK_EX)
        file.write(content)
        file.flush()
        yield Access(Path(file.name), cluster.context, _secrets(content))


def _sweep(directory: Path) -> None:
    """Remove what processes that were killed have left behind: a file that says something and that nobody holds."""
    for path in directory.glob(f"{_PREFIX}*"):
        with suppress(OSError), path.open("rb") as file:  # in use, or gone by now
            flock(file, LOCK_EX | LOCK_NB)
            if os.fstat(file.fileno()).st_size:
                path.unlink()


def _fetched(cluster: Cluster, workspace: Workspace) -> str:
    if cluster.eks:
        return eks.kubeconfig(cluster.eks, region=cluster.region, role=cluster.role)
    return workspace.fetch_secret(cluster.kubeconfig_secret or "")


def _local(cluster: Cluster, workspace: Workspace) -> Access:
    if not workspace.local_kubeconfig:
        raise PermanentFault(
            f"cluster {cluster.name!r}: a context alone is for the local stack;"
            " give eks or kubeconfig_secret in pipelines.yaml"
        )
    path = Path(workspace.local_kubeconfig)
    content = path.read_text() if path.is_file() else ""  # Helm says it better when the file is missing
    return Access(path, cluster.context, _secrets(content))


def _secrets(kubeconfig: str) -> tuple[str, ...]:
    return tuple(_SECRET.findall(kubeconfig))
