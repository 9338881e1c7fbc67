"""Places where one case of the order ends and the next begins, each by one push onto places that are known."""

import pytest

from pipeline_state.model.order import NO_COMMIT, Place, Push, place

TIME, EARLIER = "2026-07-01T12:00:10Z", "2026-07-01T12:00:00Z"
HERE = Push("A", "B", TIME).earliest
SLACK = 5500
"""Places by which times may contradict the chain: five seconds and a half."""


def moved(push: Push, **known: Place) -> dict[str, Place]:
    return dict(place(push, known.get))


def test_a_push_is_in_the_middle_of_its_second_and_what_it_came_from_just_before_it() -> None:
    assert Push("A", "B", "1970-01-01T00:00:02Z").earliest == 2500
    assert moved(Push("A", "B", TIME)) == {
        "A": Place(HERE - 1, next="B"),
        "B": Place(HERE, before="A", pushed_at=TIME),
    }


def test_a_push_at_a_time_nobody_can_read_is_before_all_others_and_a_place_is_whole() -> None:
    assert Push("A", "B", "yesterday").earliest == 500
    assert all(isinstance(Push("A", "B", time).earliest, int) for time in (TIME, "yesterday"))


def test_a_push_that_makes_a_branch_has_nothing_before_it() -> None:
    assert moved(Push(NO_COMMIT, "B", TIME)) == {"B": Place(HERE, pushed_at=TIME)}


@pytest.mark.parametrize("ahead, came_back", [(SLACK, False), (SLACK + 1, True)])
def test_what_is_further_ahead_than_clocks_explain_was_pushed_again(ahead: int, *, came_back: bool) -> None:
    before = Place(HERE + ahead, pushed_at="2026-07-01T12:00:15Z")
    found = moved(Push("A", "B", TIME), A=before)
    assert found["B"].sequence == (HERE if came_back else HERE + ahead + 1)
    assert ("A" in found) is not came_back, "a place that stays as it is does not change"


@pytest.mark.parametrize("ahead, came_back", [(-1, False), (0, True), (1, True)])
def test_what_followed_the_pushed_commit_and_is_not_behind_it_was_pushed_again(ahead: int, *, came_back: bool) -> None:
    before = Place(HERE + ahead, before="B", pushed_at=TIME)
    found = moved(Push("A", "B", TIME), A=before, B=Place(HERE - 5, next="A"))
    assert ("A" in found) is not came_back
    assert found["B"].sequence == (HERE if came_back else max(HERE, HERE + ahead + 1))


@pytest.mark.parametrize("later, stays", [(-1, False), (0, True), (1, True)])
def test_a_visit_at_the_same_place_or_later_is_the_one_that_counts(later: int, *, stays: bool) -> None:
    known = Place(HERE + later, before="X", pushed_at=EARLIER)
    found = moved(Push("A", "B", TIME), B=known)
    assert ("B" not in found) is stays
    assert stays or found["B"] == Place(HERE, before="A", pushed_at=TIME)


@pytest.mark.parametrize("behind, stays", [(SLACK - 1, True), (SLACK, True), (SLACK + 1, False)])
def test_a_follower_that_clocks_explain_stays_behind_its_commit(behind: int, *, stays: bool) -> None:
    follower = Place(HERE - behind, before="B", pushed_at=EARLIER)
    found = moved(Push(NO_COMMIT, "B", TIME), B=Place(HERE - behind - 1, next="C"), C=follower)
    assert found["B"].next == ("C" if stays else None)
    assert found.get("C", follower).sequence == (HERE + 1 if stays else HERE - behind)


@pytest.mark.parametrize("beyond, is_left", [(-1, True), (0, True), (1, False)])
def test_a_commit_left_later_than_this_push_keeps_its_follower(beyond: int, *, is_left: bool) -> None:
    before = Place(HERE - 900, next="C", pushed_at=EARLIER)
    found = moved(Push("A", "B", TIME), A=before, C=Place(HERE + beyond, before="A", pushed_at=TIME))
    assert found.get("A") == (Place(HERE - 1, next="B", pushed_at=EARLIER) if is_left else None)


def test_a_commit_whose_follower_nobody_knows_is_left_here() -> None:
    found = moved(Push("A", "B", TIME), A=Place(HERE - 900, next="C", pushed_at=EARLIER))
    assert found["A"] == Place(HERE - 1, next="B", pushed_at=EARLIER)


def test_a_commit_that_nobody_has_left_stays_where_it_is() -> None:
    found = moved(Push("A", "B", TIME), A=Place(HERE - 900, pushed_at=EARLIER))
    assert found["A"] == Place(HERE - 900, next="B", pushed_at=EARLIER)


def test_followers_move_on_only_as_long_as_they_are_not_behind() -> None:
    known = {
        "B": Place(HERE - 2, next="C"),
        "C": Place(HERE - 1, before="B", next="D"),
        "D": Place(HERE + 1, before="C"),
    }
    found = moved(Push(NO_COMMIT, "B", TIME), **known)
    assert {commit: each.sequence - HERE for commit, each in found.items()} == {"B": 0, "C": 1, "D": 2}
    known["D"] = Place(HERE + 2, before="C")
    assert set(moved(Push(NO_COMMIT, "B", TIME), **known)) == {"B", "C"}
