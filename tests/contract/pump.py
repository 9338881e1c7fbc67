"""Lambda's event source mappings, played as AWS documents them, which the local ones do not.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html, …/services-dynamodb-errors.html,
…/with-sqs.html, …/services-sqs-errorhandling.html
"""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

Record = Mapping[str, Any]
Invoke = Callable[[Sequence[Record]], Any]


@dataclass
class StreamMapping:
    """The mapping of one shard. What it gives up on lies in `given_up`, batch by batch, as its destination gets it.

    A function that answers with failures is begun again at the lowest of them. One that raises, or answers with
    anything that names no record of the batch, has the whole batch again, in halves if `bisect` is on; a batch that was
    tried `retries` times more is given up, and the next one comes.
    """

    invoke: Invoke
    batch_size: int = 10
    retries: int = 3
    bisect: bool = True
    given_up: list[list[Record]] = field(default_factory=list)
    invocations: int = 0

    def deliver(self, records: Sequence[Record]) -> None:
        """Hands over all the records, until each is done or given up."""
        waiting = [(records[i : i + self.batch_size], 0) for i in range(0, len(records), self.batch_size)]
        while waiting:
            batch, tried = waiting.pop(0)
            left, halved = self._try(batch)
            if not left:
                continue
            if halved:  # which uses up no retry
                waiting[:0] = [(left[: len(left) // 2], tried), (left[len(left) // 2 :], tried)]
            elif tried >= self.retries:
                self.given_up.append(list(left))
            else:
                waiting.insert(0, (left, tried + 1))

    def _try(self, batch: Sequence[Record]) -> tuple[Sequence[Record], bool]:
        """What is left of the batch, and whether it is to be halved."""
        self.invocations += 1
        try:
            answer = self.invoke(batch)
        except Exception:  # noqa: BLE001 - whatever a function raises
            return batch, self.bisect and len(batch) > 1
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        failed = failures(answer, numbers)
        if failed is None:
            return batch, self.bisect and len(batch) > 1
        return batch[min(map(numbers.index, failed), default=len(batch)) :], False


def failures(answer: Any, known: Collection[str]) -> list[str] | None:
    """The identifiers of failed records in a function's answer; None where the answer counts as one whole failure."""
    if not answer or answer.get("batchItemFailures") is None:
        return []
    named = [failure.get("itemIdentifier") for failure in answer["batchItemFailures"]]
    return named if all(name in known for name in named) else None


MOST_RECORDS = 1000
"""Of one GetRecords, by the API reference; MiniStack, unlike AWS, gives fewer only where there are no more."""


class Stream:
    """A table's stream, from now on, as Lambda shows it to a function; MiniStack never makes another shard."""

    def __init__(self, client: Any, arn: str) -> None:
        self._client, self._arn = client, arn
        self._iterators: dict[str, str] = {}
        for shard in client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            self._iterators[shard["ShardId"]] = client.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
            )["ShardIterator"]

    def read(self) -> list[dict[str, Any]]:
        """What has come since the last look."""
        return [record for shard in list(self._iterators) for record in self._shard(shard)]

    def _shard(self, shard: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = self._client.get_records(ShardIterator=self._iterators[shard])
            self._iterators[shard] = answer.get("NextShardIterator") or self._iterators[shard]
            found += [as_lambda_shows(record) for record in answer["Records"]]
            if len(answer["Records"]) < MOST_RECORDS:
                return found


def as_lambda_shows(record: Mapping[str, Any]) -> dict[str, Any]:
    """A stream's record as JSON: times as numbers, bytes as base64."""
    plain: dict[str, Any] = _json(record)
    return {**plain, "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/gates/stream/now"}


def _json(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _json(inner) for key, inner in value.items()}
        case list() | tuple() | set():
            return [_json(inner) for inner in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
    return value


@dataclass
class QueueMapping:
    """The mapping of one queue: what the function does not name as failed is deleted, the rest stays invisible."""

    sqs: Any
    url: str
    invoke: Invoke
    batch_size: int = 10

    def poll(self) -> Sequence[Record]:
        """One batch, as the function gets it."""
        wanted = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
        answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=self.batch_size, **wanted)
        batch = [_message(message) for message in answer.get("Messages", [])]
        if batch:
            self._hand_over(batch)
        return batch

    def drain(self) -> int:
        """Batches until none is visible; how many messages were handed over."""
        count = 0
        while batch := self.poll():
            count += len(batch)
        return count

    def show_again(self, messages: Sequence[Record]) -> None:
        """What waits for its visibility timeout does so no longer."""
        for message in messages:
            try:
                self.sqs.change_message_visibility(
                    QueueUrl=self.url, ReceiptHandle=message["receiptHandle"], VisibilityTimeout=0
                )
            except ClientError:
                continue  # deleted, since it succeeded

    def _hand_over(self, batch: Sequence[Record]) -> None:
        try:
            failed = failures(self.invoke(batch), [message["messageId"] for message in batch])
        except Exception:  # noqa: BLE001 - whatever a function raises
            return
        for message in batch:
            if failed is not None and message["messageId"] not in failed:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["receiptHandle"])


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    attributes = message.get("MessageAttributes", {}).items()
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]} for name, value in attributes
        },
        "eventSource": "aws:sqs",
    }
