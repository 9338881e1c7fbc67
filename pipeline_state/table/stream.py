"""What a record of the Gates table's stream tells.

Our own writes always change an attribute that starts with an underscore; a write that does not is somebody's edit.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline_state.model.gates import is_gate
from pipeline_state.model.record import BRANCHES, LAST_WRITE
from pipeline_state.model.times import parse_time
from pipeline_state.table.models import Raw, to_plain


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one commit's record.

    id: the stream's, unique. at: when it was written; of hand edits only the second is known, and its end is given.
    edits: gates somebody changed with a tool of their own, by name: the raw value, None where the column was removed.
    matters: whether a decision can come out differently now.
    """

    repo: str
    commit: str
    id: str
    at: datetime
    edits: Mapping[str, Raw | None]
    matters: bool


def read_change(record: Mapping[str, Any]) -> Change:
    """The change in a stream record as Lambda hands it over, with old and new image."""
    told = record["dynamodb"]
    old, new = told.get("OldImage", {}), told.get("NewImage", {})
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    gates = {name for name in changed if is_gate(name)}
    ours = any(name.startswith("_") for name in changed)
    keys = to_plain(told["Keys"])
    return Change(
        repo=keys["repo"],
        commit=keys["commit"],
        id=str(record["eventID"]),
        at=_written_at(new, float(told["ApproximateCreationDateTime"]), precise=LAST_WRITE in changed),
        edits={} if ours or not new else {name: new.get(name) for name in sorted(gates)},
        matters=bool(new) and (bool(gates) or BRANCHES in changed),
    )


def _written_at(new: Raw, second: float, *, precise: bool) -> datetime:
    """The stream's own time has whole seconds, so our writers leave a finer one."""
    last = to_plain({LAST_WRITE: new[LAST_WRITE]})[LAST_WRITE] if precise and LAST_WRITE in new else None
    moment = parse_time(last.get("at")) if isinstance(last, Mapping) else None
    return moment or datetime.fromtimestamp(int(second), UTC) + timedelta(milliseconds=999)
