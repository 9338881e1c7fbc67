"""The one way out for spans: whatever beeline finishes is scrubbed here, kept until flush, and then sent."""

from __future__ import annotations

import json
import logging
import math
import os
import queue
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pipeline_state.tracing.context import TraceContext

LONGEST_TEXT = 256  # characters of one field; a span says what happened, it does not carry documents
MOST_SPANS = 1000  # kept at once: libhoney's own limit of pending events
_EXCEPTION_TEXTS = ("app.exception_type", "app.exception_string", "app.exception_stacktrace")
_ROOT_TYPES = ("root", "subroot")

logger = logging.getLogger(__name__)


class SpanEvent(Protocol):
    """What we use of libhoney's Event."""

    created_at: datetime
    sample_rate: int

    def fields(self) -> dict[str, object]: ...


class Outbox:
    """A libhoney transmission (start, send, close, get_response_queue) that keeps spans until flush, then forgets them.

    sample_rate N keeps one trace in N, whole: decided by trace id and at flush, when adopted spans have found theirs.
    Not locked: one message at a time per process.
    """

    def __init__(self, sample_rate: int = 1) -> None:
        self.lost = 0
        self._sample_rate = sample_rate
        self._spans: list[SpanEvent] = []
        self._adopted: dict[str, TraceContext] = {}

    def start(self) -> None:
        """Nothing to start: sending waits for flush."""

    def send(self, event: SpanEvent) -> None:
        """Keep a finished span, without anything that must not leave the process."""
        if len(self._spans) >= MOST_SPANS:
            self.lost += 1
            return
        scrub(event.fields())
        self._move(event)
        self._spans.append(event)

    def flush(self) -> None:
        self._take()

    def close(self) -> None:
        self.flush()

    def get_response_queue(self) -> queue.Queue[object]:
        """Always empty: libhoney asks for one, nobody reads it."""
        return queue.Queue()

    def adopt(self, trace_id: str, parent: TraceContext) -> None:
        """Move the spans of a trace, those kept and those still to come, under parent."""
        self._adopted[trace_id] = parent
        for event in self._spans:
            self._move(event)

    def trace_now(self, trace_id: str) -> str:
        """The trace that a span begun in trace_id belongs to by now."""
        adopted = self._adopted.get(trace_id)
        return adopted.trace_id if adopted else trace_id

    def forget(self, trace_id: str) -> None:
        """No more spans will come from this trace."""
        self._adopted.pop(trace_id, None)

    def _move(self, event: SpanEvent) -> None:
        fields = event.fields()
        parent = self._adopted.get(str(fields.get("trace.trace_id")))
        if parent is None:
            return
        fields["trace.trace_id"] = parent.trace_id
        if fields.get("meta.span_type") in _ROOT_TYPES:
            fields |= {"trace.parent_id": parent.span_id, "meta.span_type": "subroot"}

    def _take(self) -> list[SpanEvent]:
        spans, self._spans = self._spans, []
        kept = [span for span in spans if is_sampled(str(span.fields().get("trace.trace_id")), self._sample_rate)]
        for span in kept:
            span.sample_rate = self._sample_rate
        return kept


class FileOutbox(Outbox):
    """Appends to a file that several processes share: one line of JSON a span, as an item of Honeycomb's batch API.

    {"time": RFC 3339 UTC, "samplerate": N, "data": {field: value}}
    """

    def __init__(self, path: Path, sample_rate: int = 1) -> None:
        super().__init__(sample_rate)
        self._path = path

    def flush(self) -> None:
        spans = self._take()
        if not spans:
            return
        try:
            append(self._path, _lines(spans))
        except OSError as error:
            self.lost += len(spans)
            logger.warning("%d spans lost: cannot append to %s: %s", self.lost, self._path, error.strerror)


def append(path: Path, text: bytes) -> None:
    """Add text to the end of a file in a single write, so that the lines of several processes never mix.

    Raises OSError.
    """
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, text)
    finally:
        os.close(file)


def scrub(fields: dict[str, object]) -> None:
    """Take out what beeline adds about exceptions, and make every value a short plain one."""
    for key in _EXCEPTION_TEXTS:
        fields.pop(key, None)
    for key, value in fields.items():
        fields[key] = _plain(value)


def is_sampled(trace_id: str, sample_rate: int) -> bool:
    """Whether this trace is the one in sample_rate that is kept. Trace ids are as good as random: the start decides."""
    return sample_rate <= 1 or int(trace_id[:8], 16) * sample_rate < 1 << 32


def _plain(value: object) -> str | bool | int | float | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, float) and math.isfinite(value):
        return value
    return type(value).__name__  # not its text: that could be a payload


def _lines(spans: Iterable[SpanEvent]) -> bytes:
    return b"".join(json.dumps(item_of(span)).encode() + b"\n" for span in spans)


def item_of(span: SpanEvent) -> dict[str, object]:
    """A span as an item of Honeycomb's batch API."""
    time = span.created_at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return {"time": time, "samplerate": span.sample_rate, "data": span.fields()}
