"""Spans to Honeycomb by libhoney's own transmission, without ever waiting long for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from libhoney.transmission import Transmission

from pipeline_state.tracing.outbox import Outbox, SpanEvent

FLUSH_SECONDS = 0.45  # an invocation waits no longer than this
RETRY_SECONDS = 30.0  # an endpoint that failed is left alone for this long
SOCKET_SECONDS = 2.0  # a background attempt gives up a silent connection then; libhoney itself would wait 10 s

logger = logging.getLogger(__name__)


class HoneycombOutbox(Outbox):
    """Hands each flush to a thread and waits for it, but at most flush_seconds.

    A batch which fails, or whose answer does not come in time, closes the way for retry_seconds: until then a flush
    returns at once and spans are kept, up to the outbox's limit. A late answer still counts, and opens the way again.
    A refused batch is not kept, since a lost batch and a lost answer look alike. Lost spans are counted, logged, and
    told to Honeycomb as `meta.lost_spans` of the next batch's first span.
    """

    def __init__(
        self,
        sample_rate: int = 1,
        *,
        flush_seconds: float = FLUSH_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(sample_rate)
        self._transmission = _impatient(Transmission(user_agent_addition="gatestream"))
        self._flush_seconds = flush_seconds
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._closed_until = clock()
        self._attempt: _Attempt | None = None

    def flush(self) -> None:
        self._settle()
        if self._attempt or self._clock() < self._closed_until:
            return
        if spans := self._take():
            self._attempt = _Attempt(self._transmission, spans, self.lost)
            self._attempt.wait(self._flush_seconds)
            self._settle()
            self._close_way_if_unanswered()

    def close(self) -> None:
        super().close()
        if self._attempt is None:  # else its thread still uses them
            self._transmission.session.close()
            self._transmission.sd.close()

    def _close_way_if_unanswered(self) -> None:
        if self._attempt:
            self._closed_until = self._clock() + self._retry_seconds
            logger.warning("Honeycomb did not answer within %s s; spans wait", self._flush_seconds)

    def _settle(self) -> None:
        attempt = self._attempt
        if attempt is None or not attempt.is_over:
            return
        self._attempt = None
        self.lost += attempt.refused
        if attempt.is_accepted:
            self.lost -= attempt.told
            self._closed_until = self._clock()
        else:
            self._closed_until = self._clock() + self._retry_seconds
        if attempt.refused:
            logger.warning("%d spans lost: Honeycomb answered %s", self.lost, attempt.complaint)


class _Attempt:
    """One batch on its way, in a thread of its own."""

    def __init__(self, transmission: Any, spans: list[SpanEvent], lost: int) -> None:
        self.told = lost
        if lost:
            spans[0].fields()["meta.lost_spans"] = lost
        self._answers: list[dict[str, Any]] = []
        self._count = len(spans)
        self._thread = threading.Thread(target=self._run, args=(transmission, spans), name="honeycomb", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        self._thread.join(seconds)

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    @property
    def refused(self) -> int:
        return self._count - sum(map(_is_accepted, self._answers))

    @property
    def is_accepted(self) -> bool:
        return self.refused < self._count

    @property
    def complaint(self) -> str:
        """The first refusal: its status, or the class of the error, whose text names hosts and may quote an answer."""
        first = next((answer for answer in self._answers if not _is_accepted(answer)), {})
        return f"status {first['status_code']}" if first.get("status_code") else type(first.get("error")).__name__

    def _run(self, transmission: Any, spans: list[SpanEvent]) -> None:
        transmission.start()
        for span in spans:
            transmission.send(span)
        transmission.close()
        self._answers = list(iter(transmission.get_response_queue().get, None))


class _ImpatientAdapter:
    """A requests adapter with a timeout of its own choice: libhoney asks for one of 10 s and offers no setting."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def send(self, request: Any, **options: Any) -> Any:
        return self._adapter.send(request, **options | {"timeout": SOCKET_SECONDS})

    def close(self) -> None:
        self._adapter.close()


def _impatient(transmission: Any) -> Any:
    for scheme in ("http://", "https://"):
        transmission.session.mount(scheme, _ImpatientAdapter(transmission.session.get_adapter(scheme)))
    return transmission


def _is_accepted(answer: dict[str, Any]) -> bool:
    return not answer["error"] and 200 <= (answer["status_code"] or 0) < 300  # noqa: PLR2004 - HTTP's own classes of status
