"""What a result does to a gate: which gates it feeds, and whether it counts against what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pipeline_state.model.pipelines import Pipeline, SourceKind
from pipeline_state.model.promotion import Promotion, with_digest
from pipeline_state.model.record import note_of
from pipeline_state.model.times import parse_time

_PASSES = frozenset({"success", "neutral", "skipped"})
_STAYS_PENDING = frozenset(
    {"cancelled", "canceled", "stale", "action_required", "unauthorized", "pending", "queued", "in_progress"}
)
_RANKS = {"": 0, "TRUE": 1, "FALSE": 2}
"""Of two results of one second: a verdict counts over none, and the worse verdict over the better."""

KINDS = {
    "com.circleci.workflow-completed": SourceKind.CIRCLECI_WORKFLOW,
    "com.circleci.job-completed": SourceKind.CIRCLECI_JOB,
    "com.github.check_run.completed": SourceKind.GITHUB_CHECK,
    "com.github.check_suite.completed": SourceKind.GITHUB_CHECK_SUITE,
    "com.github.workflow_run.completed": SourceKind.GITHUB_WORKFLOW,
}
"""Which kind of gate source an event type is; every com.github.status.<state> is a check too."""

OUTCOMES = {"deployed": "TRUE", "failed": "FALSE", "errored": "", "applied": ""}
"""What the deployed gate says after each kind of result; an error leaves it pending, with the reason."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a CI system said about a commit.

    status: the provider's own word, lower case. completed_at: RFC 3339. app: who reported it.
    """

    kind: SourceKind
    name: str
    app: str
    status: str
    completed_at: str
    url: str = ""
    who: str = ""

    @property
    def gate_status(self) -> str:
        """TRUE, FALSE or "" for pending, as a gate's column has it."""
        if self.status in _PASSES:
            return "TRUE"
        return "" if self.status in _STAYS_PENDING else "FALSE"

    @property
    def value(self) -> dict[str, str]:
        """What a gate that it feeds holds."""
        told = {"status": self.gate_status, "at": self.completed_at, "by": self.app or self.kind.value}
        if self.gate_status != "TRUE":
            told["reason"] = f"{self.name}: {self.status}"
        return told | {key: text for key, text in (("url", self.url), ("who", self.who)) if text}


def source_kind(type_: str) -> SourceKind | None:
    """Which kind of gate source an event's type is; None for what is no result."""
    return SourceKind.GITHUB_CHECK if type_.startswith("com.github.status") else KINDS.get(type_)


def fed_gates(result: Result, pipelines: Iterable[Pipeline]) -> tuple[str, ...]:
    """The gates that a result feeds, by the definitions of the repository's pipelines."""
    fed = (
        gate.name
        for pipeline in pipelines
        for gate in pipeline.gates
        if gate.source
        and (gate.source.kind, gate.source.name) == (result.kind, result.name)
        and gate.source.app in {None, result.app}
    )
    return tuple(dict.fromkeys(fed))


def counts(result: Result, value: Any, written: Mapping[str, Any] | None) -> bool | None:
    """Whether a result replaces a gate's value; None while that cannot be told yet.

    value: what the column holds, None when absent. written: what was last seen written there, with `at` (RFC 3339),
    `value`, and `result` where that was one; the promoter notes hand edits there a moment after they happen. The newest
    completion wins, and a value set by hand holds until a result that completed later. GitHub tells whole seconds, so
    the two results of a short job can have one time; which of them counts is then a matter of what they say.
    """
    if value is None or (value == "" and written is None):
        return True
    note = note_of(value, written)
    if not note:
        return None
    set_at, completed = parse_time(note.get("at")), parse_time(result.completed_at)
    if set_at is None or completed is None:
        return set_at is None
    if completed == set_at and note.get("result"):
        return _RANKS[result.gate_status] > _RANKS.get(_status(value), 0)
    return completed > set_at


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """How one release of a promotion ended.

    gate: the environment's deployed gate. releases: names of all releases of the environment. generation: the claim's.
    status: TRUE, FALSE, or "" while it is to be tried again. at: RFC 3339. revision, chart: Helm's, where it deployed;
    digest: that chart's, where it could be told; reason: where it failed.
    """

    gate: str
    release: str
    releases: tuple[str, ...]
    generation: int
    status: str
    at: str
    reason: str = ""
    revision: int = 0
    chart: str = ""
    digest: str = ""


def deployed_value(value: Any, result: ReleaseResult) -> dict[str, Any] | None:
    """The deployed gate's new value, or None where it already tells of a later promotion or a later result.

    It is passed once every release of the promotion is deployed, and failed as soon as one has failed. Its time is that
    of the release that ended last, in whatever order that is told. A verdict counts over an attempt that was to be
    repeated, also where that has a later time: the two may be of two clocks.
    """
    generation, known = told_releases(value)
    if generation > result.generation:
        return None
    if generation == result.generation and _is_older(result, known.get(result.release, {})):
        return None
    mine = {"status": result.status, "at": result.at, "revision": result.revision}
    told = {"reason": result.reason, "chart": result.chart, "digest": result.digest}
    mine |= {key: text for key, text in told.items() if text}
    releases = {**(known if generation == result.generation else {}), result.release: mine}
    statuses = [_status(releases.get(name)) for name in result.releases]
    status = "FALSE" if "FALSE" in statuses else "TRUE" if all(status == "TRUE" for status in statuses) else ""
    new = {
        "status": status,
        "at": _latest(result.at, *(releases.get(name, {}).get("at") for name in result.releases)),
        "by": "gatestream",
        "generation": result.generation,
        "releases": releases,
    }
    ordered = sorted(
        result.releases, key=lambda name: _status(releases.get(name)) != "FALSE"
    )  # those to be mended first
    reasons = [f"{name}: {reason}" for name in ordered if (reason := releases.get(name, {}).get("reason"))]
    return {**new, "reason": "; ".join(reasons)} if reasons else new


def told_releases(value: Any) -> tuple[int, dict[str, Mapping[str, Any]]]:
    """Generation and releases of a deployed gate; 0 and none where people have made something else of it."""
    if not isinstance(value, Mapping) or not isinstance(value.get("generation"), int | Decimal):
        return 0, {}
    releases = value.get("releases")
    known = releases.items() if isinstance(releases, Mapping) else ()
    return int(value["generation"]), {name: release for name, release in known if isinstance(release, Mapping)}


def pinned(promotions: Iterable[Promotion], value: Any) -> tuple[Promotion, ...]:
    """The promotions of one deployment as they are to be carried out again: each with the chart that was installed.

    value: the commit's deployed gate. It knows of the latest deployment of the commit only; a promotion that it does
    not tell of keeps what it was settled to install itself, if anything.
    """
    generation, known = told_releases(value)
    return tuple(
        with_digest(each, known.get(each.release.name, {}).get("digest")) if each.generation == generation else each
        for each in promotions
    )


def _is_older(result: ReleaseResult, known: Mapping[str, Any]) -> bool:
    """Whether a release's result is from before the one that its gate tells of."""
    if result.status and not _status(known):
        return False
    now, before = parse_time(result.at), parse_time(known.get("at"))
    if now is None or before is None:
        return False
    return now < before or (now == before and not result.status and bool(_status(known)))


def _latest(mine: str, *others: Any) -> str:
    """The latest of these times, as it was told; mine where the others are none."""
    times = {moment: told for told in (*others, mine) if (moment := parse_time(told))}
    return str(times[max(times)]) if times else mine


def _status(value: Any) -> str:
    status = value.get("status") if isinstance(value, Mapping) else None
    return status if isinstance(status, str) else ""
