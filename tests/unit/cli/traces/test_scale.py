"""Time runs evenly while something happens, and folds are narrow however long they last."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.cli.traces.scale import scale_of
from pipeline_state.cli.traces.spans import Span
from tests.unit.cli.traces.made import at, span, wait


def test_without_a_pause_positions_are_in_proportion() -> None:
    scale = scale_of([span("a", 0, 4), span("b", 4, 6)], 100, 10)
    assert [scale.position(at(second)) for second in (-1, 0, 2, 5, 10, 11)] == [0, 0, 20, 50, 100, 100]
    assert scale.folds == []


def test_a_pause_takes_the_width_of_a_fold_and_runs_evenly_in_it() -> None:
    scale = scale_of([span("a", 0, 1), span("b", 1001, 1)], 100, 10)
    assert [scale.position(at(second)) for second in (0, 1, 501, 1001, 1002)] == [0, 45, 50, 55, 100]
    assert [(fold.start, fold.end, fold.pause.total_seconds()) for fold in scale.folds] == [(45, 55, 1000)]


def test_many_folds_leave_two_thirds_to_what_happened() -> None:
    scale = scale_of([span(str(number), number * 1000, 1) for number in range(101)], 300, 10)
    assert sum(fold.end - fold.start for fold in scale.folds) == pytest.approx(100)


def test_of_waits_alone_the_folds_are_all_there_is() -> None:
    scale = scale_of([wait("legal", 0, 1000), wait("security", 1000, 500)], 100, 10)
    assert scale.position(at(1500)) == pytest.approx(scale.folds[-1].end)


SPANS = st.lists(
    st.builds(span, st.just("a"), st.integers(0, 10_000), st.integers(0, 1000))
    | st.builds(wait, st.just("b"), st.integers(0, 10_000), st.integers(0, 1000)),
    min_size=1,
)


@given(SPANS, st.lists(st.integers(-100, 11_100)))
def test_what_is_later_is_never_further_left_and_nothing_is_outside(spans: list[Span], seconds: list[int]) -> None:
    scale = scale_of(spans, 100, 10)
    positions = [scale.position(at(second)) for second in sorted(seconds)]
    assert all(one <= other for one, other in pairwise(positions))
    assert all(0 <= position <= 100 + 1e-6 for position in positions)
