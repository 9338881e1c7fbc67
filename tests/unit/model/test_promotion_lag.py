"""When a commit was ready to go on: by the last of its gates, the push, or the soak time, whichever came last."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.decision import Promote
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.promotion_lag import ready_at
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


def since(read: Record, *required: str, soak: int = 0, after: tuple[str, ...] = ()) -> float | None:
    """For how many seconds it had been ready."""
    environment = Environment("production", after=after, soak=soak)
    pipeline = Pipeline("shop", "myOrg/myApp", environments=(environment,))
    found = ready_at(read, pipeline, environment, Promote("production", "main", 1, required))
    return None if found is None else (NOW - found).total_seconds()


def test_it_counts_from_the_gate_that_opened_last() -> None:
    assert since(record(100, build=gate(60), scan=gate(20)), "build", "scan") == 20


def test_gates_that_are_not_required_do_not_count() -> None:
    assert since(record(100, build=gate(60), legal=gate(1)), "build") == 60


def test_it_counts_from_a_push_that_came_after_the_gates() -> None:
    assert since(record(5, build=gate(60)), "build") == 5


def test_it_counts_from_the_push_where_nothing_is_required() -> None:
    assert since(record(5)) == 5
    assert since(record()) is None


def test_a_column_without_a_time_has_the_one_that_our_note_beside_it_tells() -> None:
    noted = {"_set_legal": {"at": ago(7), "by": "unknown", "value": "TRUE"}}
    assert since(record(100, legal="TRUE", **noted), "legal") == 7


def test_a_gate_that_does_not_say_since_when_it_is_open_leaves_it_unknown() -> None:
    noted = {"_set_legal": {"at": ago(7), "by": "unknown", "value": "FALSE"}}
    assert since(record(100, build=gate(60), legal="TRUE", **noted), "build", "legal") is None


def test_our_note_counts_more_than_what_somebody_wrote_into_the_value() -> None:
    value = {"status": "TRUE", "at": ago(5000)}
    assert since(record(9000, legal=value, _set_legal={"at": ago(7), "value": value}), "legal") == 7


@pytest.mark.parametrize("value", ["TRUE", True, {"status": "TRUE"}, {"status": "TRUE", "at": "yesterday"}])
def test_where_no_time_is_known_there_is_none(value: object) -> None:
    assert since(record(legal=value), "legal") is None
    assert since(record(100, legal=value), "legal") is None
    assert since(read_record({**KEY, "legal": value}), "legal") is None


def test_it_counts_from_the_end_of_the_soak_time_after_the_last_environment_before() -> None:
    deployed = {"deployed_to_a": gate(900), "deployed_to_b": gate(700)}
    assert since(record(1000, **deployed), *deployed, soak=600, after=("a", "b")) == 100
    assert since(record(1000, **deployed, legal=gate(40)), *deployed, "legal", soak=600, after=("a", "b")) == 40
    assert since(record(1000, **deployed), *deployed, after=("a", "b")) == 700
    assert since(record(1000), soak=600) == 1000


@given(
    pushed=st.none() | st.floats(-1e6, 1e6),
    gates=st.dictionaries(st.sampled_from("abcdef"), st.floats(-1e6, 1e6)),
)
def test_it_is_never_before_any_one_of_them(pushed: float | None, gates: dict[str, float]) -> None:
    found = since(record(pushed, **{name: gate(seconds) for name, seconds in gates.items()}), *gates)
    times = [*gates.values(), *([] if pushed is None else [pushed])]
    assert found == (pytest.approx(min(times), abs=0.002) if times else None)
