"""A dead letter says why it lies there and what it is about, whatever it is, and SQS takes it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.handlers.dead_letters import about, body_of, describe
from pipeline_state.table.stream import read_change

REPO, SHA = "Org/app", "a" * 40
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["data", "repo", "sha"]), inner),
    max_leaves=10,
)


def texts(attributes: Any) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in attributes.items()}


def event(data: Any) -> str:
    return json.dumps({"specversion": "1.0", "id": "1", "data": data})


def change(new: Any = None, old: Any = None, **keys: str) -> dict[str, Any]:
    images = {name: image for name, image in (("NewImage", new), ("OldImage", old)) if image is not None}
    told = {"SequenceNumber": "1", "ApproximateCreationDateTime": 1_780_000_000}
    raw = {name: {"S": value} for name, value in keys.items()}
    return {"eventID": "e", "eventName": "MODIFY", "dynamodb": {**told, "Keys": raw, **images}}


PROMOTION = {"repo": REPO, "commit": SHA, "environment": "staging"}
BODIES: dict[str, tuple[str, dict[str, str]]] = {
    "an event": (event({"repo": REPO, "sha": SHA}), {"repo": REPO, "commit": SHA}),
    "an event without a commit": (event({"repo": REPO, "sha": None}), {"repo": REPO}),
    "a promotion": (event({"subject": {"content": {"promotion": PROMOTION}}}), {"repo": REPO, "commit": SHA}),
    "a deployment": (event({"customData": {"promotion": PROMOTION}}), {"repo": REPO, "commit": SHA}),
    "a change of a record": (json.dumps(change(repo=REPO, commit=SHA)), {"repo": REPO, "commit": SHA}),
    "a change of an environment": (
        json.dumps(change(pipeline="shop", environment="staging")),
        {"pipeline": "shop", "environment": "staging"},
    ),
    "numbers for texts": (event({"repo": 7, "sha": [SHA]}), {}),
    "an empty name": (event({"repo": "", "sha": SHA}), {"commit": SHA}),
    "no JSON": ("{", {}),
    "JSON that is no object": ("[1]", {}),
    "JSON nested without end": ("[" * 100_000, {}),
    "a change without keys": (json.dumps({"dynamodb": {"Keys": {"repo": "x"}}}), {}),
    "a change that is none": (json.dumps({"dynamodb": 7}), {}),
}


@pytest.mark.parametrize("kind", BODIES)
def test_repository_and_commit_are_told_where_they_can_be(kind: str) -> None:
    body, told = BODIES[kind]
    assert about(body) == told
    assert texts(describe({"body": body}, "why")) == {"reason": "why", **told}


@given(JSON)
def test_nothing_that_lies_in_a_queue_is_too_odd_to_describe(value: Any) -> None:
    attributes = describe({"body": json.dumps(value), "messageAttributes": value}, "why")
    assert len(attributes) <= 10
    assert {name: kind["DataType"] for name, kind in attributes.items()} == dict.fromkeys(attributes, "String")
    assert all(kind["StringValue"] for kind in attributes.values())


@given(JSON)
def test_no_change_is_too_odd_to_describe(value: Any) -> None:
    record = {"dynamodb": {"Keys": value, "SequenceNumber": "1"}}
    assert "reason" in describe(record, "why")
    assert body_of(record)


def test_a_message_keeps_what_it_came_with_and_drops_what_an_earlier_burial_said() -> None:
    given = {"topic": "arn", "x-honeycomb-trace": "1;trace_id=t", "ce-type": "push", "reason": "earlier", "repo": "x"}
    shown = {name: {"stringValue": value, "dataType": "String"} for name, value in given.items()}
    told = texts(describe({"body": "{", "messageAttributes": shown}, "now"))
    assert told == {"reason": "now", "topic": "arn", "x-honeycomb-trace": "1;trace_id=t", "ce-type": "push"}


def test_of_many_attributes_those_stay_that_it_cannot_be_sent_on_without() -> None:
    given = {**{f"a{number}": "x" for number in range(12)}, "topic": "arn", "x-honeycomb-trace": "t"}
    shown = {name: {"stringValue": value, "dataType": "String"} for name, value in given.items()}
    told = texts(describe({"body": BODIES["an event"][0], "messageAttributes": shown}, "why"))
    assert len(told) == 10
    assert {"reason", "repo", "commit", "topic", "x-honeycomb-trace"} < set(told)


def test_a_reason_and_names_stay_within_bounds() -> None:
    told = texts(describe({"body": event({"repo": "x" * 10_000})}, "y" * 10_000))
    assert {name: len(value) for name, value in told.items()} == {"reason": 2_000, "repo": 256}


def test_a_change_is_kept_whole_where_a_queue_takes_it() -> None:
    record = change({"legal": {"S": "TRUE"}}, {"legal": {"S": ""}}, repo=REPO, commit=SHA)
    assert json.loads(body_of(record)) == record


def test_a_change_no_queue_takes_is_kept_with_its_keys_and_what_changed_and_still_counts() -> None:
    same = {f"column_{number}": {"S": "é" * 1000} for number in range(200)}
    old = {**same, "legal": {"S": ""}, "notes": {"S": "x"}}
    new = {**same, "legal": {"S": "TRUE"}, "notes": {"S": "\x01" * 200_000}}
    record = change(new, old, repo=REPO, commit=SHA)
    body = body_of(record)
    assert len(body.encode()) < 10_000
    kept = json.loads(body)["dynamodb"]
    assert kept["Keys"] == record["dynamodb"]["Keys"]
    assert (kept["OldImage"], kept["NewImage"]["legal"]) == ({"legal": {"S": ""}, "notes": {"S": "x"}}, {"S": "TRUE"})
    assert "left out: " in kept["NewImage"]["notes"]["S"]
    before, after = read_change(record), read_change(json.loads(body))
    assert (after.repo, after.commit, after.matters, set(after.edits)) == (REPO, SHA, True, set(before.edits))


def test_two_long_values_still_differ_when_they_are_left_out() -> None:
    record = change({"legal": {"S": "x" * 200_000}}, {"legal": {"S": "y" * 200_000}}, repo=REPO, commit=SHA)
    assert read_change(json.loads(body_of(record))).matters
