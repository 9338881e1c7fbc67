"""The fallback queue and the FIFO topic, with the real forwarder and the local AWS."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.event_forwarder import app as forwarder_app
from pipeline_state import tracing
from pipeline_state.events.codec import decode
from pipeline_state.events.github import translate
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.faults import TemporaryFault
from pipeline_state.tracing.store import read_all
from tests.contract.webhook_stack import WebhookStack, body_of, texts
from tests.receivers import closed_port

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(delivery_id: str = "delivery-1") -> Any:
    made = translate("push", delivery_id, json.loads(body_of("github_push/one_commit")), datetime.now(UTC))
    made.get_attributes()["traceparent"] = TRACEPARENT
    return made


@pytest.fixture
def stack(
    ministack: str,
    patient_clients: None,  # noqa: ARG001 - set up first
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[WebhookStack]:
    stack = WebhookStack(ministack)
    for name, value in stack.settings.items():
        monkeypatch.setenv(name, value)
    yield stack
    forwarder_app.handler.cache_clear()
    tracing.shutdown()


@pytest.fixture
def unreachable() -> Iterator[str]:
    """An address on which nobody listens."""
    with closed_port() as url:
        yield url


def fallback(stack: WebhookStack) -> Queue:
    return Queue(stack.fallback, lambda: stack.client("sqs"))


def fill_fallback(stack: WebhookStack, *delivery_ids: str) -> None:
    gone = Publisher(stack.client("sns"), fallback(stack))
    for delivery_id in delivery_ids:
        gone.publish(event(delivery_id), f"{stack.topic}-deleted")


def as_lambda_sees(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """An event of Lambda's SQS event source mapping."""
    records = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                for name, value in message.get("MessageAttributes", {}).items()
            },
        }
        for message in messages
    ]
    return {"Records": records}


def forward(stack: WebhookStack) -> tuple[list[dict[str, Any]], Any]:
    messages = stack.messages(stack.fallback)
    return messages, forwarder_app.forward_events(as_lambda_sees(messages), None)


def test_what_waits_reaches_its_topic_just_as_if_it_had_gone_there_at_once(stack: WebhookStack) -> None:
    Publisher(stack.client("sns")).publish(event(), stack.topic)
    (direct,) = stack.messages(stack.subscriber)
    fallback(stack).send(direct["Body"], direct["MessageAttributes"] | topic_attribute(stack.topic))
    assert forward(stack)[1] == {"batchItemFailures": []}
    (forwarded,) = stack.messages(stack.subscriber)
    assert (forwarded["Body"], texts(forwarded)) == (direct["Body"], texts(direct))


def topic_attribute(topic: str) -> dict[str, Any]:
    return {"topic": {"DataType": "String", "StringValue": topic}}


def test_one_that_cannot_be_forwarded_keeps_none_of_the_others_back(stack: WebhookStack) -> None:
    fill_fallback(stack, "to-nowhere")
    fallback(stack).send('{"id": "fine"}', topic_attribute(stack.topic))
    messages, answer = forward(stack)
    (stuck,) = (message["MessageId"] for message in messages if "to-nowhere" in message["Body"])
    assert answer == {"batchItemFailures": [{"itemIdentifier": stuck}]}
    assert [message["Body"] for message in stack.messages(stack.subscriber)] == ['{"id": "fine"}']


def test_one_that_names_no_topic_is_buried_with_the_reason(stack: WebhookStack) -> None:
    fallback(stack).send('{"id": "lost"}')
    assert forward(stack)[1] == {"batchItemFailures": []}
    (buried,) = stack.messages(stack.dead_letters)
    assert buried["Body"] == '{"id": "lost"}'
    assert "nobody knows where this event was to go" in texts(buried)["reason"]


def test_one_that_cannot_even_be_buried_is_tried_again(
    stack: WebhookStack, unreachable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", unreachable)
    fallback(stack).send('{"id": "lost"}')
    messages, answer = forward(stack)
    assert answer == {"batchItemFailures": [{"itemIdentifier": messages[0]["MessageId"]}]}


def test_the_detour_shows_in_the_events_trace(stack: WebhookStack, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("TRACE_FILE", str(tmp_path / "spans"))
    fill_fallback(stack, "delivery-1")
    forward(stack)
    spans = [item["data"] for item in read_all(tmp_path / "spans")]
    assert {span["name"] for span in spans} == {"forward", "fallback queue"}
    assert {span["trace.trace_id"] for span in spans} == {TRACEPARENT[3:35]}


def test_without_a_fallback_the_publisher_says_that_nobody_took_the_event(stack: WebhookStack) -> None:
    with pytest.raises(TemporaryFault, match="SNS did not take an event"):
        Publisher(stack.client("sns")).publish(event(), f"{stack.topic}-deleted")


def test_promotions_of_a_group_keep_their_order_and_arrive_once(stack: WebhookStack) -> None:
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    topic = stack.client("sns").create_topic(Name=f"{stack.name}.fifo", Attributes=fifo)["TopicArn"]
    queue = stack.queue("ordered", FifoQueue="true")
    stack.subscribe(topic, queue)
    publisher = Publisher(stack.client("sns"))
    for delivery_id in ("first", "second", "first", "third", "second"):
        publisher.publish_ordered(event(delivery_id), topic, group="octo-org/octo-repo")
    received = [decode(message["Body"]).get_id() for message in stack.messages(queue)]
    assert received == ["first", "second", "third"]


def test_what_was_put_aside_arrives_each_time_that_it_is_published_again(stack: WebhookStack) -> None:
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    topic = stack.client("sns").create_topic(Name=f"{stack.name}.fifo", Attributes=fifo)["TopicArn"]
    queue = stack.queue("ordered", FifoQueue="true")
    stack.subscribe(topic, queue)
    publisher = Publisher(stack.client("sns"))
    publisher.publish_ordered(event("parked"), topic, group="octo-org/octo-repo")
    for _ in range(2):
        publisher.publish_again(event("parked"), topic, group="octo-org/octo-repo")
    assert [decode(message["Body"]).get_id() for message in stack.messages(queue)] == ["parked"] * 3


def test_a_fifo_queue_takes_messages_that_know_no_order(stack: WebhookStack) -> None:
    queue = stack.queue("dead", FifoQueue="true")
    letters = Queue(queue, lambda: stack.client("sqs"))
    letters.send("one")
    letters.send("two", {"reason": {"DataType": "String", "StringValue": "why"}})
    assert {message["Body"] for message in stack.messages(queue)} == {"one", "two"}


def test_a_fifo_topic_that_is_gone_is_a_temporary_fault(stack: WebhookStack) -> None:
    with pytest.raises(TemporaryFault):
        Publisher(stack.client("sns"), fallback(stack)).publish_ordered(event(), f"{stack.topic}-gone.fifo", group="g")
    assert stack.nothing_happened()
