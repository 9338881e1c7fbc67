"""One install from request to verdict: find the chart, reach the cluster, look the release up, free it, upgrade it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from pipeline_state import tracing
from pipeline_state.deploy import charts, clusters
from pipeline_state.deploy.charts import Chart
from pipeline_state.deploy.command import errors
from pipeline_state.deploy.helm import Helm
from pipeline_state.deploy.history import Revision, RollBack, describe, ever_ready, finished, remedy
from pipeline_state.deploy.terms import Deployed, Failed, Install, Workspace
from pipeline_state.deploy.values import with_commit
from pipeline_state.deploy.words import fault_of
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Release

_RETRY_SECONDS = 30.0

# Helm's own rule and limit for releases; a namespace is a DNS label. Checked: both become words of a command line.
# https://github.com/helm/helm/blob/v4.0.0/pkg/chart/common/util/validate_name.go
_RELEASE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def install(request: Install, *, workspace: Workspace, budget_seconds: float) -> Deployed | Failed:
    """Brings the release to the commit, within the budget, the rollback included.

    At most two Helm processes, a look-up and an upgrade; one more where a killed Helm left the release stuck. Raises
    TemporaryFault when the machine broke: the same request may succeed later.
    """
    workspace.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    helm = None
    try:
        _check_names(request.release)
        with tracing.span("chart", chart=charts.shown(request.release.chart)):
            chart = charts.find(request.release, workspace)
        with clusters.access(request.cluster, workspace) as access:
            helm = Helm(workspace, access, budget_seconds=budget_seconds)
            return _run(helm, request, chart, access.secrets)
    except PermanentFault as fault:
        return Failed(fault.reason, helm.seconds if helm else 0.0)


def _run(helm: Helm, request: Install, chart: Chart, secrets: Sequence[str]) -> Deployed:
    """The Helm part. Raises the two faults for everything Helm says no to."""
    try:
        return asyncio.run(_deploy(helm, request, chart))
    except errors.CommandCancelledError as error:
        fault = fault_of(error.stderr, secrets)
        raise type(fault)(f"Helm was stopped when its time was up: {fault.reason}") from error
    except errors.Error as error:
        raise fault_of(error.stderr, secrets) from error


async def _deploy(helm: Helm, request: Install, chart: Chart) -> Deployed:
    release = request.release
    values = with_commit(release.values, release.image_tag, request.commit)
    revisions = await _look_up(helm, release)
    done = finished(revisions, request.promotion_id)
    if done:
        return Deployed("unchanged", done.number, done.chart, helm.seconds, done.digest)
    await _free(helm, release, revisions)
    revision = await helm.upgrade(release, chart.place, values, describe(request.promotion_id, chart.digest))
    metadata = revision["chart"]["metadata"]
    return Deployed(
        action="upgraded" if ever_ready(revisions) else "deployed",
        revision=revision["version"],
        chart=f"{metadata['name']}-{metadata['version']}",
        helm_seconds=helm.seconds,
        digest=helm.pulled or chart.digest,
    )


async def _look_up(helm: Helm, release: Release) -> tuple[Revision, ...]:
    with tracing.span("release look-up", release=release.name, namespace=release.namespace):
        try:
            return await helm.revisions(release)
        except errors.CommandCancelledError as error:
            raise TemporaryFault("the cluster did not answer Helm's look-up of the release", _RETRY_SECONDS) from error


async def _free(helm: Helm, release: Release, revisions: Sequence[Revision]) -> None:
    """Frees a release that a killed Helm left stuck, without waiting for readiness: the upgrade that follows does."""
    way_out = remedy(revisions)
    if way_out is None:
        return
    if isinstance(way_out, RollBack):
        await helm.rollback(release.name, way_out.revision, namespace=release.namespace, timeout=helm.timeout())
    else:
        await helm.uninstall(release.name, namespace=release.namespace, timeout=helm.timeout(), wait=True)


def _check_names(release: Release) -> None:
    if not _RELEASE_NAME.fullmatch(release.name):
        raise PermanentFault(f"release name {release.name!r}: up to 53 lower-case letters, digits, - and .")
    if not _NAMESPACE.fullmatch(release.namespace):
        raise PermanentFault(f"namespace {release.namespace!r}: up to 63 lower-case letters, digits and -")
