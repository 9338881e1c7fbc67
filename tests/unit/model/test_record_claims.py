"""What a claim on a record says of who made it and how often it was told, whatever people have done to it."""

from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.model.promotion import AUTOMATIC
from pipeline_state.model.record import Claim, read_record

WRITTEN = {
    "generation": Decimal(3),
    "at": "2026-07-01T12:00:00Z",
    "promotions": {"web": "id"},
    "published": True,
    "pushed_at": "2026-07-01T11:00:00Z",
    "by": "ann",
    "told_at": "2026-07-01T12:30:00Z",
    "repeats": Decimal(2),
}


def claim(**changes: Any) -> Claim:
    record = read_record({"repo": "myOrg/myApp", "commit": "a" * 40, "_claim_live": {**WRITTEN, **changes}})
    return record.claims["live"]


def test_all_of_a_claim_is_read() -> None:
    assert claim() == Claim(
        environment_key="live",
        generation=3,
        at="2026-07-01T12:00:00Z",
        promotions={"web": "id"},
        published=True,
        pushed_at="2026-07-01T11:00:00Z",
        by="ann",
        told_at="2026-07-01T12:30:00Z",
        repeats=2,
    )


@pytest.mark.parametrize("nobody", [None, "", 5, {"name": "ann"}], ids=repr)
def test_a_claim_in_nobodys_name_is_gatestreams_own(nobody: Any) -> None:
    assert claim(by=nobody).by == AUTOMATIC


@pytest.mark.parametrize("odd", [None, 5, ["2026-07-01"]], ids=repr)
def test_times_that_are_none_are_not_known(odd: Any) -> None:
    assert (claim(told_at=odd).told_at, claim(pushed_at=odd).pushed_at) == (None, None)


@pytest.mark.parametrize("odd", [None, "twice", {}], ids=repr)
def test_a_number_of_repeats_that_is_none_is_none_at_all(odd: Any) -> None:
    assert claim(repeats=odd).repeats == 0


def test_branches_that_are_none_say_how_they_are_mended() -> None:
    record = read_record({"repo": "myOrg/myApp", "commit": "a" * 40, "_branches": "main"})
    assert record.problems == ("_branches is not a map of branches; the next push of this commit restores it",)
