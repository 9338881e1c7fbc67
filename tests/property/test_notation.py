"""DynamoDB's notation, against what boto3 makes of the same."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from decimal import Context, Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.table import notation

NUMBERS = st.one_of(
    st.integers(-(10**37), 10**37),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9),
)
TEXTS, BYTES = st.text(max_size=8), st.binary(max_size=8)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, BYTES)
SETS = st.one_of(*(st.frozensets(each, min_size=1, max_size=3) for each in (NUMBERS, TEXTS, BYTES)))
VALUES = st.recursive(
    SCALARS | SETS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_is_written_as_boto3_writes_it(value: Any) -> None:
    assert notation.write(value) == TypeSerializer().serialize(value)


@given(VALUES)
def test_what_is_written_is_read_as_boto3_reads_it(value: Any) -> None:
    written: Any = notation.write(value)
    assert notation.read(written) == bare(TypeDeserializer().deserialize(written)) == listed(value)


def bare(value: Any) -> Any:
    """What boto3 reads, with bytes instead of its objects for them."""
    if isinstance(value, Binary):
        return bytes(value)  # type: ignore[call-overload]  # it has __bytes__, which the stubs do not know
    if isinstance(value, AbstractSet):
        return {bare(each) for each in value}
    if isinstance(value, list):
        return [bare(each) for each in value]
    return {key: bare(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def listed(value: Any) -> Any:
    """The same with lists for tuples, since DynamoDB knows no others."""
    if isinstance(value, list | tuple):
        return [listed(each) for each in value]
    return {key: listed(inner) for key, inner in value.items()} if isinstance(value, dict) else value


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9, width=32))
def test_a_float_is_written_as_it_is_shown(value: float) -> None:
    number = notation.read(notation.write(value))
    assert number == Context(prec=38).create_decimal(str(value))


@pytest.mark.parametrize(
    "value",
    [object(), set(), {1, "a"}, {(1,)}, {None}, float("nan"), Decimal("Infinity"), float("-inf"), [{"a": object()}]],
)
def test_what_dynamodb_has_no_type_for_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        notation.write(value)


def test_what_is_none_of_its_types_is_not_read() -> None:
    with pytest.raises(TypeError, match="'X' is none"):
        notation.read({"X": "1"})
