"""A trace is drawn in whatever width there is, and long waits do not squeeze what happened."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline_state.cli.traces.waterfall import Span, draw, duration_text

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def span(name: str, start: float, seconds: float, parent: str = "", **fields: str) -> Span:
    begin, took = NOON + timedelta(seconds=start), timedelta(seconds=seconds)
    return Span(name, "promoter", f"id of {name}", parent and f"id of {parent}", begin, took, fields)


def lines(spans: Sequence[Span], width: int = 80) -> list[str]:
    console = Console(width=width, file=StringIO(), color_system=None)
    console.print(draw(spans))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_children_stand_under_their_parent_in_the_order_of_their_start() -> None:
    drawn = lines(
        [span("late", 2, 1, "root"), span("root", 0, 3), span("inner", 1, 0.5, "early"), span("early", 0, 2, "root")]
    )
    assert [line[:10].rstrip() for line in drawn[:4]] == ["root", "  early", "    inner", "  late"]


def test_bars_stand_where_the_spans_were() -> None:
    whole, first, second = lines([span("a", 0, 10), span("b", 0, 5, "a"), span("c", 5, 5, "a")])[:3]
    assert whole.count("━") == first.count("━") + second.count("━")
    assert first.rindex("━") + 1 == second.index("━")
    assert [line.split()[-2:] for line in (whole, first)] == [["10.00", "s"], ["5.00", "s"]]


def test_a_long_pause_is_folded_and_told() -> None:
    drawn = lines([span("push", 0, 1), span("approval", 86400 * 3, 1)])
    assert drawn[0].count("━") > 10
    assert drawn[1].count("━") > 10
    assert "┊" in drawn[0]
    assert "pauses: 2 d 23 h" in drawn[-2]


def test_a_short_pause_is_not_folded() -> None:
    assert not any("┊" in line for line in lines([span("a", 0, 10), span("b", 11, 10)]))


def test_a_span_whose_parent_is_not_there_is_drawn_all_the_same() -> None:
    assert lines([span("orphan", 0, 1, "nobody")])[0].startswith("orphan")


def test_spans_that_are_each_others_parents_are_drawn_once_and_last() -> None:
    drawn = lines([span("a", 0, 1, "b"), span("b", 0, 1, "a"), span("c", 0, 1)])[:3]
    assert [line.split()[0] for line in drawn] == ["c", "a", "b"]


def test_nothing_is_said_of_nothing() -> None:
    assert lines([]) == ["no spans"]


SPANS = st.lists(
    st.builds(
        span,
        st.sampled_from(["a", "b", "c", "d", "something with quite a long name"]),
        st.floats(0, 1e7),
        st.floats(0, 1e4),
        st.sampled_from(["", "a", "b", "e"]),
    ),
    max_size=8,
    unique_by=lambda each: each.id,
)


@given(SPANS, st.integers(50, 200))
def test_no_line_is_wider_than_the_console(spans: list[Span], width: int) -> None:
    assert all(len(line) <= width for line in lines(spans, width))


@given(SPANS)
def test_what_starts_later_is_never_drawn_further_left(spans: list[Span]) -> None:
    flat = [replace(each, parent="", name=str(at)) for at, each in enumerate(spans)]
    drawn = lines(flat)[: len(flat)]
    starts = [min(line.find(sign) for sign in "━╸" if sign in line) for line in drawn]
    assert all(one <= other for one, other in pairwise(starts))


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0.0 ms"),
        (0.0004, "0.4 ms"),
        (0.1324, "132 ms"),
        (1.239, "1.24 s"),
        (125, "2 min 5 s"),
        (120, "2 min"),
        (12000, "3 h 20 min"),
        (86400 * 5 + 7200, "5 d 2 h"),
    ],
)
def test_durations_are_told_in_units_people_use(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text
