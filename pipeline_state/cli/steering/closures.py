"""What keeps environments closed: a person's freeze, a window of the definition, a hold, a stop of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline_state.cli.steering.places import Place
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.table.models import Raw
from pipeline_state.table.snapshot import EVERYTHING, read_environments, read_state, with_windows


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody's."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Closures:
    """What is in force at a moment; None for what is not.

    freeze: a person's. ended: one that is over by itself. frozen: of freeze and window, the one that lasts longer.
    raw: the environment's item that tells it.
    """

    place: Place
    freeze: Freeze | None = None
    frozen: Freeze | None = None
    ended: Freeze | None = None
    window: Freeze | None = None
    hold: Hold | None = None
    stop: Freeze | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)

    @property
    def sentences(self) -> list[str]:
        """One for each."""
        name = self.place.name
        return [
            *([f"{name} is {frozen_told(self.freeze)}"] if self.freeze else []),
            *([f"{name} is {frozen_told(self.window)}"] if self.window else []),
            *([f"{name} is {held_told(self.hold)}"] if self.hold else []),
            *([stopped_told(self.stop)] if self.stop else []),
        ]


def read_closures(place: Place, now: datetime) -> Closures:
    """What closes an environment. Raises TemporaryFault, and PermanentFault where its item cannot be read."""
    return closures_of(place, read_environments([place.key, EVERYTHING]), now)


def read_stop(now: datetime) -> Freeze | None:
    """The stop of everything, if it is in force. Raises TemporaryFault."""
    return read_state(*EVERYTHING, read_environments([EVERYTHING]).get(EVERYTHING, {})).freeze(now)


def closures_of(place: Place, items: Mapping[tuple[str, str], Raw], now: datetime) -> Closures:
    """The same from items of the Environments table by key, the one that stops everything among them."""
    state = read_state(*place.key, items.get(place.key, {}))
    own = next(iter(state.freezes), None)
    lasts = own is not None and own.lasts(now)
    window = with_windows(EnvironmentState(*place.key), place.environment.freezes, now).freeze(now)
    return Closures(
        place=place,
        freeze=own if lasts else None,
        frozen=with_windows(state, place.environment.freezes, now).freeze(now),
        ended=None if lasts else own,
        window=window,
        hold=Hold(state.held_by, state.held_reason) if state.held_by else None,
        stop=read_state(*EVERYTHING, items.get(EVERYTHING, {})).freeze(now),
        raw=items.get(place.key, {}),
    )


def frozen_told(freeze: Freeze) -> str:
    """A freeze in words."""
    return f"frozen {_by_until(freeze)}"


def held_told(hold: Hold) -> str:
    """A hold in words."""
    return f"held by {hold.by}{_why(hold.reason)}"


def stopped_told(stop: Freeze) -> str:
    """A stop of everything in words."""
    return f"everything is stopped {_by_until(stop)}"


def freeze_data(freeze: Freeze | None) -> dict[str, Any] | None:
    """A freeze or a stop as plain data; `until` is None where it lasts until somebody ends it."""
    return {"by": freeze.by, "until": freeze.until or None, "reason": freeze.reason} if freeze else None


def hold_data(hold: Hold | None) -> dict[str, Any] | None:
    """A hold as plain data."""
    return {"by": hold.by, "reason": hold.reason} if hold else None


def _by_until(freeze: Freeze) -> str:
    return f"by {freeze.by or 'somebody'}{f' until {freeze.until}' if freeze.until else ''}{_why(freeze.reason)}"


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""
