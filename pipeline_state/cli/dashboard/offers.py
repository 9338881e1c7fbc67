"""What a person may do from the page of a commit, and why not where it would be pointless. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from pipeline_state.cli.steering.closures import Closures
from pipeline_state.model.decision import Decision, Frozen, Held, Promoted, Queued, Soaking
from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.gates import Gate, GateStatus, name_problem
from pipeline_state.model.pipelines import DEPLOYED_TO


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing to do. action: its name in the URL; empty where it cannot be done, which `why` then says.

    given: what it is about. is_grave: whether what runs somewhere changes by it.
    """

    label: str
    action: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    is_grave: bool = False
    why: str = ""

    @property
    def query(self) -> str:
        """What it is about, as a URL's query."""
        return urlencode(self.given)


def gate_offers(gate: Gate) -> tuple[Offer, ...]:
    """What may be done to a gate: whatever it is not already. The deployments' own gates are not set by hand."""
    if gate.name.startswith(DEPLOYED_TO) or name_problem(gate.name):
        return ()
    labels = {GateStatus.PASSED: "Open", GateStatus.FAILED: "Fail", GateStatus.PENDING: "Reset"}
    return tuple(
        Offer(label, "gate", {"gate": gate.name, "value": status.value})
        for status, label in labels.items()
        if status is not gate.status
    )


def place_offers(
    decision: Decision, state: EnvironmentState, closures: Closures, commit: str, *, was_good: bool
) -> tuple[Offer, ...]:
    """What may be done to an environment, and with a commit there.

    was_good: whether a promotion of the commit to it went well, or may have.
    """
    given = {"pipeline": state.pipeline, "environment": state.name}
    moves = () if state.problem else tuple(_moves(decision, state, given, commit, was_good=was_good))
    return (*moves, *_closings(closures, given))


def _moves(
    decision: Decision, state: EnvironmentState, given: Mapping[str, str], commit: str, *, was_good: bool
) -> Iterator[Offer]:
    if state.head == commit:
        yield Offer("Redeploy", "redeploy", given, is_grave=True)
        if state.generation > 1:
            yield Offer("Roll back", "rollback", given, is_grave=True)
        else:
            yield Offer("Roll back", why=f"nothing was in {state.name} before it")
    elif isinstance(decision, Promoted) and was_good:
        yield Offer("Go back to this commit", "rollback", {**given, "to": commit}, is_grave=True)
    elif isinstance(decision, Promoted):
        yield Offer("Go back to this commit", why=f"its promotion to {state.name} failed")
    elif isinstance(decision, Frozen | Held | Soaking | Queued):
        yield Offer("Promote all the same", "override", given, is_grave=True)


def _closings(closures: Closures, given: Mapping[str, str]) -> Iterator[Offer]:
    yield Offer("Unfreeze", "unfreeze", given) if closures.freeze else Offer("Freeze", "freeze", given)
    yield Offer("Release", "release", given) if closures.hold else Offer("Hold", "hold", given)
