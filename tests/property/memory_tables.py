"""DynamoDB in memory, beneath PynamoDB: the calls that the tables make, with the expressions that PynamoDB writes.

So everything above runs as it is: transactions, leases, streams. The twin over real tables keeps this honest.
"""

import operator as operator_of
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from pynamodb.connection import Connection
from pynamodb.exceptions import CancellationReason, VerboseClientError

from pipeline_state.table import models
from tests.contract.table_room import INDEXES, KEYS

Item = dict[str, Any]
Names = Mapping[str, str]
Read = Callable[[Item, Names, Item], Any]
"""Of an item, the names and the values of an expression: what a part of it comes to."""

STREAMED = {"gates", "environments"}


@dataclass(frozen=True, slots=True)
class Written:
    """One change of one item, as a stream tells of it."""

    table: str
    keys: Item
    old: Item
    new: Item


@dataclass
class MemoryTables:
    """Items by table, partition and range key. An item that was read never changes: writes make another."""

    tables: dict[str, dict[str, dict[str, Item]]] = field(default_factory=lambda: {name: {} for name in KEYS})
    written: list[Written] = field(default_factory=list)

    def perform(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """What DynamoDB answers. Raises VerboseClientError where a condition does not hold."""
        answer: dict[str, Any] = getattr(self, f"_{operation}")(request)
        return answer

    def get(self, table: str, *key: str) -> Item:
        return self.tables[table].get(key[0], {}).get(key[1] if len(key) > 1 else "", {})

    def change(self, table: str, keys: Item, changes: Mapping[str, Any]) -> None:
        """Sets attributes to raw values; None removes one."""
        old = self.get(table, *(each["S"] for each in keys.values()))
        kept = {name: value for name, value in {**old, **changes}.items() if value is not None}
        self._put(table, keys, old, {**keys, **kept})

    def _GetItem(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        found = self._at(request)
        return {"Item": found} if found else {}

    def _TransactGetItems(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Responses": [self._GetItem(each["Get"]) for each in request["TransactItems"]]}

    def _BatchGetItem(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        ((table, wanted),) = request["RequestItems"].items()
        found = [self._at({"TableName": table, "Key": key}) for key in wanted["Keys"]]
        return {"Responses": {table: [item for item in found if item]}, "UnprocessedKeys": {}}

    def _Query(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        values, names = request["ExpressionAttributeValues"], request["ExpressionAttributeNames"]
        holds, partition = condition(request["KeyConditionExpression"]), self._partition(request)
        place, limit = _order(request), request.get("Limit")
        items = sorted(partition.values(), key=place, reverse=not request.get("ScanIndexForward", True))
        there = _after(request, [item for item in items if holds(item, names, values)], place)
        found = there[:limit]
        answer: dict[str, Any] = {"ScannedCount": len(found)}
        if limit and len(found) == limit:  # also where there is no more
            answer["LastEvaluatedKey"] = {name: found[-1][name] for name in _key_names(request)}
        if "FilterExpression" in request:  # which DynamoDB, too, heeds last
            is_wanted = condition(request["FilterExpression"])
            found = [item for item in found if is_wanted(item, names, values)]
        if "ProjectionExpression" in request:
            shown = {names[each] for each in request["ProjectionExpression"].split(", ")}
            found = [{name: value for name, value in item.items() if name in shown} for item in found]
        return {**answer, "Items": found, "Count": len(found)}

    def _partition(self, request: Mapping[str, Any]) -> dict[str, Item]:
        """The items of a hash key; of an index, those that have its key, with no more than it holds."""
        table, partition = request["TableName"], request["ExpressionAttributeValues"][":0"]["S"]
        items = self.tables[table].get(partition, {})
        if "IndexName" not in request:
            return items
        index = next((each for each in INDEXES[_kind(table)] if each["IndexName"] == request["IndexName"]), None)
        if index is None:
            told = f"The table does not have the specified index: {request['IndexName']}"
            raise refusal("ValidationException", "Query", message=told)
        kept = {*_key_names(request), *index["Projection"]["NonKeyAttributes"]}
        there = {key: item for key, item in items.items() if "N" in item.get(_key_names(request)[-1], {})}
        return {key: {name: value for name, value in item.items() if name in kept} for key, item in there.items()}

    def _UpdateItem(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        old = self._at(request)
        self._require(request, old, "UpdateItem")
        new = _updated(request, old)
        self._put(request["TableName"], request["Key"], old, new)
        return {"Attributes": new}

    def _DeleteItem(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        old = self._at(request)
        self._require(request, old, "DeleteItem")
        self._put(request["TableName"], request["Key"], old, {})
        return {}

    def _TransactWriteItems(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        parts = [next(iter(each.items())) for each in request["TransactItems"]]
        olds = [self._at(part) for _, part in parts]
        held = [_holds(part, old) for (_, part), old in zip(parts, olds, strict=True)]
        if not all(held):
            reasons = [None if each else CancellationReason("ConditionalCheckFailed") for each in held]
            raise refusal("TransactionCanceledException", "TransactWriteItems", reasons)
        for (kind, part), old in zip(parts, olds, strict=True):
            if kind == "Update":
                self._put(part["TableName"], part["Key"], old, _updated(part, old))
        return {}

    def _at(self, request: Mapping[str, Any]) -> Item:
        return self.get(request["TableName"], *(each["S"] for each in request["Key"].values()))

    def _require(self, request: Mapping[str, Any], old: Item, operation: str) -> None:
        if not _holds(request, old):
            raise refusal("ConditionalCheckFailedException", operation)

    def _put(self, table: str, keys: Item, old: Item, new: Item) -> None:
        if old == new:  # nothing changes, and no stream tells of it
            return
        hash_key, range_key = [*(each["S"] for each in keys.values()), ""][:2]
        partition = self.tables[table].setdefault(hash_key, {})
        if new:
            partition[range_key] = new
        else:
            del partition[range_key]
        if table in STREAMED:
            self.written.append(Written(table, keys, old, new))


class MemoryConnection(Connection):
    """A connection of PynamoDB's that goes nowhere."""

    def __init__(self, perform: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> None:
        super().__init__(region="us-east-1")
        self._perform = perform

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        return self._perform(operation_name, operation_kwargs)


def put_beneath(connection: Connection) -> None:
    """Has the tables' models, which are connected already, use another connection."""
    for model in models.MODELS.values():
        table: Any = model._get_connection()  # noqa: SLF001 - as models.connect does
        connection.add_meta_table(table.get_meta_table())
        table.connection = connection
    models._shared[:] = [connection]  # noqa: SLF001 - the same


def refusal(
    code: str, operation: str, reasons: Iterable[CancellationReason | None] = (), message: str = ""
) -> VerboseClientError:
    """An error as PynamoDB shows DynamoDB's."""
    error = {"Error": {"Code": code, "Message": message}}
    return VerboseClientError(error, operation, {}, cancellation_reasons=reasons)


def _kind(table: str) -> str:
    """Which of the four it is: tables that are compared with real ones bear those names."""
    return table.rpartition("-")[2]


def _key_names(request: Mapping[str, Any]) -> list[str]:
    """What tells where a query stands: the table's key, then an index's own range key."""
    kind = _kind(request["TableName"])
    names = [*KEYS[kind]]
    indexes = [each for each in INDEXES.get(kind, []) if each["IndexName"] == request.get("IndexName")]
    return [*names, *(index["KeySchema"][1]["AttributeName"] for index in indexes)]


def _order(request: Mapping[str, Any]) -> Callable[[Item], Any]:
    _, range_key, *of_index = _key_names(request)
    if not of_index:
        return lambda item: item[range_key]["S"]
    return lambda item: (_number(item[of_index[0]]), item[range_key]["S"])


def _after(request: Mapping[str, Any], items: list[Item], place: Callable[[Item], Any]) -> list[Item]:
    """Those that come after the key from which a query goes on."""
    start = request.get("ExclusiveStartKey")
    if start is None:
        return items
    is_past = operator_of.gt if request.get("ScanIndexForward", True) else operator_of.lt
    return [item for item in items if is_past(place(item), place(start))]


def _holds(request: Mapping[str, Any], item: Item) -> bool:
    text = request.get("ConditionExpression")
    if text is None:
        return True
    names, values = request["ExpressionAttributeNames"], request.get("ExpressionAttributeValues", {})
    return bool(condition(text)(item, names, values))


def _updated(request: Mapping[str, Any], old: Item) -> Item:
    names, values = request["ExpressionAttributeNames"], request.get("ExpressionAttributeValues", {})
    new = {**old, **request["Key"]}
    for path, value in _update(request["UpdateExpression"]):
        _assign(new, [names[each] for each in path], value(old, names, values) if value else None)
    return new


def _assign(item: Item, path: list[str], value: Any) -> None:
    """Maps on the way are copied: whoever has read the item keeps what was read."""
    name, *rest = path
    if rest:
        if "M" not in item.get(name, {}):
            raise refusal("ValidationException", "UpdateItem", message="the path does not exist")
        item[name] = {"M": dict(item[name]["M"])}
        _assign(item[name]["M"], rest, value)
    elif value is None:
        item.pop(name, None)
    else:
        item[name] = value


_TOKENS = re.compile(r"\s*(#\d+(?:\.#\d+)*|:\d+|[A-Za-z_]+|<>|[<>]=?|[(),=])")


@cache
def condition(text: str) -> Read:
    """A condition, ready to be asked."""
    parser = _Parser(_TOKENS.findall(text))
    found = parser.condition()
    parser.end()
    return found


@cache
def _update(text: str) -> tuple[tuple[list[str], Read | None], ...]:
    """What an update does: paths and their new values, None where one is removed."""
    parser = _Parser(_TOKENS.findall(text))
    found = tuple(parser.update())
    parser.end()
    return found


class _Parser:
    """Of the expressions that PynamoDB writes, as far as the tables use them; others are refused."""

    def __init__(self, tokens: list[str]) -> None:
        self._left = tokens[::-1]

    def condition(self) -> Read:
        if self._peek() == "(":
            self._take("(")
            if self._peek() == "NOT":
                self._take("NOT")
                inner = self.condition()
                self._take(")")
                return lambda *given: not inner(*given)
            first, operator, second = self.condition(), self._next(), self.condition()
            self._take(")")
            return _both(first, second) if operator == "AND" else _either(first, second, operator)
        token = self._next()
        if token in {"attribute_exists", "attribute_not_exists"}:
            (path,) = self._arguments(1)
            there = token == "attribute_exists"
            return lambda item, names, values: (path(item, names, values) is not None) is there
        if token == "attribute_type":
            path, kind = self._arguments(2)
            return lambda *given: kind(*given)["S"] in (path(*given) or {})
        if token == "begins_with":
            path, prefix = self._arguments(2)
            return lambda *given: path(*given)["S"].startswith(prefix(*given)["S"])
        return _compared(_operand(token), self._next(), _operand(self._next()))

    def update(self) -> Iterable[tuple[list[str], Read | None]]:
        while self._left:
            verb = self._next()
            assert verb in {"SET", "REMOVE"}, verb
            while True:
                path = self._next().split(".")
                yield path, self._value() if verb == "SET" else None
                if self._peek() != ",":
                    break
                self._take(",")

    def end(self) -> None:
        assert not self._left, self._left

    def _value(self) -> Read:
        self._take("=")
        token = self._next()
        if token != "if_not_exists":
            return _operand(token)
        path, default = self._arguments(2)
        return lambda *given: default(*given) if (found := path(*given)) is None else found

    def _arguments(self, number: int) -> list[Read]:
        self._take("(")
        found = [_operand(self._next())]
        for _ in range(number - 1):
            self._take(",")
            found.append(_operand(self._next()))
        self._take(")")
        return found

    def _peek(self) -> str:
        return self._left[-1] if self._left else ""

    def _next(self) -> str:
        return self._left.pop()

    def _take(self, token: str) -> None:
        assert self._next() == token


def _compared(first: Read, operator: str, second: Read) -> Read:
    """What is not there is unequal to everything, and neither smaller nor greater."""
    if operator == "<>":
        return lambda *given: first(*given) != second(*given)
    if operator == "=":
        return lambda *given: (found := first(*given)) is not None and found == second(*given)
    is_so = {"<": operator_of.lt, "<=": operator_of.le, ">": operator_of.gt}[operator]
    return lambda *given: (found := first(*given)) is not None and is_so(*map(_number, (found, second(*given))))


def _number(value: Item) -> Decimal:
    return Decimal(value["N"])


def _both(first: Read, second: Read) -> Read:
    return lambda *given: first(*given) and second(*given)


def _either(first: Read, second: Read, operator: str) -> Read:
    assert operator == "OR"
    return lambda *given: first(*given) or second(*given)


def _operand(token: str) -> Read:
    if token[0] == ":":
        return lambda _item, _names, values: values[token]
    path = token.split(".")
    assert token[0] == "#"
    return lambda item, names, _values: _inner(item, [names[each] for each in path])


def _inner(item: Item, path: list[str]) -> Any:
    found: Any = {"M": item}
    for name in path:
        found = found.get("M", {}).get(name) if found else None
    return found
