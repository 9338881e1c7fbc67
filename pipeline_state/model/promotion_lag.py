"""How long a commit has had all its gates: what the pipeline itself takes to notice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pipeline_state.model.record import Record
from pipeline_state.model.times import parse_time


def promotion_lag(record: Record, branch: str, required: Iterable[str], now: datetime) -> timedelta | None:
    """From the last of these gates opening, or the commit's push to the branch if that came later, until now.

    None where no time of either is known. Clocks that disagree give 0.
    """
    place = record.branches.get(branch)
    times = [_opened_at(record, gate) for gate in required]
    known = [time for time in (*times, parse_time(place and place.pushed_at)) if time]
    return max(now - max(known), timedelta(0)) if known else None


def _opened_at(record: Record, gate: str) -> datetime | None:
    """By the note beside the value, which nobody but our own functions writes, or else by the value's own words."""
    value, note = record.gates.get(gate), record.written.get(gate, {})
    if note.get("value") == value and (noted := parse_time(note.get("at"))):
        return noted
    return parse_time(value.get("at")) if isinstance(value, Mapping) else None
