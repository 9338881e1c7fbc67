"""How late a promotion is: from the last of its gates, or the push, whichever came later."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.promotion_lag import promotion_lag
from pipeline_state.model.record import Record, read_record
from pipeline_state.model.times import format_time

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
KEY = {"repo": "myOrg/myApp", "commit": "a" * 40}


def ago(seconds: float) -> str:
    return format_time(NOW - timedelta(seconds=seconds))


def record(pushed: float | None = None, **columns: Any) -> Record:
    place = {"sequence": 1} | ({} if pushed is None else {"pushed_at": ago(pushed)})
    return read_record({**KEY, "_branches": {"main": place}, **columns})


def gate(seconds: float) -> dict[str, str]:
    return {"status": "TRUE", "at": ago(seconds)}


def lag(read: Record, *required: str) -> float | None:
    found = promotion_lag(read, "main", required, NOW)
    return None if found is None else found.total_seconds()


def test_it_counts_from_the_gate_that_opened_last() -> None:
    assert lag(record(100, build=gate(60), scan=gate(20)), "build", "scan") == 20


def test_gates_that_are_not_required_do_not_count() -> None:
    assert lag(record(100, build=gate(60), legal=gate(1)), "build") == 60


def test_it_counts_from_a_push_that_came_after_the_gates() -> None:
    assert lag(record(5, build=gate(60)), "build") == 5


def test_a_column_without_a_time_has_the_one_that_our_note_beside_it_tells() -> None:
    noted = {"_set_legal": {"at": ago(7), "by": "unknown", "value": "TRUE"}}
    assert lag(record(100, legal="TRUE", **noted), "legal") == 7


def test_a_note_of_another_value_tells_nothing() -> None:
    noted = {"_set_legal": {"at": ago(7), "by": "unknown", "value": "FALSE"}}
    assert lag(record(100, legal="TRUE", **noted), "legal") == 100


def test_our_note_counts_more_than_what_somebody_wrote_into_the_value() -> None:
    value = {"status": "TRUE", "at": ago(5000)}
    assert lag(record(9000, legal=value, _set_legal={"at": ago(7), "value": value}), "legal") == 7


@pytest.mark.parametrize("value", ["TRUE", True, {"status": "TRUE"}, {"status": "TRUE", "at": "yesterday"}])
def test_where_no_time_is_known_there_is_no_lag(value: object) -> None:
    assert lag(record(legal=value), "legal") is None
    assert lag(read_record({**KEY, "legal": value}), "legal") is None


@given(
    pushed=st.none() | st.floats(-1e6, 1e6),
    gates=st.dictionaries(st.sampled_from("abcdef"), st.floats(-1e6, 1e6)),
)
def test_it_is_never_negative_and_never_more_than_from_any_one_of_them(
    pushed: float | None, gates: dict[str, float]
) -> None:
    found = lag(record(pushed, **{name: gate(seconds) for name, seconds in gates.items()}), *gates)
    times = [*gates.values(), *([] if pushed is None else [pushed])]
    assert found == (pytest.approx(max(0, min(times)), abs=0.002) if times else None)
