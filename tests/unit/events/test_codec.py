import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.v1.event import CloudEvent

from pipeline_state.events.codec import decode, encode, with_traceparent
from pipeline_state.faults import PermanentFault

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WHOLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "delivery-1",
    "source": "https://github.com/octo-org/octo-repo",
    "type": "com.github.push",
    "time": "2026-03-02T08:15:00Z",
    "data": {"schema": 1},
}


def event(**more: Any) -> CloudEvent:
    attributes = {key: value for key, value in WHOLE.items() if key != "data"}
    return CloudEvent({**attributes, "time": datetime(2026, 3, 2, 8, 15, tzinfo=UTC), **more}, {"schema": 1})


def test_an_event_travels_as_structured_json_with_attributes_to_filter_on() -> None:
    message = encode(event(subject="refs/heads/main", traceparent=TRACEPARENT))
    assert json.loads(message.body) == {**WHOLE, "subject": "refs/heads/main", "traceparent": TRACEPARENT}
    values = {name: attribute["StringValue"] for name, attribute in message.attributes.items()}
    assert values == {
        "ce-type": "com.github.push",
        "ce-source": "https://github.com/octo-org/octo-repo",
        "ce-subject": "refs/heads/main",
        "x-honeycomb-trace": f"1;trace_id={TRACEPARENT[3:35]},parent_id={TRACEPARENT[36:52]},context=e30=",
    }


def test_empty_attributes_are_left_out() -> None:
    assert encode(event()).attributes.keys() == {"ce-type", "ce-source"}


def test_what_sqs_refuses_is_replaced_in_attributes_and_kept_in_the_body() -> None:
    message = encode(event(subject="a\x00b\ufffec\nd🚀"))
    assert message.attributes["ce-subject"]["StringValue"] == "a\ufffdb\ufffdc\nd🚀"
    assert decode(message.body).get_subject() == "a\x00b\ufffec\nd🚀"
    assert message.body.isascii()


def test_another_trace_context_changes_nothing_else() -> None:
    before = event(subject="s")
    after = with_traceparent(before, TRACEPARENT)
    assert after.get_attributes() == {**before.get_attributes(), "traceparent": TRACEPARENT}
    assert with_traceparent(before, "") is before


def test_an_event_of_another_producer_is_read_with_its_extensions() -> None:
    read = decode(json.dumps({**WHOLE, "partitionkey": "x", "time": "2026-03-02T09:15:00+01:00"}))
    assert read.get_extension("partitionkey") == "x"
    assert read.get_time() == datetime(2026, 3, 2, 8, 15, tzinfo=UTC)


@pytest.mark.parametrize("name", WHOLE)
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(PermanentFault, match=f"{name} missing"):
        decode(json.dumps({key: value for key, value in WHOLE.items() if key != name}))


@pytest.mark.parametrize(
    "change, named",
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"source": ""}, "source"),
        ({"time": "yesterday"}, "ValueError"),
        ({"time": "2026-03-02T08:15:00"}, "time"),
        ({"time": None}, "TypeError"),
        ({"data": "text"}, "data missing"),
        ({"data": None, "data_base64": "e30="}, "data missing"),
        ({"Not-An-Attribute": 1}, "Not-An-Attribute"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(PermanentFault, match=named):
        decode(json.dumps({**WHOLE, **change}))


@pytest.mark.parametrize("body", ["", "nonsense", "[]", "7", '"text"', "null", "[" * 100_000])
def test_what_is_no_json_object_is_no_event(body: str) -> None:
    with pytest.raises(PermanentFault, match="not a CloudEvent"):
        decode(body)
