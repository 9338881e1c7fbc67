"""Which deliveries GitHub is asked to make again."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.events.redelivery import MAX_REDELIVERIES, MAX_TRIES, Attempt, chosen, missed, next_cursor

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SINCE = NOON - timedelta(hours=3)


def attempt(guid: str, status: int, minute: float = 0, *, id_: int = 0, again: bool = False) -> Attempt:
    """One so many minutes after three hours before noon."""
    return Attempt(id_ or int(minute * 100) + 1, guid, SINCE + timedelta(minutes=minute), again, status)


def guids(attempts: Sequence[Attempt]) -> list[str]:
    return [each[0].guid for each in missed(attempts, SINCE)]


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504, 599])
def test_what_got_no_answer_or_one_that_may_change_is_missed(status: int) -> None:
    assert guids([attempt("a", status)]) == ["a"]


@pytest.mark.parametrize("status", [200, 202, 204, 301, 400, 401, 404, 413, 422])
def test_what_was_taken_or_refused_is_not_missed(status: int) -> None:
    assert guids([attempt("a", status)]) == []


def test_what_succeeded_at_its_second_try_is_not_missed_though_a_later_one_failed() -> None:
    attempts = [attempt("a", 502), attempt("a", 202, 1, again=True), attempt("a", 502, 2, again=True)]
    assert guids(attempts) == []


def test_what_was_refused_at_last_is_not_tried_again() -> None:
    assert guids([attempt("a", 502), attempt("a", 422, 1, again=True)]) == []


def test_what_was_refused_by_a_wrong_secret_and_then_not_answered_is_tried_again() -> None:
    assert guids([attempt("a", 401), attempt("a", 502, 1, again=True)]) == ["a"]


@pytest.mark.parametrize("tries", range(5))
def test_a_delivery_is_tried_again_three_times(tries: int) -> None:
    again = [attempt("a", 502, 1 + each, again=True) for each in range(tries)]
    assert guids([attempt("a", 502), *again]) == (["a"] if tries < 3 else [])


def test_a_delivery_whose_first_attempt_is_out_of_sight_is_left_alone_since_its_tries_cannot_be_counted() -> None:
    assert guids([attempt("a", 502, -1), attempt("a", 502, 1, again=True)]) == []
    assert guids([attempt("a", 502, 1, again=True)]) == []


def test_an_attempt_that_two_pages_tell_of_counts_once() -> None:
    again = [attempt("a", 502, 1, again=True), attempt("a", 502, 2, again=True)]
    assert guids([attempt("a", 502), *again, *again]) == ["a"]


def tried(attempts: Sequence[Attempt], now: datetime = NOON) -> list[str]:
    return [each[0].guid for each in chosen(missed(attempts, SINCE), attempts, now)]


def test_while_our_side_is_down_the_one_with_the_most_tries_left_is_tried() -> None:
    attempts = [attempt("a", 502), attempt("b", 502, 1), attempt("c", 502, 2), attempt("a", 502, 3, again=True)]
    assert tried(attempts) == ["b"]


def test_while_our_side_is_down_one_is_tried_an_hour() -> None:
    attempts = [attempt("a", 502), attempt("a", 502, 60, again=True), attempt("b", 502, 61)]
    assert tried(attempts, SINCE + timedelta(minutes=114)) == []
    assert tried(attempts, SINCE + timedelta(minutes=115)) == ["b"]


@pytest.mark.parametrize("status", [202, 422])
def test_our_side_is_up_when_the_newest_attempt_was_answered(status: int) -> None:
    attempts = [attempt("new", status, 5), attempt("a", 502), attempt("b", 502, 1), attempt("a", 502, 4, again=True)]
    assert tried(attempts, SINCE + timedelta(minutes=6)) == ["a", "b"]


@pytest.mark.parametrize("status", [0, 429, 503])
def test_our_side_is_down_when_the_newest_attempt_was_not_answered_or_could_not_be_taken(status: int) -> None:
    assert tried([attempt("new", status, 5), attempt("a", 502), attempt("b", 502, 1), attempt("c", 202, 2)]) == ["a"]


def test_where_nothing_was_delivered_nothing_is_tried() -> None:
    assert tried([]) == []


attempts_of_some = st.lists(
    st.builds(
        lambda guid, status, minute, id_, again: attempt(guid, status, minute, id_=id_, again=again),
        st.sampled_from("abcdef"),
        st.sampled_from([0, 202, 401, 422, 429, 500, 502]),
        st.integers(-30, 180),
        st.integers(1, 10_000),
        st.booleans(),
    ),
    unique_by=lambda each: each.id,
    max_size=60,
)


@given(attempts_of_some)
def test_none_that_succeeded_or_was_refused_last_or_had_its_tries_is_tried_again(attempts: list[Attempt]) -> None:
    for delivery in missed(attempts, SINCE):
        all_of_it = [each for each in attempts if each.guid == delivery[0].guid]
        newest = max(all_of_it, key=lambda each: (each.delivered_at, each.id))
        assert not any(200 <= each.status_code < 300 for each in all_of_it)
        assert newest.status_code in {0, 429, 500, 502}
        assert sum(each.is_redelivery for each in all_of_it) < MAX_TRIES
        assert delivery[-1] == newest, "the newest is the one that GitHub still has"


@given(attempts_of_some)
def test_each_missed_delivery_is_tried_once_oldest_first(attempts: list[Attempt]) -> None:
    found = missed(attempts, SINCE)
    assert len({each[0].guid for each in found}) == len(found)
    assert [each[0].delivered_at for each in found] == sorted(each[0].delivered_at for each in found)
    assert all(each[0].delivered_at >= SINCE for each in found)


@given(st.data(), attempts_of_some)
def test_the_order_in_which_attempts_are_listed_does_not_matter(data: st.DataObject, attempts: list[Attempt]) -> None:
    assert missed(data.draw(st.permutations(attempts)), SINCE) == missed(attempts, SINCE)


@given(st.integers(0, 3 * MAX_REDELIVERIES))
def test_a_look_never_redelivers_more_than_its_bound_and_takes_the_oldest(number: int) -> None:
    found = missed([attempt(str(each), 502, each / 10) for each in range(number)], SINCE)
    up, down = [attempt("last", 202, 170)], [attempt("last", 503, 170)]
    assert chosen(found, up, NOON) == found[:MAX_REDELIVERIES]
    assert len(chosen(found, down, NOON)) == min(number, 1)


@pytest.mark.parametrize(
    "link, cursor",
    [
        ("", ""),
        ('<https://api.github.com/app/hook/deliveries?per_page=100&cursor=v1_123>; rel="next"', "v1_123"),
        ('<https://x/?cursor=v1_1>; rel="prev", <https://x/?cursor=v1%5F2&per_page=5>; rel="next"', "v1_2"),
        ('<https://x/?per_page=100>; rel="first"', ""),
        ('<https://x/?page=2>; rel="next"', ""),
        ("nonsense", ""),
    ],
)
def test_the_next_page_is_where_the_link_header_says(link: str, cursor: str) -> None:
    assert next_cursor(link) == cursor
