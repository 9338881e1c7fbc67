"""A push becomes a place in its branch's order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline_state.model.decide import candidate_place
from pipeline_state.model.order import NO_COMMIT, Place, Push, place
from pipeline_state.model.record import BRANCHES, CLAIM, LAST_WRITE, Record, read_record
from pipeline_state.model.times import parse_time
from pipeline_state.table import journal, waiting
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import SCHEMA, GateRecord, Raw, as_read, at, expiring, set_all, to_plain, to_raw
from pipeline_state.table.retry import until_unopposed
from pipeline_state.table.snapshot import Reader, Snapshot
from pipeline_state.table.transaction import Transaction

if TYPE_CHECKING:
    from pynamodb.expressions.update import Action


TraceOf = Callable[[str, str], str]
"""(repo, commit) to the commit's trace context, as `honeycomb_trace` keeps it."""


def record_push(reader: Reader, branch: str, push: Push, happening: Happening, trace_of: TraceOf) -> Snapshot:
    """Give a pushed commit its place, and the places it implies; the snapshot before the change.

    Raises RepeatedError when it was recorded before, TemporaryFault and PermanentFault.
    """

    def attempt() -> Snapshot:
        before = [] if push.before == NO_COMMIT else [push.before]
        snapshot = reader.read(happening.repo, push.after, *before, environments=False)
        known = _Places(reader, snapshot, branch, asked={push.after, *before})
        moved = place(push, known)
        transaction = Transaction()
        journal.append(transaction, replace(happening, repo=snapshot.repo, is_kept=is_claimed(snapshot.item)))
        for commit in sorted({push.after, *moved}):
            item = known.items.get(commit, {})
            actions = _placed(item, branch, moved[commit]) if commit in moved else []
            actions += about_record(snapshot, item, happening, trace_of(snapshot.repo, commit))
            label = f"record of {commit[:12]}"
            transaction.update(label, GateRecord(snapshot.repo, commit), actions, as_read(item, BRANCHES))
            if commit in moved and _is_candidate(snapshot, commit, item, branch, moved[commit]):
                waiting.note(transaction, snapshot.repo, commit, happening.id)
        transaction.commit()
        return snapshot

    return until_unopposed(attempt)


class _Places:
    """Looks up places on one branch, reading the records that the snapshot does not have."""

    def __init__(self, reader: Reader, snapshot: Snapshot, branch: str, asked: set[str]) -> None:
        self._reader, self._repo, self._branch, self._asked = reader, snapshot.repo, branch, asked
        self.items: dict[str, Raw] = dict(snapshot.items)

    def __call__(self, commit: str) -> Place | None:
        if commit not in self._asked:
            self._asked.add(commit)
            self.items.update(self._reader.read(self._repo, commit, environments=False).items)
        item = self.items.get(commit)
        return read_record(to_plain(item)).branches.get(self._branch) if item else None


def _is_candidate(snapshot: Snapshot, commit: str, item: Raw, branch: str, new: Place) -> bool:
    """Whether its new place makes a commit one that some pipeline takes, so that it waits from now on.

    So does the time of a push whose place is known from the next one: by it a commit may have come back.
    """
    record = read_record(to_plain(item)) if item else Record(snapshot.repo, commit)
    before = record.branches.get(branch)
    if before and (before.sequence, before.pushed_at) == (new.sequence, new.pushed_at):
        return False
    placed = replace(record, branches={**record.branches, branch: new})
    return any(isinstance(candidate_place(placed, pipeline), tuple) for pipeline in snapshot.definitions.pipelines)


def _placed(item: Raw, branch: str, new: Place) -> list[Action]:
    """The places of a commit, and its latest one on any branch: by that the index has it."""
    branches = {**(read_record(to_plain(item)).branches if item else {}), branch: new}
    values: dict[str, Any] = {
        BRANCHES: {name: place.to_dict() for name, place in branches.items()},
        "sequence": max(place.sequence for place in branches.values()),
    }
    if new.pushed_at or "branch" not in item or item["branch"] == {"S": branch}:
        values |= {"branch": branch}
        values |= {"pushed_at": new.pushed_at} if new.pushed_at else {}
    return set_all(values)


def about_record(
    snapshot: Snapshot, item: Raw, happening: Happening, trace: str, besides: Collection[str] = ()
) -> list[Action]:
    """What every record says of itself, and its declared gates as empty columns, where they are not there yet.

    item: the record as it was read. Our own writes leave a trace that tells them from people's in the stream. One that
    was never promoted leaves by age.
    """
    absent = {"_schema": SCHEMA, "honeycomb_trace": trace, **dict.fromkeys(sorted(snapshot.definitions.declared), "")}
    written = parse_time(happening.written_at)
    if written and not is_claimed(item):
        absent |= expiring(written)
    kept = [at(name).set(at(name) | to_raw(value)) for name, value in absent.items() if name not in besides]
    return [*kept, *set_all({LAST_WRITE: {"event": happening.id, "at": happening.written_at}})]


def is_claimed(item: Raw) -> bool:
    """Whether the commit of a record was ever promoted."""
    return any(name.startswith(CLAIM) for name in item)
