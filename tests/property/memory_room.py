"""The tables in memory: what `tests.contract.table_room` does to the real ones, with the real pure core inside.

`tests/contract/test_table_invariants.py` puts the real ones through the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pipeline_state.faults import TemporaryFault
from pipeline_state.model.decide import EnvironmentState
from pipeline_state.model.decision import Decision, Promote
from pipeline_state.model.order import NO_COMMIT, Place, Push, place
from pipeline_state.model.pipelines import Pipeline, SourceKind
from pipeline_state.model.promotion import Promotion, promotion_id
from pipeline_state.model.record import BRANCHES, CLAIM, WRITTEN, Record, read_record
from pipeline_state.model.results import ReleaseResult, Result, counts, deployed_value, fed_gates
from pipeline_state.table.models import to_raw
from pipeline_state.table.retry import RepeatedError
from pipeline_state.table.snapshot import Definitions, Snapshot
from pipeline_state.table.transaction import RefusedError
from tests.contract.table_room import START, decisions_of, seconds

Item = dict[str, Any]


@dataclass
class MemoryRoom:
    """One repository with one pipeline."""

    repo: str = "myOrg/myApp"
    pipeline_name: str = "shop"
    now: datetime = START + timedelta(hours=1)
    items: dict[str, Item] = field(default_factory=dict)
    states: dict[str, EnvironmentState] = field(default_factory=dict)
    journal: dict[str, list[str]] = field(default_factory=dict)
    definitions: Definitions = field(default_factory=lambda: Definitions(""))
    claims: dict[tuple[str, int], list[Promotion]] = field(default_factory=dict)

    def define(self, *pipelines: Pipeline) -> None:
        mine = tuple(replace(each, repo=self.repo) for each in pipelines)
        self.definitions = Definitions(self.repo, 1, mine)

    def push(self, before: str, after: str, second: float, *, id_: str = "") -> None:
        told = Push(before or NO_COMMIT, after, seconds(second))
        moved = place(told, self._place)
        self._happens(after, id_ or f"push {before[:1]}{after[:1]} {second}")
        for commit in {after, *moved}:
            item = self._item(commit)
            if commit in moved:
                item[BRANCHES] = {**item.get(BRANCHES, {}), "main": moved[commit].to_dict()}

    def result(self, commit: str, status: str, second: float, *, id_: str = "") -> None:
        result = Result(SourceKind.CIRCLECI_WORKFLOW, "build-test", "circleci", status, seconds(second))
        record = self.record(commit)
        fed = fed_gates(result, self.definitions.pipelines)
        verdicts = {gate: counts(result, record.gates.get(gate), record.written.get(gate)) for gate in fed}
        self._unless_told(commit, id_ or f"result {status} {second}")
        if None in verdicts.values():
            raise TemporaryFault("set by hand a moment ago")
        self._happens(commit, id_ or f"result {status} {second}")
        value = {"status": result.gate_status, "at": result.completed_at, "by": "circleci"}
        for gate in (gate for gate, verdict in verdicts.items() if verdict):
            self._item(commit).update({gate: value, WRITTEN + gate: {**value, "value": value, "result": True}})
        self._item(commit)

    def deployed(self, promotion: Promotion, status: str = "TRUE", second: float = 120) -> None:
        gate = f"deployed_to_{promotion.environment_key}"
        release, generation = promotion.release.name, promotion.generation
        ended = ReleaseResult(gate, release, promotion.releases, generation, status, seconds(second))
        self._happens(promotion.commit, f"{promotion.id} {status}")
        item = self._item(promotion.commit)
        value = deployed_value(item.get(gate), ended)
        if value:
            item.update({gate: value, WRITTEN + gate: {"at": value["at"], "by": "gatestream", "value": value}})

    def edit(self, commit: str, **columns: Any) -> None:
        item = self.items.setdefault(commit, {"repo": self.repo, "commit": commit})
        item.update({name: value for name, value in columns.items() if value is not None})
        for name in (name for name, value in columns.items() if value is None):
            item.pop(name, None)

    def note(self, commit: str, second: float, **edits: Any) -> None:
        self._happens(commit, f"edit {second}")
        item = self._item(commit)
        for name, value in edits.items():
            if value is None and not item.get(name):
                item.pop(WRITTEN + name, None)
            elif value is not None and item.get(name) == value:
                item[WRITTEN + name] = {"at": seconds(second), "value": value}

    def edit_environment(self, name: str = "staging", **columns: Any) -> None:
        known: dict[str, Any] = {column: value or "" for column, value in columns.items()}
        self.states[name] = replace(self.states.get(name) or EnvironmentState("shop", name), **known)

    def promote(self, commit: str, environment: str, snapshot: Snapshot) -> list[Promotion]:
        (found,) = [each for each in self.decisions(commit, snapshot) if each.environment == environment]
        assert isinstance(found, Promote)
        state = snapshot.state("shop", environment)
        if not self._is_as_read(snapshot, found, state):
            raise RefusedError(frozenset({"record or environment"}))
        (pipeline,), generation = snapshot.definitions.pipelines, state.generation + 1
        promotions = _promotions(pipeline, found, snapshot, generation)
        self._claim(pipeline, found, commit, {each.release.name: each.id for each in promotions}, generation)
        self.claims[environment, generation] = promotions
        self.states[environment] = replace(state, generation=generation, head=commit, sequence=found.sequence)
        self._happens(commit, f"{environment}-{generation}")
        return promotions

    def claimed(self, environment: str, generation: int) -> list[Promotion]:
        return self.claims[environment, generation]

    def mark(self, commit: str, environment: str, generation: int) -> None:
        claim = self.items[commit].get(CLAIM + environment)
        if claim and claim["generation"] == generation:
            self.items[commit][CLAIM + environment] = {**claim, "published": True}

    def snapshot(self, commit: str) -> Snapshot:
        item = {name: to_raw(value) for name, value in self.items.get(commit, {}).items()}
        return Snapshot(
            self.repo, commit, {commit: item} if item else {}, self.definitions, {"shop": dict(self.states)}
        )

    def decisions(self, commit: str, snapshot: Snapshot | None = None) -> list[Decision]:
        return decisions_of(snapshot or self.snapshot(commit), self.now)

    def record(self, commit: str) -> Record:
        return self.snapshot(commit).record

    def told(self, commit: str) -> list[str]:
        return self.journal.get(commit, [])

    def _is_as_read(self, snapshot: Snapshot, found: Promote, state: EnvironmentState) -> bool:
        item = {name: to_raw(value) for name, value in self.items.get(snapshot.commit, {}).items()}
        columns = (CLAIM + found.environment, BRANCHES, *found.required)
        current = self.states.get(found.environment) or EnvironmentState("shop", found.environment)
        return current == state and all(item.get(name) == snapshot.item.get(name) for name in columns)

    def _claim(
        self, pipeline: Pipeline, found: Promote, commit: str, promotions: Mapping[str, str], generation: int
    ) -> None:
        item = self.items[commit]
        claim = {"generation": generation, "at": seconds(0), "promotions": promotions, "published": False}
        pushed_at = read_record(item).branches[found.branch].pushed_by
        if CLAIM + found.environment in item:
            gate = pipeline.deployed_gate(found.environment)
            item[gate] = {"status": "", "at": seconds(0), "by": "gatestream", "generation": generation}
        item[CLAIM + found.environment] = {**claim, "pushed_at": pushed_at}

    def _place(self, commit: str) -> Place | None:
        return read_record(self.items[commit]).branches.get("main") if commit in self.items else None

    def _item(self, commit: str) -> Item:
        """The commit's item, with the declared gates, as every write of ours leaves it."""
        item = self.items.setdefault(commit, {"repo": self.repo, "commit": commit})
        for gate in self.definitions.declared:
            item.setdefault(gate, "")
        return item

    def _unless_told(self, commit: str, id_: str) -> None:
        if id_ in self.told(commit):
            raise RepeatedError

    def _happens(self, commit: str, id_: str) -> None:
        self._unless_told(commit, id_)
        self.journal.setdefault(commit, []).append(id_)


def _promotions(pipeline: Pipeline, found: Promote, snapshot: Snapshot, generation: int) -> list[Promotion]:
    environment = pipeline.environment(found.environment)
    assert environment
    return [
        Promotion(
            id=promotion_id(pipeline.name, snapshot.commit, environment.name, release.name, generation),
            repo=snapshot.repo,
            commit=snapshot.commit,
            branch=found.branch,
            sequence=found.sequence,
            pipeline=pipeline.name,
            pipeline_version=pipeline.version,
            environment=environment.name,
            environment_key=environment.name,
            generation=generation,
            release=release,
            cluster=environment.cluster,
            releases=tuple(each.name for each in environment.releases),
        )
        for release in environment.releases
    ]
