"""What a result does to a gate: which gates it feeds, and whether it counts against what is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_state.model.pipelines import Pipeline, SourceKind
from pipeline_state.model.times import parse_time

_PASSES = frozenset({"success", "neutral", "skipped"})
_STAYS_PENDING = frozenset(
    {"cancelled", "canceled", "stale", "action_required", "unauthorized", "pending", "queued", "in_progress"}
)


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


def counts(completed_at: str, value: Any, written: Mapping[str, Any] | None) -> bool | None:
    """Whether a result with this completion time replaces a gate's value; None while that cannot be told yet.

    value: what the column holds, None when absent. written: what was last seen written there, with `at` (RFC 3339) and
    `value`; the promoter notes hand edits there a moment after they happen. The newest completion wins, and a value set
    by hand holds until a result that completed later.
    """
    if value is None or (value == "" and written is None):
        return True
    if written is None or written.get("value") != value:
        return None
    set_at, completed = parse_time(written.get("at")), parse_time(completed_at)
    return set_at is None or (completed is not None and completed > set_at)


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """How one release of a promotion ended.

    gate: the environment's deployed gate. releases: names of all releases of the environment. generation: the claim's.
    status: TRUE or FALSE. at: RFC 3339. revision, chart: Helm's, where it deployed; reason: where it failed.
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


def deployed_value(value: Any, result: ReleaseResult) -> dict[str, Any] | None:
    """The deployed gate's new value, or None where it already tells of a later promotion.

    It is passed once every release of the promotion is deployed, and failed as soon as one has failed.
    """
    old = value if isinstance(value, Mapping) else {}
    generation = int(old.get("generation", 0))
    if generation > result.generation:
        return None
    known = old.get("releases") if generation == result.generation else None
    mine = {"status": result.status, "at": result.at, "revision": result.revision}
    mine |= {key: text for key, text in (("reason", result.reason), ("chart", result.chart)) if text}
    releases = {**(known if isinstance(known, Mapping) else {}), result.release: mine}
    statuses = [releases.get(name, {}).get("status", "") for name in result.releases]
    status = "FALSE" if "FALSE" in statuses else "TRUE" if all(status == "TRUE" for status in statuses) else ""
    new = {
        "status": status,
        "at": result.at,
        "by": "gatestream",
        "generation": result.generation,
        "releases": releases,
    }
    reasons = [f"{name}: {release['reason']}" for name, release in releases.items() if release.get("reason")]
    return {**new, "reason": "; ".join(reasons)} if reasons else new
