"""Poison costs itself alone, and what is given up tells what it is about and why: real handlers, queues and tables."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pipeline_state.events.codec import encode
from pipeline_state.events.publish import Queue
from pipeline_state.faults import PermanentFault
from pipeline_state.handlers.batch import Batch
from pipeline_state.table.models import to_raw
from tests.contract.function_room import FunctionRoom
from tests.contract.pump import QueueMapping, StreamMapping
from tests.contract.table_room import A, B, TableRoom, pipeline

OTHER = {"M": {"status": {"N": "7"}}}
POISON: dict[str, dict[str, Any]] = {
    "numbers for texts": {
        "branch": {"N": "1"}, "honeycomb_trace": {"N": "2"}, "build": {"N": "3"}, "_set_build": {"N": "4"},
        "_last_write": {"N": "5"}, "pushed_at": {"N": "6"},
    },
    "maps that are missing": {"_branches": {"NULL": True}, "_claim_staging": {"NULL": True}, "_set_build": {"M": {}}},
    "maps that are empty": {"_branches": {"M": {}}, "_claim_staging": {"M": {}}, "_last_write": {"M": {}}},
    "maps of nonsense": {"_branches": {"M": {"main": OTHER}}, "_claim_staging": OTHER, "_set_build": OTHER},
    "a place of texts": {"_branches": {"M": {"main": {"M": {"sequence": {"S": "x"}, "pushed_at": {"N": "1"}}}}}},
    "gates of nonsense": {"build": {"L": [{"M": {}}]}, "legal": {"M": {"status": {"M": {}}, "at": {"N": "1"}}}},
    "evidence that is none": {"build": {"M": {"status": {"S": "TRUE"}, "at": {"N": "1"}, "expires_at": {"L": []}}}},
    "an item of 400 KB": {"notes": {"S": "x" * 390_000}},
    "an item of 400 KB in columns": {f"column_{number}": {"S": "x" * 3_000} for number in range(125)},
    "a gate of 390 KB": {"build": {"S": "\x01" * 390_000}},
    "a claim nobody made": {
        "_claim_staging": {"M": to_raw({"generation": 9, "at": "x", "promotions": {}, "published": False})["M"]}
    },
}  # fmt: skip


@pytest.fixture
def shop(functions: FunctionRoom) -> FunctionRoom:
    functions.tables.define(pipeline())
    return functions


def edit(shop: FunctionRoom, commit: str, columns: Mapping[str, Any]) -> None:
    """Anything at all into a record, as DynamoDB's console allows it."""
    shop.tables.client.update_item(
        TableName=shop.tables.tables.names["gates"],
        Key={"repo": {"S": shop.repo}, "commit": {"S": commit}},
        AttributeUpdates={name: {"Action": "PUT", "Value": value} for name, value in columns.items()},
    )


def edit_environment(shop: FunctionRoom, columns: Mapping[str, Any]) -> None:
    shop.tables.client.update_item(
        TableName=shop.tables.tables.names["environments"],
        Key={"pipeline": {"S": shop.tables.named("shop")}, "environment": {"S": "staging"}},
        AttributeUpdates={name: {"Action": "PUT", "Value": value} for name, value in columns.items()},
    )


def all_changes(shop: FunctionRoom) -> list[dict[str, Any]]:
    """What the streams show; one look takes a megabyte at most."""
    found: list[dict[str, Any]] = []
    while more := shop.changes():
        found += more
    return found


def letters(shop: FunctionRoom, url: str) -> list[dict[str, str]]:
    """The attributes of the dead letters; they are taken."""
    return [attributes for _, attributes in shop.bodies(url)]


@pytest.mark.parametrize("poison", POISON)
def test_a_record_edited_into_nonsense_holds_up_no_other_and_is_never_left_to_the_stream(
    shop: FunctionRoom, poison: str
) -> None:
    shop.send(shop.push("", A))
    shop.recorder.drain()
    edit(shop, A, POISON[poison])
    shop.send(shop.push(A, B, 30), shop.build(B, second=40))
    shop.recorder.drain()
    mapping = StreamMapping(shop.promoter, batch_size=1000, retries=0)
    mapping.deliver(all_changes(shop))
    assert mapping.given_up == []
    assert mapping.invocations == 1
    assert shop.tables.environment()["head"] == B
    assert all(told["repo"] == shop.repo and told["commit"] == A for told in letters(shop, shop.dead_changes))


def test_what_is_given_up_of_the_stream_names_its_commit_and_can_be_handed_over_again(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A), shop.build(A))
    shop.recorder.drain()
    edit(shop, A, POISON["a claim nobody made"])
    shop.promote()
    (body, told), *_ = shop.bodies(shop.dead_changes)
    assert (told["repo"], told["commit"]) == (shop.repo, A)
    assert "never was" in told["reason"]
    shop.tables.edit(A, _claim_staging=None)
    assert shop.promoter([json.loads(body)]) == {"batchItemFailures": []}
    assert len(shop.promoted()) == 1


