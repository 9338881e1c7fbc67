"""A promotion of the commit to an environment, as plain values: what was installed, what came of it, who had agreed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline_state.cli.dashboard.marks import Mark, gate_mark, outcome_mark
from pipeline_state.cli.spans import took
from pipeline_state.cli.steering.courses import Course
from pipeline_state.cli.steering.promotions import SHORT_DIGEST, Past, chart_told
from pipeline_state.cli.views import SHORT, who
from pipeline_state.model.gates import Gate
from pipeline_state.model.promotion import Action, Promotion

_CHANGES = {
    "created": "created",
    "changed": "changed",
    "removed": "removed",
    "kept": "left behind",
    "unchanged": "as they were",
}


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release of it. took: empty where nobody tells. changed: how many resources became what; names: of those.

    output: what Helm said, on several lines.
    """

    name: str
    namespace: str
    cluster: str
    mark: Mark
    took: str
    revision: int
    chart: str
    digest: str
    image: str
    reason: str
    healed: str
    changed: str
    names: tuple[str, ...]
    unnamed: int
    output: str

    @property
    def short_digest(self) -> str:
        """What tells it apart."""
        return self.digest[:SHORT_DIGEST]


@dataclass(frozen=True, slots=True)
class Approval:
    """A gate that it needed, as it stands now."""

    name: str
    mark: Mark
    by: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class PastView:
    """A promotion. at: RFC 3339. asked: by whom, and why. reason: of what came of it, where no release tells it."""

    generation: int
    mark: Mark
    at: str
    asked: str
    reason: str
    releases: tuple[ReleaseView, ...]
    approvals: tuple[Approval, ...]


def past_view(past: Past, now: datetime) -> PastView:
    """A promotion as the page shows it. now: for gates that expire."""
    each = past.deployment
    asked = f"{'promoted' if each.action == Action.PROMOTE else each.action} by {who(each.by)}"
    is_open = not past.outcome and any(course.outcome for course in past.courses.values())
    is_told = any(course.reason for course in past.courses.values())
    return PastView(
        generation=each.generation,
        mark=Mark("under way", "→", "wait") if is_open else outcome_mark(past.outcome),
        at=each.at,
        asked=f"{asked}: {each.reason}" if each.reason else asked,
        reason="" if is_told else past.reason,
        releases=tuple(_release(promotion, past.course(promotion.release.name)) for promotion in past.installed),
        approvals=tuple(_approval(gate) for gate in past.approvals(now)),
    )


def _release(promotion: Promotion, course: Course) -> ReleaseView:
    release, tag = promotion.release, promotion.commit[:SHORT]
    names = course.changes.get("names")
    return ReleaseView(
        name=release.name,
        namespace=release.namespace,
        cluster=promotion.cluster.name,
        mark=outcome_mark(course.outcome),
        took=took(course.seconds) if course.seconds else "",
        revision=course.revision,
        chart=course.chart or chart_told(release),
        digest=course.digest or release.digest,
        image=f"{release.image}:{tag}" if release.image else f"{release.image_tag} = {tag}",
        reason=course.reason,
        healed=course.healed,
        changed=changed_told(course.changes),
        names=tuple(map(str, names)) if isinstance(names, list) else (),
        unnamed=_count(course.changes.get("unnamed")),
        output=course.output,
    )


def changed_told(changes: Mapping[str, Any]) -> str:
    """What became of the resources in the cluster, "2 created, 14 as they were"; empty where nobody tells."""
    return ", ".join(f"{count} {told}" for name, told in _CHANGES.items() if (count := _count(changes.get(name))))


def _count(value: object) -> int:
    return int(value) if isinstance(value, Decimal | int) else 0


def _approval(gate: Gate) -> Approval:
    return Approval(
        gate.name, gate_mark(gate.status), who(gate.by) or "", gate.at or "", gate.note or gate.reason or ""
    )
