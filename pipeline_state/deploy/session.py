"""Helm on one cluster for the time of one piece of work; what it says no to comes out as one of the two faults."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pipeline_state.deploy import clusters
from pipeline_state.deploy.command import errors
from pipeline_state.deploy.helm import Helm
from pipeline_state.deploy.terms import Workspace
from pipeline_state.deploy.words import fault_of
from pipeline_state.model.pipelines import Cluster


@contextmanager
def helm(cluster: Cluster, workspace: Workspace, budget_seconds: float, secrets: Iterable[str] = ()) -> Iterator[Helm]:
    """Helm, with access to the cluster. Raises PermanentFault and TemporaryFault, also for pyhelm3's errors within.

    secrets: what must not be shown of what Helm says, beside what leads to the cluster. The budget's time runs from
    here on, the way to the cluster included.
    """
    ends = time.monotonic() + budget_seconds
    workspace.open()
    with clusters.access(cluster, workspace) as access:
        hidden = (*access.secrets, *secrets)
        try:
            yield Helm(workspace, access, budget_seconds=ends - time.monotonic())
        except errors.CommandCancelledError as error:
            fault = fault_of(error.stderr, hidden)
            raise type(fault)(f"Helm was stopped when its time was up: {fault.reason}") from error
        except errors.Error as error:
            raise fault_of(error.stderr, hidden) from error
