"""The tables in memory, connected to PynamoDB's models; `tests/contract/test_table_invariants.py` has the real ones."""

from collections.abc import Mapping
from typing import Any

from pipeline_state.table import models
from pipeline_state.table.models import Tables, connect
from tests.property.memory_tables import Item, MemoryConnection, MemoryTables, Written
from tests.property.workers import Calls

_NAMES = Tables("gates", "environments", "journal", "pipelines")


class MemoryRoom:
    """A `Store`."""

    def __init__(self) -> None:
        self._memory = MemoryTables()

    def connect(self, calls: Calls) -> None:
        connect(_NAMES)
        perform = self._memory.perform
        memory = MemoryConnection(lambda name, request: calls.make(name, lambda: perform(name, request)))
        for model in models.MODELS.values():
            table: Any = model._get_connection()  # noqa: SLF001 - as models.connect does
            memory.add_meta_table(table.get_meta_table())
            table.connection = memory
        models._shared[:] = [memory]  # noqa: SLF001

    def drain(self) -> list[Written]:
        written, self._memory.written = self._memory.written, []
        return written

    def change(self, table: str, keys: Item, changes: Mapping[str, Any]) -> None:
        self._memory.change(table, keys, changes)

    def get(self, table: str, *key: str) -> Item:
        return self._memory.get(table, *key)

    def told(self, repo: str, commit: str) -> set[str]:
        return {entry.split("#")[1] for entry in self._memory.tables["journal"].get(f"{repo}#{commit}", {})}
