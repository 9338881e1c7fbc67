"""Dead letters go back to where they came from, and are deleted only once they are there.

Whoever dies between the two leaves the letter, and sends it once more: everything that reads these messages takes the
second one for what it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state.cli.console import CommandError, told
from pipeline_state.cli.dlq.dead_letters import LOOKING_SECONDS, PROMOTER, QUEUES, Letter, Look, object_of
from pipeline_state.cli.stacks import Stack
from pipeline_state.events.codec import attribute, decode
from pipeline_state.events.deployment import read_promotion
from pipeline_state.events.publish import TOPIC
from pipeline_state.faults import PermanentFault
from pipeline_state.handlers.dead_letters import DIED_AT, OURS

_PROMOTER_SECONDS = 900
"""How long its messages stay ours: it takes a minute for one at most, and ten are read at a time."""

_REJECTED = (
    "what was sent lacks what is needed, so it would be rejected again: mend what sends it, "
    "then have the provider deliver it once more"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter. to: the queue or function it came from. reason: why it did not go; empty when it did."""

    letter: Letter
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        short = {name: value for name, value in self.letter.to_json().items() if name not in ("reason", "sent_at")}
        back = QUEUES[self.letter.queue] or None
        return {**short, "to": back, "sent": not self.reason, "problem": self.reason or None}


def redrive(stack: Stack, letters: Sequence[Letter]) -> Iterator[Outcome]:
    """Send each of these letters back, one after the other, queue by queue.

    Only these: what comes to lie there meanwhile, maybe one of them that was given up again, is left alone.
    """
    for queue, those in groupby(sorted(letters, key=lambda letter: letter.queue), key=lambda letter: letter.queue):
        yield from _redrive_queue(stack, queue, list(those))


def _redrive_queue(stack: Stack, queue: str, letters: Sequence[Letter]) -> Iterator[Outcome]:
    if not QUEUES[queue]:
        yield from (Outcome(letter, _REJECTED) for letter in letters)
        return
    left = {letter.id: letter for letter in letters}
    problem = "somebody else is looking at it, or those of its group before it are still there; try again"
    try:
        with Look(stack, queue, _PROMOTER_SECONDS if QUEUES[queue] == PROMOTER else LOOKING_SECONDS) as look:
            for letter in look:
                if left.pop(letter.id, None):
                    yield Outcome(letter, _send_back(stack, look, letter))
                if not left:
                    break
    except (BotoCoreError, ClientError) as error:
        problem = _why(error)
    yield from (Outcome(letter, problem) for letter in left.values())


def _send_back(stack: Stack, look: Look, letter: Letter) -> str:
    """Why the letter is still there; empty when it has gone."""
    try:
        if QUEUES[letter.queue] == PROMOTER:
            _hand_over(stack, [{**change, DIED_AT: _died_at(letter)} for change in changes_in(stack, letter)])
        else:
            _send(stack, letter)
    except (BotoCoreError, ClientError, CommandError) as error:
        return _why(error)
    try:
        look.delete(letter)
    except (BotoCoreError, ClientError) as error:
        return f"it was sent, and sending it again does no harm, but it could not be deleted here: {_why(error)}"
    return ""


def _send(stack: Stack, letter: Letter) -> None:
    """To the queue it came from, as it was before it died. Raises CommandError and botocore's errors."""
    queue = QUEUES[letter.queue]
    if queue == "FallbackEvents" and TOPIC not in letter.texts:
        raise CommandError(f"it has no attribute {TOPIC!r}, so nobody knows where it was to go; publish it by hand")
    url = _known(stack, stack.queues.get(queue), f"{queue}QueueUrl")
    ordered = {"MessageGroupId": _group(letter), "MessageDeduplicationId": letter.id} if url.endswith(".fifo") else {}
    given = {name: value for name, value in letter.attributes.items() if name not in OURS}
    given[DIED_AT] = attribute(str(_died_at(letter)))
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=letter.body, MessageAttributes=given, **ordered)


def _died_at(letter: Letter) -> int:
    """When it came to lie there, in epoch milliseconds: whoever handles it tells so in the trace of its commit."""
    return int(letter.sent_at.timestamp() * 1000)


def _group(letter: Letter) -> str:
    """The group of the promotion's release; of what is no promotion, the one it lies in."""
    try:
        return read_promotion(decode(letter.body)).lock
    except PermanentFault:
        return letter.group


def changes_in(stack: Stack, letter: Letter) -> list[Any]:
    """The stream records in a letter of the promoter's, or in the object that it names. Raises CommandError.

    Lambda writes what it has given up into its bucket as JSON, with the event as a text in `payload`.
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    content = letter.content
    if isinstance(content, dict) and "dynamodb" in content:
        return [content]
    named = object_of(content)
    if named is None or named[0] != stack.failures_bucket:
        raise CommandError("it is neither a change of a record nor the notice of an object of the stack's own bucket")
    try:
        kept = json.loads(_fetch(stack, *named))["payload"]
        records = (json.loads(kept) if isinstance(kept, str) else kept)["Records"]
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"the object {named[1]} holds no changes that Lambda gave up") from error
    return list(records)


def _fetch(stack: Stack, bucket: str, key: str) -> bytes:
    try:
        content: bytes = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise CommandError(f"the object {key} is gone; any change of the record wakes the promoter, too") from error
    return content


def _hand_over(stack: Stack, records: Sequence[Any]) -> None:
    """To the promoter, as the stream's mapping does. Raises CommandError when it does not settle all of them."""
    function = _known(stack, stack.functions.get(PROMOTER), f"{PROMOTER}Function")
    answer = stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"Records": records}).encode())
    if answer.get("FunctionError"):
        raise CommandError("the promoter failed; its log says where")
    said = json.loads(answer["Payload"].read() or b"null")
    failures = said.get("batchItemFailures") if isinstance(said, dict) else None
    if failures:
        raise CommandError(f"the promoter wants {len(failures)} of {len(records)} again later; its log says why")


def _known(stack: Stack, found: str | None, output: str) -> str:
    if not found:
        raise CommandError(f"{stack.name} has no output {output}; deploy the current template.yaml")
    return found


def _why(error: Exception) -> str:
    line = told(error)
    return line[0].removeprefix(CommandError.prefix) if line else str(error)
