"""What an environment was given, and what came of it: for people, and to choose from what to go back to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from pipeline_state.cli.facts import gate_data
from pipeline_state.cli.places import Place
from pipeline_state.model.gates import Gate, GateStatus, is_gate, read_gate
from pipeline_state.model.pipelines import DEPLOYED_TO
from pipeline_state.table import waiting
from pipeline_state.table.deployments import Deployment, deployments
from pipeline_state.table.journal import history
from pipeline_state.table.models import to_plain

_STATUSES = {"TRUE": "deployed", "FALSE": "failed"}
_FINAL = frozenset({"deployed", "failed", "superseded"})


@dataclass(frozen=True, slots=True)
class Past:
    """One promotion of an environment.

    outcome: "deployed", "failed", "superseded", or empty while nothing came of it. reason: of a failure. ended_at:
    RFC 3339. gates: the commit's columns now, raw values by name.
    """

    deployment: Deployment
    outcome: str
    reason: str
    ended_at: str
    gates: Mapping[str, Any]

    @property
    def charts(self) -> list[str]:
        """The releases with chart and version."""
        releases = (promotion.release for promotion in self.deployment.promotions)
        return [f"{each.name} {each.chart}{f' {each.version}' if each.version else ''}" for each in releases]

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Plain data."""
        deployment = self.deployment
        releases = (promotion.release for promotion in deployment.promotions)
        return {
            **{name: getattr(deployment, name) for name in ("generation", "commit", "at", "action", "by")},
            "reason": deployment.reason or None,
            "pipeline_version": deployment.promotions[0].pipeline_version if deployment.promotions else None,
            "releases": [{name: getattr(each, name) for name in ("name", "chart", "version")} for each in releases],
            "outcome": self.outcome or None,
            "outcome_reason": self.reason or None,
            "ended_at": self.ended_at or None,
            "approvals": [gate_data(gate) for gate in self.approvals(now)],
        }

    def approvals(self, now: datetime) -> list[Gate]:
        """The gates that somebody or something gave a status, but for those the pipeline itself writes."""
        columns = ((name, value) for name, value in self.gates.items() if not name.startswith(DEPLOYED_TO))
        return [
            gate for name, value in columns if (gate := read_gate(name, value, now)).status is not GateStatus.PENDING
        ]


def latest(place: Place, most: int) -> list[Past]:
    """The last promotions of an environment, newest first. Raises TemporaryFault."""
    return list(islice(pasts(place, most), most))


def pasts(place: Place, batch: int = 5) -> Iterator[Past]:
    """All promotions of an environment, newest first, read as they are wanted. Raises TemporaryFault."""
    found = deployments(*place.key)
    while some := list(islice(found, batch)):
        yield from _with_outcomes(some)


def _with_outcomes(some: Sequence[Deployment]) -> Iterator[Past]:
    columns: dict[tuple[str, str], Mapping[str, Any]] = {}
    for repo in {each.repo for each in some}:
        commits = dict.fromkeys(each.commit for each in some if each.repo == repo)
        columns |= {(repo, commit): to_plain(raw) for commit, raw in waiting.records(repo, commits).items()}
    for each in some:
        record = read_columns(columns.get((each.repo, each.commit), {}))
        yield _past(each, record)


def read_columns(item: Mapping[str, Any]) -> dict[str, Any]:
    """The gates of an item."""
    return {name: value for name, value in item.items() if is_gate(name)}


def _past(deployment: Deployment, gates: Mapping[str, Any]) -> Past:
    told = outcome_of_gate(deployment, gates)
    if told is None or not told[0]:
        told = outcome_of_journal(deployment, history(deployment.repo, deployment.commit)) or told
    return Past(deployment, *(told or ("", "", "")), gates)


def outcome_of_gate(deployment: Deployment, gates: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Outcome, reason and time by the deployed gate; None where it tells of another promotion."""
    key = deployment.promotions[0].environment_key if deployment.promotions else ""
    value = gates.get(DEPLOYED_TO + key)
    if not isinstance(value, Mapping) or value.get("generation") != Decimal(deployment.generation):
        return None
    outcome = _STATUSES.get(str(value.get("status")), "")
    return outcome, str(value.get("reason") or ""), str(value.get("at") or "") if outcome else ""


def outcome_of_journal(deployment: Deployment, entries: Iterable[Mapping[str, Any]]) -> tuple[str, str, str] | None:
    """The same by the entries of the commit's journal; None where they do not tell."""
    ended: dict[str, tuple[str, str, str]] = {}
    for entry in entries:
        what = entry.get("what")
        if isinstance(what, Mapping) and _is_of(what, deployment) and what.get("outcome") in _FINAL:
            time = str(entry["entry"]).partition("#")[0]
            ended[str(what.get("release"))] = (str(what["outcome"]), str(what.get("reason") or ""), time)
    for outcome in ("failed", "superseded"):
        if those := [each for each in ended.values() if each[0] == outcome]:
            return those[0]
    is_whole = {promotion.release.name for promotion in deployment.promotions} <= ended.keys()
    return max(ended.values(), key=lambda each: each[2]) if ended and is_whole else None


def _is_of(what: Mapping[str, Any], deployment: Deployment) -> bool:
    place = {(each.pipeline, each.environment) for each in deployment.promotions}
    return (what.get("pipeline"), what.get("environment")) in place and what.get("generation") == deployment.generation
