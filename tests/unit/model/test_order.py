"""The order of pushes, case by case: whatever comes late, twice, or never."""

from collections.abc import Iterable
from itertools import permutations

import pytest

from pipeline_state.model.order import NO_COMMIT, Place, Push, place

_MINUTE = "2026-07-01T12:00:"


def push(route: str, second: int) -> Push:
    """ "AB" is a push from A to B; "·A" one that makes the branch."""
    before, after = (NO_COMMIT if letter == "·" else letter for letter in route)
    return Push(before, after, f"{_MINUTE}{second:02}Z")


def places(pushes: Iterable[Push]) -> dict[str, Place]:
    known: dict[str, Place] = {}
    for each in pushes:
        known |= place(each, known.get)
    return known


def order(pushes: Iterable[Push]) -> str:
    found = places(pushes)
    assert len({each.sequence for each in found.values()}) == len(found), "no two commits have one place"
    return "".join(sorted(found, key=lambda commit: found[commit].sequence))


CASES: dict[str, tuple[str, list[tuple[str, int]]]] = {
    "a branch made by its first push": ("A", [("·A", 0)]),
    "one push after another": ("ABC", [("·A", 0), ("AB", 10), ("BC", 20)]),
    "pushes of one second": ("ABCD", [("·A", 0), ("AB", 0), ("BC", 0), ("CD", 0)]),
    "a commit that only the next push tells of": ("AB", [("AB", 10)]),
    "a push that is never told": ("ABCD", [("AB", 10), ("CD", 20)]),
    "a clock that goes back": ("ABC", [("·A", 5), ("AB", 3), ("BC", 1)]),
    "a clock that goes back by as much as is believed": ("AB", [("·A", 5), ("AB", 0)]),
    "a branch reset to where it was": ("BA", [("·A", 0), ("AB", 1), ("BA", 2)]),
    "a branch reset and moved on": ("BAC", [("·A", 0), ("AB", 10), ("BA", 20), ("AC", 30)]),
    "a branch reset by two": ("BCA", [("·A", 0), ("AB", 10), ("BC", 20), ("CA", 30)]),
    "a revert of the reset": ("AB", [("·A", 0), ("AB", 10), ("BA", 20), ("AB", 30)]),
    "a force push to a stranger": ("ABX", [("·A", 0), ("AB", 10), ("BX", 20)]),
    "a branch deleted and made again": ("ABC", [("·A", 0), ("AB", 10), ("·C", 20)]),
    "a branch deleted and made again from an old commit": ("BA", [("·A", 0), ("AB", 10), ("·A", 20)]),
}


@pytest.mark.parametrize("case", CASES)
def test_in_whatever_sequence_it_is_told(case: str) -> None:
    expected, routes = CASES[case]
    pushes = [push(*route) for route in routes]
    assert {order(told) for told in permutations(pushes)} == {expected}


@pytest.mark.parametrize("case", CASES)
def test_told_twice(case: str) -> None:
    expected, routes = CASES[case]
    pushes = [push(*route) for route in routes]
    assert {order([*told, *told]) for told in permutations(pushes)} == {expected}
    assert {order(each for one in told for each in (one, one)) for told in permutations(pushes)} == {expected}


def test_the_same_push_again_changes_nothing() -> None:
    known = places([push("·A", 0), push("AB", 10)])
    assert place(push("AB", 10), known.get) == {}


def test_a_clock_that_contradicts_by_more_than_is_believed_is_a_reset() -> None:
    assert order([push("·A", 20), push("AB", 10)]) == "BA"


def test_only_what_changes_is_told() -> None:
    known = places([push("·A", 0), push("AB", 10)])
    assert set(place(push("BC", 20), known.get)) == {"B", "C"}


def test_a_push_that_comes_late_moves_those_after_it_only_as_far_as_needed() -> None:
    told = places([push("BC", 10), push("CD", 10), push("DE", 30)])
    moved = place(push("AB", 10), told.get)
    assert set(moved) == {"A", "B", "C", "D"}
    assert [moved[commit].sequence - moved["B"].sequence for commit in "CD"] == [1, 2]


def test_a_place_never_moves_down() -> None:
    pushes = [push("·A", 0), push("AB", 10), push("BA", 20), push("AC", 30), push("CB", 40)]
    for told in permutations(pushes):
        known: dict[str, Place] = {}
        for each in told:
            changed = place(each, known.get)
            assert all(found.sequence >= known[commit].sequence for commit, found in changed.items() if commit in known)
            known |= changed


def test_the_push_that_brings_a_commit_gives_it_its_time_and_paths() -> None:
    known = places([push("BC", 20)])
    assert (known["B"].pushed_at, known["B"].next) == (None, "C")
    known |= place(Push("A", "B", f"{_MINUTE}10Z", ("docs/a.md",)), known.get)
    assert (known["B"].pushed_at, known["B"].paths, known["B"].before) == (f"{_MINUTE}10Z", ("docs/a.md",), "A")
    assert known["B"].next == "C"


def test_a_push_at_a_time_nobody_can_read_is_placed_by_its_chain() -> None:
    known = places([push("·A", 0), Push("A", "B", "yesterday")])
    assert known["B"].before == "A"


@pytest.mark.parametrize("paths", [None, (), ("a", "b/c")])
def test_a_place_is_written_and_read(paths: tuple[str, ...] | None) -> None:
    for each in (Place(1), Place(5, "B", "N", f"{_MINUTE}00Z", paths)):
        assert Place.from_dict(each.to_dict()) == each


def test_a_place_says_when_its_push_had_happened() -> None:
    known = places([push("AB", 10)])
    assert known["B"].pushed_by == f"{_MINUTE}10Z"
    assert known["A"].pushed_by == f"{_MINUTE}15Z", "which nobody has told yet, and clocks may differ by five seconds"
    late = places([push("AB", 10), push("·A", 10)])
    assert str(late["A"].pushed_at) <= known["A"].pushed_by


def test_a_clock_that_is_five_seconds_ahead_does_not_tear_a_chain_whose_commits_it_moved_up() -> None:
    times = ["12:00:00", "12:00:05", "12:00:00", "12:00:00"]
    known: dict[str, Place] = {}
    for number, time in enumerate(times):
        known |= place(Push(f"c{number}", f"c{number + 1}", f"2026-07-01T{time}Z"), known.get)
    assert sorted(known, key=lambda commit: known[commit].sequence) == ["c0", "c1", "c2", "c3", "c4"]
