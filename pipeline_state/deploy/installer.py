"""One release to one commit: chart, cluster, look-up, upgrade. The lease is the caller's."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from pipeline_state import tracing
from pipeline_state.deploy import charts, history, session
from pipeline_state.deploy.charts import Chart
from pipeline_state.deploy.command import errors
from pipeline_state.deploy.dialect import Wish
from pipeline_state.deploy.helm import Helm
from pipeline_state.deploy.history import Marks, Revision
from pipeline_state.deploy.images import find_image
from pipeline_state.deploy.references import resolve
from pipeline_state.deploy.terms import Action, Applied, Deployed, Failed, Install, Workspace
from pipeline_state.deploy.values import fingerprint, with_commit
from pipeline_state.deploy.words import added
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Release
from pipeline_state.model.rollout import Phase, phases_of

_RETRY_SECONDS = 30.0

# Helm's own rule and limit for releases; a namespace is a DNS label. Checked: both become words of a command line.
# https://github.com/helm/helm/blob/v4.0.0/pkg/chart/common/util/validate_name.go
_RELEASE_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def install(request: Install, *, workspace: Workspace, budget_seconds: float) -> Deployed | Applied | Failed:
    """Brings the release to the commit, within the budget, the rollback included.

    Where the release may take longer to be ready than the budget lasts, it is applied only. One Helm process, the
    upgrade; one more where a killed Helm left the release stuck, one where Helm does not roll back by itself, and two
    where the cluster's kubeconfig is one that only Helm understands. Raises TemporaryFault when the machine broke: the
    same request may succeed later.
    """
    work, ends = None, time.monotonic() + budget_seconds
    workspace.open()
    try:
        ready = _prepare(request, workspace.remembering())
        left = _enough(ends - time.monotonic(), budget_seconds)
        with session.helm(request.cluster, workspace, left, ready.secrets) as helm:
            work = _Work(helm, request, ready)
            return asyncio.run(work.deploy())
    except PermanentFault as fault:
        return work.failed(fault.reason) if work else Failed(fault.reason, 0.0)
    except TemporaryFault as fault:
        if work and work.healed:  # the next attempt finds nothing stuck, and has nothing to tell of it
            told = added(fault.reason, f"before that: {work.healed}")
            raise TemporaryFault(told, fault.delay_seconds) from fault
        raise


def _enough(left: float, budget_seconds: float) -> float:
    """What is left of the budget. Raises TemporaryFault where that is less than half of it."""
    if left < budget_seconds / 2:
        raise TemporaryFault("chart, image and secrets took so long that Helm would be cut short", _RETRY_SECONDS)
    return left


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is needed before Helm starts.

    secrets: the texts among the values that must never be shown. mark: tells values apart, and what a release has to go
    through once it is ready; empty where there are secrets among the values, of which a hash would tell too much.
    """

    chart: Chart
    values: Mapping[str, Any]
    secrets: tuple[str, ...]
    mark: str


def _prepare(request: Install, workspace: Workspace) -> _Ready:
    """All that can fail without Helm does it here: what a name, an image, a chart or a secret lacks."""
    release = request.release
    check_names(release)
    find_image(release, request.commit, workspace)
    with tracing.span("chart", chart=charts.shown(release.chart)):
        chart = charts.find(release, workspace)
    given = with_commit(release.values, release.image_tag, request.commit)
    values, secrets = resolve(given, workspace)
    mark = fingerprint(_with_proofs(values, release)) if values == given else ""
    return _Ready(chart, values, secrets, mark)


def _with_proofs(values: Mapping[str, Any], release: Release) -> Mapping[str, Any]:
    """The values, and what else has to be seen of the release, if anything: what ran without has yet to be seen so."""
    proofs = {"test": release.test, "verify": release.verify.name if release.verify else ""}
    return {"values": values, **proofs} if any(proofs.values()) else values


