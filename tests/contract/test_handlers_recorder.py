"""What the gate recorder does with its queue: real SQS and DynamoDB, batches as Lambda hands them over."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.gate_recorder import app as recorder_app
from pipeline_state import tracing
from tests.contract.function_room import FunctionRoom
from tests.contract.table_room import A, B, C, pipeline


def test_events_become_gates_and_their_messages_are_gone(functions: FunctionRoom) -> None:
    functions.tables.define(pipeline())
    functions.send(functions.push("", A), functions.build(A))
    assert functions.recorder.drain() == 2
    record = functions.tables.record(A)
    assert (record.gates["build"]["status"], list(record.branches)) == ("TRUE", ["main"])
    assert functions.hidden(functions.events) == 0


def test_a_poison_message_costs_itself_alone_and_lies_in_the_dead_letters_with_its_reason(
    functions: FunctionRoom,
) -> None:
    functions.send(functions.push("", A), "no JSON at all", functions.push(A, B, 10))
    functions.recorder.drain()
    assert functions.tables.order([A, B]) == "ab"
    ((body, attributes),) = functions.bodies(functions.dead_events)
    assert body == "no JSON at all"
    assert "not a CloudEvent" in attributes["reason"]
    assert functions.hidden(functions.events) == 0


MALFORMED: dict[str, Any] = {
    "no object": [],
    "no attributes": {},
    "no time": {"specversion": "1.0", "id": "1", "source": "s", "type": "com.github.push", "data": {}},
    "data that is text": {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "com.github.push",
        "time": "2026-01-01T00:00:00Z",
        "data": "text",
    },
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_event_is_given_up_with_a_reason(functions: FunctionRoom, malformed: str) -> None:
    functions.send(json.dumps(MALFORMED[malformed]))
    functions.recorder.drain()
    ((_, attributes),) = functions.bodies(functions.dead_events)
    assert attributes["reason"]


@pytest.mark.parametrize("type_", ["com.github.star.created", "dev.cdeventsx.gatestream-release.promoted.0.1.0", "x"])
def test_an_event_that_makes_no_gate_says_that_the_subscription_is_wrong(functions: FunctionRoom, type_: str) -> None:
    functions.send(functions.event(type_, "1", 0, {"sha": A}))
    functions.recorder.drain()
    ((_, attributes),) = functions.bodies(functions.dead_events)
    assert type_ in attributes["reason"]


@pytest.mark.parametrize(
    "missing", [{"sha": None, "deleted": True}, {"branch": None, "ref": "refs/tags/v1"}], ids=["deleted branch", "tag"]
)
def test_a_push_that_makes_no_candidate_is_acknowledged_without_a_record(
    functions: FunctionRoom, missing: dict[str, Any]
) -> None:
    functions.send(functions.push(B, A, **missing))
    assert functions.recorder.drain() == 1
    assert functions.hidden(functions.events) == 0
    assert functions.bodies(functions.dead_events) == []
    assert (functions.tables.item(A), functions.tables.item(B)) == ({}, {})


def test_a_message_to_be_tried_again_stays_and_the_others_go(functions: FunctionRoom) -> None:
    functions.tables.define(pipeline())
    functions.send(functions.push("", A))
    functions.recorder.drain()
    functions.tables.edit(A, build="FALSE")
    functions.send(functions.build(A), functions.push(A, B, 10))
    batch = functions.recorder.poll()
    assert functions.hidden(functions.events) == 1
    assert functions.tables.order([A, B]) == "ab"
    functions.promote()
    functions.recorder.show_again(batch)
    functions.recorder.drain()
    assert functions.hidden(functions.events) == 0
    assert functions.tables.record(A).gates["build"] == "FALSE", "set by hand later than the build completed"


def test_an_event_delivered_again_changes_nothing(functions: FunctionRoom) -> None:
    functions.tables.define(pipeline())
    events = [functions.push("", A), functions.build(A)]
    functions.send(*events)
    functions.recorder.drain()
    before = functions.tables.item(A)
    functions.send(*reversed(events), *events)
    functions.recorder.drain()
    assert functions.tables.item(A) == before
    assert len(functions.tables.told(A)) == 2


def test_a_commit_of_an_unknown_repository_is_recorded(functions: FunctionRoom) -> None:
    functions.send(functions.push("", A), functions.build(A))
    functions.recorder.drain()
    assert len(functions.tables.told(A)) == 2
    functions.promote()
    assert functions.promoted() == []


@pytest.mark.usefixtures("patient_clients")
def test_the_function_answers_with_what_failed(functions: FunctionRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**functions.settings, "DEAD_LETTER_QUEUE_URL": functions.dead_events}.items():
        monkeypatch.setenv(name, value)
    functions.recorder.invoke = lambda batch: recorder_app.record_gates({"Records": batch}, None)
    try:
        functions.send(functions.push("", A), "poison")
        functions.recorder.drain()
    finally:
        recorder_app.handler.cache_clear()
        tracing.shutdown()
    assert list(functions.tables.record(A).branches) == ["main"]
    assert len(functions.bodies(functions.dead_events)) == 1


words = st.text(max_size=20) | st.none() | st.integers() | st.booleans() | st.lists(st.text(max_size=5), max_size=2)
data = st.fixed_dictionaries(
    {"sha": words | st.just(C)},
    optional=dict.fromkeys(
        ("branch", "before", "pushed_at", "paths", "status", "name", "completed_at", "repo", "app", "who"), words
    ),
)
types = st.sampled_from(["com.github.push", "com.circleci.workflow-completed", "com.github.status.success"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(types, data)
def test_whatever_an_event_says_it_is_recorded_or_given_up_and_never_tried_for_ever(
    functions: FunctionRoom, type_: str, data: dict[str, Any]
) -> None:
    functions.send(functions.event(type_, "any", 0, data))
    functions.recorder.drain()
    assert functions.hidden(functions.events) == 0
