"""What an environment was given, and what came of it: for people, and to choose from what to go back to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

from pipeline_state.cli.facts import gate_data
from pipeline_state.cli.steering.courses import FINAL, Course, courses, is_of
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.decide import required_gates
from pipeline_state.model.decision import TAKEN_BACK
from pipeline_state.model.gates import Gate, GateStatus, is_gate, read_gate
from pipeline_state.model.pipelines import DEPLOYED_TO, Release
from pipeline_state.model.promotion import Promotion, with_digest
from pipeline_state.model.results import pinned
from pipeline_state.table import waiting
from pipeline_state.table.deployments import Deployment, deployments
from pipeline_state.table.journal import history
from pipeline_state.table.models import to_plain

_STATUSES = {"TRUE": "deployed", "FALSE": "failed"}

SHORT_DIGEST = len("sha256:") + 12
"""Characters of a digest that tell it apart."""

_MEASURED = ("outcome", "reason", "at", "revision", "seconds", "healed")

Entries = Callable[[str, str], Iterable[Mapping[str, Any]]]
"""What reads the journal of a repository's commit, oldest entry first."""


@dataclass(frozen=True, slots=True)
class Past:
    """One promotion of an environment.

    outcome: "deployed", "failed", "superseded", or empty while nothing came of it. reason: of a failure. ended_at:
    RFC 3339. gates: the commit's columns now, raw values by name. required: those that the environment asks people and
    machines for. courses: by release, how each went, where that was asked for. left_by: generations of the later
    promotions by which somebody took the commit back.
    """

    deployment: Deployment
    outcome: str
    reason: str
    ended_at: str
    gates: Mapping[str, Any]
    required: tuple[str, ...]
    courses: Mapping[str, Course] = field(default_factory=dict)
    left_by: tuple[int, ...] = ()

    @property
    def installed(self) -> tuple[Promotion, ...]:
        """What was promoted, with the digests of the charts where the deployed gate tells them."""
        return pinned(self.deployment.promotions, _deployed_gate(self.deployment, self.gates))

    @property
    def charts(self) -> list[str]:
        """The releases with their charts."""
        return [f"{each.release.name} {chart_told(each.release)}" for each in self.installed]

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Plain data."""
        deployment = self.deployment
        return {
            **{name: getattr(deployment, name) for name in ("generation", "commit", "at", "action", "by")},
            "reason": deployment.reason or None,
            "pipeline_version": deployment.promotions[0].pipeline_version if deployment.promotions else None,
            "releases": [_release_data(each, self.course(each.release.name)) for each in self.installed],
            "outcome": self.outcome or None,
            "outcome_reason": self.reason or None,
            "ended_at": self.ended_at or None,
            "approvals": [gate_data(gate) for gate in self.approvals(now)],
        }

    def course(self, release: str) -> Course:
        """How one of the releases went."""
        return self.courses.get(release, Course())

    def approvals(self, now: datetime) -> list[Gate]:
        """What the required gates say now, as far as they say anything."""
        gates = (read_gate(name, self.gates[name], now) for name in self.required if name in self.gates)
        return [gate for gate in gates if gate.status is not GateStatus.PENDING]


def chart_told(release: Release) -> str:
    """A release's chart, version and the first digits of its digest, as far as there are such."""
    return " ".join(filter(None, [release.chart, release.version, release.digest[:SHORT_DIGEST]]))


def _release_data(promotion: Promotion, course: Course) -> dict[str, Any]:
    """A release of a promotion as plain data: what was to be installed, and what came of it."""
    release = promotion.release
    return {
        **{name: getattr(release, name) for name in ("name", "namespace", "chart", "version")},
        "digest": release.digest or course.digest or None,
        "image": release.image or None,
        "image_tag": promotion.commit,
        **{name: getattr(course, name) or None for name in _MEASURED},
        "installed_chart": course.chart or None,
        "changes": dict(course.changes) or None,
        "output": course.output or None,
    }


def latest(place: Place, most: int) -> list[Past]:
    """The last promotions of an environment, newest first, with how each release went. Raises TemporaryFault."""

    @cache
    def entries(repo: str, commit: str) -> Sequence[Mapping[str, Any]]:
        return list(history(repo, commit))

    return [_with_courses(past, entries) for past in islice(pasts(place, most, entries), most)]


def told_of(place: Place, some: Iterable[Deployment], gates: Mapping[str, Any], journal: Sequence[Any]) -> list[Past]:
    """Promotions of one commit with how each release went. gates: its columns. journal: its entries, oldest first."""

    def entries(*_: str) -> Sequence[Mapping[str, Any]]:
        return journal

    return [_with_courses(_past(place, each, gates, entries), entries) for each in some]


def _with_courses(past: Past, entries: Entries) -> Past:
    deployment = past.deployment
    gate = _deployed_gate(deployment, past.gates)
    return replace(past, courses=courses(deployment.promotions, gate, entries(deployment.repo, deployment.commit)))


