"""DynamoDB's own notation of a value, {"S": "text"}.

As boto3.dynamodb.types has it, but that brings all of boto3, a tenth of a cold start; and it makes objects of binary
values that cannot be shown as text, and refuses numbers that DynamoDB writes out.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Clamped, Context, Decimal, Inexact, Overflow, Rounded, Underflow
from typing import Any

_DIGITS = 38
_EXACT = Context(_DIGITS, Emin=-128, Emax=126, traps=[Clamped, Overflow, Inexact, Rounded, Underflow])
_LARGE = Context(_DIGITS, Emin=-200, Emax=200)


def write(value: Any) -> dict[str, Any]:
    """A plain value in the notation.

    Raises TypeError for what DynamoDB has no type for, and decimal's exceptions for a number that it would not keep.
    """
    written: dict[str, Any]
    match value:
        case None:
            written = {"NULL": True}
        case bool():
            written = {"BOOL": value}
        case str():
            written = {"S": value}
        case bytes() | bytearray():
            written = {"B": value}
        case int() | float() | Decimal():
            written = {"N": _number(value)}
        case Mapping():
            written = {"M": {key: write(inner) for key, inner in value.items()}}
        case list() | tuple():
            written = {"L": [write(inner) for inner in value]}
        case AbstractSet():
            written = _set(value)
        case _:
            raise TypeError(f"DynamoDB has no type for {type(value).__name__}")
    return written


def read(value: Mapping[str, Any]) -> Any:
    """The plain value: str, bytes, bool, None, Decimal, list, dict, or a set of the first, second or fifth of them."""
    ((kind, content),) = value.items()
    if kind not in _READ:
        raise TypeError(f"{kind!r} is none of DynamoDB's types")
    return _READ[kind](content)


def _set(values: AbstractSet[Any]) -> dict[str, Any]:
    """All of one type, which is one that sets can have."""
    written = [(kind, content) for each in values for kind, content in write(each).items()]
    kinds = {kind for kind, _ in written}
    if len(kinds) != 1 or not kinds <= {"S", "N", "B"}:
        raise TypeError("DynamoDB keeps sets of texts, of numbers or of bytes, and none that are empty")
    return {f"{kinds.pop()}S": [content for _, content in written]}


def _number(value: float | Decimal) -> str:
    number = _EXACT.create_decimal(str(value) if isinstance(value, float) else value)
    if not number.is_finite():
        raise TypeError(f"DynamoDB has no number {number}")
    return str(number)


def _read_number(text: str) -> Decimal:
    """A number has 38 digits at most, but 1E+100 comes back with all its zeros."""
    number = Decimal(text)
    return number if len(number.as_tuple().digits) <= _DIGITS else number.normalize(_LARGE)


def _read_set(kind: str) -> Callable[[list[Any]], Any]:
    return lambda content: {_READ[kind](inner) for inner in content}


_READ: dict[str, Callable[[Any], Any]] = {
    "NULL": lambda _: None,
    "BOOL": bool,
    "S": str,
    "B": bytes,
    "N": _read_number,
    "M": lambda content: {key: read(inner) for key, inner in content.items()},
    "L": lambda content: [read(inner) for inner in content],
    **{f"{kind}S": _read_set(kind) for kind in ("S", "N", "B")},
}
