"""A form that is sent twice does nothing twice: whoever comes second is told what came of the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

_MOST = 1000
"""How many forms are remembered; each is a few hundred bytes."""


@dataclass(slots=True)
class _Turn:
    lock: Lock = field(default_factory=Lock)
    said: str | None = None
    error: Exception | None = None


@dataclass(slots=True)
class Once:
    """What has been done here by the forms of this run of the dashboard; those of an earlier run are not let in."""

    _turns: dict[str, _Turn] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def do(self, key: str, act: Callable[[], str]) -> str:
        """What the act says, done now or when the form of that key was sent before. Raises what it raised."""
        turn = self._turn(key)
        with turn.lock:
            if turn.said is None and turn.error is None:
                try:
                    turn.said = act()
                except Exception as error:
                    turn.error = error
                    raise
            if turn.error:
                raise turn.error
            return turn.said or ""

    def said(self, key: str) -> str:
        """What was said to the form of a key; empty where it was never sent, or refused."""
        turn = self._turns.get(key)
        return (turn and turn.said) or ""

    def _turn(self, key: str) -> _Turn:
        with self._lock:
            while len(self._turns) >= _MOST:
                del self._turns[next(iter(self._turns))]
            return self._turns.setdefault(key, _Turn())
