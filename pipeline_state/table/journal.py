"""The journal: what happened to a commit, written in the same transaction as the change it tells of.

An entry's key is made of the event alone, so putting it is also what recognises an event that comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pynamodb.exceptions import PynamoDBException

from pipeline_state.model.times import parse_time
from pipeline_state.table.models import JournalEntry, at, expiring, set_all, to_plain
from pipeline_state.table.transaction import Transaction, fault

LABEL = "journal"


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry.

    time: RFC 3339, of the event. id, source: the CloudEvent's, unique together. kind: its type, or a name of ours.
    written_at: RFC 3339, of the write itself.
    by: who did it; verified: whether our own function or a signed call says so. what: small plain data for people.
    is_kept: whether the entry belongs to a commit that was promoted, so that it is not to leave by age.
    """

    repo: str
    commit: str
    time: str
    id: str
    source: str
    kind: str
    by: str = ""
    verified: bool = False
    written_at: str = ""
    what: Mapping[str, Any] = field(default_factory=dict)
    is_kept: bool = False


def append(transaction: Transaction, happening: Happening) -> None:
    """Add the entry as part of a transaction, which is refused with label "journal" if it is there already.

    It leaves after the time that records are kept, unless it is to be kept.
    """
    item = JournalEntry(f"{happening.repo}#{happening.commit}", f"{happening.time}#{happening.id}#{happening.source}")
    told = {"kind": happening.kind, "by": happening.by, "verified": happening.verified, "what": happening.what}
    told |= {"written_at": happening.written_at} if happening.written_at else {}
    written = parse_time(happening.written_at) or parse_time(happening.time)
    told |= expiring(written) if written and not happening.is_kept else {}
    transaction.update(LABEL, item, set_all({"_schema": 1, **told}), condition=at("record").does_not_exist())


def history(repo: str, commit: str) -> Iterator[dict[str, Any]]:
    """A commit's entries as plain values, oldest first. Raises TemporaryFault."""
    try:
        for entry in JournalEntry.query(f"{repo}#{commit}", consistent_read=True):
            yield to_plain(entry.raw)
    except PynamoDBException as error:
        raise fault(error) from error


def latest(repo: str, commit: str, most: int) -> list[str]:
    """The keys of a commit's last entries, newest first: whether there is news costs little. Raises TemporaryFault."""
    how: dict[str, Any] = {"scan_index_forward": False, "consistent_read": True, "limit": most}
    try:
        found = JournalEntry.query(f"{repo}#{commit}", attributes_to_get=["record", "entry"], **how)
        return [entry.entry for entry in found]
    except PynamoDBException as error:
        raise fault(error) from error
