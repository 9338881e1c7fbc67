"""What an environment was given, for people: each promotion, and below it its releases and gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline_state.cli.spans import took
from pipeline_state.cli.steering.courses import Course
from pipeline_state.cli.steering.moving_view import evidence
from pipeline_state.cli.steering.promotions import SHORT_DIGEST, Past, chart_told
from pipeline_state.cli.views import HEADS, SHORT, minute, shown, who
from pipeline_state.model.gates import Gate
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.standing import SEPARATOR

_UNDER_WAY = ("started", "applied", "errored")
_LONGEST_NAME = 30
"""Columns of text for names, as far as possible; others are folded."""


def history_table(found: Sequence[Past], now: datetime) -> RenderableType:
    """Promotions of an environment, newest first; what belongs to one stands below it, by release and gate."""
    blocks = [_Block(past, past.approvals(now)) for past in found]
    width = min(max((len(name) for block in blocks for name in block.names), default=0), _LONGEST_NAME)
    parts = [part for block in blocks for part in (Text(), block.head, block.below(width))]
    return Group(*parts[1:])


@dataclass(frozen=True, slots=True)
class _Block:
    """One promotion. approvals: the gates that say anything."""

    past: Past
    approvals: Sequence[Gate]

    @property
    def names(self) -> list[str]:
        """What stands below it on the left."""
        return [*(each.release.name for each in self.past.installed), *(gate.name for gate in self.approvals)]

    @property
    def head(self) -> Text:
        """Which, when, and what came of it."""
        each = self.past.deployment
        number, time = Text(f"#{each.generation}", "bold"), Text(f"promoted {minute(each.at)} UTC")
        return Text(SEPARATOR).join([number, shown(each.commit[:SHORT], "cyan"), time, self._outcome])

    def below(self, width: int) -> RenderableType:
        """By whom and why; each release, and each gate. width: of the names."""
        each = self.past.deployment
        asked = f"{'promoted' if each.action == Action.PROMOTE else each.action} by {who(each.by)}"
        lines: list[RenderableType] = [shown(f"{asked}: {each.reason}" if each.reason else asked)]
        if self.past.reason and not any(course.reason for course in self.past.courses.values()):
            lines.append(shown(self.past.reason, "red" if self.past.outcome == "failed" else "dim"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=width, overflow="fold")
        table.add_column(overflow="fold")
        for promotion in self.past.installed:
            name = promotion.release.name
            table.add_row(shown(name), _installed(promotion, self.past.course(name)))
        for gate in self.approvals:
            table.add_row(shown(gate.name, "dim"), shown(evidence(gate), "dim"))
        return Padding(Group(*lines, table), (0, 0, 0, 4))

    @property
    def _outcome(self) -> Text:
        known = self.past.outcome
        is_open = not known and any(course.outcome for course in self.past.courses.values())
        return _marked(known or ("under way" if is_open else "no result"), "promoted" if is_open else known)


def _installed(promotion: Promotion, course: Course) -> Group:
    """What was installed of a release, and how that went."""
    release, told = promotion.release, course.outcome or "nothing told yet"
    after = f" after {took(course.seconds)}" if course.seconds else ""
    tag = promotion.commit[:SHORT]
    mark = "promoted" if course.outcome in _UNDER_WAY else course.outcome
    facts = [
        f"revision {course.revision}" if course.revision else "",
        " ".join([course.chart, course.digest[:SHORT_DIGEST]]).strip() if course.chart else chart_told(release),
        f"image {release.image}:{tag}" if release.image else f"{release.image_tag} = {tag}",
        _changed(course.changes),
    ]
    lines = [Text(SEPARATOR).join([_marked(f"{told}{after}", mark), *(shown(fact) for fact in facts if fact)])]
    lines += [shown(course.reason, "red" if course.outcome == "failed" else "dim")] if course.reason else []
    lines += [shown(f"put right first: {course.healed}", "yellow")] if course.healed else []
    return Group(*lines)


def _changed(changes: Mapping[str, Any]) -> str:
    """What became of the resources in the cluster, as far as anything did."""
    counts = {word: changes.get(word) for word in ("created", "changed", "removed")}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if isinstance(count, Decimal | int) and count)


def _marked(told: str, outcome: str) -> Text:
    symbol, style = HEADS.get(outcome, ("", "dim"))
    return shown(f"{symbol} {told}".strip(), style)
