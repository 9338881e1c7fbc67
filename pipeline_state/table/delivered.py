"""Many commits at once, for figures about them: eventually consistent reads, at half the price of those that decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pynamodb.exceptions import PynamoDBException

from pipeline_state.table.models import GateRecord, JournalEntry, to_plain
from pipeline_state.table.transaction import fault

MOST_KEYS = 100
"""Of one BatchGetItem, by the API reference."""


def items_of(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The records of commits as plain values, by repository and commit; those that are gone are left out.

    Raises TemporaryFault.
    """
    try:
        return {(item.repo, item.commit): to_plain(item.raw) for item in GateRecord.batch_get(list(keys))}
    except PynamoDBException as error:
        raise fault(error) from error


def entries_of(repo: str, commit: str) -> list[dict[str, Any]]:
    """A commit's journal as plain values, oldest first. Raises TemporaryFault."""
    try:
        return [to_plain(entry.raw) for entry in JournalEntry.query(f"{repo}#{commit}")]
    except PynamoDBException as error:
        raise fault(error) from error
