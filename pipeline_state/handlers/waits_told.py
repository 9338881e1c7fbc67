"""The waits that a change of a record has ended, as spans of the commit's trace.

Which these are the change says; since when somebody waited, and who ended it, is read from the journal. Whoever reads
the trace beside the journal finds the same: it is told to those alone who do not, such as Honeycomb.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from pipeline_state import tracing
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.ended_waits import ended_waits
from pipeline_state.model.waits import Wait, waits
from pipeline_state.table.journal import history
from pipeline_state.table.snapshot import EVERYTHING, Snapshot
from pipeline_state.table.stream import Change
from pipeline_state.tracing.waits import send_wait
from pipeline_state.windows import freeze_of

_log = logging.getLogger(__name__)


def tell_ended(change: Change, read: Callable[[], Snapshot], now: datetime) -> None:
    """Record what nobody waits for any more. read: gives the commit, where there is something to tell.

    Whatever goes wrong is logged and reaches nobody: the change has been acted on by then.
    """
    root = tracing.trace_of(change.repo, change.commit)
    if not (change.moved or change.claims or change.is_placed) or not tracing.wants_waits(root):
        return
    try:
        ended = _ended_by(change, read(), now)
    except (PermanentFault, TemporaryFault) as fault:
        _log.warning("what %s@%s waited for is not told: %s", change.repo, change.commit[:12], fault.reason)
        return
    except Exception as bug:  # noqa: BLE001 - a mistake about the past is not to hold up what comes next
        _log.error("what %s@%s waited for: unexpected %s", change.repo, change.commit[:12], type(bug).__name__)
        return
    for wait in ended:
        send_wait(wait, parent=root)


def _ended_by(change: Change, snapshot: Snapshot, now: datetime) -> tuple[Wait, ...]:
    """The journals of environments are read only where people may have closed one of them for the commit."""
    ended = _among(_waits(snapshot, now), change, snapshot)
    closed = {wait.environment for wait in ended if not wait.gate}
    if not closed:
        return ended
    keys = [(each.name, place.name) for each, place in snapshot.places if each.key_of(place.name) in closed]
    return _among(_waits(snapshot, now, EVERYTHING, *keys), change, snapshot)


def _among(found: tuple[Wait, ...], change: Change, snapshot: Snapshot) -> tuple[Wait, ...]:
    if change.is_placed:  # what was recorded before the push counts from the push on
        return tuple(wait for wait in found if wait.end and wait.end < change.at)
    return ended_waits(found, snapshot.record, change.at, change.moved, change.claims)


def _waits(snapshot: Snapshot, now: datetime, *environments: tuple[str, str]) -> tuple[Wait, ...]:
    keys = ((snapshot.repo, snapshot.commit), *environments)
    entries = [entry for key in keys for entry in history(*key)]
    return waits(snapshot.record, entries, snapshot.definitions.pipelines, now, freeze_of)
