"""Which changes of a record are wake-ups, and which are somebody's edits."""

from typing import Any

import pytest

from pipeline_state.table.models import to_raw
from pipeline_state.table.stream import Change, read_change

KEYS = {"repo": {"S": "myOrg/myApp"}, "commit": {"S": "a" * 40}}


def change(old: dict[str, Any], new: dict[str, Any]) -> Change:
    images = {"OldImage": old, "NewImage": new}
    raw = {name: KEYS | {key: to_raw(value) for key, value in image.items()} for name, image in images.items() if image}
    return read_change(
        {"eventID": "1", "dynamodb": {"Keys": KEYS, "ApproximateCreationDateTime": 1_700_000_000, **raw}}
    )


def places(**place: Any) -> dict[str, Any]:
    return {"_branches": {"main": {"sequence": 5, **place}}}


@pytest.mark.parametrize(
    "old,new",
    [
        (places(), places(sequence=6)),
        (places(), places(paths=["README.md"])),
        ({}, places()),
        (places(), {"_branches": "nonsense"}),
        ({"scan": ""}, {"scan": "TRUE"}),
        ({"scan": ""}, {"_schema": 1}),
    ],
    ids=["a later place", "known paths", "a new record", "a broken place", "a gate", "a removed gate"],
)
def test_what_a_decision_looks_at_is_a_wake_up(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert change(old, new).matters


@pytest.mark.parametrize(
    "old,new",
    [
        (places(), places(next="b" * 40)),
        ({}, {"_claim_staging": {"generation": 1}}),
        ({"_set_scan": {"at": "x"}}, {"_set_scan": {"at": "y"}}),
        (places(), {}),
    ],
    ids=["the commit that follows", "a claim", "a note", "a removed record"],
)
def test_what_no_decision_looks_at_is_none(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert not change(old, new).matters
