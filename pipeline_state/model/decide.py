"""Which environments a commit goes to now, and if not, why. Frozen values in, frozen values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from pipeline_state.model.decision import (
    Blocked,
    Decision,
    Frozen,
    Held,
    NoPipeline,
    NotACandidate,
    Promote,
    Promoted,
    Superseded,
    Wait,
)
from pipeline_state.model.gates import Gate, GateStatus, read_gate
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import DEPLOYED_TO, Environment, Pipeline
from pipeline_state.model.record import Claim, Record
from pipeline_state.model.times import parse_time


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """What the Environments table knows of one environment.

    generation: raised by every claim; 0 before the first. head, sequence: the commit last claimed and its place.
    frozen_by, frozen_until (RFC 3339 or empty): a freeze, if any. held_by: who pinned it, if anybody.
    """

    pipeline: str
    name: str
    generation: int = 0
    head: str = ""
    sequence: int = -1
    frozen_by: str = ""
    frozen_until: str = ""
    held_by: str = ""


def declared_gates(pipelines: Iterable[Pipeline]) -> frozenset[str]:
    """The gates that any pipeline of a repository declares; every other column is one that somebody added."""
    return frozenset(gate.name for pipeline in pipelines for gate in pipeline.gates)


def decide(
    record: Record,
    environments: Mapping[str, EnvironmentState],
    pipeline: Pipeline | None,
    declared: frozenset[str],
    now: datetime,
) -> list[Decision]:
    """One decision for each environment of the pipeline, in the pipeline's order.

    environments: by name; one that is missing has never had a commit. declared: `declared_gates` of the repository.
    """
    if pipeline is None:
        return [NoPipeline("", record.repo)]
    gates = {name: read_gate(name, value, now) for name, value in record.gates.items()}
    return [
        _decide_one(record, gates, environments.get(environment.name), pipeline, environment, declared, now)
        for environment in pipeline.environments
    ]


def required_gates(
    columns: Iterable[str], pipeline: Pipeline, environment: Environment, declared: frozenset[str]
) -> tuple[str, ...]:
    """What an environment requires of a record with these gate columns, in a stable order.

    The gates the pipeline names for it, the environments before it, and every column that no pipeline declares.
    """
    added = sorted(name for name in columns if name not in declared and not name.startswith(DEPLOYED_TO))
    before = [pipeline.deployed_gate(name) for name in environment.after]
    return tuple(dict.fromkeys([*environment.gates, *before, *added]))


def candidate_place(record: Record, pipeline: Pipeline) -> tuple[str, Place] | str:
    """The branch and place from which the pipeline would take the commit, or why it would not."""
    if record.problems:
        return record.problems[0]
    if not record.branches:
        return "no push has put it on a branch yet"
    taken = {branch: place for branch, place in record.branches.items() if pipeline.takes_branch(branch)}
    if not taken:
        return f"it is on {_listed(record.branches)}, the pipeline takes {_listed(pipeline.branches)}"
    touching = {branch: place for branch, place in taken.items() if _touches(place, pipeline.paths)}
    if not touching:
        return f"it changes nothing under {_listed(pipeline.paths)}"
    return max(touching.items(), key=lambda item: item[1].sequence)


def _decide_one(  # noqa: PLR0911 - one return for each decision, in the order in which they take precedence
    record: Record,
    gates: Mapping[str, Gate],
    state: EnvironmentState | None,
    pipeline: Pipeline,
    environment: Environment,
    declared: frozenset[str],
    now: datetime,
) -> Decision:
    name = environment.name
    state = state or EnvironmentState(pipeline.name, name)
    claim = record.claims.get(pipeline.key_of(name))
    candidate = candidate_place(record, pipeline)
    overtaken = claim is not None and claim.generation < state.generation
    if claim and not (_pushed_again(candidate, claim) and (claim.published or overtaken)):
        deployed = gates.get(pipeline.deployed_gate(name))
        if overtaken and (deployed is None or deployed.status is GateStatus.PENDING):
            return Superseded(name, state.head)
        return Promoted(name, claim.at, claim.generation, claim.published, deployed)
    if isinstance(candidate, str):
        return NotACandidate(name, candidate)
    branch, place = candidate
    if place.sequence <= state.sequence:
        return Superseded(name, state.head)
    required = required_gates(gates, pipeline, environment, declared)
    found = [gates.get(gate) or Gate(gate, GateStatus.PENDING) for gate in required]
    if failed := tuple(gate for gate in found if gate.status is GateStatus.FAILED):
        return Blocked(name, failed)
    if missing := tuple(gate for gate in found if gate.status is GateStatus.PENDING):
        return Wait(name, missing)
    if state.held_by:
        return Held(name, state.held_by)
    if _frozen(state, now):
        return Frozen(name, state.frozen_until, state.frozen_by)
    return Promote(name, branch, place.sequence, required)


def _pushed_again(candidate: tuple[str, Place] | str, claim: Claim) -> bool:
    """Whether a branch has come back to the commit since it was promoted, which makes it a newer one.

    Its sequence would not tell: a place also moves up when a push before it is told late.
    """
    if isinstance(candidate, str):
        return False
    pushed, claimed = parse_time(candidate[1].pushed_at), parse_time(claim.pushed_at)
    return pushed is not None and claimed is not None and pushed > claimed


def _frozen(state: EnvironmentState, now: datetime) -> bool:
    until = parse_time(state.frozen_until)
    return bool(state.frozen_by) and (until is None or now < until)


def _touches(place: Place, patterns: Sequence[str]) -> bool:
    if not patterns or place.paths is None:
        return True
    return any(fnmatchcase(path, pattern) for path in place.paths for pattern in patterns)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
