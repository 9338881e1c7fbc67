"""Waiting for what the functions do, within a bound, and what to look at when it does not come."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from infra.local import stack
from pipeline_state.cli import facts
from pipeline_state.faults import TemporaryFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.stack_info import StackInfo

T = TypeVar("T")

SECONDS = 120.0
"""Long enough for the sweeper to mend what nobody was woken for, and for what is tried again."""

POLL_SECONDS = 0.1
LOG_LINES = 4
LONGEST = 600
"""Characters of a log line or a reason."""

_NO_WORDS = ("START RequestId", "END RequestId", "REPORT RequestId", '{"_aws"')
"""How the lines begin that say nothing of a failure: Lambda's own, and metrics."""


class LateError(Exception):
    """Something did not come in time, or went wrong on the way; says what."""


def wait_for(what: str, look: Callable[[], T | None], seconds: float = SECONDS) -> T:
    """What `look` finds, asked again and again. Raises LateError, with `what`."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise LateError(f"{what} did not come within {seconds:.0f} seconds")
        time.sleep(POLL_SECONDS)
    return found


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a stack can tell about a failure: what is decided, its dead letters, and the last words of its functions."""

    info: StackInfo
    repo: str
    commit: str

    def lines(self) -> Iterator[str]:
        """For an operator, most telling first; a stack that does not answer any more says so."""
        try:
            yield from self._decisions()
            yield from self._dead_letters()
            yield from self._last_words()
        except (BotoCoreError, ClientError, TemporaryFault) as error:
            yield f"the local stack does not answer: {error}"
            yield from self._what_ended()

    def _what_ended(self) -> Iterator[str]:
        try:
            stack.read(Path(self.info.log).parent)
        except stack.NoStackError as error:
            yield str(error)

    def _decisions(self) -> Iterator[str]:
        for environment in facts.status_of(self.repo, self.commit, datetime.now(UTC))["environments"]:
            yield f"{environment['name'] or self.repo}: {environment['reason']}"

    def _dead_letters(self) -> Iterator[str]:
        sqs = self.info.client("sqs")
        kept = {name: url for name, url in self.info.queues.items() if name.endswith(("DeadLetters", "RejectedEvents"))}
        for name, url in kept.items():
            asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "VisibilityTimeout": 0}
            for message in sqs.receive_message(QueueUrl=url, **asked).get("Messages", []):
                reason = message.get("MessageAttributes", {}).get("reason", {}).get("StringValue")
                yield f"{name}: {reason or message['Body']}"[:LONGEST]

    def _last_words(self) -> Iterator[str]:
        logs = self.info.client("logs")
        for group in logs.describe_log_groups()["logGroups"]:
            name = group["logGroupName"]
            events = logs.filter_log_events(logGroupName=name)["events"]
            said = [line for event in events for line in event["message"].splitlines() if line.strip()]
            for line in [line for line in said if not line.startswith(_NO_WORDS)][-LOG_LINES:]:
                yield f"{name.rpartition('/')[2]}: {line}"[:LONGEST]
