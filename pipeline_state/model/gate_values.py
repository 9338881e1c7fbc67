"""The values that a commit's gates had one after the other, by the journal's entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipeline_state.model.decide import declared_gates
from pipeline_state.model.decision import TAKEN_BACK
from pipeline_state.model.entries import CLAIMED, EDITED, EMPTY_REMOVED, GATE_SET, PIPELINE, Doer, Entry
from pipeline_state.model.gates import GateStatus, read_gate
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.results import OUTCOMES, ReleaseResult, Result, counts, deployed_value, fed_gates, source_kind
from pipeline_state.model.times import parse_time

_PROVIDERS = {"com.github.": "GitHub", "com.circleci.": "CircleCI"}

Place = tuple[Pipeline, Environment]
"""An environment with its pipeline."""


class GateValues:
    """What each gate's column holds as of the entries taken so far, oldest first."""

    def __init__(self, pipelines: Sequence[Pipeline]) -> None:
        self.use(pipelines)
        self._values: dict[str, Any] = {}
        self._written: dict[str, Mapping[str, Any]] = {}

    def use(self, pipelines: Sequence[Pipeline]) -> None:
        """From now on these say which gates a result feeds."""
        self.pipelines = pipelines
        self.declared = declared_gates(pipelines)

    def __contains__(self, gate: str) -> bool:
        return gate in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def status(self, gate: str, at: datetime) -> GateStatus:
        """A gate's status at a moment; a column that is not there is pending."""
        return read_gate(gate, self._values.get(gate, ""), at).status

    def set_at(self, gate: str) -> datetime | None:
        """When a gate got its value, where the value says so."""
        value = self._values.get(gate)
        return parse_time(value.get("at")) if isinstance(value, Mapping) else None

    def expiries(self) -> set[datetime]:
        """When values that are there now cease to count."""
        maps = [value for value in self._values.values() if isinstance(value, Mapping)]
        return {end for value in maps if (end := parse_time(value.get("expires_at")))}

    def put(self, gate: str, value: Any, at: str) -> None:
        """Somebody writes a value, or removes the column where it is None. at: RFC 3339."""
        if value is None:
            self._values.pop(gate, None)
            self._written.pop(gate, None)
        else:
            self._values[gate] = value
            self._written[gate] = {"value": value, "at": at}

    def take(self, entry: Entry) -> Doer:
        """What an entry does to gates; who did it."""
        kind = source_kind(entry.kind)
        if kind is not None:
            name, app, status = map(entry.text, ("name", "app", "status"))
            result = Result(kind, name, app, status, entry.text("completed_at") or entry.time)
            self._report(result)
            return Doer(result.app or entry.doer.by or _provider(entry.kind), "verified")
        if entry.kind in {EDITED, EMPTY_REMOVED}:
            for gate, value in entry.what.items():
                self.put(gate, value, entry.time)
        elif entry.kind in {GATE_SET, TAKEN_BACK}:
            value = {name: text for name, text in entry.what.items() if name != "gate"}
            self.put(entry.text("gate"), value, entry.text("at") or entry.time)
        elif place := self.place_of(entry):
            self._deploy(place, entry)
            return entry.doer if entry.kind == CLAIMED else PIPELINE
        return entry.doer

    def place_of(self, entry: Entry) -> Place | None:
        """The environment that an entry about a promotion tells of, where the pipelines still have it."""
        pipeline = next((each for each in self.pipelines if each.name == entry.text("pipeline")), None)
        environment = pipeline and pipeline.environment(entry.text("environment"))
        return (pipeline, environment) if pipeline and environment else None

    def _report(self, result: Result) -> None:
        value = {"status": result.gate_status, "at": result.completed_at}
        for gate in fed_gates(result, self.pipelines):
            if counts(result, self._values.get(gate), self._written.get(gate)):
                self.put(gate, value, result.completed_at)
                self._written[gate] = {**self._written[gate], "result": True}

    def _deploy(self, place: Place, entry: Entry) -> None:
        pipeline, environment = place
        gate = pipeline.deployed_gate(environment.name)
        if entry.kind == CLAIMED:
            self.put(gate, {"status": "", "at": entry.time, "generation": generation(entry)}, entry.time)
        elif entry.text("outcome") in OUTCOMES:
            result = ReleaseResult(
                gate=gate,
                release=entry.text("release"),
                releases=tuple(release.name for release in environment.releases),
                generation=generation(entry),
                status=OUTCOMES[entry.text("outcome")],
                at=entry.time,
            )
            if value := deployed_value(self._values.get(gate), result):
                self.put(gate, value, entry.time)


def generation(entry: Entry) -> int:
    """The number of the promotion that an entry tells of; 0 where it is none."""
    number = entry.what.get("generation")
    return int(number) if isinstance(number, int | Decimal) else 0


def _provider(kind: str) -> str:
    return next((name for prefix, name in _PROVIDERS.items() if kind.startswith(prefix)), "")
