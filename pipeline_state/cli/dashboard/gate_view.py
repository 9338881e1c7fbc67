"""The gates of a commit with their evidence, as plain values: who set each, how certain that is, who is to open it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from pipeline_state.cli import facts
from pipeline_state.cli.dashboard.marks import Mark, gate_mark
from pipeline_state.cli.dashboard.offers import Offer, gate_offers
from pipeline_state.cli.spans import took
from pipeline_state.cli.views import who
from pipeline_state.model.decision import Superseded
from pipeline_state.model.entries import PIPELINE, Doer, Known, doer_of
from pipeline_state.model.evidence import doers
from pipeline_state.model.gates import Gate, GateStatus
from pipeline_state.model.past import Former, Overtaking, Past
from pipeline_state.model.pipelines import DEPLOYED_TO, GateDefinition, SourceKind
from pipeline_state.model.waits import TO_BE_MENDED, Wait, waits
from pipeline_state.table.snapshot import Snapshot

_SOURCES: Mapping[SourceKind, str] = {
    SourceKind.CIRCLECI_WORKFLOW: "CircleCI workflow",
    SourceKind.CIRCLECI_JOB: "CircleCI job",
    SourceKind.GITHUB_CHECK: "GitHub check",
    SourceKind.GITHUB_CHECK_SUITE: "GitHub check suite",
    SourceKind.GITHUB_WORKFLOW: "GitHub workflow",
}


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate with its evidence.

    by, known: who set it, and whether that is verified, claimed or unknown. opener: what is to open it. awaited: how
    long it has been waited for, empty where it is not. url: http or https, or empty.
    """

    name: str
    mark: Mark
    by: str
    known: Known
    at: str
    reason: str
    url: str
    expires_at: str
    opener: str
    awaited: str
    offers: tuple[Offer, ...]


def gate_views(
    snapshot: Snapshot, entries: Sequence[Mapping[str, Any]], now: datetime, former: tuple[Former, ...] = ()
) -> tuple[GateView, ...]:
    """The gates of the snapshot's commit. entries: its journal, oldest first. former: its pipelines since then."""
    it = _Gates(snapshot, entries, now, former)
    return tuple(map(it.view, facts.gates_of(snapshot, now)))


@dataclass(frozen=True)
class _Gates:
    snapshot: Snapshot
    entries: Sequence[Mapping[str, Any]]
    now: datetime
    former: tuple[Former, ...]

    @cached_property
    def waited_for(self) -> dict[str, Wait]:
        """What is waited for now, by what it is; of an environment that a newer commit came to first, nothing is."""
        overtaken = {
            pipeline.key_of(decision.environment): Overtaking(self.now, PIPELINE)  # or before: it is over by now
            for pipeline, decision in facts.decisions_of(self.snapshot, self.now)
            if pipeline and isinstance(decision, Superseded)
        }
        past, pipelines = Past(self.former, overtaken), self.snapshot.definitions.pipelines
        found = waits(self.snapshot.record, self.entries, pipelines, self.now, past=past)
        return {wait.what.removesuffix(TO_BE_MENDED): wait for wait in found if wait.end is None}

    @cached_property
    def declared(self) -> dict[str, GateDefinition]:
        return {gate.name: gate for pipeline in self.snapshot.definitions.pipelines for gate in pipeline.gates}

    def view(self, gate: Gate) -> GateView:
        wait, doer = self.waited_for.get(gate.name), self.doer(gate)
        return GateView(
            name=gate.name,
            mark=gate_mark(gate.status),
            by=who(doer.by) or "",
            known=doer.known,
            at=gate.at or "",
            reason=gate.note or gate.reason or "",
            url=safe_url(gate.url),
            expires_at=gate.expires_at or "",
            opener=self.opener(gate.name),
            awaited=took(wait.duration(self.now).total_seconds()) if wait else "",
            offers=gate_offers(gate),
        )

    def opener(self, name: str) -> str:
        """What is to open a gate."""
        if name.startswith(DEPLOYED_TO):
            return "a deployment"
        if name not in self.declared:
            return "a person; somebody added it to this commit"
        source = self.declared[name].source
        return f"{_SOURCES[source.kind]} {source.name}" if source else "a person"

    def doer(self, gate: Gate) -> Doer:
        """Who gave a gate its value: certain where the journal tells so of just this value, else what the value says.

        The note beside it proves nothing: whoever edits a record can write that as well.
        """
        if gate.status is GateStatus.PENDING and not gate.by and not gate.note:
            return Doer()
        told = self.doers.get(gate.name, Doer())
        return told if told.known == "verified" else doer_of(gate.by or "", verified=False)

    @cached_property
    def doers(self) -> Mapping[str, Doer]:
        """By gate, as the journal has it."""
        gates, pipelines = self.snapshot.record.gates, self.snapshot.definitions.pipelines
        return doers(gates, self.entries, pipelines, self.now, self.former)


def safe_url(url: str | None) -> str:
    """A URL that somebody wrote, if following it leads to a web page and runs nothing here; else empty."""
    try:
        told = urlsplit(url or "")
    except ValueError:
        return ""
    return url or "" if told.scheme in {"http", "https"} and told.netloc else ""
