"""Dead letters are looked at without taking them, and go back to where they came from: real queues and functions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from pipeline_state.cli.dlq import dlq_commands
from pipeline_state.cli.dlq.dead_letters import Letter, Look, read
from pipeline_state.cli.options import Choice
from pipeline_state.cli.stacks import Stack
from pipeline_state.events.codec import decode, encode
from pipeline_state.events.deployment import read_promotion
from pipeline_state.table.journal import history
from tests.contract.dlq_room import DlqRoom
from tests.contract.function_room import Crash, FunctionRoom
from tests.contract.table_room import A, B, pipeline


@pytest.fixture
def dlq(functions: FunctionRoom) -> DlqRoom:
    functions.tables.define(pipeline())
    return DlqRoom(functions)


@contextmanager
def crash_before(room: FunctionRoom, operation: str) -> Iterator[None]:
    """The command's process ends before that call of SQS."""

    def crash(**_: Any) -> None:
        raise Crash

    name = f"before-call.sqs.{operation}"
    room.sqs.meta.events.register(name, crash)
    try:
        yield
    finally:
        room.sqs.meta.events.unregister(name, crash)


def entries(room: FunctionRoom, commit: str) -> list[str]:
    return [entry["kind"] for entry in history(room.repo, commit)]


def died_at(letter: Letter) -> dict[str, str]:
    """The attribute of what is sent back, from which its trace tells how long it lay there."""
    return {"died-at": str(int(letter.sent_at.timestamp() * 1000))}


def test_looking_takes_nothing_away_and_hides_nothing(dlq: DlqRoom) -> None:
    for number in range(25):
        dlq.put("GateEventsDeadLetters", f"{number}", reason="why")
    for number in range(3):
        dlq.put("InstallsDeadLetters", f"promotion {number}", reason="why")
    first, second = read(dlq.stack), read(dlq.stack)
    assert [letter.id for letter in first.letters] == [letter.id for letter in second.letters]
    assert (len(first.letters), first.hidden, second.hidden) == (28, {}, {})
    assert len(dlq.room.bodies(dlq.room.dead_events)) == 25


def test_the_letters_tell_what_they_are_about_oldest_first(dlq: DlqRoom) -> None:
    dlq.put("GateEventsDeadLetters", "{", reason="no JSON", repo="Org/app", commit=A)
    dlq.put("GitHubEventsUndelivered", encode(dlq.room.push("", B)).body)
    dlq.put("RejectedEvents", json.dumps({"reason": "no repository", "provider": "github"}))
    told = [(each.queue, each.about, each.reason) for each in dlq.letters()]
    assert told == [
        ("GateEventsDeadLetters", {"repo": "Org/app", "commit": A}, "no JSON"),
        ("GitHubEventsUndelivered", {"repo": dlq.room.repo, "commit": B}, "SNS could not hand it to GateEvents"),
        ("RejectedEvents", {}, "github sent it without what is needed: no repository"),
    ]


def test_what_somebody_else_looks_at_is_counted(dlq: DlqRoom) -> None:
    dlq.put("GateEventsDeadLetters", "one")
    with Look(dlq.stack, "GateEventsDeadLetters") as look:
        assert len(list(look)) == 1
        found = read(dlq.stack)
        assert (found.letters, found.hidden) == ((), {"GateEventsDeadLetters": 1})
    assert len(dlq.letters()) == 1


def test_those_behind_ten_of_their_group_are_counted_and_come_when_those_have_gone(dlq: DlqRoom) -> None:
    for number in range(12):
        dlq.put("InstallsDeadLetters", f"promotion {number}")
    found = read(dlq.stack)
    assert (len(found.letters), found.hidden) == (10, {"InstallsDeadLetters": 2})
    assert [outcome.reason for outcome in dlq.redrive(*found.letters)] == [""] * 10
    assert [letter.body for letter in dlq.letters()] == ["promotion 10", "promotion 11"]


