"""What closes an environment, and when its last promotion is over."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline_state.model.environments import EnvironmentState, Freeze

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
LONG_AGO, AN_HOUR_AGO, IN_AN_HOUR, TOMORROW = (
    "1969-12-31T23:59:59Z",
    "2026-07-01T11:00:00Z",
    "2026-07-01T13:00:00Z",
    "2026-07-02T12:00:00Z",
)


def state(*freezes: Freeze, **changes: Any) -> EnvironmentState:
    return EnvironmentState("shop", "staging", freezes=freezes, **changes)


@pytest.mark.parametrize(
    "until, lasts",
    [
        ("", True),
        ("Monday", True),
        (IN_AN_HOUR, True),
        ("2026-07-01T12:00:00.000001Z", True),
        ("2026-07-01T12:00:00Z", False),
        (AN_HOUR_AGO, False),
        (LONG_AGO, False),
    ],
)
def test_a_freeze_lasts_until_its_end_comes_and_in_doubt_it_lasts(until: str, lasts: bool) -> None:  # noqa: FBT001
    assert Freeze("ann", until).lasts(NOW) is lasts


@pytest.mark.parametrize(
    "untils, longest",
    [
        ((IN_AN_HOUR, TOMORROW), TOMORROW),
        ((TOMORROW, IN_AN_HOUR), TOMORROW),
        ((TOMORROW, "", IN_AN_HOUR), ""),
        (("Monday", TOMORROW), "Monday"),
        ((AN_HOUR_AGO, IN_AN_HOUR), IN_AN_HOUR),
    ],
)
def test_of_several_freezes_the_one_that_lasts_longest_counts(untils: tuple[str, ...], longest: str) -> None:
    found = state(*(Freeze("ann", until) for until in untils)).freeze(NOW)
    assert found is not None
    assert found.until == longest


def test_of_two_freezes_without_an_end_the_first_counts() -> None:
    assert state(Freeze("ann"), Freeze("ben", "Monday")).freeze(NOW) == Freeze("ann")


def test_without_a_freeze_that_lasts_it_is_not_frozen() -> None:
    assert state().freeze(NOW) is None
    assert state(Freeze("ann", AN_HOUR_AGO)).freeze(NOW) is None


@pytest.mark.parametrize(
    "done, is_finished",
    [
        ({}, False),
        ({"web": 3}, False),
        ({"web": 3, "api": 2}, False),
        ({"web": 3, "api": 3}, True),
        ({"web": 4, "api": 3, "gone": 1}, True),
    ],
)
def test_it_is_finished_with_its_last_release(done: dict[str, int], is_finished: bool) -> None:  # noqa: FBT001
    assert state(generation=3, releases=("web", "api"), done=done).is_finished is is_finished


def test_what_never_had_a_promotion_is_finished() -> None:
    assert state().is_finished
    assert not state(generation=1, releases=("web",)).is_finished
