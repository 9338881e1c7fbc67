"""Where everything is in a plot."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.cli.dashboard.plots import bars, slices
from pipeline_state.cli.delivery.headlines import Point
from pipeline_state.model.lead_time import Part

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def course(*values: float | None) -> list[Point]:
    return [Point(NOON, NOON, value, str(value)) for value in values]


def test_the_highest_bar_is_as_high_as_the_plot_and_the_others_in_proportion() -> None:
    found = bars(course(1, 4, 2))
    assert [each.height for each in found] == [25, 100, 50]
    assert [each.y for each in found] == [75, 0, 50]
    assert found[0].text == "Wed 01 Jul 2026: 1"


def test_nothing_and_none_at_all_are_told_apart() -> None:
    zero, none = bars(course(0, None))
    assert (zero.is_known, zero.height) == (True, 2)
    assert (none.is_known, none.height) == (False, 0)
    assert bars([]) == []


@given(st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=60))
def test_bars_lie_side_by_side_within_the_plot(values: list[float | None]) -> None:
    found = bars(course(*values))
    assert all(each.x >= 0 and each.x + each.width <= 100.001 for each in found)
    assert all(before.x + before.width <= after.x for before, after in pairwise(found))
    assert all(0 <= each.y <= 100 and each.height <= 100 for each in found)


def test_parts_of_a_time_follow_each_other_and_the_large_ones_bear_their_share() -> None:
    found = slices({Part.HELM: timedelta(minutes=3), Part.CI: timedelta(minutes=57)}, count=3)
    assert [(each.x, each.width) for each in found] == [(0, 5), (5, 95)]
    assert [(each.name, each.share, each.taken, each.label) for each in found] == [
        ("Helm", "5 %", "1 m", ""),
        ("waiting for CI", "95 %", "19 m", "95 %"),
    ]
    assert found[1].middle == 52.5


def test_no_time_at_all_has_no_parts_to_see() -> None:
    assert {each.width for each in slices(dict.fromkeys(Part, timedelta()))} == {0}


@given(st.lists(st.integers(0, 10**9), min_size=5, max_size=5))
def test_all_parts_together_are_as_wide_as_the_plot(seconds: list[int]) -> None:
    found = slices({part: timedelta(seconds=each) for part, each in zip(Part, seconds, strict=True)})
    assert sum(each.width for each in found) == pytest.approx(100 if any(seconds) else 0, abs=0.01)