@pytest.mark.parametrize("queue", ["GateEventsDeadLetters", "GitHubEventsUndelivered"])
def test_an_event_sent_back_ends_up_in_the_record(dlq: DlqRoom, queue: str) -> None:
    dlq.put(queue, encode(dlq.room.push("", A)).body, reason="DynamoDB was down", repo="x", commit="y", topic="kept")
    (outcome,) = dlq.redrive()
    assert outcome.reason == ""
    assert dlq.letters() == ()
    (message,) = dlq.room.recorder.poll()
    kept = {*message["messageAttributes"]}
    assert kept == {"topic", "died-at"}, "what it says of itself as a dead letter stays behind, but how long it was one"
    assert list(dlq.room.tables.record(A).branches) == ["main"]


def test_what_is_given_up_for_good_reason_comes_back_with_it(dlq: DlqRoom) -> None:
    dlq.room.send("no JSON at all")
    dlq.room.recorder.drain()
    (letter,) = dlq.letters()
    dlq.redrive()
    dlq.room.recorder.drain()
    (again,) = dlq.letters()
    assert (again.reason, again.body) == (letter.reason, letter.body)
    assert again.id != letter.id


@pytest.mark.parametrize("call", ["DeleteMessage", "SendMessage"])
def test_a_redrive_that_dies_in_between_loses_nothing_and_records_once(dlq: DlqRoom, call: str) -> None:
    dlq.put("GateEventsDeadLetters", encode(dlq.room.push("", A)).body)
    with crash_before(dlq.room, call), pytest.raises(Crash):
        dlq.redrive()
    dlq.room.recorder.drain()
    assert len(dlq.letters()) == 1
    assert [outcome.reason for outcome in dlq.redrive()] == [""]
    dlq.room.recorder.drain()
    assert dlq.letters() == ()
    assert entries(dlq.room, A) == ["com.github.push"]


def test_a_redrive_of_a_promotion_that_dies_in_between_is_sent_once(dlq: DlqRoom) -> None:
    body = promotion(dlq)
    dlq.put("InstallsDeadLetters", body)
    with crash_before(dlq.room, "DeleteMessage"), pytest.raises(Crash):
        dlq.redrive()
    dlq.redrive()
    assert [sent for sent, _ in dlq.room.bodies(dlq.room.installs)] == [body]
    assert dlq.letters() == ()


def promotion(dlq: DlqRoom) -> str:
    """The body of a promotion that reached the installer's queue and was taken from it."""
    dlq.room.send(dlq.room.push("", A), dlq.room.build(A))
    dlq.room.settle()
    ((body, _),) = dlq.room.bodies(dlq.room.installs)
    return body


@pytest.mark.parametrize("queue", ["InstallsDeadLetters", "PromotionEventsUndelivered"])
def test_a_promotion_goes_back_into_its_releases_group_however_soon(dlq: DlqRoom, queue: str) -> None:
    body = promotion(dlq)
    dlq.put(queue, body, reason="no cluster")
    died = died_at(*dlq.letters())
    assert [outcome.reason for outcome in dlq.redrive()] == [""]
    (message,) = dlq.room.sqs.receive_message(
        QueueUrl=dlq.room.installs, AttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]
    told = read_promotion(decode(body))
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == (body, told.lock)
    assert {name: each["StringValue"] for name, each in message["MessageAttributes"].items()} == died
    assert dlq.letters() == ()


def test_a_rollout_that_nobody_could_bring_to_its_verdict_is_shown_and_looked_at_again(dlq: DlqRoom) -> None:
    body = promotion(dlq)
    dlq.put("RolloutsDeadLetters", body, reason="no such cluster")
    (letter,) = dlq.letters()
    told = {name: letter.to_json()[name] for name in ("queue", "repo", "commit", "reason")}
    assert told == {"queue": "RolloutsDeadLetters", "repo": dlq.room.repo, "commit": A, "reason": "no such cluster"}
    assert [(outcome.reason, outcome.to_json()["to"]) for outcome in dlq.redrive()] == [("", "Rollouts")]
    assert dlq.room.bodies(dlq.room.rollouts) == [(body, died_at(letter))]
    assert dlq.letters() == ()


