"""Stretches of time are joined, added up, and have gaps."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.cli.traces.intervals import Interval, covered, gaps, joined
from tests.unit.cli.traces.made import at


def interval(start: float, end: float) -> Interval:
    return at(start), at(end)


INTERVALS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda pair: interval(pair[0], pair[0] + pair[1]))
)


def seconds(intervals: list[Interval]) -> set[datetime]:
    """The seconds in at least one of them."""
    return {at(number) for number in range(80) if any(start <= at(number) < end for start, end in intervals)}


def test_what_meets_is_joined_and_what_does_not_is_apart() -> None:
    assert joined([interval(5, 6), interval(0, 2), interval(2, 3), interval(1, 2)]) == [interval(0, 3), interval(5, 6)]


def test_small_gaps_may_be_joined_over() -> None:
    assert joined([interval(0, 1), interval(2, 3), interval(9, 9)], timedelta(seconds=1)) == [
        interval(0, 3),
        interval(9, 9),
    ]


def test_gaps_lie_between() -> None:
    assert gaps([interval(0, 1), interval(4, 5), interval(1, 2)]) == [interval(2, 4)]
    assert gaps([]) == []


@given(INTERVALS)
def test_joining_neither_adds_nor_takes_time(intervals: list[Interval]) -> None:
    assert seconds(joined(intervals)) == seconds(intervals)
    assert covered(intervals) == timedelta(seconds=len(seconds(intervals)))


@given(INTERVALS)
def test_gaps_and_what_is_covered_are_the_whole_time(intervals: list[Interval]) -> None:
    if intervals:
        whole = max(end for _, end in intervals) - min(start for start, _ in intervals)
        assert covered(intervals) + covered(gaps(intervals)) == whole
