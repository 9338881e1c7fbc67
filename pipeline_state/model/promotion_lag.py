"""How long a commit has been able to go on: what the pipeline itself takes to notice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pipeline_state.model.decision import Promote
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.record import Record, note_of
from pipeline_state.model.times import later, parse_time


def ready_at(record: Record, pipeline: Pipeline, environment: Environment, promote: Promote) -> datetime | None:
    """When the last gate opened that the environment asks for, the soak time ended, or the commit was pushed there.

    Whichever came last; None where one of the gates does not tell, or there is no time at all.
    """
    gates = [opened_at(record, gate) for gate in promote.required]
    place = record.branches.get(promote.branch)
    times = [*gates, _soaked_at(record, pipeline, environment), parse_time(place and place.pushed_at)]
    return max((time for time in times if time), default=None) if all(gates) else None


def opened_at(record: Record, gate: str) -> datetime | None:
    """By the note beside the value, which nobody but our own functions writes, or else by the value's own words."""
    value = record.gates.get(gate)
    return parse_time(note_of(value, record.written.get(gate)).get("at")) or _told_at(value)


def _soaked_at(record: Record, pipeline: Pipeline, environment: Environment) -> datetime | None:
    """As `decide` counts it: by what the gates say themselves."""
    values = [record.gates.get(pipeline.deployed_gate(name)) for name in environment.after]
    deployed = max((time for time in map(_told_at, values) if time), default=None)
    return later(deployed, environment.soak) if deployed and environment.soak else None


def _told_at(value: object) -> datetime | None:
    return parse_time(value.get("at")) if isinstance(value, Mapping) else None
