"""The machine of `tests/property`, over the real tables: what holds in memory holds here, so the memory is honest."""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pynamodb.connection import Connection
from pynamodb.exceptions import VerboseClientError

from infra.local import ministack
from tests.contract.pump import Stream
from tests.contract.table_room import KEYS, LocalTables
from tests.property.memory_tables import Item, MemoryTables, Written, put_beneath
from tests.property.promotion_machine import PromotionMachine
from tests.property.workers import Calls

STREAMED = ("gates", "environments")


class ComparedConnection(Connection):
    """One whose every call goes through `calls`, and to a memory as well, which is to answer the same."""

    def __init__(self, calls: Calls, endpoint_url: str, memory: MemoryTables) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        super().__init__(region=ministack.REGION, host=endpoint_url, **keys)  # type: ignore[arg-type]
        self._calls, self._memory = calls, memory

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        there = super().dispatch

        def both() -> dict[str, Any]:
            here = _attempt(lambda: self._memory.perform(operation_name, operation_kwargs))
            # A copy, since botocore adds a token by which DynamoDB, unlike MiniStack, would know a repeated call again.
            found = _attempt(lambda: there(operation_name, {**operation_kwargs}))
            assert _shown(found) == _shown(here), operation_kwargs
            if isinstance(found, VerboseClientError):
                raise found
            return found

        answer: dict[str, Any] = self._calls.make(operation_name, both)
        return answer


def _attempt(perform: Callable[[], dict[str, Any]]) -> dict[str, Any] | VerboseClientError:
    try:
        return perform()
    except VerboseClientError as error:
        return error


def _shown(answer: dict[str, Any] | VerboseClientError) -> Any:
    """What the tables look at in an answer; items of one table come in any order, unless a query asked for them."""
    if isinstance(answer, VerboseClientError):
        return answer.response["Error"]["Code"], [each and each.code for each in answer.cancellation_reasons]
    found = {name: answer[name] for name in ("Item", "Items", "Attributes", "Responses") if name in answer}
    if isinstance(found.get("Responses"), dict):
        found["Responses"] = {table: sorted(items, key=_key) for table, items in found["Responses"].items()}
    if isinstance(found.get("Responses"), list):
        found["Responses"] = [each.get("Item", {}) for each in found["Responses"]]
    return found


def _key(item: Item) -> list[str]:
    return sorted(each["S"] for name, each in item.items() if name in {"repo", "commit", "record", "entry"})


class RealRoom:
    """A `Store` with tables of its own."""

    def __init__(self, endpoint_url: str) -> None:
        self._tables = LocalTables(endpoint_url)
        self._client = self._tables.client
        self._memory = MemoryTables({name: {} for name in self._tables.names.values()})
        streams = ministack.client(endpoint_url, "dynamodbstreams")
        self._streams = {table: Stream(streams, self._arn(table)) for table in STREAMED}

    def connect(self, calls: Calls) -> None:
        self._tables.connect()
        put_beneath(ComparedConnection(calls, self._tables.endpoint_url, self._memory))

    def drain(self) -> list[Written]:
        return [
            Written(table, told["Keys"], told.get("OldImage", {}), told.get("NewImage", {}))
            for table, stream in self._streams.items()
            for told in (record["dynamodb"] for record in stream.read())
        ]

    def change(self, table: str, keys: Item, changes: Mapping[str, Any]) -> None:
        self._memory.change(self._tables.names[table], keys, changes)
        updates = {
            name: {"Action": "DELETE"} if value is None else {"Action": "PUT", "Value": value}
            for name, value in changes.items()
        }
        self._client.update_item(TableName=self._tables.names[table], Key=keys, AttributeUpdates=updates)

    def told(self, repo: str, commit: str) -> set[str]:
        record = {":record": {"S": f"{repo}#{commit}"}}
        answer = self._client.query(
            TableName=self._tables.names["journal"],
            KeyConditionExpression="#record = :record",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues=record,
            ConsistentRead=True,
        )
        return {each["entry"]["S"].split("#")[1] for each in answer["Items"]}

    def close(self) -> None:
        for name in self._tables.names.values():
            self._client.delete_table(TableName=name)

    def _arn(self, table: str) -> str:
        """Of a stream that has told something: DynamoDB Local cannot say where an empty one begins."""
        for changes in ({"first": {"S": "of all"}}, {"first": None}):
            self.change(table, {name: {"S": "nobody"} for name in KEYS[table]}, changes)
        described = self._client.describe_table(TableName=self._tables.names[table])
        arn: str = described["Table"]["LatestStreamArn"]
        return arn


def test_the_invariants_hold_over_real_tables(local_tables: LocalTables) -> None:
    class OverTables(PromotionMachine):
        @classmethod
        def new_store(cls) -> RealRoom:
            return RealRoom(local_tables.endpoint_url)

    slow = {
        Phase.shrink,
        Phase.explain,
    }  # what fails here and not in memory is seldom made clearer by an hour of trying
    few = settings(
        max_examples=6,
        stateful_step_count=25,
        suppress_health_check=list(HealthCheck),
        phases=set(Phase) - slow,
    )
    run_state_machine_as_test(OverTables, settings=few)
