"""What a message tells of its way: attempts, whose trace it belongs to, and how long it was a dead letter."""

from typing import Any

import pytest

from pipeline_state import tracing
from pipeline_state.handlers import hops

REPO, COMMIT = "myOrg/myApp", "a" * 40
ROOT = tracing.trace_of(REPO, COMMIT)
SENDER = tracing.TraceContext(ROOT.trace_id, "b7ad6b7169203331")
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
        ({"messageAttributes": {"died-at": {"dataType": "Binary"}}}, None),
        ({"messageAttributes": {}}, None),
        ({"dynamodb": {}}, None),
    ],
)
def test_when_a_message_died_is_what_was_said_when_it_was_sent_back(record: dict[str, Any], died: int | None) -> None:
    assert hops.died_at(record) == died


@pytest.mark.parametrize(
    "traceparent,parent", [(SENDER.traceparent, SENDER), (STRANGER.traceparent, ROOT), ("nonsense", ROOT), ("", ROOT)]
)
def test_a_message_hangs_under_its_sender_unless_that_has_a_trace_of_its_own(
    traceparent: str, parent: tracing.TraceContext
) -> None:
    assert hops.parent_of(traceparent, REPO, COMMIT) == parent
