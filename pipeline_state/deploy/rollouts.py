"""A release that Helm has applied: is it ready, does it pass its tests, and back to what was before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from pipeline_state import tracing
from pipeline_state.deploy import history, session
from pipeline_state.deploy.command import errors
from pipeline_state.deploy.helm import Helm
from pipeline_state.deploy.readiness import readiness
from pipeline_state.deploy.references import readable
from pipeline_state.deploy.terms import Install, Workspace
from pipeline_state.deploy.words import scrub
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Release
from pipeline_state.model.rollout import Broken, Done, Seen

_RETRY_SECONDS = 30.0

_RELATED = "(related)"
"""What Helm appends to the kind of the Pods that belong to a workload."""


def look(request: Install, revision: int, *, workspace: Workspace, budget_seconds: float) -> Seen:
    """Whether the release, as of a revision of it, is ready.

    Raises TemporaryFault where it could not be seen, whatever was in the way: that says nothing about the release.
    """
    release, secrets = request.release, readable(request.release.values, workspace)
    with tracing.span("release look-up", release=release.name, namespace=release.namespace):
        try:
            with _helm(request, workspace, budget_seconds, secrets) as helm, _answered():
                status = asyncio.run(_status(helm, release))
        except PermanentFault as fault:
            raise TemporaryFault(fault.reason, _RETRY_SECONDS) from fault
    if status is None:
        return Broken("it was uninstalled meanwhile, by somebody else")
    if status["version"] != revision:
        return Broken(f"revision {status['version']} was made meanwhile, by somebody else")
    if (said := status["info"]["status"]) != "deployed":
        return Broken(f"it is {said} meanwhile, by somebody else")
    resources = status["info"].get("resources") or {}
    seen = readiness(_objects(resources, related=False), _objects(resources, related=True))
    return seen if isinstance(seen, Done) else replace(seen, why=scrub(seen.why, secrets))


def test(request: Install, *, workspace: Workspace, budget_seconds: float) -> Seen:
    """Whether `helm test` passes, within the budget. Raises TemporaryFault when the machine broke."""
    secrets = readable(request.release.values, workspace)
    try:
        with _helm(request, workspace, budget_seconds, secrets) as helm:
            asyncio.run(helm.test(request.release))
    except PermanentFault as fault:
        return Broken(f"helm test: {fault.reason}")
    return Done()


def roll_back(request: Install, revision: int, *, workspace: Workspace, budget_seconds: float) -> str:
    """Take the release back from a revision to the last one that was ready; what was done, as a sentence's end.

    Where the release has gone on from that revision, nothing. Raises TemporaryFault when the machine broke.
    """
    secrets = readable(request.release.values, workspace)
    try:
        with _helm(request, workspace, budget_seconds, secrets) as helm, _answered():
            return asyncio.run(_roll_back(helm, request, revision))
    except PermanentFault as fault:
        return f"not rolled back: {fault.reason}"


@contextmanager
def _helm(request: Install, workspace: Workspace, budget_seconds: float, secrets: tuple[str, ...]) -> Iterator[Helm]:
    """As `session.helm`; it was on the cluster before, so that a way that is barred now may be open again later."""
    with ExitStack() as stack:
        try:
            helm = stack.enter_context(session.helm(request.cluster, workspace, budget_seconds, secrets))
        except PermanentFault as fault:
            raise TemporaryFault(fault.reason, _RETRY_SECONDS) from fault
        yield helm


@contextmanager
def _answered() -> Iterator[None]:
    """What is left unanswered until Helm is stopped, the cluster may answer later: it has not said no."""
    try:
        yield
    except errors.CommandCancelledError as error:
        raise TemporaryFault("the cluster did not answer Helm in time", _RETRY_SECONDS) from error


async def _status(helm: Helm, release: Release) -> Mapping[str, Any] | None:
    """What Helm says of the release; None where there is none, or only a history that was kept of it."""
    try:
        status: Mapping[str, Any] = await helm.status(release.name, namespace=release.namespace)
    except errors.ReleaseNotFoundError:
        return None
    return status if status["info"]["status"] != "uninstalled" else None


async def _roll_back(helm: Helm, request: Install, revision: int) -> str:
    """A rollback of ours that failed or was cut short is done again; whatever else came since has its own lease."""
    release, revisions = request.release, await helm.revisions(request.release)
    if not history.is_there(revisions):
        return "uninstalled already"
    newer = [each for each in revisions if each.number > revision]
    if not all(each.is_rollback for each in newer):
        return "left as somebody else made it"
    stuck = history.remedy(revisions, request.verified)
    if newer and newer[-1].has_succeeded:
        return f"rolled back to revision {newer[-1].back_to} already"
    way = history.way_back(revisions, request.verified, left=revision)
    way = stuck if isinstance(stuck, history.Uninstall) else way
    return await helm.go(way, release, force_conflicts=request.force_conflicts)


def _objects(resources: Mapping[str, Any], *, related: bool) -> Iterator[Mapping[str, Any]]:
    """The objects in `helm status --output json`, lists of them unfolded."""
    for kind, found in resources.items():
        if kind.endswith(_RELATED) is related:
            for item in found:
                yield from item.get("items", (item,))
