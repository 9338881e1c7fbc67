"""Batches from queues and streams: one bad record never fails its batch, and nothing is lost."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state.events.codec import attribute
from pipeline_state.events.publish import Queue
from pipeline_state.faults import PermanentFault, TemporaryFault

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_LONGEST_DELAY = 900
"""Seconds between two attempts."""

_log = logging.getLogger(__name__)

Record = Mapping[str, Any]
Failures = dict[str, list[dict[str, str]]]
Handle = Callable[[Sequence[Record]], Failures]


@dataclass(frozen=True, slots=True)
class Batch:
    """Lambda's answer to a batch: `batchItemFailures` names the records to be tried again.

    work raises PermanentFault for a record that no retry can help, which then goes to the dead-letter queue with the
    reason, and TemporaryFault for one to try again. Any other exception is a bug: it is logged without its text, which
    may quote a payload, and tried again.
    attempts: how often the queue hands out a message. At the last of them the message goes to the dead-letter queue
    with the reason, which the queue itself would not give. 0: the mapping has a way of its own to give up.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """

    work: Callable[[Record], None]
    dead_letters: Queue
    attempts: int = 0

    def messages(self, records: Sequence[Record]) -> Failures:
        """A batch of an SQS queue."""
        return _failures(record["messageId"] for record in records if not self._is_settled(record))

    def changes(self, records: Sequence[Record]) -> Failures:
        """A batch of a DynamoDB stream; Lambda begins again at the first that failed."""
        return _failures(
            record["dynamodb"]["SequenceNumber"] for record in records if self._trouble(record, json.dumps(record))
        )

    def _is_settled(self, record: Record) -> bool:
        trouble = self._trouble(record, record["body"])
        if not trouble or not 0 < self.attempts <= int(record["attributes"]["ApproximateReceiveCount"]):
            return not trouble
        try:
            self._bury(record["body"], f"given up after {self.attempts} attempts: {trouble}")
        except TemporaryFault:
            return False
        return True

    def _trouble(self, record: Record, body: str) -> str:
        """Why the record is to be tried again; empty when there is nothing left to do."""
        try:
            try:
                self.work(record)
            except PermanentFault as fault:
                self._bury(body, fault.reason)
        except TemporaryFault as fault:
            _log.warning("to be tried again: %s", fault.reason)
            return fault.reason
        except Exception as bug:  # noqa: BLE001 - one bad record never fails its batch
            _log.error("unexpected %s\n%s", type(bug).__name__, "".join(traceback.format_tb(bug.__traceback__)))
            return f"unexpected {type(bug).__name__}; the function's log says where"
        return ""

    def _bury(self, body: str, reason: str) -> None:
        """Raises TemporaryFault when the dead-letter queue takes nothing."""
        _log.error("given up: %s", reason)
        self.dead_letters.send(body, {"reason": attribute(reason)})


def backing_off(
    work: Callable[[Record], None], sqs: Callable[[], SQSClient], queue_url: str
) -> Callable[[Record], None]:
    """The work on a message of a queue, which shows it again after a delay when it is to be tried again.

    The delay is the fault's and doubles with every attempt; left alone, the message would be hidden for the queue's
    whole visibility timeout.
    """

    def patient(message: Record) -> None:
        try:
            work(message)
        except TemporaryFault as fault:
            attempt = int(message["attributes"]["ApproximateReceiveCount"])
            delay = min(_LONGEST_DELAY, max(1, int(fault.delay_seconds)) * 2**attempt)
            _hide(sqs(), queue_url, message, delay)
            raise

    return patient


def _hide(sqs: SQSClient, queue_url: str, message: Record, seconds: int) -> None:
    handle = message["receiptHandle"]
    try:
        sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=seconds)
    except (BotoCoreError, ClientError) as error:
        _log.warning("the message comes back after its whole visibility timeout: %s", type(error).__name__)


def _failures(identifiers: Iterable[str]) -> Failures:
    failed = [{"itemIdentifier": identifier} for identifier in identifiers]
    _log.info("%s to be tried again", len(failed))
    return {"batchItemFailures": failed}
