"""How the releases of one promotion stand, for whoever asks why it is not deployed: which, what is missing, until when.

A release is told of by the deployed gate once something came of it, and by its environment before that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.pipelines import Environment, Release
from pipeline_state.model.times import from_epoch

SEPARATOR = " · "
"""Between two releases; what is told of one has commas and semicolons of its own."""

_CONSEQUENCES = ("taken back", "not begun")
"""What the reason of a release begins with that failed only because another one did."""


class _Rank(IntEnum):
    """What is told first: what somebody has to mend."""

    FAILED = 0
    FELL_WITH_IT = 1
    AWAITED = 2
    TO_COME = 3
    DEPLOYED = 4


@dataclass(frozen=True, slots=True)
class _Clause:
    rank: _Rank
    text: str


def standing(
    told: Mapping[str, Mapping[str, Any]],
    environment: Environment,
    state: EnvironmentState,
    now: datetime,
    *,
    is_barred: bool = False,
) -> str:
    """A clause for each release of a promotion that is not deployed; empty where there is nothing to tell.

    told: what the deployed gate says of it, by release. state: the environment's, as far as it is about this promotion.
    is_barred: whether it is closed to what is put aside there, which is then told elsewhere.
    """
    it = _Promotion(told, environment, state, now, is_barred)
    clauses = sorted(it.clauses(), key=lambda clause: clause.rank)
    untold = list(it.untold()) if clauses else []
    have = "have" if len(untold) > 1 else "has"
    rest = [f"{', '.join(untold)} {have} not begun yet"] if untold else []
    return SEPARATOR.join([*(clause.text for clause in clauses), *rest])


@dataclass(frozen=True, slots=True)
class _Promotion:
    """One that is under way, or has failed."""

    told: Mapping[str, Mapping[str, Any]]
    environment: Environment
    state: EnvironmentState
    now: datetime
    is_barred: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Its releases, in the order of the definition where that is known."""
        return tuple(dict.fromkeys([*self.state.releases, *self.told]))

    def clauses(self) -> Iterator[_Clause]:
        for name in self.names:
            clause = self._ended(name) if self._status(name) else self._open(name)
            if clause:
                yield clause

    def untold(self) -> Iterator[str]:
        """The releases of which nothing is known, since nobody has come to them."""
        return (
            name for name in self.names if not self._status(name) and not self._open(name) and not self._waits(name)
        )

    def _ended(self, name: str) -> _Clause:
        if self._status(name) == "FALSE":
            reason = str(self.told[name].get("reason") or "no reason given")
            rank = _Rank.FELL_WITH_IT if reason.startswith(_CONSEQUENCES) else _Rank.FAILED
            return _Clause(rank, f"{name}: {reason}")
        if self.environment.rollback_together and any(self._status(each) == "FALSE" for each in self.names):
            return _Clause(_Rank.AWAITED, f"{name}: deployed, and to be taken back")
        return _Clause(_Rank.DEPLOYED, f"{name} is deployed")

    def _open(self, name: str) -> _Clause | None:
        """What is awaited of a release without a verdict; None where that is not known."""
        if self._waits(name) and self.is_barred:
            return None
        before = self._before(name)
        if text := self._watched(name) or self.told.get(name, {}).get("reason") or self._at_work(name):
            return _Clause(_Rank.AWAITED, f"{name}: {text}")
        return _Clause(_Rank.TO_COME, f"{name} begins once {before} is deployed") if before else None

    def _watched(self, name: str) -> str:
        """Of its own rollout, which tells more than its gate: that is written when it begins."""
        rollout, release = self.state.rollouts.get(name), self._releases.get(name)
        return rollout.told(release.verify if release else None) if rollout and self._is_ours(name) else ""

    def _at_work(self, name: str) -> str:
        busy = self._busy_until(name)
        if busy and (self._waits(name) or not self._is_ours(name)):
            return f"waits until what came before it is done, {busy} at the latest"
        if self._waits(name):
            return "put aside, and about to go on"
        return f"somebody is at work on it, until {busy} at the latest" if busy else ""

    def _is_ours(self, name: str) -> bool:
        """Whether whoever has the release's lease, if anybody, has it for this promotion."""
        return self.state.holders.get(name, self.state.generation) == self.state.generation

    @property
    def _releases(self) -> Mapping[str, Release]:
        return {release.name: release for release in self.environment.releases}

    def _before(self, name: str) -> str | None:
        """The release right before it, where each waits for that one; None where it has been, or will never be."""
        names = self.names
        earlier = names[: names.index(name)] if self.environment.in_order else ()
        if any(self._status(each) == "FALSE" for each in earlier):
            return None
        return next((each for each in reversed(earlier) if self._status(each) != "TRUE"), None)

    def _waits(self, name: str) -> bool:
        return name in self.state.parked

    def _busy_until(self, name: str) -> str:
        until = self.state.leased.get(name, 0)
        return from_epoch(until) if until >= self.now.timestamp() else ""

    def _status(self, name: str) -> str:
        return str(self.told.get(name, {}).get("status") or "")
