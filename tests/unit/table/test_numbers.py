"""Whatever number somebody puts into a column is read, and can be written into the note of it."""

from decimal import Decimal

import pytest

from pipeline_state.table.models import to_plain, to_raw


@pytest.mark.parametrize("written, number", [
    ("1" + 100 * "0", Decimal("1E+100")),
    ("-9" + 125 * "0", Decimal("-9E+125")),
    ("0." + 129 * "0" + "1", Decimal("1E-130")),
    ("0." + 20 * "0" + 38 * "7", Decimal("0." + 20 * "0" + 38 * "7")),
    (38 * "9", Decimal(38 * "9")),
    ("100", Decimal(100)),
    ("0.10", Decimal("0.10")),
    ("0", Decimal(0)),
])  # fmt: skip
def test_a_number_is_read_as_dynamodb_writes_it_out_and_goes_back_the_same(written: str, number: Decimal) -> None:
    plain = to_plain({"column": {"N": written}, "set": {"NS": [written]}, "map": {"M": {"n": {"N": written}}}})
    assert plain == {"column": number, "set": {number}, "map": {"n": number}}
    assert Decimal(to_raw(plain["column"])["N"]) == number


def test_a_small_number_looks_as_it_was_written() -> None:
    assert str(to_plain({"column": {"N": "100"}})["column"]) == "100"
