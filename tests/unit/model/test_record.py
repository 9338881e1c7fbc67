"""Records are read whatever people have done to them."""

from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.model.order import Place
from pipeline_state.model.record import Claim, Record, read_record

KEY = {"repo": "myOrg/myApp", "commit": "a" * 40}
CLAIM = {
    "generation": Decimal(3),
    "at": "2026-07-01T12:00:00Z",
    "promotions": {"web": "id"},
    "published": True,
    "pushed_at": "2026-07-01T11:00:00Z",
}


def read(**attributes: Any) -> Record:
    return read_record({**KEY, **attributes})


def test_an_item_with_its_key_alone_is_a_record() -> None:
    assert read() == Record("myOrg/myApp", "a" * 40)


def test_every_other_attribute_without_an_underscore_is_a_gate() -> None:
    record = read(branch="main", pushed_at="t", sequence=1, honeycomb_trace="1;", _schema=1, build="TRUE", added=[1])
    assert record.gates == {"build": "TRUE", "added": [1]}


def test_a_claim_is_read_by_environment() -> None:
    claim = Claim("live", 3, "2026-07-01T12:00:00Z", {"web": "id"}, True, "2026-07-01T11:00:00Z")  # noqa: FBT003
    record = read(_claim_live=CLAIM)
    assert (record.claims, record.problems) == ({"live": claim}, ())


def test_a_claim_for_a_push_that_was_never_told_has_no_time_of_it() -> None:
    assert read(_claim_live={**CLAIM, "pushed_at": None}).claims["live"].pushed_at is None


@pytest.mark.parametrize(
    "claim",
    [
        "yes",
        None,
        [],
        {},
        {**CLAIM, "generation": "3"},
        {**CLAIM, "at": Decimal(1)},
        {**CLAIM, "promotions": ["id"]},
        {name: value for name, value in CLAIM.items() if name != "at"},
    ],
    ids=repr,
)
def test_a_claim_that_is_none_is_a_problem(claim: Any) -> None:
    record = read(_claim_live=claim)
    assert record.claims == {}
    assert record.problems == ("_claim_live is not a claim; restore it from the journal or remove it",)


def test_places_are_read_by_branch() -> None:
    places = {"main": Place(5, "b" * 40, "c" * 40, "2026-07-01T12:00:00Z", ("a/b",)), "release/1": Place(7)}
    written = {branch: place.to_dict() for branch, place in places.items()}
    assert read(_branches=written).branches == places


@pytest.mark.parametrize("branches", ["main", 5, ["main"], {"main"}], ids=repr)
def test_branches_that_are_none_are_a_problem(branches: Any) -> None:
    record = read(_branches=branches)
    assert (record.branches, len(record.problems)) == ({}, 1)


@pytest.mark.parametrize("place", ["5", 5, None, {}, {"sequence": "5"}, {"sequence": None}], ids=repr)
def test_a_place_that_is_none_is_a_problem_of_its_branch_alone(place: Any) -> None:
    record = read(_branches={"main": place, "next": {"sequence": Decimal(7)}})
    assert record.branches == {"next": Place(7)}
    assert record.problems == ("_branches.main is not a place in a branch's order; the next push restores it",)


def test_what_is_odd_in_a_place_is_not_known() -> None:
    odd = {"sequence": Decimal(7), "before": 1, "next": None, "pushed_at": [], "paths": "all"}
    assert read(_branches={"main": odd}).branches == {"main": Place(7)}


def test_notes_are_kept_where_they_are_notes() -> None:
    assert read(_set_build={"at": "t"}, _set_legal="x").written == {"build": {"at": "t"}}