def test_an_event_for_a_topic_goes_back_to_the_fallback_queue_with_the_topic(dlq: DlqRoom) -> None:
    dlq.put("FallbackEventsDeadLetters", "event", topic="arn:topic", reason="SNS is gone", **{"ce-type": "push"})
    kept = {"topic": "arn:topic", "ce-type": "push", **died_at(*dlq.letters())}
    assert [outcome.reason for outcome in dlq.redrive()] == [""]
    assert dlq.room.bodies(dlq.stack.queues["FallbackEvents"]) == [("event", kept)]


def test_an_event_for_no_topic_stays_with_the_reason(dlq: DlqRoom) -> None:
    dlq.put("FallbackEventsDeadLetters", "event")
    (outcome,) = dlq.redrive()
    assert "nobody knows where it was to go" in outcome.reason
    assert len(dlq.letters()) == 1


def test_a_rejected_webhook_stays_and_says_what_to_do(dlq: DlqRoom) -> None:
    dlq.put("RejectedEvents", "{}")
    (outcome,) = dlq.redrive()
    assert "have the provider deliver it once more" in outcome.reason
    assert outcome.to_json()["to"] is None
    assert len(dlq.letters()) == 1


def given_up(dlq: DlqRoom) -> list[dict[str, Any]]:
    """The changes of a commit that is ready, which no promoter has seen."""
    dlq.room.send(dlq.room.push("", A), dlq.room.build(A))
    dlq.room.recorder.drain()
    return [change for change in dlq.room.changes() if "commit" in change["dynamodb"]["Keys"]]


def kept(dlq: DlqRoom, payload: Any) -> str:
    """The notice of an object with such a payload in the bucket; the notice is what EventBridge puts into the queue."""
    dlq.s3.put_object(Bucket=dlq.bucket, Key="aws/lambda/x", Body=json.dumps({"version": "1.0", "payload": payload}))
    return notice(dlq.bucket)


def notice(bucket: str) -> str:
    detail = {"bucket": {"name": bucket}, "object": {"key": "aws/lambda/x"}}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


def test_a_change_that_was_given_up_promotes_after_all(dlq: DlqRoom) -> None:
    for change in given_up(dlq):
        dlq.put("PromoterDeadLetters", json.dumps(change), reason="a bug that is mended")
    outcomes = dlq.redrive()
    assert [(outcome.reason, outcome.to_json()["to"]) for outcome in outcomes] == [("", "Promoter")] * 2
    assert dlq.letters() == ()
    assert len(dlq.room.promoted()) == 1


@pytest.mark.parametrize("as_text", [True, False])
def test_changes_kept_in_the_bucket_promote_after_all(dlq: DlqRoom, *, as_text: bool) -> None:
    event = {"Records": given_up(dlq)}
    dlq.put("PromoterDeadLetters", kept(dlq, json.dumps(event) if as_text else event))
    (letter,) = dlq.letters()
    assert letter.reason.endswith("the changes are in aws/lambda/x")
    assert [outcome.reason for outcome in dlq.redrive()] == [""]
    assert len(dlq.room.promoted()) == 1
    assert dlq.letters() == ()


def test_a_change_stays_while_the_promoter_fails_or_wants_it_again(dlq: DlqRoom) -> None:
    dlq.put("PromoterDeadLetters", json.dumps(given_up(dlq)[-1]))
    dlq.lambda_.fails = True
    assert [outcome.reason for outcome in dlq.redrive()] == ["the promoter failed; its log says where"]
    dlq.lambda_.fails = False
    dlq.room.sns.delete_topic(TopicArn=dlq.room.promotions)
    assert [outcome.reason for outcome in dlq.redrive()] == ["the promoter wants 1 of 1 again later; its log says why"]
    assert len(dlq.letters()) == 1


