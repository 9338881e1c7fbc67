"""How long something took, in two units at most."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.cli.spans import seconds_in, took

HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    "seconds, told",
    [
        (0, "0.0 s"),
        (-3, "0.0 s"),
        (0.44, "0.4 s"),
        (1, "1 s"),
        (42.3, "42 s"),
        (59.6, "1 m"),
        (200, "3 m 20 s"),
        (HOUR - 1, "59 m 59 s"),
        (HOUR - 0.4, "1 h"),
        (HOUR + 29, "1 h"),
        (HOUR + 12 * 60 + 31, "1 h 13 m"),
        (2 * HOUR - 1, "2 h"),
        (DAY - 1, "1 d"),
        (DAY + 3 * HOUR + 1799, "1 d 3 h"),
        (10 * DAY, "10 d"),
    ],
)
def test_it_is_told_in_the_two_largest_units(seconds: float, told: str) -> None:
    assert took(seconds) == told


@given(st.floats(1, 1e9))
def test_it_is_never_longer_than_two_units_and_never_wrong_by_more_than_a_half(seconds: float) -> None:
    parts = took(seconds).split()
    sizes = {"s": 1, "m": 60, "h": HOUR, "d": DAY}
    total = sum(int(number) * sizes[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
    assert len(parts) <= 4
    assert abs(total - seconds) <= (HOUR / 2 if seconds >= DAY - 30 else 30 if seconds >= HOUR - 0.5 else 0.5)


@pytest.mark.parametrize(
    "value, seconds",
    [(Decimal("42.5"), 42.5), (3, 3), (0.5, 0.5), ("42.5", 42.5), ("soon", 0), ("inf", 0), (-1, 0), (None, 0), ({}, 0)],
)
def test_what_anybody_may_have_written_is_a_number_or_none(value: object, seconds: float) -> None:
    assert seconds_in(value) == seconds


def test_a_truth_is_no_number() -> None:
    assert seconds_in(True) == 0  # noqa: FBT003 - what is asked about
