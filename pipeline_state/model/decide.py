"""Which environments a commit goes to now, and if not, why. Frozen values in, frozen values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property

from pipeline_state.model.decision import (
    Blocked,
    Decision,
    Frozen,
    Held,
    NoPipeline,
    NotACandidate,
    Promote,
    Promoted,
    Queued,
    Soaking,
    Superseded,
    Wait,
)
from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.gates import Gate, GateStatus, read_gate
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import DEPLOYED_TO, Environment, Pipeline, Policy
from pipeline_state.model.record import Claim, Record
from pipeline_state.model.results import told_releases
from pipeline_state.model.standing import standing
from pipeline_state.model.times import format_time, from_epoch, later, parse_time


def declared_gates(pipelines: Iterable[Pipeline]) -> frozenset[str]:
    """The gates that any pipeline of a repository declares; every other column is one that somebody added."""
    return frozenset(gate.name for pipeline in pipelines for gate in pipeline.gates)


def decide(
    record: Record,
    environments: Mapping[str, EnvironmentState],
    pipeline: Pipeline | None,
    declared: frozenset[str],
    now: datetime,
    waiting: Sequence[Record] = (),
) -> list[Decision]:
    """One decision for each environment of the pipeline, in the pipeline's order.

    environments: by name; one that is missing has never had a commit. declared: `declared_gates` of the repository.
    waiting: other commits that may go before it where every commit has its turn; elsewhere they do not matter.
    """
    if pipeline is None:
        return [NoPipeline("", record.repo)]
    case = _Case(record, pipeline, declared, now, environments)
    others = [_Case(other, pipeline, declared, now, environments) for other in waiting if other.commit != record.commit]
    return [_decide_one(case, environment, others) for environment in pipeline.environments]


def on_request(
    record: Record, pipeline: Pipeline, environment: Environment, declared: frozenset[str], now: datetime
) -> Promote | Blocked | Wait | NotACandidate:
    """Whether a commit may go to an environment because a person says so, whatever is there and whatever closes it.

    Its gates are to be open all the same.
    """
    case = _Case(record, pipeline, declared, now, {})
    if isinstance(case.candidate, str):
        return NotACandidate(environment.name, case.candidate, bool(record.problems))
    return case.closed(environment) or _promote(case, environment)


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


class _Case:
    """One commit before one pipeline, with what all of its environments ask of it read once."""

    def __init__(
        self,
        record: Record,
        pipeline: Pipeline,
        declared: frozenset[str],
        now: datetime,
        states: Mapping[str, EnvironmentState],
    ) -> None:
        self.record, self.pipeline, self.declared, self.now, self.states = record, pipeline, declared, now, states

    @cached_property
    def candidate(self) -> tuple[str, Place] | str:
        """Its branch and place there, or why it has none."""
        return candidate_place(self.record, self.pipeline)

    @cached_property
    def gates(self) -> dict[str, Gate]:
        """Read when they are asked for: of the many commits that wait beside another one, hardly any's are."""
        return {name: read_gate(name, value, self.now) for name, value in self.record.gates.items()}

    @property
    def sequence(self) -> int:
        """Its place in the order; below all others where it has none."""
        return -1 if isinstance(self.candidate, str) else self.candidate[1].sequence

    def state(self, environment: Environment) -> EnvironmentState:
        """The environment's; one that is missing has never had a commit."""
        return self.states.get(environment.name) or EnvironmentState(self.pipeline.name, environment.name)

    def required(self, environment: Environment) -> tuple[str, ...]:
        return required_gates(self.gates, self.pipeline, environment, self.declared)

    def closed(self, environment: Environment) -> Blocked | Wait | None:
        """The required gates that are not passed."""
        found = [self.gates.get(name) or Gate(name, GateStatus.PENDING) for name in self.required(environment)]
        if failed := tuple(gate for gate in found if gate.status is GateStatus.FAILED):
            return Blocked(environment.name, failed)
        if missing := tuple(gate for gate in found if gate.status is GateStatus.PENDING):
            return Wait(environment.name, missing)
        return None

    def soaking(self, environment: Environment) -> Soaking | Wait | None:
        """What is left of the time that it has to have been deployed in the environments before."""
        if not environment.soak:
            return None
        gates = [self.gates[self.pipeline.deployed_gate(name)] for name in environment.after]
        since = {gate: parse_time(gate.at) for gate in gates}
        if timeless := tuple(replace(gate, note=_NO_TIME) for gate, at in since.items() if at is None):
            return Wait(environment.name, timeless)
        until = later(max((at for at in since.values() if at), default=self.now), environment.soak)
        return Soaking(environment.name, format_time(until)) if self.now < until else None


_NO_TIME = "it does not say since when, and the soak time counts from there"


def _decide_one(case: _Case, environment: Environment, others: Iterable[_Case]) -> Decision:
    """The first that applies: what is past, then its gates, its turn, and at last whether the way is free."""
    return (
        _past(case, environment)
        or _cut_off(case, environment)
        or case.closed(environment)
        or case.soaking(environment)
        or _queued(case, environment, others)
        or _barred(environment, case.state(environment), case.now)
        or _promote(case, environment)
    )


