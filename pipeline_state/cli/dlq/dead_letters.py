"""What lies in the stack's queues of dead letters, read without taking it away."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.cli.stacks import Stack
from pipeline_state.handlers.dead_letters import ABOUT, REASON, about
from pipeline_state.model.times import format_time

PROMOTER = "Promoter"

QUEUES: Mapping[str, str] = {
    "GateEventsDeadLetters": "GateEvents",
    "GitHubEventsUndelivered": "GateEvents",
    "CircleCIEventsUndelivered": "GateEvents",
    "DeploymentEventsUndelivered": "GateEvents",
    "InstallsDeadLetters": "Installs",
    "RolloutsDeadLetters": "Rollouts",
    "PromotionEventsUndelivered": "Installs",
    "FallbackEventsDeadLetters": "FallbackEvents",
    "PromoterDeadLetters": PROMOTER,
    "RejectedEvents": "",
}
"""Every queue of dead letters, and the queue or function that they came from; empty where there is no way back."""

LOOKING_SECONDS = 60
"""How long messages stay hidden from others if whoever looks at them dies; everybody else gives them back at once."""

_MOST = 10
"""Messages in one call, by SQS's API reference."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    queue: its logical id. attributes: the message's, in SQS's shape. sent_at: when it was sent there, or, where SQS
    moved it by itself, when it was sent first. received: how often it has been looked at. group: of a FIFO queue.
    handle: what deletes it, for a while.
    """

    queue: str
    id: str
    body: str
    attributes: Mapping[str, Any]
    sent_at: datetime
    received: int
    group: str
    handle: str

    @property
    def texts(self) -> dict[str, str]:
        """The attributes that are texts, by name."""
        return {name: value["StringValue"] for name, value in self.attributes.items() if "StringValue" in value}

    @property
    def content(self) -> Any:
        """The body's JSON, or the body as it is."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body

    @property
    def about(self) -> dict[str, str]:
        """Repository and commit, or pipeline and environment, as far as they can be told."""
        return about(self.body) | {name: text for name, text in self.texts.items() if name in ABOUT}

    @property
    def reason(self) -> str:
        """Why it lies here, in the sender's words where there are any."""
        if found := self.texts.get(REASON):
            return found
        content = self.content
        if self.queue == "RejectedEvents" and isinstance(content, dict):
            return f"{content.get('provider')} sent it without what is needed: {content.get(REASON)}"
        if notice := object_of(content):
            return f"the promoter failed at every attempt, or could not be called; the changes are in {notice[1]}"
        if self.queue.endswith("Undelivered"):
            return f"SNS could not hand it to {QUEUES[self.queue]}"
        return "given up by its queue after all attempts, so the function died or was never called; see its log"

    def to_json(self) -> dict[str, Any]:
        """Plain data, in short."""
        told = self.about
        return {
            "id": self.id,
            "queue": self.queue,
            "sent_at": format_time(self.sent_at),
            **{name: told.get(name) for name in ABOUT},
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in some queues, oldest first. hidden: about how many more there are that cannot be seen, by queue."""

    letters: tuple[Letter, ...]
    hidden: Mapping[str, int]


class Look:
    """One look at a queue, message after message. What was not deleted is given back when it is over."""

    def __init__(self, stack: Stack, queue: str, seconds: int = LOOKING_SECONDS) -> None:
        self._sqs, self._queue, self._url, self._seconds = stack.client("sqs"), queue, stack.queues[queue], seconds
        self.is_fifo = self._url.endswith(".fifo")
        self._handles: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        handles = list(self._handles.values())
        with suppress(BotoCoreError, ClientError):  # then they come back by themselves
            for start in range(0, len(handles), _MOST):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                        for number, handle in enumerate(handles[start : start + _MOST])
                    ],
                )

    def __iter__(self) -> Iterator[Letter]:
        seen: set[str] = set()
        while new := [letter for letter in self._receive() if letter.id not in seen]:
            seen |= {letter.id for letter in new}
            yield from new

    def delete(self, letter: Letter) -> None:
        """Take it away for good."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=self._handles[letter.id])
        del self._handles[letter.id]

    def count(self) -> tuple[int, int]:
        """About how many messages could be read, and how many others are being looked at or cannot be read yet."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        counted = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=list(names))["Attributes"]
        visible, held = (int(counted[name]) for name in names)
        return visible, held

    def _receive(self) -> list[Letter]:
        """The next few; the wait makes SQS ask all of its servers."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_MOST,
            VisibilityTimeout=self._seconds,
            WaitTimeSeconds=1,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        letters = [_letter(self._queue, message) for message in answer.get("Messages", [])]
        self._handles |= {letter.id: letter.handle for letter in letters}
        return letters


def read(stack: Stack, queues: Collection[str] = tuple(QUEUES)) -> Found:
    """Everything in these queues, at the same time, since SQS takes a second to say that there is no more.

    Queues that a deployed stack of an earlier version does not tell of are left out.
    """
    known = [queue for queue in queues if queue in stack.queues]
    with ThreadPoolExecutor(max(len(known), 1)) as threads:
        found = list(threads.map(_all, [Look(stack, queue) for queue in known]))
    letters = sorted((letter for each, _ in found for letter in each), key=lambda letter: letter.sent_at)
    return Found(tuple(letters), {queue: number for queue, (_, number) in zip(known, found, strict=True) if number})


def depths(stack: Stack) -> dict[str, int]:
    """About how many messages lie in each of these queues, by its name; none of them is looked at."""
    looks = {queue: Look(stack, queue) for queue in QUEUES if queue in stack.queues}
    with ThreadPoolExecutor(max(len(looks), 1)) as threads:
        counts = threads.map(Look.count, looks.values())
        return {queue: sum(count) for queue, count in zip(looks, counts, strict=True)}


def pick(letters: Sequence[Letter], wanted: str) -> Letter:
    """The one letter whose id begins so. Raises CommandError."""
    found = [letter for letter in letters if letter.id.startswith(wanted.lower())]
    if not found or not wanted:
        raise CommandError(f"no dead letter has the id {wanted!r}; see `gatestream dlq list`", USAGE)
    if len(found) > 1:
        raise CommandError(f"{len(found)} dead letters have ids that begin with {wanted}; give more of it", USAGE)
    return found[0]


def object_of(content: object) -> tuple[str, str] | None:
    """Bucket and key that EventBridge's notice of a new object names; None where the content is something else.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    match content:
        case {"source": "aws.s3", "detail": {"bucket": {"name": str(bucket)}, "object": {"key": str(key)}}}:
            return bucket, key
    return None


def _all(look: Look) -> tuple[list[Letter], int]:
    with look:
        visible, held = look.count()
        letters = list(look)
    # A FIFO queue shows ten of a group and then none until those are gone; of other queues all that is visible comes.
    behind = max(visible - len(letters), 0) if look.is_fifo else 0
    return letters, held + behind


def _letter(queue: str, message: Mapping[str, Any]) -> Letter:
    told = message["Attributes"]
    return Letter(
        queue=queue,
        id=message["MessageId"],
        body=message["Body"],
        attributes=message.get("MessageAttributes", {}),
        sent_at=datetime.fromtimestamp(int(told["SentTimestamp"]) / 1000, UTC),
        received=int(told["ApproximateReceiveCount"]),
        group=told.get("MessageGroupId", ""),
        handle=message["ReceiptHandle"],
    )
