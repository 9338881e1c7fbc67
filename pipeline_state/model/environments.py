"""What an environment has and what keeps it closed, as the Environments table knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_state.model.rollout import Rollout
from pipeline_state.model.times import parse_time


@dataclass(frozen=True, slots=True)
class Freeze:
    """While it lasts, nothing begins to move to an environment.

    by: who or what began it. until: RFC 3339; empty until somebody ends it. What is no time counts as empty: in doubt
    nothing moves.
    """

    by: str
    until: str = ""
    reason: str = ""

    def lasts(self, now: datetime) -> bool:
        """Whether it is in force at a moment."""
        end = parse_time(self.until)
        return end is None or now < end


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """What the Environments table knows of one environment.

    generation: raised by every claim; 0 before the first. head: the commit last claimed.
    sequence, newest: the latest place ever claimed, and its commit; of the head unless somebody went back since, or
        more releases came here from an environment that was further.
    releases: those of the head's promotion. done: by release, the generation that was last carried out to its end.
    leased: by release, until when (epoch seconds) some invocation may be working on it. holders: by release, the
        generation that has its lease. rollouts: by release, what has been applied and has no verdict yet.
    parked: releases of which a promotion waits for the way to be free.
    freezes: a person's, the stop of everything, a window of the definition. held_by: who pinned it, if anybody.
    problem: what somebody's edit has made unreadable, and how to mend it; nothing goes there until then.
    """

    pipeline: str
    name: str
    generation: int = 0
    head: str = ""
    sequence: int = -1
    newest: str = ""
    releases: tuple[str, ...] = ()
    done: Mapping[str, int] = field(default_factory=dict)
    leased: Mapping[str, int] = field(default_factory=dict)
    holders: Mapping[str, int] = field(default_factory=dict)
    rollouts: Mapping[str, Rollout] = field(default_factory=dict)
    parked: tuple[str, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    held_by: str = ""
    held_reason: str = ""
    problem: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether every release of the head's promotion has been carried out, well or not."""
        return not self.under_way

    @property
    def under_way(self) -> tuple[str, ...]:
        """The releases of the head's promotion that have not been carried out yet."""
        return tuple(release for release in self.releases if self.done.get(release, 0) < self.generation)

    def freeze(self, now: datetime) -> Freeze | None:
        """What keeps it frozen at a moment: of several, the one that lasts longest."""
        lasting = [freeze for freeze in self.freezes if freeze.lasts(now)]
        return max(lasting, key=_end, default=None)


def _end(freeze: Freeze) -> tuple[bool, float]:
    end = parse_time(freeze.until)
    return end is None, end.timestamp() if end else 0.0
