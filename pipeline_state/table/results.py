"""Results become gates: of CI, and of the deployments that the pipeline makes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline_state.faults import TemporaryFault
from pipeline_state.model.gates import name_problem
from pipeline_state.model.pipelines import DEPLOYED_TO
from pipeline_state.model.record import WRITTEN
from pipeline_state.model.results import ReleaseResult, Result, counts, deployed_value, fed_gates
from pipeline_state.table import journal, waiting
from pipeline_state.table.deployments import note_end
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import GateRecord, Raw, all_of, as_read, at, set_all, to_plain, to_raw
from pipeline_state.table.pushes import TraceOf, about_record, is_claimed
from pipeline_state.table.retry import RepeatedError, until_unopposed
from pipeline_state.table.snapshot import Reader, Snapshot
from pipeline_state.table.transaction import RefusedError, Transaction

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

_LONGEST_NOTED = 16_384
"""Characters of a value; a note repeats it, and an item holds 400 KB."""


def record_result(reader: Reader, result: Result, happening: Happening, trace_of: TraceOf) -> Snapshot:
    """Journal a CI result, and give its status to the gates it feeds where it counts; the snapshot before the change.

    Raises RepeatedError when it was recorded before, TemporaryFault (also while a hand edit's time is not known yet)
    and PermanentFault.
    """

    def attempt() -> Snapshot:
        snapshot = reader.read(happening.repo, happening.commit, environments=False)
        fed = [gate for gate in fed_gates(result, snapshot.definitions.pipelines) if _counts(snapshot, gate, result)]
        _write(Transaction(), snapshot, happening, dict.fromkeys(fed, result.value), trace_of, result=True)
        return snapshot

    return until_unopposed(attempt)


def record_deployment(
    reader: Reader, result: ReleaseResult, place: tuple[str, str], happening: Happening, trace_of: TraceOf
) -> Snapshot:
    """Journal how a release ended, and give it to its promotion and the deployed gate; the snapshot before the change.

    place: pipeline and environment as the promotion has them: one that has got their gate since numbers its promotions
    anew. Raises as `record_result`.
    """

    def attempt() -> Snapshot:
        snapshot = reader.read(happening.repo, happening.commit, environments=False)
        value = deployed_value(to_plain(snapshot.item).get(result.gate), result)
        transaction = Transaction()
        note_end(transaction, *place, result)
        _write(transaction, snapshot, happening, {result.gate: value} if value else {}, trace_of)
        return snapshot

    return until_unopposed(attempt)


def record_news(happening: Happening) -> None:
    """Journal something that changes no gate. Raises RepeatedError, TemporaryFault and PermanentFault."""

    def attempt() -> None:
        transaction = Transaction()
        journal.append(transaction, happening)
        transaction.commit()

    until_unopposed(attempt)


def set_gate(reader: Reader, name: str, value: Mapping[str, Any], happening: Happening, trace_of: TraceOf) -> Snapshot:
    """Give a gate a value in the name of a known person; the snapshot before the change. Raises as `record_result`.

    value: `status`, `at` and `by`, and more evidence if there is any.
    """

    def attempt() -> Snapshot:
        snapshot = reader.read(happening.repo, happening.commit, environments=False)
        _write(Transaction(), snapshot, happening, {name: value}, trace_of)
        return snapshot

    return until_unopposed(attempt)


def note_hand_edits(edits: Mapping[str, Raw | None], happening: Happening) -> None:
    """Journal columns that somebody changed with a tool of their own, and note when, where they still are so.

    edits: the raw value found in the stream by gate; None where the column was removed. Columns that no result can feed
    are journalled only: those with a name no gate can have, and those with more in them than a gate has. Raises
    RepeatedError, TemporaryFault and PermanentFault.
    """
    notable = {name: value for name, value in edits.items() if not name_problem(name)}
    try:
        _note({name: value for name, value in notable.items() if len(str(value)) <= _LONGEST_NOTED}, happening)
    except RefusedError as refusal:
        if journal.LABEL in refusal.labels:
            raise RepeatedError from refusal
        record_news(happening)  # changed again since: the stream will tell of that too


def _note(edits: Mapping[str, Raw | None], happening: Happening) -> None:
    transaction = Transaction()
    journal.append(transaction, happening)
    if edits:
        actions, conditions = zip(*(_noted(name, value, happening) for name, value in edits.items()), strict=True)
        record = GateRecord(happening.repo, happening.commit)
        transaction.update("record", record, list(actions), all_of(conditions))
    _note_way(transaction, happening.repo, happening.commit, edits, happening)
    transaction.commit()


def _noted(name: str, value: Raw | None, happening: Happening) -> tuple[Action, Condition]:
    """The note of an edit, and the condition that it still is so; a removed column may have been added again, empty."""
    if value is None:
        return at(WRITTEN + name).remove(), at(name).does_not_exist() | (at(name) == to_raw(""))
    ((_, plain),) = to_plain({name: value}).items()
    note = {"at": happening.time, "by": happening.by, "value": plain}
    return at(WRITTEN + name).set(to_raw(note)), at(name) == value


def _counts(snapshot: Snapshot, gate: str, result: Result) -> bool:
    record = snapshot.record
    verdict = counts(result, record.gates.get(gate), record.written.get(gate))
    if verdict is None:
        raise TemporaryFault(f"{gate} was set by hand a moment ago, it is not known yet when", delay_seconds=2)
    return verdict


def with_note(gate: str, value: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The attributes that give a gate a value of ours: the value, and the note that tells it from a hand edit.

    value: `status`, `at`, `by`. more: goes into the note.
    """
    return {gate: value, WRITTEN + gate: {"at": value["at"], "by": value["by"], "value": value, **more}}


def _write(
    transaction: Transaction,
    snapshot: Snapshot,
    happening: Happening,
    values: Mapping[str, Mapping[str, Any]],
    trace_of: TraceOf,
    **more: Any,
) -> None:
    """Commit, with gate values and the journal's entry, on condition that the gates are as they were read."""
    journal.append(transaction, replace(happening, repo=snapshot.repo, is_kept=is_claimed(snapshot.item)))
    written: dict[str, Any] = {}
    for gate, value in values.items():
        written |= with_note(gate, value, **more)
    about = about_record(
        snapshot, snapshot.item, happening, trace_of(snapshot.repo, snapshot.commit), besides=set(values)
    )
    conditions = [as_read(snapshot.item, name) for name in written]
    transaction.update(
        "record",
        GateRecord(snapshot.repo, snapshot.commit),
        [*set_all(written), *about],
        all_of(conditions) if conditions else None,
    )
    passed = [gate for gate, value in values.items() if value["status"] == "TRUE"]
    _note_way(transaction, snapshot.repo, snapshot.commit, passed, happening)
    transaction.commit()


def _note_way(transaction: Transaction, repo: str, commit: str, changed: Iterable[str], happening: Happening) -> None:
    """Note a commit as waiting where one of its environments now has it.

    So late it may have been taken for superseded there, and been struck off; it can go on after all.
    """
    if any(gate.startswith(DEPLOYED_TO) for gate in changed):
        waiting.note(transaction, repo, commit, happening.id)
