"""How each release of a promotion went: what its deployed gate and the entries of its commit's journal tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipeline_state.cli.spans import seconds_in
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.results import told_releases

FINAL = frozenset({"deployed", "failed", "superseded"})
"""Outcomes after which nothing more comes of a promotion."""

_OUTCOMES = {"TRUE": "deployed", "FALSE": "failed"}


@dataclass(frozen=True, slots=True)
class Course:
    """One release of one promotion; what nobody tells is empty.

    outcome: "deployed", "failed" or "superseded"; before that "started", "errored" or "applied". reason: of all but
    started and deployed. at: when it was told (RFC 3339). revision: Helm's. chart: its name and version, as Helm prints
    them. digest: that chart's. seconds: from the installation's start to the verdict. healed: what had to be put right
    first. changes: what became of how many resources in the cluster. output: what Helm said, on several lines.
    """

    outcome: str = ""
    reason: str = ""
    at: str = ""
    revision: int = 0
    chart: str = ""
    digest: str = ""
    seconds: float = 0.0
    healed: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""


def courses(promotions: Iterable[Promotion], gate: Any, entries: Iterable[Mapping[str, Any]]) -> dict[str, Course]:
    """Of each release of a promotion, by its name; one without anything where nobody tells of it.

    gate: the commit's deployed gate, which knows of its last promotion there alone. entries: the commit's journal,
    oldest first. Anybody may have written there.
    """
    written_for, releases = told_releases(gate)
    by_release: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        what = entry.get("what")
        if isinstance(what, Mapping):
            told = {**what, "at": str(entry.get("entry", "")).partition("#")[0]}
            by_release.setdefault(str(what.get("release")), []).append(told)
    return {
        each.release.name: _course(
            releases.get(each.release.name, {}) if written_for == each.generation else {},
            [told for told in by_release.get(each.release.name, []) if is_of(told, each)],
        )
        for each in promotions
    }


def is_of(what: Mapping[str, Any], promotion: Promotion) -> bool:
    """Whether an entry of the journal tells of a promotion, whichever release of it."""
    mine = promotion.pipeline, promotion.environment, promotion.generation
    return (what.get("pipeline"), what.get("environment"), what.get("generation")) == mine


def _course(kept: Mapping[str, Any], told: list[Mapping[str, Any]]) -> Course:
    """The last verdict counts, else the last that was told; a fact that it lacks is as it was told before it."""
    of_gate = {**kept, "outcome": _OUTCOMES.get(str(kept.get("status")), "")}
    verdicts = [each for each in told if each.get("outcome") in FINAL]
    last = [of_gate, *told, *([of_gate] if of_gate["outcome"] else []), *verdicts][-1]
    facts = [of_gate, *told, last]
    return Course(
        outcome=_text(last.get("outcome")),
        reason=_text(last.get("reason")),
        at=_text(last.get("at")),
        revision=int(_last(facts, "revision", Decimal | int) or 0),
        chart=_text(_last(facts, "chart", str)),
        digest=_text(_last(facts, "digest", str)),
        seconds=seconds_in(last.get("seconds")),
        healed=_text(_last(facts, "healed", str)),
        changes=_last(facts, "changes", Mapping) or {},
        output=_text(_last(facts, "output", str)),
    )


def _last(facts: Iterable[Mapping[str, Any]], name: str, kind: Any) -> Any:
    """The last value of a name that is of a kind and not empty."""
    return next((value for each in [*facts][::-1] if isinstance(value := each.get(name), kind) and value), None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
