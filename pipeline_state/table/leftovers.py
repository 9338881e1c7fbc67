"""What commits have of gates that no pipeline declares any more.

The recorder makes a column of every declared gate, empty. Left behind, it would be one that somebody added, which every
environment needs and which nobody will fill. A column that somebody did add, or set, bears a note of that by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline_state.model.gates import GateStatus, is_gate, read_gate
from pipeline_state.model.pipelines import DEPLOYED_TO
from pipeline_state.model.record import LAST_WRITE, WRITTEN
from pipeline_state.table import journal, waiting
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import GateRecord, Raw, all_of, at, set_all, to_plain, to_raw
from pipeline_state.table.past import once_declared
from pipeline_state.table.pushes import is_claimed
from pipeline_state.table.retry import until_unopposed
from pipeline_state.table.snapshot import Definitions
from pipeline_state.table.transaction import Transaction

_MOST = 50
"""Columns that one transaction removes: an expression has 4 KB at most. What is left is found by the next look."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What one commit has of gates that were declared once.

    empty: columns as the recorder made them. closed: what somebody or CI has set to anything but passed.
    """

    commit: str
    empty: tuple[str, ...]
    closed: tuple[str, ...]


def leftovers(
    definitions: Definitions, declared: Collection[str], commits: Iterable[str], now: datetime
) -> list[Leftover]:
    """What commits of a repository have of gates that its pipelines declared up to now, in the order of the commits.

    declared: the gates that are, or will be, declared all the same. Commits without any are left out. Raises
    TemporaryFault.
    """
    wanted = list(commits)
    items = waiting.records(definitions.repo, wanted)
    found = [_leftover(commit, items[commit], declared, now) for commit in wanted if commit in items]
    once = once_declared(definitions, {name for each in found for name in (*each.empty, *each.closed)})
    known = [replace(each, empty=_among(each.empty, once), closed=_among(each.closed, once)) for each in found]
    return [each for each in known if each.empty or each.closed]


def remove_empty(gates: Collection[str], happening: Happening) -> tuple[str, ...]:
    """Remove columns from a commit that still are as the recorder made them, and journal which; these.

    happening: its commit's; what it tells is put in here. Raises TemporaryFault and PermanentFault.
    """

    def attempt() -> tuple[str, ...]:
        item = waiting.records(happening.repo, [happening.commit]).get(happening.commit, {})
        found = tuple(gate for gate in sorted(gates) if _is_empty(item, gate))[:_MOST]
        if found:
            _remove(found, replace(happening, what=dict.fromkeys(found), is_kept=is_claimed(item)))
        return found

    return until_unopposed(attempt)


def _remove(gates: Collection[str], happening: Happening) -> None:
    """On condition that nobody has set them, and with the mark of our own writers, which the stream knows them by."""
    transaction = Transaction()
    journal.append(transaction, happening)
    unset = [at(gate) == to_raw("") for gate in gates] + [at(WRITTEN + gate).does_not_exist() for gate in gates]
    mark = set_all({LAST_WRITE: {"event": happening.id, "at": happening.written_at}})
    record = GateRecord(happening.repo, happening.commit)
    transaction.update("record", record, [*(at(gate).remove() for gate in gates), *mark], all_of(unset))
    transaction.commit()


def _leftover(commit: str, item: Raw, declared: Collection[str], now: datetime) -> Leftover:
    names = [name for name in sorted(item) if is_gate(name) and not name.startswith(DEPLOYED_TO)]
    added = [name for name in names if name not in declared]
    empty = tuple(name for name in added if _is_empty(item, name))
    set_ = to_plain({name: item[name] for name in added if name not in empty})
    gates = (read_gate(name, value, now) for name, value in set_.items())
    return Leftover(commit, empty, tuple(gate.name for gate in gates if gate.status is not GateStatus.PASSED))


def _is_empty(item: Raw, gate: str) -> bool:
    return item.get(gate) == {"S": ""} and WRITTEN + gate not in item


def _among(names: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in known)
