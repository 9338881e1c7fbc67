"""Who gave the gates of a commit their values, as far as its journal tells.

Whoever can edit a record can write anything there, also the note that our own writers leave beside a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pipeline_state.model.decision import TAKEN_BACK
from pipeline_state.model.entries import EDITED, GATE_SET, Doer, Entry, kept_value, read_entry
from pipeline_state.model.gate_values import GateValues
from pipeline_state.model.gates import GateStatus, read_gate
from pipeline_state.model.past import Former
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.results import Result, source_kind
from pipeline_state.model.times import parse_time

_SET = frozenset({GATE_SET, TAKEN_BACK})
"""Kinds of entries that tell of one gate, and the whole of its value."""

_Standing = tuple[GateStatus, datetime | None]
"""A gate's status, and when it got its value."""


def doers(
    gates: Mapping[str, Any],
    entries: Iterable[Mapping[str, Any]],
    pipelines: Sequence[Pipeline],
    now: datetime,
    former: Sequence[Former] = (),
) -> dict[str, Doer]:
    """Who gave the gates their values, by gate; without those whose value is not what the journal told of them last.

    gates: raw values by column, as a record has them. entries: the journal's about it, as `table.journal.history` gives
    them. pipelines: of its repository, by which results feed gates; former: those that it had before, oldest first. Of
    a deployment the status and the time are compared, of everything else the whole value.
    """
    told = sorted(filter(None, map(read_entry, entries)), key=lambda entry: (entry.at, entry.id))
    values, last = GateValues(pipelines), dict[str, tuple[Entry, Doer]]()
    for entry in told:
        values.use(next((each.pipelines for each in former if entry.at <= each.until), pipelines))
        before = _standings(values, now)
        doer = values.take(entry)
        after = _standings(values, now)
        last |= {gate: (entry, doer) for gate in after if after[gate] != before.get(gate) or _names(entry, gate)}
    standings = _standings(values, now)
    return {
        gate: last[gate][1]
        for gate, value in gates.items()
        if standings.get(gate) == _standing(gate, value, now) and _tells(last[gate][0], gate, value)
    }


def _standings(values: GateValues, now: datetime) -> dict[str, _Standing]:
    return {gate: (values.status(gate, now), values.set_at(gate)) for gate in values}


def _standing(gate: str, value: Any, now: datetime) -> _Standing:
    at = parse_time(value.get("at")) if isinstance(value, Mapping) else None
    return read_gate(gate, value, now).status, at


def _names(entry: Entry, gate: str) -> bool:
    """Whether an entry tells of somebody who gave the gate a value."""
    return entry.what.get("gate") == gate if entry.kind in _SET else entry.kind == EDITED and gate in entry.what


def _tells(entry: Entry, gate: str, value: Any) -> bool:
    """Whether a value is the one that an entry tells of, as far as it has the whole of it."""
    kind = source_kind(entry.kind)
    if kind is not None:
        name, app, status, completed_at, url = map(entry.text, ("name", "app", "status", "completed_at", "url"))
        return bool(value == Result(kind, name, app, status, completed_at or entry.time, url, entry.doer.by).value)
    if entry.kind in _SET:
        return bool(value == {name: told for name, told in entry.what.items() if name != "gate"})
    return entry.kind != EDITED or kept_value(value) == entry.what.get(gate)
