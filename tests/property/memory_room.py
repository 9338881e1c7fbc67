"""The tables in memory, connected to PynamoDB's models; `tests/contract/test_table_invariants.py` has the real ones."""

from collections.abc import Mapping
from typing import Any

from pipeline_state.table.models import Tables, connect
from tests.property.memory_tables import Item, MemoryConnection, MemoryTables, Written, put_beneath
from tests.property.workers import Calls

_NAMES = Tables("gates", "environments", "journal", "pipelines")


class MemoryRoom:
    """A `Store`."""

    def __init__(self) -> None:
        self._memory = MemoryTables()

    def connect(self, calls: Calls) -> None:
        connect(_NAMES)
        perform = self._memory.perform
        put_beneath(MemoryConnection(lambda name, request: calls.make(name, lambda: perform(name, request))))

    def drain(self) -> list[Written]:
        written, self._memory.written = self._memory.written, []
        return written

    def change(self, table: str, keys: Item, changes: Mapping[str, Any]) -> None:
        self._memory.change(table, keys, changes)

    def told(self, repo: str, commit: str) -> set[str]:
        return {entry.split("#")[1] for entry in self._memory.tables["journal"].get(f"{repo}#{commit}", {})}

    def close(self) -> None:
        """Nothing is left."""
