"""The order of pushes as properties: however they are told, the chain is the order."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.order import NO_COMMIT, Place, Push, place
from pipeline_state.model.times import format_time

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
MOST = 7


def push(before: str, after: str, second: int) -> Push:
    return Push(before, after, format_time(START + timedelta(seconds=second)))


def places(told: list[Push]) -> dict[str, Place]:
    known: dict[str, Place] = {}
    for each in told:
        changed = place(each, known.get)
        assert all(known[commit].sequence <= found.sequence for commit, found in changed.items() if commit in known)
        known |= changed
    return known


def order(told: list[Push]) -> list[str]:
    known = places(told)
    assert len({each.sequence for each in known.values()}) == len(known)
    return sorted(known, key=lambda commit: known[commit].sequence)


@st.composite
def told(draw: st.DrawFn, pushes: list[Push]) -> list[Push]:
    """All of the pushes, some of them again, in any sequence."""
    again = draw(st.lists(st.sampled_from(pushes), max_size=4)) if pushes else []
    return draw(st.permutations([*pushes, *again]))


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[str], list[Push]]:
    """A branch that only ever moves on, its times in ties and out of order by as much as is believed of clocks."""
    commits = [f"c{number}" for number in range(draw(st.integers(2, MOST)))]
    is_made = draw(st.booleans())
    steps = draw(st.lists(st.sampled_from([0, 0, 1, 7, 60]), min_size=len(commits), max_size=len(commits)))
    late = draw(st.lists(st.integers(0, 5), min_size=len(commits), max_size=len(commits)))
    seconds = [sum(steps[: number + 1]) + late[number] for number in range(len(commits))]
    routes = list(zip([NO_COMMIT, *commits] if is_made else commits, commits if is_made else commits[1:], strict=False))
    return commits, [push(*route, second) for route, second in zip(routes, seconds, strict=False)]


@given(st.data(), chains())
def test_a_chain_is_the_order_in_whatever_sequence_and_how_often_it_is_told(
    data: st.DataObject, chain: tuple[list[str], list[Push]]
) -> None:
    commits, pushes = chain
    assert order(data.draw(told(pushes))) == commits


@st.composite
def walks(draw: st.DrawFn) -> tuple[list[str], list[Push]]:
    """A branch that is also reset to commits it was on before; and the commits by when it was last on them."""
    route = [draw(st.sampled_from("abcd"))]
    for _ in range(draw(st.integers(1, MOST))):
        route.append(draw(st.sampled_from([commit for commit in "abcde" if commit != route[-1]])))
    steps = draw(st.lists(st.sampled_from([6, 7, 100]), min_size=len(route), max_size=len(route)))
    pushes = [push(before, after, sum(steps[:number])) for number, (before, after) in enumerate(pairwise(route))]
    last = {commit: number for number, commit in enumerate(route)}
    return sorted(last, key=last.__getitem__), pushes


@given(st.data(), walks())
def test_a_commit_stands_where_its_branch_was_last_on_it(
    data: st.DataObject, walk: tuple[list[str], list[Push]]
) -> None:
    expected, pushes = walk
    assert order(data.draw(told(pushes))) == expected


@given(st.data(), st.integers(2, MOST), st.lists(st.sampled_from([1, 6, 60]), min_size=MOST, max_size=MOST))
def test_what_is_told_of_a_chain_with_gaps_is_in_its_order(data: st.DataObject, length: int, steps: list[int]) -> None:
    pushes = [push(f"c{number}", f"c{number + 1}", sum(steps[:number])) for number in range(length)]
    some = data.draw(st.lists(st.sampled_from(pushes), unique=True))
    found = order(data.draw(told(some)))
    assert found == sorted(found)
    assert set(found) == {commit for each in some for commit in (each.before, each.after)}


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=5), st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_anything_at_all_is_placed_and_places_only_move_up(route: list[str], steps: list[int]) -> None:
    """Also circles within a few seconds, about whose order nothing is promised."""
    pushes = [push(before, after, sum(steps[:number])) for number, (before, after) in enumerate(pairwise(route))]
    found = places(pushes + pushes[::-1])
    assert set(found) == {commit for each in pushes for commit in (each.before, each.after)}