def test_an_environment_edited_into_nonsense_is_reported_for_each_commit_that_wants_it(shop: FunctionRoom) -> None:
    edit_environment(shop, {"generation": {"S": "first"}, "sequence": {"M": {}}})
    shop.send(shop.push("", A), shop.build(A))
    shop.recorder.drain()
    mapping = shop.promote()
    assert (mapping.given_up, mapping.invocations) == ([], 1)
    told = letters(shop, shop.dead_changes)
    assert {(each["repo"], each["commit"]) for each in told} == {(shop.repo, A)}
    assert all("restore it" in each["reason"] for each in told)


ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "numbers for texts": {name: {"N": "1"} for name in ("head", "newest", "frozen_by", "frozen_until", "held_by")},
    "texts for numbers": {"generation": {"S": "x"}, "sequence": {"S": "x"}, "_done_web": {"S": "x"}},
    "maps for everything": dict.fromkeys(("head", "generation", "releases", "frozen_by", "_expires_at"), OTHER),
    "an item of 400 KB": {"frozen_by": {"S": "ann"}, "notes": {"S": "\x01" * 380_000}},
}


@pytest.mark.parametrize("poison", ENVIRONMENTS)
def test_an_environment_edited_into_nonsense_holds_up_no_other_repository(shop: FunctionRoom, poison: str) -> None:
    other = FunctionRoom(TableRoom(shop.tables.tables))
    other.tables.define(pipeline())
    edit_environment(shop, {"repo": {"S": shop.repo}, **ENVIRONMENTS[poison]})
    edit_environment(shop, {"frozen_by": {"L": [{"N": "1"}]}})
    edit_environment(shop, {"frozen_by": {"NULL": True}, **ENVIRONMENTS[poison]})
    for room in (shop, other):
        room.send(room.push("", A), room.build(A))
        room.recorder.drain()
    mapping = StreamMapping(shop.promoter, batch_size=1000, retries=0)
    mapping.deliver(all_changes(shop) + all_changes(other))
    assert (mapping.given_up, mapping.invocations) == ([], 1)
    assert other.tables.environment()["head"] == A
    for told in letters(shop, shop.dead_changes):
        assert {told.get("repo", ""), told.get("pipeline", "")} & {shop.repo, shop.tables.named("shop")}


def test_a_change_that_meets_a_bug_is_given_up_with_its_commit_while_the_others_go_on(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A), shop.build(A), shop.push(A, B, 30), shop.build(B, second=40))
    shop.recorder.drain()
    changes = shop.changes()
    broken = {**changes[0], "dynamodb": {**changes[0]["dynamodb"], "NewImage": {"build": {}}, "SequenceNumber": "1"}}
    mapping = StreamMapping(shop.promoter, retries=10)
    mapping.deliver([broken, *changes])
    assert (mapping.given_up, mapping.invocations) == ([], 3)
    (told,) = letters(shop, shop.dead_changes)
    assert (told["repo"], told["commit"]) == (shop.repo, changes[0]["dynamodb"]["Keys"]["commit"]["S"])
    assert told["reason"].startswith("given up after 3 attempts: unexpected ")
    assert shop.tables.environment()["head"] == B


def test_a_change_of_an_item_of_400_kb_fits_into_the_dead_letters(shop: FunctionRoom) -> None:
    edit_environment(shop, {"generation": {"S": "first"}})
    shop.send(shop.push("", A), shop.build(A))
    shop.recorder.drain()
    edit(shop, A, POISON["a gate of 390 KB"])
    edit(shop, A, {"build": {"S": "\x02" * 390_000}})
    mapping = StreamMapping(shop.promoter, batch_size=1000, retries=0)
    mapping.deliver(all_changes(shop))
    assert (mapping.given_up, mapping.invocations) == ([], 1)
    assert max(len(body) for body, _ in shop.bodies(shop.dead_changes)) < 250_000


def test_a_message_given_up_names_repository_and_commit_and_keeps_its_attributes(shop: FunctionRoom) -> None:
    wrong = shop.event("com.github.star.created", "1", 0, {"sha": A})
    shop.sns.publish(
        TopicArn=shop.deployments,
        Message=json.dumps({**json.loads(encode(wrong).body), "id": "2"}),
        MessageAttributes={"x-honeycomb-trace": {"DataType": "String", "StringValue": "1;trace_id=t"}},
    )
    shop.recorder.drain()
    ((_, told),) = shop.bodies(shop.dead_events)
    assert (told["repo"], told["commit"], told["x-honeycomb-trace"]) == (shop.repo, A, "1;trace_id=t")
    assert "com.github.star.created" in told["reason"]


def test_a_promotion_that_is_given_up_again_right_after_a_redrive_lies_there_again(shop: FunctionRoom) -> None:
    """A FIFO queue swallows what it was given within five minutes, so each burial needs an id of its own."""

    def hopeless(_: object) -> None:
        raise PermanentFault("no cluster is called so")

    batch = Batch(hopeless, Queue(shop.dead_installs, lambda: shop.sqs))
    installer = QueueMapping(shop.sqs, shop.installs, batch.messages, batch_size=1)
    shop.send(shop.push("", A), shop.build(A))
    shop.settle()
    for trip in ("first", "second"):
        assert installer.drain() == 1
        ((body, told),) = shop.bodies(shop.dead_installs)
        assert (told["repo"], told["commit"], told["reason"]) == (shop.repo, A, "no cluster is called so")
        shop.sqs.send_message(QueueUrl=shop.installs, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=trip)
