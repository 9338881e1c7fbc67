"""Reading a single thing of a commit's record."""

from __future__ import annotations

from datetime import datetime

from pynamodb.exceptions import DoesNotExist, PynamoDBException

from pipeline_state.model.gates import Gate, read_gate
from pipeline_state.table.models import GateRecord, to_plain
from pipeline_state.table.transaction import fault


def gate_of(repo: str, commit: str, name: str, now: datetime) -> Gate:
    """A gate of a commit as it is at a time; pending where it is not there. Raises TemporaryFault."""
    record = GateRecord(repo, commit)
    try:
        record.refresh(consistent_read=True)
    except DoesNotExist:
        return read_gate(name, "", now)
    except PynamoDBException as error:
        raise fault(error) from error
    return read_gate(name, to_plain(record.raw).get(name, ""), now)
