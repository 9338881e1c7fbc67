"""What people do from the page of a commit: what each act asks, and how it is carried out.

They call what the commands call, with the rights of whoever runs the dashboard, and in that person's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from pipeline_state.cli import gates
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.steering.closing import Closing, closing
from pipeline_state.cli.steering.places import Place, find_place

SHORT = 12
_STATUSES = ("passed", "failed", "pending")


@dataclass(frozen=True, slots=True)
class Field:
    """Something that is asked. options: what there is to choose from; empty takes a text."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    options: tuple[str, ...] = ()
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """Another way to do the same: the same question with something else given."""

    label: str
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """A question before something is changed.

    told: what is going to happen, a sentence each. rows: releases with cluster and chart. notes: what it is in spite
    of, or what follows. hidden: what is sent along. confirm: on the button.
    """

    title: str
    confirm: str
    told: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    is_grave: bool = False


@dataclass(frozen=True)
class Case:
    """Who wants to do something, and what about. given: the URL's query, or the fields of the form."""

    stack: Stack
    by: str
    repo: str
    commit: str
    given: Mapping[str, str]
    now: Callable[[], datetime]

    @property
    def reason(self) -> str:
        """Why, as the form has it. Raises CommandError for none."""
        told = self.given.get("reason", "").strip()
        if not told:
            raise CommandError("there is no reason; say why, for those who look later")
        return told

    @cached_property
    def place(self) -> Place:
        """The environment that it is about. Raises CommandError, TemporaryFault."""
        return find_place(self.given.get("pipeline", ""), self.given.get("environment", ""))

    @property
    def place_given(self) -> dict[str, str]:
        """What names it in a form."""
        return {"pipeline": self.place.pipeline.name, "environment": self.place.environment.name}

    def reason_field(self) -> Field:
        """What everything asks for."""
        return Field("reason", "Why", self.given.get("reason", ""), "for those who look later")


class Act(Protocol):
    """One thing to do. Both raise CommandError where it cannot be, and TemporaryFault and PermanentFault."""

    def form(self) -> Form:
        """What is asked before."""

    def carry_out(self) -> str:
        """Do it; what has been done, as a sentence."""


@dataclass(frozen=True, slots=True)
class SetGate:
    """Open, fail, reset or add a gate."""

    case: Case

    def form(self) -> Form:
        name, value = self._name, self.case.given.get("value", "passed")
        if name:
            gates.status_given(name, value)
        asked = Field("value", "becomes", value, options=_STATUSES)
        named = Field("gate", "Gate", hint="letters, digits and _ . - / :; every environment will require it")
        title = f"{name} becomes {value}" if name else "Add a gate"
        return Form(
            title=title,
            confirm=f"Set {name} to {value}" if name else "Add it",
            told=(f"of {self.case.repo} {self.case.commit[:SHORT]}",),
            fields=(*(() if name else (named, asked)), self.case.reason_field()),
            hidden={"gate": name, "value": value} if name else {},
        )

    def carry_out(self) -> str:
        value, record = self.case.given.get("value", ""), (self.case.repo, self.case.commit)
        gates.status_given(self._name, value)
        notice = gates.set_gate(self.case.by, record, self._name, value, self.case.reason, self.case.now())
        return "; ".join(filter(None, [f"{self._name} is {value or 'pending'}", notice]))

    @property
    def _name(self) -> str:
        return self.case.given.get("gate", "").strip()


@dataclass(frozen=True, slots=True)
class Close:
    """Freeze, unfreeze, hold or release an environment.

    given: `shown`, the mark of the freeze or hold that was: what somebody else has begun by now is not ended unseen.
    """

    case: Case
    action: str

    def form(self) -> Form:
        it = self._closing()
        title, told, confirm = _CLOSINGS[self.action]
        until = Field(
            "until", "Until", self.case.given.get("until", ""), "90m, 2h, 3d or 2026-12-24T18:00:00Z", is_required=False
        )
        return Form(
            title=title.format(it.place.name),
            confirm=confirm,
            told=(told,),
            notes=tuple(it.before.sentences),
            fields=(*((until,) if self.action == "freeze" else ()), self.case.reason_field()),
            hidden={**self.case.place_given, "shown": self._mark(it)},
        )

    def carry_out(self) -> str:
        reason, it = self.case.reason, self._closing()
        if (mark := self._mark(it)) and mark != self.case.given.get("shown"):
            raise CommandError(f"{it.place.name} has changed since you looked, and nothing was done; look once more")
        if self.action == "freeze":
            return it.freeze(reason, self.case.given.get("until", "").strip()).sentence
        acts: Mapping[str, Any] = {"unfreeze": it.unfreeze, "hold": it.hold, "release": it.release}
        return str(acts[self.action](reason).sentence)

    def _closing(self) -> Closing:
        return closing(self.case.place, self.case.by, self.case.now())

    def _mark(self, it: Closing) -> str:
        """Tells what is ended or replaced from any other; empty where there is nothing."""
        there = it.before.freeze if self.action in {"freeze", "unfreeze"} else it.before.hold
        return hashlib.sha256(repr(there).encode()).hexdigest()[:32] if there else ""


_CLOSINGS: Mapping[str, tuple[str, str, str]] = {
    "freeze": (
        "Freeze {}",
        "Nothing begins to move there, until the time given or until somebody unfreezes it.",
        "Freeze",
    ),
    "unfreeze": ("Unfreeze {}", "What is ready goes there at once.", "Unfreeze"),
    "hold": ("Hold {}", "It stays as it is, until somebody releases it.", "Hold"),
    "release": ("Release {}", "Commits newer than all that were there before go there at once.", "Release"),
}
"""Title, what comes of it, and the button's word."""