def pasts(place: Place, batch: int = 5, entries: Entries = history) -> Iterator[Past]:
    """All promotions of an environment, newest first, read as they are wanted.

    entries: reads the journal of a commit of a repository. Raises TemporaryFault.
    """
    found = deployments(*place.key)
    while some := list(islice(found, batch)):
        columns = _columns(some)
        yield from (_past(place, each, columns.get((each.repo, each.commit), {}), entries) for each in some)


def as_installed(past: Past) -> tuple[Promotion, ...]:
    """A promotion to be carried out again with the very charts that were installed then.

    The deployed gate tells of the commit's last promotion alone, its journal of those before as well. A chart that none
    of them tells of is whatever its reference leads to. Raises TemporaryFault.
    """
    if all(each.release.digest for each in past.installed):
        return past.installed
    told = digests_of_journal(past.deployment, history(past.deployment.repo, past.deployment.commit))
    return tuple(
        each if each.release.digest else with_digest(each, told.get(each.release.name)) for each in past.installed
    )


def _columns(some: Sequence[Deployment]) -> dict[tuple[str, str], dict[str, Any]]:
    """The gates of the commits, by repository and commit."""
    items = {
        (repo, commit): to_plain(raw)
        for repo in {each.repo for each in some}
        for commit, raw in waiting.records(repo, {each.commit for each in some if each.repo == repo}).items()
    }
    return {key: {name: value for name, value in item.items() if is_gate(name)} for key, item in items.items()}


def _past(place: Place, deployment: Deployment, gates: Mapping[str, Any], entries: Entries) -> Past:
    told, journal = outcome_of_gate(deployment, gates), list[Mapping[str, Any]]()
    if told is None or not told[0]:
        journal = list(entries(deployment.repo, deployment.commit))
        told = outcome_of_journal(deployment, journal) or told
    required = required_gates(gates, place.pipeline, place.environment, place.declared)
    asked = tuple(name for name in required if not name.startswith(DEPLOYED_TO))
    return Past(deployment, *(told or ("", "", "")), gates, asked, left_by=_left_by(deployment, gates, journal))


def outcome_of_gate(deployment: Deployment, gates: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Outcome, reason and time by the deployed gate; None where it tells of another promotion."""
    value = _deployed_gate(deployment, gates)
    if not isinstance(value, Mapping) or value.get("generation") != Decimal(deployment.generation):
        return None
    outcome = _STATUSES.get(str(value.get("status")), "")
    return outcome, str(value.get("reason") or ""), str(value.get("at") or "") if outcome else ""


def _left_by(deployment: Deployment, gates: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> tuple[int, ...]:
    """By which rollbacks somebody left its commit after it: by the deployed gate, and by the commit's journal.

    The gate tells of the last one, until the commit is promoted there again; earlier versions wrote no entry.
    """
    value, name = _deployed_gate(deployment, gates), _deployed_name(deployment)
    told = [value] if isinstance(value, Mapping) and re.match(f"{TAKEN_BACK}(:|$)", str(value.get("reason"))) else []
    whats = (entry.get("what") for entry in entries if entry.get("kind") == TAKEN_BACK)
    told += [what for what in whats if isinstance(what, Mapping) and what.get("gate") == name]
    found = (each.get("generation") for each in told)
    return tuple(int(each) for each in found if isinstance(each, Decimal | int) and each > deployment.generation)


def _deployed_gate(deployment: Deployment, gates: Mapping[str, Any]) -> Any:
    return gates.get(_deployed_name(deployment))


def _deployed_name(deployment: Deployment) -> str:
    return DEPLOYED_TO + (deployment.promotions[0].environment_key if deployment.promotions else "")


def digests_of_journal(deployment: Deployment, entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The digests of a promotion's charts by the entries of the commit's journal: by release, as written there."""
    whats = (what for entry in entries if isinstance(what := entry.get("what"), Mapping) and _is_of(what, deployment))
    return {str(what.get("release")): what["digest"] for what in whats if "digest" in what}


def outcome_of_journal(deployment: Deployment, entries: Iterable[Mapping[str, Any]]) -> tuple[str, str, str] | None:
    """The same by the entries of the commit's journal; None where they do not tell."""
    ended: dict[str, tuple[str, str, str]] = {}
    for entry in entries:
        what = entry.get("what")
        if isinstance(what, Mapping) and _is_of(what, deployment) and what.get("outcome") in FINAL:
            time = str(entry["entry"]).partition("#")[0]
            ended[str(what.get("release"))] = (str(what["outcome"]), str(what.get("reason") or ""), time)
    for outcome in ("failed", "superseded"):
        if those := [each for each in ended.values() if each[0] == outcome]:
            return those[0]
    is_whole = {promotion.release.name for promotion in deployment.promotions} <= ended.keys()
    return max(ended.values(), key=lambda each: each[2]) if ended and is_whole else None


def _is_of(what: Mapping[str, Any], deployment: Deployment) -> bool:
    return any(is_of(what, promotion) for promotion in deployment.promotions)
