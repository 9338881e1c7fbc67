"""Where spans go: an exporter takes those of each flush, and one that needs a network has a thread for it."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeAlias

MOST_SPANS = 1000  # kept at once: libhoney's own limit of pending events
RETRY_SECONDS = 30.0  # an endpoint that failed is left alone for this long

Item: TypeAlias = Mapping[str, Any]
"""A span as Honeycomb's batch API has it: {"time": RFC 3339 UTC, "samplerate": N, "data": {field: value}}."""

logger = logging.getLogger(__name__)


class Exporter(ABC):
    """Takes spans somewhere, and never raises.

    lost: how many came to nothing, as far as whoever gets the others has not been told.
    is_beside_journal: whether whoever reads the spans there reads the journal, too, and finds a commit's waits in it.
    """

    lost = 0
    is_beside_journal = False

    @abstractmethod
    def export(self, items: Sequence[Item]) -> None:
        """Take the spans of a flush, which may be none; what takes a network is only begun."""

    def wait(self, until: float) -> None:  # noqa: B027 - most have nothing to wait for
        """Return once they have arrived, or at that moment of time.monotonic."""

    def close(self) -> None:  # noqa: B027 - nor anything to let go of
        """Let go of what is held open."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How many spans of a batch were taken; complaint says why not all, without any text of the endpoint's own."""

    accepted: int
    complaint: str = ""


Deliver: TypeAlias = Callable[[Sequence[Item]], Answer]


class BackgroundExporter(Exporter):
    """Delivers each flush in a thread, which nobody waits for longer than a flush may take.

    A batch which fails, or whose answer does not come in time, closes the way for retry_seconds: until then spans are
    kept, up to MOST_SPANS, and a flush is over at once. A late answer still counts, and opens the way again. A refused
    batch is not kept, since a lost batch and a lost answer look alike. Lost spans are counted, logged, and told as
    `meta.lost_spans` of the next batch's first span.
    """

    def __init__(
        self,
        name: str,
        deliver: Deliver,
        *,
        retry_seconds: float = RETRY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._deliver = deliver
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._closed_until = clock()
        self._kept: list[Item] = []
        self._attempt: Attempt | None = None
        self._attempts: SimpleQueue[Attempt | None] = SimpleQueue()
        Thread(target=self._work, name=name, daemon=True).start()  # a daemon: no process waits for it at its end

    def export(self, items: Sequence[Item]) -> None:
        self._settle()
        self._keep(items)
        if self._kept and not self._attempt and self._clock() >= self._closed_until:
            self._begin()

    def wait(self, until: float) -> None:
        attempt = self._attempt
        if attempt is None or attempt.is_overdue:
            return
        if attempt.comes_by(until):
            self._settle()
        else:
            attempt.is_overdue = True
            self._close_way()
            logger.warning("%s has not answered in time; spans wait", self._name)

    def close(self) -> None:
        self._attempts.put(None)

    def _let_go(self) -> None:
        """In the thread, after its last batch: close what that went by."""

    def _work(self) -> None:
        while attempt := self._attempts.get():
            attempt.run(self._deliver)
        self._let_go()

    def _keep(self, items: Sequence[Item]) -> None:
        room = MOST_SPANS - len(self._kept)
        self._kept.extend(items[:room])
        self.lost += len(items[room:])

    def _begin(self) -> None:
        batch, self._kept = self._kept, []
        if self.lost:
            batch[0] = {**batch[0], "data": {**batch[0]["data"], "meta.lost_spans": self.lost}}
        self._attempt = Attempt(batch, told=self.lost)
        self._attempts.put(self._attempt)

    def _settle(self) -> None:
        attempt = self._attempt
        if attempt is None or attempt.answer is None:
            return
        self._attempt = None
        if attempt.answer.accepted:
            self.lost -= attempt.told
            self._closed_until = self._clock()
        else:
            self._close_way()
        if refused := len(attempt.batch) - attempt.answer.accepted:
            self.lost += refused
            logger.warning("%d spans lost: %s answered %s", self.lost, self._name, attempt.answer.complaint)

    def _close_way(self) -> None:
        self._closed_until = self._clock() + self._retry_seconds


class Attempt:
    """One batch on its way. told: the number of lost spans that it tells of. answer: None until there is one."""

    def __init__(self, batch: Sequence[Item], told: int) -> None:
        self.batch = batch
        self.told = told
        self.answer: Answer | None = None
        self.is_overdue = False
        self._on_its_way = Lock()
        self._on_its_way.acquire()

    def run(self, deliver: Deliver) -> None:
        """Of an error only the class is an answer: its text names hosts, and may quote one."""
        try:
            self.answer = deliver(self.batch)
        except Exception as error:  # noqa: BLE001 - a thread that ended would never deliver again
            self.answer = Answer(0, type(error).__name__)
        self._on_its_way.release()

    def comes_by(self, moment: float) -> bool:
        """Whether the answer is there by that moment of time.monotonic, waiting for it until then."""
        return self._on_its_way.acquire(timeout=max(0.0, moment - time.monotonic()))
