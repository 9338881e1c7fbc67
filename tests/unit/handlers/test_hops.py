"""What a message tells of its way: attempts, whose trace it belongs to, and how long it was a dead letter."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline_state import tracing
from pipeline_state.handlers import hops
from tests.span_file import FileSink

REPO, COMMIT = "myOrg/myApp", "a" * 40
ROOT = tracing.trace_of(REPO, COMMIT)
SENDER = tracing.TraceContext(ROOT.trace_id, "b7ad6b7169203331")
EVENT = json.dumps({"data": {"repo": REPO, "sha": COMMIT}})
NOW = datetime.fromtimestamp(1_700_000_100, UTC)
STRANGER = tracing.TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@pytest.mark.parametrize(
    "record,attempt",
    [
        ({"attributes": {"ApproximateReceiveCount": "3"}}, 3),
        ({"attributes": {}}, 1),
        ({"dynamodb": {}}, 1),
        ({"dynamodb": {}, hops.TRIED: 2}, 2),
    ],
)
def test_the_attempt_is_the_queues_or_our_own_count(record: dict[str, Any], attempt: int) -> None:
    assert hops.attempt_of(record) == attempt


@pytest.mark.parametrize(
    "record,died",
    [
        ({"messageAttributes": {"died-at": {"stringValue": "1700000000000"}}}, 1_700_000_000_000),
        ({"died-at": 1_700_000_000_000, "dynamodb": {}}, 1_700_000_000_000),
        ({"messageAttributes": {"died-at": {"stringValue": "yesterday"}}}, None),
        ({"messageAttributes": {"died-at": {"stringValue": "9" * 30}}}, None),
        ({"messageAttributes": {"died-at": {"stringValue": None}}}, None),
        ({"messageAttributes": {"died-at": {"dataType": "Binary"}}}, None),
        ({"messageAttributes": {}}, None),
        ({"dynamodb": {}}, None),
    ],
)
def test_when_a_message_died_is_what_was_said_when_it_was_sent_back(record: dict[str, Any], died: int | None) -> None:
    assert hops.died_at(record) == died


def test_a_message_that_was_sent_back_and_is_tried_again_lay_in_the_dead_letter_queue_once(tmp_path: Path) -> None:
    died = {"died-at": {"stringValue": "1700000000000"}}
    way = {"SentTimestamp": "1700000060000", "ApproximateFirstReceiveTimestamp": "1700000061000"}
    tracing.configure("recorder", FileSink(tmp_path / "spans"))
    for attempt in ("1", "2", "3"):
        attributes = {**way, "ApproximateReceiveCount": attempt}
        message = {"messageId": "m", "messageAttributes": died, "attributes": attributes}
        with hops.handling("record gates", message, hop="SNS → SQS", parent=SENDER, now=NOW, fields={}):
            pass
    told = spans(tmp_path)
    lay = [each for each in told if each["name"] == "dead-letter queue"]
    assert [(each["duration_ms"], each["redriven"]) for each in lay] == [(60_000, True)]
    assert [each["redriven"] for each in told if each["name"] == "record gates"] == [True] * 3


def test_a_change_that_was_sent_back_lay_in_the_dead_letter_queue_until_then_however_often_it_is_told(
    tmp_path: Path,
) -> None:
    tracing.configure("promoter", FileSink(tmp_path / "spans"))
    for attempt, name in ((1, "e"), (2, "e"), (7, "another")):
        record = {"eventID": name, "died-at": 1_700_000_000_000, "dynamodb": {}, hops.TRIED: attempt}
        with hops.checking(REPO, COMMIT):
            hops.changed(record, NOW, parent=ROOT, now=NOW)
    told = [each for each in spans(tmp_path) if each["name"] == "dead-letter queue"]
    assert [each["trace.span_id"] == told[0]["trace.span_id"] for each in told] == [True, True, False]


def spans(folder: Path) -> list[dict[str, Any]]:
    tracing.shutdown()
    return [json.loads(line)["data"] for line in (folder / "spans").read_text().splitlines()]


@pytest.mark.parametrize(
    "traceparent,parent", [(SENDER.traceparent, SENDER), (STRANGER.traceparent, ROOT), ("nonsense", ROOT), ("", ROOT)]
)
def test_a_message_hangs_under_its_sender_unless_that_has_a_trace_of_its_own(
    traceparent: str, parent: tracing.TraceContext
) -> None:
    assert hops.parent_of(traceparent, REPO, COMMIT) == parent


@pytest.mark.parametrize(
    "record,parent",
    [
        ({"body": "{", "messageAttributes": {}}, None),
        ({"body": "{", "messageAttributes": {"x-honeycomb-trace": {"stringValue": STRANGER.honeycomb}}}, STRANGER),
        ({"body": EVENT, "messageAttributes": {"x-honeycomb-trace": {"stringValue": SENDER.honeycomb}}}, SENDER),
        ({"body": EVENT, "messageAttributes": {"x-honeycomb-trace": {"stringValue": STRANGER.honeycomb}}}, ROOT),
        (
            {"body": EVENT, "messageAttributes": {"x-honeycomb-trace": {"stringValue": None}}},
            ROOT,
        ),
        ({"dynamodb": {"Keys": {"repo": {"S": REPO}, "commit": {"S": COMMIT}}}}, ROOT),
    ],
    ids=["garbage", "garbage with a sender", "an event", "an event of another trace", "no text", "a change"],
)
def test_a_dead_letter_is_told_of_in_the_trace_of_its_commit(
    record: dict[str, Any], parent: tracing.TraceContext | None, tmp_path: Path
) -> None:
    tracing.configure("recorder", FileSink(tmp_path / "spans"))
    with hops.burying({**record, "attributes": {"ApproximateReceiveCount": "5"}}, "no such gate"):
        pass
    tracing.shutdown()
    span = json.loads((tmp_path / "spans").read_text())["data"]
    assert (span["name"], span["error_detail"], span["messaging.attempt"]) == ("dead letter", "no such gate", 5)
    if parent:
        assert (span["trace.trace_id"], span["trace.parent_id"]) == (parent.trace_id, parent.span_id)
    else:
        assert span["trace.parent_id"] is None
