"""Rolling back, redeploying and overriding from the page of a commit: a plan that is shown, and then carried out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dashboard.acts import SHORT, Case, Choice, Form
from pipeline_state.cli.steering import moving
from pipeline_state.cli.steering.moving import ClosedError, Plan
from pipeline_state.cli.steering.moving_view import coming, evidence, installs, question, there
from pipeline_state.cli.steering.wishes import Wish
from pipeline_state.model.promotion import Action


@dataclass(frozen=True, slots=True)
class Move:
    """A promotion that somebody asks for by name.

    given: `to` a commit; `override`, although it is frozen; `current`, by today's definition; `plan`, the mark of what
    was shown: what would be anything else by now is not done.
    """

    case: Case
    action: Action

    def form(self) -> Form:
        try:
            plan = moving.plan(self._wish(""), self.case.now)
        except ClosedError as closed:
            return self._closed(closed)
        return Form(
            title=question(plan),
            confirm=question(plan).split()[0] if self.action is not Action.ROLLBACK else "Roll back",
            told=tuple(self._told(plan)),
            rows=tuple(installs(plan)),
            notes=tuple(self._notes(plan)),
            fields=(self.case.reason_field(),),
            hidden={**self._given, "plan": plan.mark},
            choices=tuple(self._choices(plan)),
            is_grave=True,
        )

    def carry_out(self) -> str:
        plan = moving.plan(self._wish(self.case.reason), self.case.now)
        if plan.mark != self.case.given.get("plan"):
            raise CommandError(f"{plan.place.name} has changed since you looked, and nothing was done; look once more")
        promotions = moving.carry_out(plan, self.case.now)
        return f"{plan.commit[:SHORT]} is promoted to {plan.place.name}, number {promotions[0].generation}"

    def _wish(self, reason: str) -> Wish:
        given = self.case.given
        return Wish(
            action=self.action,
            place=self.case.place,
            by=self.case.by,
            reason=reason,
            commit=self._commit,
            override=self.action is Action.OVERRIDE or given.get("override") == "yes",
            is_current=given.get("current") == "yes",
        )

    @property
    def _commit(self) -> str:
        """Which commit: going on is with the page's own, going back with a named one if there is one."""
        return self.case.commit if self.action is Action.OVERRIDE else self.case.given.get("to", "")

    @property
    def _given(self) -> dict[str, str]:
        """What names the same question once more."""
        kept = {name: text for name in ("to", "override", "current") if (text := self.case.given.get(name))}
        return {**self.case.place_given, **kept}

    def _closed(self, closed: ClosedError) -> Form:
        """The way on for somebody who means it."""
        return Form(
            title=f"{self.case.place.name} is closed",
            confirm="",
            notes=(str(closed).partition("; add --override")[0],),
            choices=(Choice("Go ahead all the same, in my own name", {**self._given, "override": "yes"}),),
        )

    def _told(self, plan: Plan) -> Iterator[str]:
        if plan.head:
            yield f"from {plan.head.deployment.commit[:SHORT]}, {there(plan.head)}"
        yield f"to {plan.commit[:SHORT]}, {coming(plan)}"
        yield from (f"{gate.name} {evidence(gate)}" for gate in plan.gates)

    def _notes(self, plan: Plan) -> Iterator[str]:
        yield from (f"in spite of: {sentence}" for sentence in plan.despite)
        if told := plan.under_way(self.case.now()):
            yield f"{told}; wait for the result, unless it is to begin again all the same"
        if plan.order.holds:
            yield f"then {plan.place.name} is held: nothing goes there by itself until somebody releases it"

    def _choices(self, plan: Plan) -> Iterator[Choice]:
        """By which definition, where there are two."""
        if self.action is Action.OVERRIDE:
            return
        rest = {name: text for name, text in self._given.items() if name != "current"}
        if plan.wish.is_current:
            yield Choice("By the definition of back then instead", rest)
        else:
            yield Choice("By today's definition instead of that of back then", {**rest, "current": "yes"})
