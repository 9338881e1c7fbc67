"""Closing one environment and opening it again, in a person's name: what is written, and what there is to say then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pipeline_state.cli.asking import given_reason, happening
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.steering.closures import (
    Closures,
    Hold,
    freeze_data,
    frozen_told,
    held_told,
    hold_data,
    read_closures,
)
from pipeline_state.cli.steering.places import Place
from pipeline_state.cli.steering.until import read_until
from pipeline_state.model.environments import Freeze
from pipeline_state.table import holds
from pipeline_state.table.journal import Happening
from pipeline_state.table.transaction import RefusedError


@dataclass(frozen=True, slots=True)
class Said:
    """The answer: a sentence for people, plain data for programs."""

    sentence: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Closing:
    """One call about one environment. by: who asks. before: what closed it until now.

    Its methods raise CommandError where there is nothing to do or to say, TemporaryFault and PermanentFault.
    """

    place: Place
    by: str
    now: datetime
    before: Closures

    def freeze(self, reason: str, until: str = "") -> Said:
        """Let nothing begin to move there. until: as people give it; empty until somebody ends it."""
        end = read_until(until, self.now) if until else ""
        new, old = Freeze(self.by, end, given_reason(reason)), self.before.freeze
        holds.freeze(*self._key, new, self._happening("frozen", until=end, reason=new.reason))
        replaced = f"; before, it was {frozen_told(old)}" if old else ""
        told = f"{self.place.name} is {frozen_told(new)}{replaced}"
        return self._said(told, frozen=freeze_data(new), replaced=freeze_data(old))

    def unfreeze(self, reason: str = "") -> Said:
        """End a freeze that somebody began."""
        old = self.before.freeze
        if old is None:
            raise CommandError(_not_frozen(self.before))
        try:
            holds.unfreeze(*self._key, self._happening("unfrozen", **_given(reason)), self.before.raw)
        except RefusedError as error:
            told = f"somebody else has just unfrozen {self.place.name}, or frozen it anew"
            raise CommandError(f"{told}; nothing was done, look and try again") from error
        told = _opened("unfrozen", frozen_told(old), replace(self.before, freeze=None))
        return self._said(told, frozen=None, replaced=freeze_data(old))

    def hold(self, reason: str) -> Said:
        """Pin it to what runs there."""
        new, old = Hold(self.by, given_reason(reason)), self.before.hold
        holds.hold(*self._key, new.reason, self._happening("held", reason=new.reason))
        replaced = f"; before, it was {held_told(old)}" if old else ""
        told = f"{self.place.name} is {held_told(new)}{replaced}"
        return self._said(told, held=hold_data(new), replaced=hold_data(old))

    def release(self, reason: str = "") -> Said:
        """End a hold, also a rollback's."""
        old = self.before.hold
        if old is None:
            raise CommandError("; ".join([f"{self.place.name} is not held", *self.before.sentences]))
        try:
            holds.release(*self._key, self._happening("released", **_given(reason)), self.before.raw)
        except RefusedError as error:
            told = f"somebody else has just released {self.place.name}, or holds it anew"
            raise CommandError(f"{told}; nothing was done, look and try again") from error
        told = _opened("released", held_told(old), replace(self.before, hold=None))
        return self._said(told, held=None, replaced=hold_data(old))

    @property
    def _key(self) -> tuple[Any, str]:
        return self.place.pipeline, self.place.environment.name

    def _happening(self, kind: str, **what: str) -> Happening:
        return happening(self.place.key, kind, self.by, self.now, {**self.place.to_json(), **what})

    def _said(self, sentence: str, **data: Any) -> Said:
        return Said(sentence, {**self.place.to_json(), **data})


def closing(place: Place, by: str, now: datetime) -> Closing:
    """What somebody may do to an environment as it is now. Raises TemporaryFault and PermanentFault."""
    return Closing(place, by, now, read_closures(place, now))


def _given(reason: str) -> dict[str, str]:
    return {"reason": reason.strip()} if reason.strip() else {}


def _opened(done: str, was: str, left: Closures) -> str:
    """What has ended, and what keeps it closed all the same."""
    but = f"; but {', and '.join(left.sentences)}" if left.sentences else ""
    return f"{left.place.name} is {done}; before, it was {was}{but}"


def _not_frozen(closures: Closures) -> str:
    """Why there is nothing to unfreeze, and what closes it instead."""
    name = closures.place.name
    ended = f"; its freeze ended by itself at {closures.ended.until}" if closures.ended else ""
    if closures.window:
        fix = "the definition does; see `gatestream pipelines show`, or go ahead with `gatestream override`"
        return f"nobody has frozen {name}{ended}, but until {closures.window.until} {fix}"
    if closures.stop:
        return f"{name} itself is not frozen{ended}, but {closures.sentences[-1]}; end it with `gatestream start`"
    held = f"; it is held, see `gatestream release {closures.place.arguments}`" if closures.hold else ""
    return f"{name} is not frozen{ended}{held}"
