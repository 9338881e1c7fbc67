"""Which changes of a record are wake-ups, and which are somebody's edits."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.table.models import to_raw
from pipeline_state.table.snapshot import EVERYTHING
from pipeline_state.table.stream import Change, Opening, read_change, read_opening
from pipeline_state.table.waiting import ASKED, PARTITION

KEYS = {"repo": {"S": "myOrg/myApp"}, "commit": {"S": "a" * 40}}


def change(old: dict[str, Any], new: dict[str, Any], number: str = "1") -> Change:
    images = {"OldImage": old, "NewImage": new}
    raw = {name: KEYS | {key: to_raw(value) for key, value in image.items()} for name, image in images.items() if image}
    told = {"Keys": KEYS, "ApproximateCreationDateTime": 1_700_000_000, "SequenceNumber": number, **raw}
    return read_change({"eventID": "1", "dynamodb": told})


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
        ({}, {"_claim_staging": {"generation": 1, "by": "ann", "published": False}}),
    ],
    ids=["a later place", "known paths", "a new record", "a broken place", "a gate", "a removed gate", "a request"],
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
        ({}, {"_claim_staging": {"generation": 1, "by": "ann", "published": True}}),
        ({}, {"_claim_staging": "nonsense"}),
    ],
    ids=["the commit that follows", "a claim", "a note", "a removed record", "a request announced", "a broken claim"],
)
def test_what_no_decision_looks_at_is_none(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert not change(old, new).matters


def opening(old: dict[str, Any], new: dict[str, Any], pipeline: str = "shop", environment: str = "staging") -> Any:
    keys = {"pipeline": {"S": pipeline}, "environment": {"S": environment}}
    images = {"OldImage": old, "NewImage": new}
    raw = {name: keys | {key: to_raw(value) for key, value in image.items()} for name, image in images.items() if image}
    told = {"Keys": keys, "ApproximateCreationDateTime": 1_700_000_000.0, **raw}
    return read_opening({"eventID": "1", "dynamodb": told})


WRITTEN_AT = datetime.fromtimestamp(1_700_000_000, UTC)


REPO = {"repo": "myOrg/myApp"}
TURNS = {**REPO, "in_turn": True}


@pytest.mark.parametrize("old, new", [
    ({**REPO, "frozen_by": "ann"}, REPO),
    ({**REPO, "frozen_by": "ann", "frozen_until": "x"}, {**REPO, "frozen_by": "ann", "frozen_until": "y"}),
    ({**REPO, "held_by": "ann"}, REPO),
    (TURNS, {**TURNS, "done:web": 3}),
], ids=["no freeze any more", "a shorter freeze", "no hold any more", "the next one has its turn"])  # fmt: skip
def test_where_the_way_opens_all_that_waits_is_looked_at(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert opening(old, new) == Opening("myOrg/myApp", "", WRITTEN_AT)


@pytest.mark.parametrize("old, new", [
    (REPO, {**REPO, "done:web": 3}),
    (REPO, {**REPO, "generation": 3, "head": "a" * 40}),
    (TURNS, {**TURNS, "lease:web": "somebody"}),
    ({"frozen_by": "ann"}, {"head": ""}),
    (REPO, {}),
], ids=["one is done where the newest goes", "a claim", "a lease", "nobody knows whose", "it is gone"])  # fmt: skip
def test_other_changes_of_an_environment_wake_nobody(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert opening(old, new) is None


def test_the_end_of_a_stop_concerns_everybody() -> None:
    assert opening({"frozen_by": "ann"}, {"_schema": 1}, *EVERYTHING) == Opening("", "", WRITTEN_AT)
    assert opening({"_schema": 1}, {"_schema": 2}, *EVERYTHING) is None


def test_a_commit_that_somebody_asks_for_is_looked_at() -> None:
    noted = {**REPO, "commit": "a" * 40, "mark": "push"}
    assert opening({}, noted, PARTITION, "myOrg/myApp#a") is None
    assert opening(noted, {**noted, "mark": "1", "asked": "1"}, PARTITION, "x") == Opening(
        "myOrg/myApp", "a" * 40, WRITTEN_AT
    )
    assert opening(noted, {**noted, "asked": "1", "repo": ""}, PARTITION, "x") is None
    assert opening({**noted, "asked": "1"}, {}, PARTITION, "x") is None


def test_a_promotion_that_is_kept_is_no_opening() -> None:
    assert opening({}, {**REPO, "promotions": "[]"}, environment="staging#deployment#0000000001") is None


def test_the_mapping_lets_all_openings_through() -> None:
    """Its patterns ask for attributes that an environment's own item and a request have."""
    template = (Path(__file__).parents[3] / "template.yaml").read_text(encoding="utf-8")
    patterns = [json.loads(each)["dynamodb"]["NewImage"] for each in re.findall(r"- Pattern: '(.*)'", template)]
    assert patterns == [{"_schema": {"N": [{"exists": True}]}}, {ASKED: {"S": [{"exists": True}]}}]


@pytest.mark.parametrize("old, new, gates", [
    ({"scan": ""}, {"scan": "TRUE"}, ("scan",)),
    ({}, {"build": "", "legal": "TRUE"}, ("legal",)),
    ({"scan": "TRUE", "legal": ""}, {"scan": "", "legal": ""}, ("scan",)),
    ({"scan": "TRUE"}, {"_schema": 1}, ("scan",)),
    ({"scan": "TRUE"}, {}, ()),
    ({"scan": "TRUE"}, {"scan": "TRUE", "branch": "main"}, ()),
], ids=["opened", "added", "pending again", "removed", "the record's end", "something else"])  # fmt: skip
def test_gates_that_changed_are_told_but_not_those_that_were_added_empty(
    old: dict[str, Any], new: dict[str, Any], gates: tuple[str, ...]
) -> None:
    assert change(old, new).gates == gates


