"""Recorder, promoter and installer with their queues and topics, fed by the mappings of `pump`."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cloudevents.core.v1.event import CloudEvent

from infra.local import ministack
from pipeline_state.events.codec import decode, encode
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.handlers.batch import Batch, Handle
from pipeline_state.handlers.gate_recorder import GateRecorder
from pipeline_state.handlers.promoter import Promoter
from pipeline_state.handlers.promotion import Promotions
from pipeline_state.startup import utc_now
from pipeline_state.table.models import connection
from pipeline_state.table.snapshot import Reader
from tests.contract.pump import QueueMapping, Stream, StreamMapping
from tests.contract.table_room import START, TableRoom, seconds

FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "false"}
ALL = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}


class Crash(BaseException):
    """The function's process ends here."""


@dataclass
class FunctionRoom:
    """A repository with everything behind it; each test has queues and topics of its own."""

    tables: TableRoom

    def __post_init__(self) -> None:
        self.repo, self.name = self.tables.repo, f"f{uuid.uuid4().hex[:12]}"
        endpoint = self.tables.tables.endpoint_url
        self.sns, self.sqs = ministack.client(endpoint, "sns"), ministack.client(endpoint, "sqs")
        self.events, self.dead_events = self._queue("events"), self._queue("events-dead")
        self.installs, self.dead_installs = self._queue("installs", **FIFO), self._queue("installs-dead", **FIFO)
        self.rollouts, self.dead_rollouts = self._queue("rollouts"), self._queue("rollouts-dead")
        self.dead_changes = self._queue("changes-dead")
        self.promotions, self.deployments = self._topic("promotions.fifo", FifoTopic="true"), self._topic("deployments")
        self.subscribe(self.promotions, self.installs)
        self.subscribe(self.deployments, self.events)
        self.promoter = self.new_promoter()
        recorder = GateRecorder(Reader(), utc_now).record
        self.recorder = QueueMapping(self.sqs, self.events, Batch(recorder, self.dead(self.dead_events)).messages)
        streams = ministack.client(endpoint, "dynamodbstreams")
        self._streams = [Stream(streams, self._stream_arn(table)) for table in ("gates", "environments")]

    def new_promoter(self) -> Handle:
        """A promoter in a process of its own."""
        promoter = Promoter(Promotions(Reader(), Publisher(self.sns), self.promotions, utc_now), utc_now)
        return Batch(promoter.consider, self.dead(self.dead_changes)).changes

    def dead(self, url: str) -> Queue:
        return Queue(url, lambda: self.sqs)

    @property
    def settings(self) -> dict[str, str]:
        """The functions' environment."""
        names = {f"{kind.upper()}_TABLE": name for kind, name in self.tables.tables.names.items()}
        return names | {
            "AWS_ENDPOINT_URL": self.tables.tables.endpoint_url,
            "AWS_REGION": ministack.REGION,
            "PROMOTION_TOPIC_ARN": self.promotions,
            "DEPLOYMENT_TOPIC_ARN": self.deployments,
            "GATE_EVENTS_QUEUE_URL": self.events,
            "INSTALLS_QUEUE_URL": self.installs,
            "ROLLOUTS_QUEUE_URL": self.rollouts,
        }

    # what comes in

    def send(self, *events: CloudEvent | str) -> None:
        """Events, or anything else, as bodies of the recorder's queue."""
        for event in events:
            body = event if isinstance(event, str) else encode(event).body
            self.sqs.send_message(QueueUrl=self.events, MessageBody=body)

    def push(self, before: str, after: str, second: float = 0, **data: Any) -> CloudEvent:
        told = {"before": before or "0" * 40, "sha": after, "branch": "main", "pushed_at": seconds(second)}
        return self.event("com.github.push", f"push {before[:1]}{after[:1]} {second}", second, told | data)

    def build(self, commit: str, status: str = "success", second: float = 60, **data: Any) -> CloudEvent:
        told = {
            "sha": commit,
            "name": "build-test",
            "app": "circleci",
            "status": status,
            "completed_at": seconds(second),
        }
        return self.event("com.circleci.workflow-completed", f"build {status} {second}", second, told | data)

    def event(self, type_: str, id_: str, second: float, data: Mapping[str, Any]) -> CloudEvent:
        attributes = {
            "id": id_,
            "source": f"https://github.com/{self.repo}",
            "type": type_,
            "time": START + timedelta(seconds=second),
            "datacontenttype": "application/json",
        }
        return CloudEvent(attributes, {"schema": 1, "repo": self.repo, **data})

    # what goes on

    def changes(self) -> list[dict[str, Any]]:
        """What the streams show of this repository since the last look."""
        return [each for stream in self._streams for each in stream.read() if self._is_mine(each["dynamodb"])]

    def _is_mine(self, told: Mapping[str, Any]) -> bool:
        shown = {**told.get("OldImage", {}), **told.get("NewImage", {}), **told["Keys"]}
        return bool(shown.get("repo", {}).get("S") == self.repo)

    def _stream_arn(self, table: str) -> str:
        described = self.tables.client.describe_table(TableName=self.tables.tables.names[table])
        arn: str = described["Table"]["LatestStreamArn"]
        return arn

    def promote(self, *, times: int = 1) -> StreamMapping:
        """The stream's changes through the promoter, so often."""
        mapping = StreamMapping(self.promoter)
        changes = self.changes()
        for _ in range(times):
            mapping.deliver(changes)
        return mapping

    def settle(self) -> None:
        """Recorder and promoter until neither has anything to do."""
        while self.recorder.drain() + len(changes := self.changes()):
            StreamMapping(self.promoter).deliver(changes)

    def waiting(self, url: str) -> list[tuple[CloudEvent, dict[str, str]]]:
        """The events in a queue, and their attributes; they are taken from it."""
        return [(decode(body), attributes) for body, attributes in self.bodies(url)]

    def bodies(self, url: str) -> list[tuple[str, dict[str, str]]]:
        found = []
        while messages := self.sqs.receive_message(QueueUrl=url, **ALL).get("Messages"):
            for message in messages:
                attributes = message.get("MessageAttributes", {}).items()
                found.append((message["Body"], {name: value["StringValue"] for name, value in attributes}))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def promoted(self) -> list[str]:
        """The ids of the promotions that reached the installer's queue; they are taken from it."""
        return [event.get_id() for event, _ in self.waiting(self.installs)]

    def hidden(self, url: str) -> int:
        """How many messages wait for their visibility timeout."""
        name = "ApproximateNumberOfMessagesNotVisible"
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    @contextmanager
    def before_publishing(self, act: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
        with _hooked(self.sns, "before-call.sns.Publish", act):
            yield

    @contextmanager
    def after_publishing(self, act: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
        with _hooked(self.sns, "after-call.sns.Publish", act):
            yield

    # how it is made

    def _queue(self, kind: str, **attributes: str) -> str:
        suffix = ".fifo" if attributes else ""
        url: str = self.sqs.create_queue(QueueName=f"{self.name}-{kind}{suffix}", Attributes=attributes)["QueueUrl"]
        return url

    def _topic(self, kind: str, **attributes: str) -> str:
        arn: str = self.sns.create_topic(Name=f"{self.name}-{kind}", Attributes=attributes)["TopicArn"]
        return arn

    def subscribe(self, topic: str, url: str) -> None:
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})


@contextmanager
def before_each_write(act: Callable[[str, Any], None]) -> Iterator[None]:
    """Calls `act` with the operation's name and parameters before DynamoDB gets a write of the functions."""

    def seen(model: Any, params: Mapping[str, Any], **_: Any) -> None:
        if model.name in {"UpdateItem", "TransactWriteItems", "PutItem", "DeleteItem", "BatchWriteItem"}:
            act(model.name, json.loads(params["body"]))

    events: Any = connection().client.meta.events
    events.register("before-call.dynamodb.*", seen)
    try:
        yield
    finally:
        events.unregister("before-call.dynamodb.*", seen)


@contextmanager
def _hooked(client: Any, event: str, act: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
    def call(**given: Any) -> None:
        act(given)

    client.meta.events.register(event, call)
    try:
        yield
    finally:
        client.meta.events.unregister(event, call)
