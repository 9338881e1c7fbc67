"""What a replay keeps in memory: records as they become, and environments with those who want to go there."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Any

from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import Environment, Pipeline, Policy
from pipeline_state.model.record import Claim


@dataclass
class Row:
    """A commit's record, as it becomes."""

    branches: dict[str, Place] = field(default_factory=dict)
    gates: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, gate: str, value: Any, at: object, **more: Any) -> None:
        """A value with the note that tells since when."""
        self.gates[gate] = value
        self.written[gate] = {"at": at, "value": value, **more}


class Turns:
    """Commits in the order of their places."""

    def __init__(self) -> None:
        self._sequences: dict[str, int] = {}
        self._ordered: list[tuple[int, str]] = []

    def put(self, commit: str, sequence: int) -> None:
        """Add a commit, or move it."""
        if self._sequences.get(commit) != sequence:
            self.remove(commit)
            self._sequences[commit] = sequence
            insort(self._ordered, (sequence, commit))

    def remove(self, commit: str) -> bool:
        """Take a commit out; whether it was there."""
        sequence = self._sequences.pop(commit, None)
        if sequence is not None:
            del self._ordered[bisect_left(self._ordered, (sequence, commit))]
        return sequence is not None

    def first(self, after: int) -> str | None:
        """The first beyond a place."""
        at = bisect_left(self._ordered, (after + 1, ""))
        return self._ordered[at][1] if at < len(self._ordered) else None

    def take(self, before: int) -> list[str]:
        """Take out all before a place."""
        at = bisect_left(self._ordered, (before, ""))
        taken = [commit for _, commit in self._ordered[:at]]
        del self._ordered[:at]
        for commit in taken:
            del self._sequences[commit]
        return taken

    def last(self, after: int, before: int) -> str | None:
        """The last between two places."""
        at = bisect_left(self._ordered, (before, "")) - 1
        return self._ordered[at][1] if at >= 0 and self._ordered[at][0] > after else None


@dataclass
class Spot:
    """An environment: its state, and who wants to go there.

    coming: commits that may still go there. turns: of them those that others have to wait for, where each has its turn.
    barred: places of those that only the environment's being closed holds up. until: ends of freezes that were waited
    for. person: whose freeze is in force, if any.
    """

    pipeline: Pipeline
    environment: Environment
    state: EnvironmentState
    coming: Turns = field(default_factory=Turns)
    turns: Turns = field(default_factory=Turns)
    barred: dict[str, int] = field(default_factory=dict)
    until: set[str] = field(default_factory=set)
    person: Freeze | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Pipeline and environment."""
        return self.pipeline.name, self.environment.name

    @property
    def takes_every(self) -> bool:
        """Whether each commit has its turn there."""
        return self.environment.policy is Policy.EVERY