OURS, LATER_OURS = ({"_last_write": {"event": id_, "at": "2023-11-14T22:13:20.500000Z"}} for id_ in ("1", "2"))


@pytest.mark.parametrize("old, new, edits", [
    ({"scan": "", **OURS}, LATER_OURS, []),
    (OURS, {"scan": "", **LATER_OURS}, []),
    ({"scan": "", **OURS}, OURS, ["scan"]),
    ({"scan": "FALSE", **OURS}, LATER_OURS, ["scan"]),
    ({"scan": "FALSE", **OURS}, {"scan": "", **LATER_OURS}, ["scan"]),
    ({"scan": "", **OURS}, {"scan": "FALSE", **LATER_OURS}, ["scan"]),
], ids=["removed by us", "added by us", "removed by hand", "removed with a value", "set back", "set"])  # fmt: skip
def test_an_empty_column_that_comes_or_goes_with_our_mark_is_nobodys_edit(
    old: dict[str, Any], new: dict[str, Any], edits: list[str]
) -> None:
    assert [*change({**places(), **old}, {**places(), **new}).edits] == edits


def test_of_two_edits_within_a_second_the_ids_tell_which_came_first() -> None:
    first, second = (change({}, {"scan": "TRUE"}, number) for number in ("9" * 21, "1" + "0" * 21))
    assert first.at == second.at
    assert first.id < second.id


def test_a_gate_that_somebody_removes_together_with_its_note_is_an_edit() -> None:
    noted = {"scan": "FALSE", "_set_scan": {"at": "x", "by": "ci", "value": "FALSE"}}
    seen = change({**places(), **noted}, places())
    assert (seen.edits, seen.matters, seen.lacks) == ({"scan": None}, True, True)
    assert change(places(), {**places(), **noted}).edits == {}, "set with a note"


def test_whether_less_is_required_is_told_by_a_column_that_went() -> None:
    assert change({"scan": "", **OURS}, LATER_OURS).lacks
    assert change({"scan": "FALSE"}, {"_schema": 1}).lacks
    assert not change({"scan": "FALSE"}, {"scan": ""}).lacks
    assert not change({"scan": "FALSE", "branch": "main"}, {"scan": "FALSE"}).lacks
    assert not change({"scan": "FALSE"}, {}).lacks, "the record has left by age"


def test_a_column_that_we_removed_went_at_the_very_moment_that_we_tell() -> None:
    assert change({"scan": "", **OURS}, LATER_OURS).at == WRITTEN_AT.replace(microsecond=500_000)


CLAIM = {"generation": 1, "at": "2026-07-01T12:00:00Z", "promotions": {"web": "p"}}
AGAIN = {**CLAIM, "generation": 2, "at": "2026-07-01T13:00:00Z"}
NOON, LATER = (datetime(2026, 7, 1, hour, tzinfo=UTC) for hour in (12, 13))


@pytest.mark.parametrize(
    "old,new,moved",
    [
        ({"scan": ""}, {"scan": "TRUE"}, ("scan",)),
        ({"scan": ""}, {"scan": {"status": "FALSE"}}, ("scan",)),
        ({"scan": "FALSE"}, {"scan": ""}, ("scan",)),
        ({}, {"scan": "TRUE"}, ("scan",)),
        ({"scan": ""}, {}, ("scan",)),
        ({"scan": {"status": "TRUE", "expires_at": "2020-01-01T00:00:00Z"}}, {"scan": "TRUE"}, ("scan",)),
        ({"scan": "TRUE"}, {"scan": ""}, ()),
        ({"scan": "TRUE"}, {}, ()),
        ({"scan": ""}, {"scan": {"status": "", "by": "ann"}}, ()),
    ],
)
def test_a_gate_that_nobody_waits_for_any_more_has_moved(
    old: dict[str, Any], new: dict[str, Any], moved: tuple[str, ...]
) -> None:
    assert change({**places(), **old}, {**places(), **new}).moved == moved
    assert change(old, {**places(), **new}).moved == (), "nobody waited before the push"
    assert change({**places(), **old}, {}).moved == (), "the record has left by age"


@pytest.mark.parametrize(
    "old,new,claims",
    [
        ({}, {"_claim_staging": CLAIM}, {"staging": (None, NOON)}),
        ({"_claim_staging": CLAIM}, {"_claim_staging": AGAIN}, {"staging": (NOON, LATER)}),
        ({"_claim_staging": CLAIM}, {"_claim_staging": {**CLAIM, "published": True}}, {}),
        ({"_claim_staging": CLAIM}, {}, {}),
        ({}, {"_claim_staging": {**CLAIM, "at": "noon"}}, {}),
    ],
)
def test_a_claim_tells_when_it_was_made_and_the_one_before_it(
    old: dict[str, Any], new: dict[str, Any], claims: dict[str, Any]
) -> None:
    assert change(old, new).claims == claims


def test_a_new_record_says_so_and_when_its_commit_was_pushed() -> None:
    new = change({}, {**places(), "pushed_at": "2026-07-01T12:00:00Z"})
    assert (new.is_new, new.is_placed, new.pushed_at) == (True, True, NOON)
    seen = change({"scan": ""}, {"scan": "TRUE", **places()})
    assert (seen.is_new, seen.is_placed, seen.pushed_at) == (False, True, None)
    gone = change(places(), {})
    assert (gone.is_new, gone.is_placed) == (False, False)
