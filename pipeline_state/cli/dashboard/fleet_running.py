"""What runs where the head failed or is still on its way: what was deployed there last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import RLock

from pipeline_state.cli.dashboard.fleet_rows import Key, Row
from pipeline_state.cli.delivery.reading import in_parallel
from pipeline_state.model.times import format_time
from pipeline_state.table.deployments import deployments

_MOST = 20
"""Promotions of an environment that are looked through: so many are kept for good."""


@dataclass(frozen=True, slots=True)
class Running:
    """since: RFC 3339, when the last of its releases was deployed."""

    commit: str
    since: str


@dataclass
class Runs:
    """Read when asked for, and again when something else was promoted there or came to its end.

    Of an environment whose head was deployed nothing is read: the head runs there. It is used by several threads.
    """

    _lock: RLock = field(default_factory=RLock)
    _kept: dict[Key, tuple[object, Running | None]] = field(default_factory=dict)

    def read(self, rows: Iterable[Row]) -> None:
        """Of those rows that are not known: a query each, several at once. Raises TemporaryFault."""
        missing = [row for row in rows if not self.is_known(row)]
        found = in_parallel(missing, _deployed_last)
        with self._lock:
            self._kept |= {row.key: (_mark(row), each) for row, each in zip(missing, found, strict=True)}

    def is_known(self, row: Row) -> bool:
        """Whether `of` and `commit` tell what there is to tell."""
        with self._lock:
            return row.has_arrived or self._kept.get(row.key, (None, None))[0] == _mark(row)

    def of(self, row: Row) -> Running | None:
        """What runs instead of the head, as far as that is known."""
        with self._lock:
            return None if row.has_arrived or not self.is_known(row) else self._kept[row.key][1]

    def commit(self, row: Row) -> str:
        """What runs, as far as that is known, or else the head: of older versions' promotions nobody noted the end."""
        running = self.of(row)
        return running.commit if running else row.head["head"] or ""


def _deployed_last(row: Row) -> Running | None:
    for each in deployments(*row.key, most=_MOST):
        outcome, ended = each.outcome
        if outcome == "deployed" and ended:
            return Running(each.commit, format_time(ended))
    return None


def _mark(row: Row) -> object:
    """Changes with whatever can change what was deployed last."""
    rollouts = [each["generation"] for each in row.head["rollouts"]]
    return row.head["generation"], row.head["state"], rollouts
