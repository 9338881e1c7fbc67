"""Batches from queues and streams: one bad record never fails its batch, and nothing is lost."""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state import metrics
from pipeline_state.events.publish import Queue
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers import dead_letters, hops

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_STREAM_ATTEMPTS = 3
"""How often a change of a stream is tried that nothing but a bug is in the way of; the changes behind it wait."""

_log = logging.getLogger(__name__)

Record = Mapping[str, Any]
Failures = dict[str, list[dict[str, str]]]
Handle = Callable[[Sequence[Record]], Failures]


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a record is to be tried again. is_bug: nobody foresaw it."""

    reason: str
    is_bug: bool = False


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
    _tries: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)
    _bugs: Counter[str] = field(default_factory=Counter, init=False, repr=False, compare=False)

    def messages(self, records: Sequence[Record]) -> Failures:
        """A batch of an SQS queue."""
        return _failures(record["messageId"] for record in records if not self._is_settled(record))

    def changes(self, records: Sequence[Record]) -> Failures:
        """A batch of a DynamoDB stream; Lambda begins again at the first that failed, and all behind it wait.

        So a change that keeps meeting a bug is given up here, early. What is temporary is left to the mapping: it
        concerns the others as well.
        """
        return _failures(
            record["dynamodb"]["SequenceNumber"] for record in records if not self._is_settled_change(record)
        )

    def _is_settled(self, record: Record) -> bool:
        trouble = self._trouble(record)
        if trouble is None:
            return True
        is_last = 0 < self.attempts <= int(record["attributes"]["ApproximateReceiveCount"])
        return is_last and self._is_given_up(record, self.attempts, trouble)

    def _is_settled_change(self, record: Record) -> bool:
        number = record["dynamodb"]["SequenceNumber"]
        self._tries[number] += 1
        trouble = self._trouble(record, self._tries[number])
        self._bugs[number] = self._bugs[number] + 1 if trouble and trouble.is_bug else 0
        is_last = self._bugs[number] >= _STREAM_ATTEMPTS
        if trouble and not (is_last and self._is_given_up(record, _STREAM_ATTEMPTS, trouble)):
            return False
        del self._tries[number], self._bugs[number]
        return True

    def _trouble(self, record: Record, attempt: int = 1) -> _Trouble | None:
        """Why the record is to be tried again; None when there is nothing left to do."""
        try:
            try:
                self.work(record if attempt == 1 else {**record, hops.TRIED: attempt})
            except PermanentFault as fault:
                self._bury(record, fault.reason)
        except TemporaryFault as fault:
            _log.warning("to be tried again: %s", fault.reason)
            return _Trouble(fault.reason)
        except Exception as bug:  # noqa: BLE001 - one bad record never fails its batch
            _log.error("unexpected %s\n%s", type(bug).__name__, "".join(traceback.format_tb(bug.__traceback__)))
            return _Trouble(f"unexpected {type(bug).__name__}; the function's log says where", is_bug=True)
        return None

    def _is_given_up(self, record: Record, attempts: int, trouble: _Trouble) -> bool:
        try:
            self._bury(record, f"given up after {attempts} attempts: {trouble.reason}")
        except TemporaryFault:
            return False
        return True

    def _bury(self, record: Record, reason: str) -> None:
        """Raises TemporaryFault when the dead-letter queue takes nothing."""
        _log.error("given up: %s", reason)
        # By the message's own id, since one that is sent here again may have to lie there again within five minutes.
        once = str(record.get("messageId") or record.get("eventID", ""))
        with hops.burying(record, reason):
            self.dead_letters.send(dead_letters.body_of(record), dead_letters.describe(record, reason), once)
        metrics.count(metrics.DEAD_LETTERS)


def backing_off(
    work: Callable[[Record], None], sqs: Callable[[], SQSClient], queue_url: str, longest: int = 900
) -> Callable[[Record], None]:
    """The work on a message of a queue, which shows it again after a delay when it is to be tried again.

    The delay is the fault's and doubles with every attempt, up to the longest, in seconds; left alone, the message
    would be hidden for the queue's whole visibility timeout.
    """

    def patient(message: Record) -> None:
        try:
            work(message)
        except TemporaryFault as fault:
            attempt = int(message["attributes"]["ApproximateReceiveCount"])
            delay = min(longest, max(1, int(fault.delay_seconds)) * 2**attempt)
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
    metrics.count(metrics.RETRIES, len(failed))
    return {"batchItemFailures": failed}
