"""What the two functions that run Helm have in common: their parts, and how they answer a batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline_state.deploy import Workspace
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.handlers.batch import Batch, Failures, Record, backing_off
from pipeline_state.handlers.verdicts import Verdicts
from pipeline_state.handlers.workspace import workspace_of
from pipeline_state.settings import read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now
from pipeline_state.table.models import connect, tables_of

_LONGEST_DELAY = 120
"""Seconds between two attempts: a newer promotion of the release waits behind them, and is what counts by then."""

_NEEDED = (
    *("environments_table", "deployment_topic_arn", "promotion_topic_arn"),
    *("rollouts_queue_url", "dead_letter_queue_url"),
)

Answer = Callable[[Sequence[Record], str, float], Failures]
"""To a batch, given the invocation's id and the seconds it has left."""


@dataclass(frozen=True, slots=True)
class HelmWorker:
    """What works on the messages of a function that runs Helm.

    rollouts: the queue of what is applied and has no verdict yet. attempts: how often a message is tried while the
    machinery is broken, before the deployment counts as failed. now: the current time, aware. clock: in seconds, from
    whenever; it only goes on.
    """

    verdicts: Verdicts
    rollouts: Queue
    workspace: Workspace
    attempts: int
    now: Callable[[], datetime]
    clock: Callable[[], float] = time.monotonic

    def receive(self, message: Record, *, owner: str, ends: float) -> None:
        """One SQS message, its body a promotion. owner: unique to the invocation. ends: when that does, by the clock.

        Raises PermanentFault and TemporaryFault.
        """
        raise NotImplementedError

    def left(self, ends: float) -> float:
        """How many seconds there are until then: fewer whenever it is asked."""
        return ends - self.clock()

    def is_last_attempt(self, message: Record) -> bool:
        """Whether the message is not tried again."""
        return int(message["attributes"]["ApproximateReceiveCount"]) >= self.attempts


def helm_function(name: str, queue: str, *needed: str, kind: type[HelmWorker], now: Callable[[], datetime]) -> Answer:
    """What answers a batch, put together from the settings. Raises MissingSettingError.

    queue: the setting with the URL of its queue. needed: further settings that it cannot do without.
    """
    settings = read_settings(*_NEEDED, queue, *needed)
    clients = Clients(settings)
    start_tracing(name, settings, lambda: clients("secretsmanager"))
    connect(tables_of(settings))
    worker = kind(
        verdicts=Verdicts(
            Publisher(clients("sns")), settings.deployment_topic_arn, settings.promotion_topic_arn, utc_now
        ),
        rollouts=Queue(settings.rollouts_queue_url, lambda: clients("sqs")),
        workspace=workspace_of(settings, clients),
        attempts=settings.install_attempts,
        now=now,
    )
    dead_letters = Queue(settings.dead_letter_queue_url, lambda: clients("sqs"))

    def answer(records: Sequence[Record], owner: str, seconds: float) -> Failures:
        ends = worker.clock() + seconds

        def work(message: Record) -> None:
            worker.receive(message, owner=owner, ends=ends)

        patient = backing_off(work, lambda: clients("sqs"), getattr(settings, queue), _LONGEST_DELAY)
        return Batch(patient, dead_letters, settings.receive_attempts).messages(records)

    return answer
