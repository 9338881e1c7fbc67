"""The four tables in this process's memory, for the contract tests of the tables: no referee, but fast.

`make mutants` tells the tests hundreds of times, each time with one thing in the code changed.
"""

from typing import Any

from pipeline_state.table.models import Tables, connect, connection
from tests.contract.table_room import KEYS
from tests.property.memory_tables import MemoryConnection, MemoryTables, put_beneath


class MemoryLocalTables:
    """In place of `LocalTables`."""

    def __init__(self) -> None:
        self.endpoint_url, self.names = "", {table: table for table in KEYS}
        self.memory = MemoryTables()
        self.client = MemoryClient(self.memory)
        self._connection: object = None

    def connect(self) -> None:
        """Points the models here, unless they still do."""
        if self._connection is None or connection() is not self._connection:
            connect(Tables("gates", "environments", "journal", "pipelines"))
            put_beneath(MemoryConnection(self.memory.perform))
            self._connection = connection()


class MemoryClient:
    """What people's tools do there."""

    def __init__(self, memory: MemoryTables) -> None:
        self._memory = memory

    def get_item(self, *, TableName: str, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's
        found = self._memory.get(TableName, *(each["S"] for each in Key.values()))
        return {"Item": found} if found else {}

    def put_item(self, *, TableName: str, Item: dict[str, Any]) -> None:  # noqa: N803 - boto3's
        keys = {name: Item[name] for name in KEYS[TableName]}
        there = self.get_item(TableName=TableName, Key=keys).get("Item", {})
        self._memory.change(TableName, keys, {**dict.fromkeys(there), **Item})

    def update_item(self, *, TableName: str, Key: dict[str, Any], AttributeUpdates: dict[str, Any]) -> None:  # noqa: N803 - boto3's
        self._memory.change(TableName, Key, {name: each.get("Value") for name, each in AttributeUpdates.items()})