STRANGE = {
    "no JSON": ("{", "neither a change of a record"),
    "an event": ('{"data": {}}', "neither a change of a record"),
    "an object elsewhere": (notice("somebody-elses"), "neither a change of a record"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_change_stays_with_the_reason(dlq: DlqRoom, strange: str) -> None:
    body, why = STRANGE[strange]
    dlq.put("PromoterDeadLetters", body)
    (outcome,) = dlq.redrive()
    assert why in outcome.reason
    assert len(dlq.letters()) == 1


def test_an_object_that_is_gone_or_holds_no_changes_is_told(dlq: DlqRoom) -> None:
    dlq.put("PromoterDeadLetters", notice(dlq.bucket))
    (gone,) = dlq.redrive()
    assert "is gone; any change of the record wakes the promoter" in gone.reason
    kept(dlq, "no JSON")
    (strange,) = dlq.redrive()
    assert strange.reason == "the object aws/lambda/x holds no changes that Lambda gave up"


def test_what_is_given_up_again_meanwhile_is_not_sent_back_for_ever(dlq: DlqRoom) -> None:
    changes = given_up(dlq)
    dlq.room.tables.edit(A, _claim_staging={"generation": 9, "at": "x", "promotions": {}, "published": False})
    dlq.put("PromoterDeadLetters", json.dumps(changes[-1]))
    assert [outcome.reason for outcome in dlq.redrive()] == [""]
    (again,) = dlq.letters()
    assert (again.about, "never was" in again.reason) == ({"repo": dlq.room.repo, "commit": A}, True)


def test_only_those_that_were_chosen_go(dlq: DlqRoom) -> None:
    for number in range(3):
        dlq.put("GateEventsDeadLetters", f"{number}")
    chosen = dlq.letters()[1]
    assert len(dlq.redrive(chosen)) == 1
    assert [letter.body for letter in dlq.letters()] == ["0", "2"]


def test_one_that_cannot_be_had_is_told_and_the_others_go(dlq: DlqRoom) -> None:
    for queue in ("GateEventsDeadLetters", "GitHubEventsUndelivered"):
        dlq.put(queue, "event")
    letters = dlq.letters()
    with Look(dlq.stack, "GateEventsDeadLetters") as look:
        assert len(list(look)) == 1
        outcomes = dlq.redrive(*letters)
    problems = {outcome.letter.queue: outcome.reason for outcome in outcomes}
    assert problems["GitHubEventsUndelivered"] == ""
    assert "somebody else is looking at it" in problems["GateEventsDeadLetters"]


def test_a_queue_that_is_gone_is_told_of_each_letter(dlq: DlqRoom) -> None:
    dlq.put("GateEventsDeadLetters", "event")
    letters = dlq.letters()
    dlq.room.sqs.delete_queue(QueueUrl=dlq.room.dead_events)
    (outcome,) = dlq.redrive(*letters)
    assert outcome.reason.startswith("AWS refused ReceiveMessage: ")


def test_whoever_aws_does_not_know_sends_nothing_back(dlq: DlqRoom) -> None:
    """The journal could not tell afterwards who did."""
    clients = dlq.stack.client

    def unknown(service: str) -> Any:
        if service == "sts":
            raise NoCredentialsError
        return clients(service)

    class Asked(Choice):
        def open(self) -> Stack:
            return replace(dlq.stack, client=unknown)

    dlq.put("GateEventsDeadLetters", "{}", reason="why")
    with pytest.raises(NoCredentialsError):
        dlq_commands.redrive(Asked(as_json=True), queue="GateEventsDeadLetters")
    assert len(dlq.room.bodies(dlq.room.dead_events)) == 1