def _past(case: _Case, environment: Environment) -> Promoted | Superseded | NotACandidate | None:
    """What has been decided about it for good, or until it is pushed again."""
    name, candidate, state = environment.name, case.candidate, case.state(environment)
    if state.problem:
        return NotACandidate(name, state.problem, can_be_mended=True)
    claim = case.record.claims.get(case.pipeline.key_of(name))
    overtaken = claim is not None and claim.generation < state.generation
    if claim and not (_pushed_again(candidate, claim) and (claim.published or overtaken)):
        deployed = case.gates.get(case.pipeline.deployed_gate(name))
        if overtaken and (deployed is None or deployed.status is GateStatus.PENDING):
            return Superseded(name, state.head, is_newer=state.newest in {"", state.head})
        own = EnvironmentState(case.pipeline.name, name) if overtaken else state
        barred = _barred(environment, state, case.now) if own.parked else None
        return Promoted(
            environment=name,
            at=claim.at,
            generation=claim.generation,
            published=claim.published,
            deployed=deployed,
            then=state.head if overtaken and state.head != case.record.commit else "",
            barred=barred,
            parked=bool(own.parked),
            told_at=claim.told_at or "",
            repeats=claim.repeats,
            busy_until=_busy_until(own),
            standing=_standing(case, environment, own, claim, is_barred=barred is not None),
        )
    if isinstance(candidate, str):
        return NotACandidate(name, candidate, bool(case.record.problems))
    if case.sequence <= state.sequence:
        return Superseded(name, state.newest or state.head)
    return None


def _standing(case: _Case, environment: Environment, state: EnvironmentState, claim: Claim, *, is_barred: bool) -> str:
    """How the releases of a promotion stand that is not deployed; what people made of its gate stands for itself."""
    name = case.pipeline.deployed_gate(environment.name)
    gate, (generation, releases) = case.gates.get(name), told_releases(case.record.gates.get(name))
    told = releases if generation == claim.generation else {}
    if gate and (gate.status is GateStatus.PASSED or (gate.status is GateStatus.FAILED and not told)):
        return ""
    return standing(told, environment, state, case.now, is_barred=is_barred)


def _busy_until(state: EnvironmentState) -> str:
    """Until when somebody may be working on a release; a time that only people can have written counts as none."""
    return from_epoch(max(state.leased.values(), default=0))


def _cut_off(case: _Case, environment: Environment) -> Superseded | None:
    """Whether it can never come here, since it is superseded where it would have to be deployed first."""
    for name in environment.after:
        gate, before = case.gates.get(case.pipeline.deployed_gate(name)), case.pipeline.environment(name)
        if before is None or (gate and gate.status is GateStatus.PASSED):
            continue
        past = _past(case, before) or _cut_off(case, before)
        if isinstance(past, Superseded):
            return Superseded(environment.name, past.by, past.is_newer, past.at or name)
    return None


def _queued(case: _Case, environment: Environment, others: Iterable[_Case]) -> Queued | None:
    """Whom it has to let go first where every commit has its turn.

    Commits that a failed gate blocks let others pass.
    """
    if environment.policy is not Policy.EVERY:
        return None
    state = case.state(environment)
    if not state.is_finished:
        return Queued(environment.name, state.head, under_way=True)
    before = [other for other in others if state.sequence < other.sequence < case.sequence]
    before = [other for other in before if _takes_its_turn(other, environment)]
    nearest = max(before, key=lambda other: other.sequence, default=None)
    return Queued(environment.name, nearest.record.commit, under_way=False) if nearest else None


def _takes_its_turn(case: _Case, environment: Environment) -> bool:
    if _past(case, environment) or _cut_off(case, environment):
        return False
    return not isinstance(case.closed(environment), Blocked)


def _barred(environment: Environment, state: EnvironmentState, now: datetime) -> Held | Frozen | None:
    if state.held_by:
        return Held(environment.name, state.held_by, state.held_reason)
    freeze = state.freeze(now)
    return Frozen(environment.name, freeze.until, freeze.by, freeze.reason) if freeze else None


def _promote(case: _Case, environment: Environment) -> Promote:
    if isinstance(case.candidate, str):
        raise TypeError(f"{case.record.commit} has no place: {case.candidate}")
    branch, place = case.candidate
    return Promote(environment.name, branch, place.sequence, case.required(environment))


def _pushed_again(candidate: tuple[str, Place] | str, claim: Claim) -> bool:
    """Whether a branch has come back to the commit since it was promoted, which makes it a newer one.

    Its sequence would not tell: a place also moves up when a push before it is told late.
    """
    if isinstance(candidate, str):
        return False
    pushed, claimed = parse_time(candidate[1].pushed_at), parse_time(claim.pushed_at)
    return pushed is not None and claimed is not None and pushed > claimed


def _touches(place: Place, patterns: Sequence[str]) -> bool:
    if not patterns or place.paths is None:
        return True
    return any(fnmatchcase(path, pattern) for path in place.paths for pattern in patterns)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
