"""The waits that a change of a record has ended, or that a newer commit has, as spans of the commit's trace.

Which these are the change says; since when somebody waited, and who ended it, is read from the journal. Whoever reads
the trace beside the journal finds the same: it is told to those alone who do not, such as Honeycomb.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pipeline_state import tracing
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.ended_waits import ended_waits
from pipeline_state.model.past import Past
from pipeline_state.model.waits import Wait, waits
from pipeline_state.table.journal import history
from pipeline_state.table.past import past_of
from pipeline_state.table.snapshot import EVERYTHING, Snapshot
from pipeline_state.table.stream import Change
from pipeline_state.tracing.waits import send_wait
from pipeline_state.windows import freeze_of

_log = logging.getLogger(__name__)


def tell_ended(change: Change, read: Callable[[], Snapshot], now: datetime) -> None:
    """Record what nobody waits for any more. read: gives the commit, where there is something to tell.

    Whatever goes wrong is logged and reaches nobody: the change has been acted on by then.
    """
    if change.moved or change.claims or change.is_placed:
        _tell(change.repo, change.commit, lambda: _ended_by(change, read(), now))


def tell_overtaken(snapshot: Snapshot, now: datetime) -> None:
    """Record what a commit waited for until it was overtaken, which is no change of its record; else as `tell_ended`.

    To be told once, when nothing more comes of the commit.
    """
    _tell(snapshot.repo, snapshot.commit, lambda: _overtaken(snapshot, now))


def _tell(repo: str, commit: str, find: Callable[[], Iterable[Wait]]) -> None:
    root = tracing.trace_of(repo, commit)
    if not tracing.wants_waits(root):
        return
    try:
        ended = find()
    except (PermanentFault, TemporaryFault) as fault:
        _log.warning("what %s@%s waited for is not told: %s", repo, commit[:12], fault.reason)
        return
    except Exception as bug:  # noqa: BLE001 - a mistake about the past is not to hold up what comes next
        _log.error("what %s@%s waited for: unexpected %s", repo, commit[:12], type(bug).__name__)
        return
    for wait in ended:
        send_wait(wait, parent=root)


def _ended_by(change: Change, snapshot: Snapshot, now: datetime) -> tuple[Wait, ...]:
    """The journals of environments are read only where people may have closed one of them for the commit."""
    told = _Journals(snapshot, now)
    ended = _among(told.found(), change, told)
    closed = {wait.environment for wait in ended if not wait.gate}
    return _among(told.found(closed), change, told) if closed else ended


def _among(found: Iterable[Wait], change: Change, told: _Journals) -> tuple[Wait, ...]:
    """What an overtaking has ended is left to whoever strikes the commit off."""
    if change.is_placed:  # what was recorded before the push counts from the push on
        ended = tuple(wait for wait in found if wait.end and wait.end < change.at)
    else:
        applied_at = {former.until for former in told.past.former}
        ended = ended_waits(found, told.snapshot.record, change.at, change.moved, change.claims, applied_at)
    return tuple(wait for wait in ended if wait.end not in told.overtaken_at)


def _overtaken(snapshot: Snapshot, now: datetime) -> list[Wait]:
    told = _Journals(snapshot, now)
    if not told.past.overtaken:
        return []
    return [wait for wait in told.found(told.past.overtaken) if wait.end in told.overtaken_at]


@dataclass(frozen=True)
class _Journals:
    """What is read about a commit, each once."""

    snapshot: Snapshot
    now: datetime

    def found(self, environments: Collection[str] = ()) -> tuple[Wait, ...]:
        """What the commit waited for. environments: by key, those whose own journals are read as well."""
        places = [
            (each.name, place.name) for each, place in self.snapshot.places if each.key_of(place.name) in environments
        ]
        keys = [EVERYTHING, *places] if environments else []
        entries = [*self.own, *(entry for key in keys for entry in history(*key))]
        pipelines = self.snapshot.definitions.pipelines
        return waits(self.snapshot.record, entries, pipelines, self.now, freeze_of, self.past)

    @cached_property
    def own(self) -> list[dict[str, Any]]:
        """The commit's."""
        return list(history(self.snapshot.repo, self.snapshot.commit))

    @cached_property
    def past(self) -> Past:
        """What is not in it."""
        return past_of(self.snapshot, self.own, self.now)

    @property
    def overtaken_at(self) -> set[datetime]:
        """When it was overtaken somewhere."""
        return {each.at for each in self.past.overtaken.values()}