@dataclass
class _Work:
    """One install under way. healed: what was done about a release that it found stuck. revision: the new one."""

    helm: Helm
    request: Install
    ready: _Ready
    healed: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    revision: Mapping[str, Any] = field(default_factory=dict)

    def failed(self, reason: str) -> Failed:
        return Failed(reason, self.helm.seconds, self.healed, self.output)

    @property
    def output(self) -> str:
        return self.helm.output(self.revision, self.ready.secrets)

    async def deploy(self) -> Deployed | Applied:
        request, release = self.request, self.request.release
        revisions: Sequence[Revision] = await _look_up(self.helm, release)
        if done := self._done(revisions):
            return done
        revisions = await self._heal(revisions)
        waits = self.helm.can_wait(release.timeout)
        marks = Marks(
            request.promotion_id,
            unverified=not waits or phases_of(release) != (Phase.READY,),
            digest=self.ready.chart.digest,
            values=self.ready.mark,
        )
        if not request.anew and (same := self._same(revisions, marks)):
            return same
        revision = await self._upgrade(revisions, marks, waits=waits)
        metadata = revision["chart"]["metadata"]
        return self._told(
            revisions, revision["version"], f"{metadata['name']}-{metadata['version']}", marks, is_ready=waits
        )

    def _done(self, revisions: Sequence[Revision]) -> Deployed | Applied | None:
        """What an earlier delivery of this promotion has come to."""
        promotion = self.request.promotion_id
        done = history.finished(revisions, promotion) or history.applied(revisions, promotion)
        if done is None or done.marks is None:
            return None
        before = [each for each in revisions if each.number < done.number]
        if done.marks.unverified:
            return self._told(before, done.number, done.chart, done.marks, is_ready=False)
        previous = self._previous(before)
        return Deployed("unchanged", done.number, done.chart, self.helm.seconds, done.digest, "", previous)

    async def _heal(self, revisions: Sequence[Revision]) -> Sequence[Revision]:
        """Free a release that a killed Helm left stuck, for the upgrade that follows; the revisions that are left."""
        way_out = history.remedy(revisions, self.request.verified)
        if way_out is None:
            return revisions
        done = await self.helm.go(way_out, self.request.release, force_conflicts=self.request.force_conflicts)
        self.healed = f"it was left {revisions[-1].status} by a Helm that was killed; {done}"
        return revisions if isinstance(way_out, history.RollBack) else ()

    def _same(self, revisions: Sequence[Revision], wanted: Marks) -> Deployed | None:
        """The release as it runs, where that is just what is wanted, as far as digest and mark tell."""
        runs = history.running(revisions, self.request.verified) if not self.healed else None
        if (
            runs is None
            or not (wanted.digest and wanted.values)
            or (runs.digest, runs.values) != (wanted.digest, wanted.values)
        ):
            return None
        last = revisions[-1]
        return Deployed("unchanged", last.number, last.chart, self.helm.seconds, runs.digest, "", last.number)

    async def _upgrade(self, revisions: Sequence[Revision], marks: Marks, *, waits: bool) -> dict[str, Any]:
        """The new revision as Helm prints it. Where Helm would go back to the wrong one, or not at all, we do."""
        verified = self.request.verified
        goes_back = waits and history.helm_goes_back_well(revisions, verified)
        wish = Wish(waits, goes_back, self.request.force_conflicts, history.is_there(revisions))
        told, before = history.describe(marks), asyncio.ensure_future(self._manifest_of(revisions))
        try:
            revision = await self.helm.upgrade(
                self.request.release, self.ready.chart.place, self.ready.values, told, wish
            )
        except errors.Error as error:
            if not goes_back:
                await self._go_back(error, history.way_back(revisions, verified))
            elif isinstance(error, errors.CommandCancelledError) and b"has been rolled back" not in error.stderr:
                error.stderr = error.stderr.rstrip() + b"; not rolled back in time: the next deployment does that first"
            raise
        finally:
            was = await before
        self.revision, self.changes = revision, self._compared(was, revision.get("manifest", ""))
        return revision

    async def _manifest_of(self, revisions: Sequence[Revision]) -> str:
        """What runs, as it was rendered: asked for while Helm works at what is to run, which takes longer.

        What reads YAML is loaded meanwhile as well: a cold start is 10 ms shorter.
        """
        live = next((each for each in reversed(revisions) if each.has_succeeded), None)
        manifest = await self.helm.manifest(self.request.release, live.number) if live else ""
        import_module("pipeline_state.deploy.manifests")
        return manifest

    def _compared(self, before: str, after: str) -> Mapping[str, Any]:
        from pipeline_state.deploy.manifests import compare, summary  # noqa: PLC0415 - see _manifest_of

        with tracing.span("compare manifests"):
            try:
                changes = compare(before, after, namespace=self.request.release.namespace, secrets=self.ready.secrets)
            except PermanentFault:  # no YAML to Python, although it was to Helm
                return {}
            return summary(changes)

    async def _go_back(self, error: Any, way: history.WayBack) -> None:
        """After a failed upgrade. If that fails, too, the next install of the release finds it, and heals it."""
        try:
            done = await self.helm.go(way, self.request.release, force_conflicts=self.request.force_conflicts)
        except (errors.Error, TemporaryFault):
            done = "not rolled back, since that failed, too"
        error.stderr = error.stderr.rstrip() + f"; {done}".encode()

    def _told(
        self, before: Sequence[Revision], revision: int, chart: str, marks: Marks, *, is_ready: bool
    ) -> Deployed | Applied:
        """What has come of it, as far as Helm has brought it. before: the revisions before it."""
        action: Action = "upgraded" if history.ever_ready(before) else "deployed"
        digest, previous = marks.digest, self._previous(before)
        told: dict[str, Any] = {"healed": self.healed, "changes": self.changes, "output": self.output}
        if not marks.unverified:
            return Deployed(action, revision, chart, self.helm.seconds, digest, previous=previous, **told)
        return Applied(action, revision, chart, self.helm.seconds, digest, previous, is_ready, **told)

    def _previous(self, before: Sequence[Revision]) -> int:
        way = history.way_back(before, self.request.verified)
        return way.revision if isinstance(way, history.RollBack) else 0


async def _look_up(helm: Helm, release: Release) -> tuple[Revision, ...]:
    with tracing.span("release look-up", release=release.name, namespace=release.namespace):
        try:
            revisions = await helm.revisions(release)
        except errors.CommandCancelledError as error:
            raise TemporaryFault("the cluster did not answer Helm's look-up of the release", _RETRY_SECONDS) from error
        tracing.add_field("revisions", len(revisions))
        return revisions


def check_names(release: Release) -> None:
    """Raises PermanentFault for a name or namespace that neither Helm nor Kubernetes takes."""
    if not _RELEASE_NAME.fullmatch(release.name):
        raise PermanentFault(f"release name {release.name!r}: up to 53 lower-case letters, digits, - and .")
    if not _NAMESPACE.fullmatch(release.namespace):
        raise PermanentFault(f"namespace {release.namespace!r}: up to 63 lower-case letters, digits and -")
