"""What a promotion would change in the cluster: the installer's own Helm call as a dry run, against what runs there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline_state import tracing
from pipeline_state.deploy import admission, charts, clusters, manifests
from pipeline_state.deploy.admission import Answer, Asker
from pipeline_state.deploy.charts import Chart
from pipeline_state.deploy.clusters import Access
from pipeline_state.deploy.command import errors
from pipeline_state.deploy.dialect import Wish
from pipeline_state.deploy.helm import Helm, environment
from pipeline_state.deploy.history import Revision
from pipeline_state.deploy.images import find_image
from pipeline_state.deploy.installer import check_names
from pipeline_state.deploy.manifests import ResourceChange
from pipeline_state.deploy.stand_ins import Filled, fill
from pipeline_state.deploy.terms import Install, Workspace
from pipeline_state.deploy.values import with_commit
from pipeline_state.deploy.words import fault_of, scrub
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Cluster, Release

_ASK_SECONDS = 60.0
_NOT_ASKED = "the API server was not asked whether it would take this: kubectl is not on PATH"


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of a release.

    live: the revision it is compared with; None where the release is not there. last: the latest one. chart: name and
    version of what would be installed. refusals: why the upgrade would fail. notes: what else is to be known.
    """

    release: Release
    live: Revision | None
    last: Revision | None
    chart: str
    changes: tuple[ResourceChange, ...]
    hooks: tuple[ResourceChange, ...]
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether anything would not be as it is."""
        return self.live is None or manifests.has_changes((*self.changes, *self.hooks))


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A release as Helm renders it: its resources, its hooks, and the values it was given."""

    manifest: str = ""
    hooks: str = ""
    values: Mapping[str, Any] | None = None


class Rehearsal(Helm):
    """The installer's Helm, whose every upgrade is a dry run."""

    def __init__(self, workspace: Workspace, access: Access, *, budget_seconds: float) -> None:
        super().__init__(workspace, access, budget_seconds=budget_seconds)
        self.workspace, self._access = workspace, access

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - pyhelm3's name for it
        """As Helm does; an upgrade renders, reads what is there, and writes nothing."""
        dry = ["--dry-run=server"] if command[0] == "upgrade" else []
        return await super().run([*command, *dry], input)

    async def rendered(self, release: Release, revision: int) -> _Rendered:
        """A revision as it was rendered then."""
        target = [release.name, "--namespace", release.namespace, "--revision", revision]
        return _Rendered(
            (await self.run(["get", "manifest", *target])).decode(),
            (await self.run(["get", "hooks", *target])).decode(),
            json.loads(await self.run(["get", "values", *target, "--output", "json"])),
        )

    async def ask(self, kubectl: str, manifest: str, namespace: str, *, force: bool) -> Answer:
        """The API server's answer to a manifest; nothing where there is no kubectl."""
        if not kubectl:
            return Answer(notes=(_NOT_ASKED,))
        asker = Asker(kubectl, self._access, environment(self.workspace, kubectl))
        with tracing.span("kubectl apply --dry-run=server"):
            return await admission.ask(asker, manifest, namespace, force=force, seconds=_ASK_SECONDS)


def preview(
    request: Install,
    *,
    workspace: Workspace,
    budget_seconds: float,
    then: Mapping[str, Any] | None = None,
    kubectl: str = "",
) -> Preview:
    """What `install` would change with the same request; nothing is written.

    then: the values that the release was last promoted with; what were references there are secrets. kubectl: the
    executable that asks the API server; empty asks it nothing. Raises PermanentFault where Helm says no, TemporaryFault
    when the machine broke.
    """
    workspace.open()
    check_names(request.release)
    with tracing.span("chart", chart=charts.shown(request.release.chart)):
        chart = charts.find(request.release, workspace)
    with _rehearsal(request.cluster, workspace, budget_seconds) as helm:
        return asyncio.run(_preview(helm, request, chart, then or {}, kubectl))


def compared_with(revisions: Sequence[Revision]) -> Revision | None:
    """The revision that Helm goes on from: the latest that it calls deployed, else the latest there is.

    https://github.com/helm/helm/blob/v4.3.1/pkg/action/upgrade.go, prepareUpgrade
    """
    there = [each for each in revisions if each.status != "uninstalled"]
    return next((each for each in reversed(there) if each.status == "deployed"), there[-1] if there else None)


@contextmanager
def _rehearsal(cluster: Cluster, workspace: Workspace, budget_seconds: float) -> Iterator[Rehearsal]:
    """As `session.helm`, for rehearsals."""
    with clusters.access(cluster, workspace) as access:
        try:
            yield Rehearsal(workspace, access, budget_seconds=budget_seconds)
        except errors.CommandCancelledError as error:
            fault = fault_of(error.stderr, access.secrets)
            raise type(fault)(f"Helm was stopped when its time was up: {fault.reason}") from error
        except errors.Error as error:
            raise fault_of(error.stderr, access.secrets) from error


async def _preview(helm: Rehearsal, request: Install, chart: Chart, then: Mapping[str, Any], kubectl: str) -> Preview:
    release = request.release
    revisions = await helm.revisions(release)
    live = compared_with(revisions)
    old = await helm.rendered(release, live.number) if live else _Rendered()
    filled = fill(release.values, old.values or {}, then, helm.workspace)
    told = await _rehearsed(helm, request, chart, filled)
    new = _Rendered(told["manifest"], "\n---\n".join(hook["manifest"] for hook in told.get("hooks") or ()))
    changes, hooks = (
        tuple(manifests.compare(before, after, namespace=release.namespace, secrets=filled.secrets))
        for before, after in ((old.manifest, new.manifest), (old.hooks, new.hooks))
    )
    # Where Helm applies on the client's side, nobody else's fields are in its way.
    force = request.force_conflicts or told.get("apply_method") != "ssa"
    answers = (
        _image(release, request.commit, helm.workspace),
        await helm.ask(kubectl, new.manifest, release.namespace, force=force),
    )
    metadata = told["chart"]["metadata"]
    return Preview(
        release=release,
        live=live,
        last=revisions[-1] if revisions else None,
        chart=f"{metadata['name']}-{metadata['version']}",
        changes=changes,
        hooks=hooks,
        refusals=tuple(scrub(each, filled.secrets) for answer in answers for each in answer.refusals),
        notes=(*filled.notes, *(scrub(each, filled.secrets) for answer in answers for each in answer.notes)),
    )


def _image(release: Release, commit: str, workspace: Workspace) -> Answer:
    """What the registry says of the commit's image, asked with the caller's rights; nothing where none is named."""
    try:
        find_image(release, commit, workspace)
    except PermanentFault as fault:
        is_absent = "is not in its registry" in fault.reason
        return Answer(refusals=(fault.reason,)) if is_absent else Answer(notes=(fault.reason,))
    except TemporaryFault as fault:
        return Answer(notes=(fault.reason,))
    return Answer()


async def _rehearsed(helm: Rehearsal, request: Install, chart: Chart, filled: Filled) -> dict[str, Any]:
    """The new revision as Helm prints it; what it says no with is free of secrets."""
    release = request.release
    values = with_commit(filled.values, release.image_tag, request.commit)
    wish = Wish(force_conflicts=request.force_conflicts)
    try:
        return await helm.upgrade(release, chart.place, values, "gatestream diff", wish)
    except errors.Error as error:
        error.stderr = scrub(error.stderr.decode(errors="replace"), filled.secrets).encode()
        raise
