"""The dead letters of a `FunctionRoom`, as the command sees them."""

import io
import json
from typing import Any

from botocore.response import StreamingBody

from infra.local import ministack
from pipeline_state.cli.dlq.dead_letters import Letter, read
from pipeline_state.cli.dlq.redrive import Outcome, redrive
from pipeline_state.cli.stacks import Stack
from pipeline_state.table.models import Tables
from tests.contract.function_room import FIFO, FunctionRoom


class PromoterOnly:
    """Lambda with one function in it, which runs in this process and answers as Lambda does."""

    def __init__(self, room: FunctionRoom) -> None:
        self.room, self.fails = room, False

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's
        assert FunctionName == "the promoter"
        if self.fails:
            return {"FunctionError": "Unhandled", "Payload": _stream({"errorMessage": "out of memory"})}
        return {"Payload": _stream(self.room.promoter(json.loads(Payload)["Records"]))}


def _stream(answer: Any) -> StreamingBody:
    content = json.dumps(answer).encode()
    return StreamingBody(io.BytesIO(content), len(content))


class DlqRoom:
    """A stack with the room's queues under their names in template.yaml."""

    def __init__(self, room: FunctionRoom) -> None:
        self.room, self.lambda_ = room, PromoterOnly(room)
        self.endpoint = room.tables.tables.endpoint_url
        self.s3 = ministack.client(self.endpoint, "s3")
        self.bucket = f"{room.name}-failures"
        self.s3.create_bucket(Bucket=self.bucket)
        self.stack = Stack(
            name="room",
            region=ministack.REGION,
            tables=Tables(room.tables.tables.names["gates"]),
            webhook_urls={},
            secret_arns={},
            client=self._client,
            queues={
                "GateEvents": room.events,
                "GateEventsDeadLetters": room.dead_events,
                "GitHubEventsUndelivered": self._queue("undelivered"),
                "Installs": room.installs,
                "InstallsDeadLetters": room.dead_installs,
                "Rollouts": room.rollouts,
                "RolloutsDeadLetters": room.dead_rollouts,
                "PromotionEventsUndelivered": self._queue("undelivered-promotions.fifo", **FIFO),
                "PromoterDeadLetters": room.dead_changes,
                "FallbackEvents": self._queue("fallback"),
                "FallbackEventsDeadLetters": self._queue("fallback-dead"),
                "RejectedEvents": self._queue("rejected"),
            },
            functions={"Promoter": "the promoter"},
            failures_bucket=self.bucket,
        )

    def put(self, queue: str, body: str, **attributes: str) -> None:
        """A dead letter, as a function or SNS leaves it."""
        url = self.stack.queues[queue]
        ordered = {"MessageGroupId": "g", "MessageDeduplicationId": body[-100:]} if url.endswith(".fifo") else {}
        given = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        self.room.sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=given, **ordered)

    def letters(self) -> tuple[Letter, ...]:
        return read(self.stack).letters

    def redrive(self, *letters: Letter) -> list[Outcome]:
        """Of all that lies there, unless some are given."""
        return list(redrive(self.stack, letters or self.letters()))

    def _client(self, service: str) -> Any:
        return {"lambda": self.lambda_, "s3": self.s3, "sqs": self.room.sqs}[service]

    def _queue(self, kind: str, **attributes: str) -> str:
        url: str = self.room.sqs.create_queue(QueueName=f"{self.room.name}-{kind}", Attributes=attributes)["QueueUrl"]
        return url
