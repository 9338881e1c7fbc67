"""What is so of all waits, whatever happened."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.entries import PIPELINE
from pipeline_state.model.order import Place
from pipeline_state.model.past import Overtaking, Past
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import Record
from pipeline_state.model.waits import waits
from tests.unit.model.histories import at, time
from tests.unit.model.journals import (
    LAWLESS,
    REPO,
    SHOP,
    STAGING,
    A,
    Entry,
    built,
    claimed,
    closed,
    edited,
    found,
    gate_set,
    once,
    pushed,
    told,
)

SECONDS = st.integers(1, 300)
STATUSES = st.sampled_from(["TRUE", "FALSE", ""])
ENTRIES = st.one_of(
    st.builds(gate_set, SECONDS, st.sampled_from(["legal", "scan", "build"]), STATUSES),
    st.builds(lambda second, status: edited(second, scan=status), SECONDS, STATUSES | st.none()),
    st.builds(built, SECONDS, st.sampled_from(["success", "failed", "cancelled"])),
    st.builds(claimed, SECONDS, st.sampled_from(["staging", "production"]), st.integers(1, 3)),
    st.builds(
        told, SECONDS, st.sampled_from(["staging", "production"]), st.sampled_from(["started", "deployed", "failed"])
    ),
    st.builds(closed, SECONDS, st.sampled_from(["frozen", "unfrozen", "held", "released"])),
)


SHOPS = st.sampled_from([SHOP, LAWLESS, replace(SHOP, environments=(STAGING,))])
PASTS = st.builds(
    lambda until, shops, overtaken: Past(
        tuple(once(second, shop) for second, shop in zip(sorted(until), shops, strict=False)),
        {key: Overtaking(at(second), PIPELINE) for key, second in overtaken.items()},
    ),
    st.sets(SECONDS, max_size=3),
    st.lists(SHOPS, min_size=3, max_size=3),
    st.dictionaries(st.sampled_from(["staging", "production"]), SECONDS),
)


@given(st.lists(ENTRIES, max_size=12, unique_by=lambda each: each["entry"]), PASTS)
def test_waits_end_after_they_begin_and_one_thing_is_waited_for_once_at_a_time(
    entries: list[Entry], past: Past
) -> None:
    record = Record(REPO, A, {"main": Place(7, pushed_at=time(0))})
    told_ = waits(record, [pushed(0), *entries], (SHOP,), at(400), past=past)
    assert list(told_) == sorted(told_, key=lambda wait: (wait.start, wait.what))
    assert waits(record, [*reversed(entries), pushed(0)], (SHOP,), at(400), past=past) == told_
    for wait in told_:
        assert at(0) <= wait.start
        assert wait.end is None or wait.start < wait.end <= at(400)
        assert (wait.end is None) <= (wait.known == "")
    for what in {wait.what for wait in told_}:
        for before, after in pairwise(wait for wait in told_ if wait.what == what):
            assert before.end is not None
            assert before.end <= after.start


@given(st.lists(ENTRIES, max_size=12, unique_by=lambda each: each["entry"]), SHOPS, SHOPS)
def test_what_is_applied_later_changes_nothing_that_was_waited_for_before(
    entries: list[Entry], before: Pipeline, after: Pipeline
) -> None:
    record = Record(REPO, A, {"main": Place(7, pushed_at=time(0))})
    then = waits(record, [pushed(0), *entries], (before,), at(350))
    now = waits(record, [pushed(0), *entries], (after,), at(400), past=Past((once(350, before),)))
    assert {wait for wait in then if wait.end} == {wait for wait in now if wait.end and wait.end < at(350)}
    begun = [(wait.what, wait.environment, wait.start) for wait in now if wait.start < at(350)]
    assert begun == [(wait.what, wait.environment, wait.start) for wait in then]


@given(st.lists(ENTRIES, max_size=12, unique_by=lambda each: each["entry"]), SECONDS)
def test_an_overtaking_ends_all_waits_and_changes_none_that_had_ended(entries: list[Entry], second: int) -> None:
    record, way = Record(REPO, A, {"main": Place(7, pushed_at=time(0))}), [pushed(0), *entries]
    free, by = waits(record, way, (SHOP,), at(400)), Overtaking(at(second), PIPELINE)
    overtaken = Past(overtaken={"staging": by, "production": by})
    found = waits(record, way, (SHOP,), at(400), past=overtaken)
    assert {wait for wait in free if wait.end and wait.end < by.at} <= {*found}
    later = [entry for entry in entries if entry["kind"].startswith("dev.") or entry["kind"] == "claimed"]
    if not [entry for entry in later if entry["written_at"] >= time(second)]:
        assert all(wait.end and wait.end <= by.at for wait in found)


@given(st.lists(st.tuples(SECONDS, STATUSES), max_size=12, unique_by=lambda each: each[0]))
def test_a_gate_is_waited_for_once_in_every_stretch_in_which_it_is_pending(sets: list[tuple[int, str]]) -> None:
    entries = [gate_set(second, "legal", status) for second, status in sets]
    told_ = [each for each in found(pushed(0), *entries) if each[0] == "legal"]
    pending = [(0, ""), *sorted(sets)]
    begins = [now for (_, before), (now, status) in pairwise([(-1, "-"), *pending]) if not status and before]
    assert [each[2] for each in told_] == begins
    assert [each[3] is None for each in told_[-1:]] == [not pending[-1][1]] * bool(told_)
