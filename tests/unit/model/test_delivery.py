"""DORA's figures, from what an environment was given."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.delivery import (
    BLAME,
    Attempt,
    Delivery,
    Figures,
    Outcome,
    deliveries,
    figures,
    last_environments,
    percentile,
    periods,
    way_to,
)
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.promotion import Action

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A, B, C = (letter * 40 for letter in "abc")


def attempt(
    generation: int, commit: str, outcome: Outcome = "deployed", action: Action = Action.PROMOTE, hours: float = 0
) -> Attempt:
    """Claimed so many hours after noon, or as its number says; pushed an hour before that, ended 6 minutes after."""
    claimed = NOON + HOUR * (hours or generation)
    ended = claimed + HOUR / 10 if outcome else None
    return Attempt("o/r", "shop", "prod", commit, generation, action, claimed, outcome, ended, claimed - HOUR)


def of(*attempts: Attempt) -> list[Delivery]:
    return deliveries(attempts)


def ended(hours: float) -> datetime:
    return NOON + HOUR * hours + HOUR / 10


def test_a_commit_that_is_promoted_and_deployed_is_new_and_has_a_lead_time() -> None:
    (found,) = of(attempt(1, A))
    assert (found.is_new, found.failure, found.at, found.lead_time) == (True, "", ended(1), HOUR * 1.1)
    assert found.recovery is None


def test_a_lead_time_is_unknown_without_a_push_and_never_negative() -> None:
    unknown, early = replace(attempt(1, A), pushed_at=None), replace(attempt(2, B), pushed_at=NOON + DAY)
    assert [each.lead_time for each in of(unknown, early)] == [None, timedelta()]


def test_what_was_superseded_or_has_no_verdict_counts_for_nothing() -> None:
    assert of(attempt(1, A, "superseded"), attempt(2, B, "")) == []


def test_a_failure_is_restored_by_the_next_good_deployment_whatever_kind_it_is() -> None:
    found = of(attempt(1, A), attempt(2, B, "failed"), attempt(3, C, "failed"), attempt(4, A, action=Action.ROLLBACK))
    assert [each.failure for each in found] == ["", "failed", "failed", ""]
    assert [each.recovery for each in found] == [None, 2 * HOUR, HOUR, None]


def test_a_failure_that_nothing_good_came_after_is_not_restored() -> None:
    (found,) = of(attempt(1, A, "failed"), attempt(2, A, "", Action.REDEPLOY))
    assert (found.failure, found.restored_at) == ("failed", None)


def test_a_deployment_that_somebody_goes_back_from_has_failed_from_the_start() -> None:
    found = of(attempt(1, A), attempt(2, B), attempt(3, A, action=Action.ROLLBACK))
    assert [each.failure for each in found] == ["", "rolled back", ""]
    assert found[1].recovery == HOUR
    assert [each.is_new for each in found] == [True, True, False]


def test_going_back_twice_finds_both_at_fault() -> None:
    found = of(attempt(1, A), attempt(2, B), attempt(3, C), attempt(4, B, action=Action.ROLLBACK),
               attempt(5, A, action=Action.ROLLBACK))  # fmt: skip
    assert [each.failure for each in found[:3]] == ["", "rolled back", "rolled back"]


def test_a_redeployment_in_between_does_not_clear_the_commit_nor_restore_anything() -> None:
    again = attempt(3, B, action=Action.REDEPLOY)
    found = of(attempt(1, A), attempt(2, B), again, attempt(4, A, action=Action.ROLLBACK))
    assert (found[1].failure, found[1].recovery) == ("rolled back", 2 * HOUR)


def test_going_back_after_a_failure_does_not_count_it_twice() -> None:
    found = of(attempt(1, A), attempt(2, B, "failed"), attempt(3, A, action=Action.ROLLBACK))
    assert figures(found, NOON, NOON + DAY).failed == 1


@pytest.mark.parametrize("later, failure", [(timedelta(), "rolled back"), (HOUR, "")])
def test_going_back_after_a_long_time_is_no_fault_of_the_deployment(later: timedelta, failure: str) -> None:
    back = attempt(3, A, action=Action.ROLLBACK)
    found = of(attempt(1, A), attempt(2, B), replace(back, claimed_at=ended(2) + BLAME + later))
    assert found[1].failure == failure


def test_going_back_from_what_is_not_known_blames_nobody() -> None:
    assert [each.failure for each in of(attempt(7, A, action=Action.ROLLBACK), attempt(8, B))] == ["", ""]
    known = of(attempt(6, A), attempt(7, C, action=Action.REDEPLOY), attempt(8, A, action=Action.ROLLBACK))
    assert [each.failure for each in known] == ["", "", ""]


@pytest.mark.parametrize("outcome", ["superseded", ""])
def test_going_back_past_what_came_to_nothing_finds_the_deployment_before_at_fault(outcome: Outcome) -> None:
    back = attempt(5, A, action=Action.ROLLBACK)
    found = of(attempt(1, A), attempt(2, B), attempt(3, C, outcome), attempt(4, C, outcome), back)
    assert [each.failure for each in found] == ["", "rolled back", ""]
    assert found[1].recovery == 3 * HOUR


def test_going_back_past_a_newer_push_of_a_commit_blames_the_deployment_that_was_there() -> None:
    found = of(attempt(1, A), attempt(2, B), attempt(3, B, "superseded"), attempt(4, A, action=Action.ROLLBACK))
    assert [each.failure for each in found] == ["", "rolled back", ""]


def test_going_back_to_what_is_there_blames_nobody() -> None:
    found = of(attempt(1, A), attempt(2, B, "superseded"), attempt(3, A, action=Action.ROLLBACK))
    assert [each.failure for each in found] == ["", ""]


def test_going_back_from_what_never_came_to_a_verdict_blames_nobody() -> None:
    found = of(attempt(1, A), attempt(2, B, ""), attempt(3, A, action=Action.ROLLBACK))
    assert [each.failure for each in found] == ["", ""]


@pytest.mark.parametrize(
    "before, expected",
    [
        ([], False),
        ([attempt(1, A)], False),
        ([attempt(1, A, "failed")], True),
        ([attempt(1, A, "superseded")], False),
        ([attempt(1, B, "failed")], False),
        ([attempt(1, A), attempt(2, A, "failed", Action.REDEPLOY)], False),
    ],
)
def test_a_redeployment_is_new_where_the_commit_had_always_failed(before: Sequence[Attempt], expected: object) -> None:
    assert of(*before, attempt(3, A, action=Action.REDEPLOY))[-1].is_new is expected


def test_a_failed_redeployment_is_not_new() -> None:
    found = of(attempt(1, A, "failed"), attempt(2, A, "failed", Action.REDEPLOY))
    assert [each.is_new for each in found] == [False, False]


def test_an_override_is_a_change() -> None:
    (found,) = of(attempt(1, A, action=Action.OVERRIDE))
    assert found.is_new


def test_the_order_that_attempts_are_read_in_does_not_matter() -> None:
    attempts = [attempt(1, A), attempt(2, B, "failed"), attempt(3, C)]
    assert of(*attempts[::-1]) == of(*attempts)


def test_figures_of_a_period() -> None:
    found = of(
        attempt(1, A, hours=1),
        replace(attempt(2, B, hours=2), pushed_at=NOON),
        attempt(3, C, "failed", hours=3),
        attempt(4, B, action=Action.ROLLBACK, hours=4),
        attempt(5, C, "failed", hours=23),
    )
    told = figures(found, NOON, NOON + 2 * DAY)
    assert (told.days, told.deployed, told.per_day) == (2, 2, 1)
    assert (told.changes, told.failed, told.failure_rate) == (4, 2, 0.5)
    assert (told.lead_times, told.lead_time) == ((HOUR * 1.1, HOUR * 2.1), HOUR * 1.6)
    assert told.lead_time_p90 == HOUR * 2.1
    assert (told.recoveries, told.recovery, told.unrecovered) == ((HOUR,), HOUR, 1)


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    found = of(attempt(1, A), attempt(2, B))
    assert figures(found, ended(1), ended(2)).deployed == 1
    assert figures(found, ended(0), ended(1)).deployed == 0


def test_a_period_without_anything_has_no_rates() -> None:
    told = figures([], NOON, NOON + DAY)
    assert told == Figures(1.0)
    assert (told.per_day, told.failure_rate, told.lead_time, told.lead_time_p90, told.recovery) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert (Figures(0.0, deployed=3).per_day, Figures(0.5, deployed=3).per_day) == (0, 6)


def test_a_commit_whose_push_is_not_known_counts_as_deployed_all_the_same() -> None:
    told = figures(of(replace(attempt(1, A), pushed_at=None)), NOON, NOON + DAY)
    assert (told.deployed, told.lead_times) == (1, ())


@pytest.mark.parametrize("percent, hours", [(0, 1), (1, 1), (10, 1), (11, 2), (50, 5), (90, 9), (91, 10), (100, 10)])
def test_a_percentile_is_the_nearest_rank(percent: int, hours: int) -> None:
    assert percentile([HOUR * each for each in range(1, 11)], percent) == HOUR * hours


def test_nine_of_ten_are_exactly_that() -> None:
    many = tuple(HOUR * each for each in range(1, 101))
    assert Figures(7, lead_times=many).lead_time_p90 == 90 * HOUR
    assert percentile(many, 1) == HOUR
    assert percentile(many, 100) == 100 * HOUR


def test_a_percentile_of_one_is_that_one_and_of_none_nothing() -> None:
    assert (percentile([HOUR], 90), percentile([], 90)) == (HOUR, None)


@pytest.mark.parametrize(
    "days, count, last", [(1, 1, DAY), (7, 7, DAY), (31, 31, DAY), (32, 5, 4 * DAY), (90, 13, 6 * DAY)]
)
def test_a_period_is_shown_by_days_or_by_weeks(days: int, count: int, last: timedelta) -> None:
    found = periods(NOON, NOON + days * DAY)
    assert len(found) == count
    assert (found[0][0], found[-1][1], found[-1][1] - found[-1][0]) == (NOON, NOON + days * DAY, last)
    assert all(end == start for (_, end), (start, _) in pairwise(found))


@pytest.mark.parametrize(
    "after, last",
    [
        ({"dev": (), "prod": ("dev",)}, ("prod",)),
        ({"dev": (), "eu": ("dev",), "us": ("dev",)}, ("eu", "us")),
        ({"dev": (), "eu": ("dev",), "us": ("eu",)}, ("us",)),
        ({"dev": (), "prod": ("dev",), "preview": ()}, ("prod",)),
        ({"one": (), "two": ()}, ("one", "two")),
        ({}, ()),
    ],
)
def test_the_last_environments_are_those_that_a_chain_ends_in(
    after: dict[str, tuple[str, ...]], last: tuple[str, ...]
) -> None:
    assert last_environments(graph(after)) == last


def test_the_way_to_an_environment_is_all_that_comes_before_it() -> None:
    shop = graph({"dev": (), "load": (), "staging": ("dev",), "prod": ("staging", "load"), "other": ("dev",)})
    assert way_to(shop, "prod") == {"dev", "load", "staging", "prod"}
    assert way_to(shop, "dev") == {"dev"}


def graph(after: dict[str, tuple[str, ...]]) -> Pipeline:
    environments = tuple(Environment(name, after=names) for name, names in after.items())
    return Pipeline("shop", "o/r", environments=environments)


ATTEMPTS = st.lists(
    st.tuples(st.sampled_from([A, B, C]), st.sampled_from(get_args(Outcome)), st.sampled_from(Action)),
    max_size=12,
).map(lambda drawn: [attempt(at, *each) for at, each in enumerate(drawn, 1)])


@given(ATTEMPTS)
def test_what_is_counted_is_consistent(attempts: list[Attempt]) -> None:
    found = deliveries(attempts)
    told = figures(found, NOON, NOON + 30 * DAY)
    assert 0 <= told.failed <= told.changes <= len(found) <= len(attempts)
    assert len(told.recoveries) + told.unrecovered == told.failed
    assert told.deployed == len(told.lead_times) <= len(found)
    assert list(told.lead_times) == sorted(told.lead_times)
    assert all(each.recovery is None or each.recovery >= timedelta() for each in found)


@given(ATTEMPTS, st.integers(0, 20))
def test_what_is_counted_in_two_periods_is_what_is_counted_in_both_together(
    attempts: list[Attempt], hours: int
) -> None:
    found, middle, end = deliveries(attempts), NOON + HOUR * hours, NOON + DAY
    first, second, whole = figures(found, NOON, middle), figures(found, middle, end), figures(found, NOON, end)
    for name in ("deployed", "changes", "failed", "unrecovered"):
        assert getattr(first, name) + getattr(second, name) == getattr(whole, name)
    assert sorted(first.lead_times + second.lead_times) == list(whole.lead_times)
