"""The one way out for spans: whatever beeline finishes is scrubbed here, kept until flush, and then sent."""

from __future__ import annotations

import math
import queue
import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from pipeline_state.tracing.context import TraceContext
from pipeline_state.tracing.exporter import MOST_SPANS, Exporter

FLUSH_SECONDS = 0.45  # an invocation waits no longer than this, however many exporters there are
LONGEST_TEXT = 256  # characters of one field; a span says what happened, it does not carry documents
_ROOT_TYPES = ("root", "subroot")
_RANDOM_VALUES = 1 << 56
_ADDRESS = re.compile(r"([\w.+-]{1,64})@(?:[\w-]+\.)+[A-Za-z]{2,}")  # 64: RFC 5321, and a long text takes no minutes


class SpanEvent(Protocol):
    """What we use of libhoney's Event."""

    created_at: datetime

    def fields(self) -> dict[str, object]: ...


class Outbox:
    """A libhoney transmission (start, send, close, get_response_queue) that keeps spans until flush, then exports them.

    sample_rate N keeps one trace in N, whole: decided by trace id and at flush, when adopted spans have found theirs.
    Not locked: one message at a time per process.
    """

    def __init__(
        self, exporters: Sequence[Exporter] = (), sample_rate: int = 1, *, flush_seconds: float = FLUSH_SECONDS
    ) -> None:
        self._exporters = exporters
        self._sample_rate = sample_rate
        self._flush_seconds = flush_seconds
        self._spans: list[SpanEvent] = []
        self._adopted: dict[str, TraceContext] = {}

    @property
    def lost(self) -> int:
        """How many spans came to nothing, by all exporters together."""
        return sum(exporter.lost for exporter in self._exporters)

    def start(self) -> None:
        """Nothing to start: sending waits for flush."""

    def send(self, event: SpanEvent) -> None:
        """Keep a finished span, without anything that must not leave the process."""
        if not self._exporters:
            return
        if len(self._spans) >= MOST_SPANS:
            self._lose_one()
            return
        scrub(event.fields())
        self._move(event)
        self._spans.append(event)

    def flush(self) -> None:
        """Hand on what is finished; all exporters have begun before any is waited for, within the bound."""
        until = time.monotonic() + self._flush_seconds
        items = self._take()
        for exporter in self._exporters:
            exporter.export(items)
        for exporter in self._exporters:
            exporter.wait(until)

    def close(self) -> None:
        self.flush()
        for exporter in self._exporters:
            exporter.close()

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

    def wants_waits(self, trace_id: str) -> bool:
        """Whether this trace goes to anybody who does not find its waits without being told."""
        is_far = any(not exporter.is_beside_journal for exporter in self._exporters)
        return is_far and is_sampled(trace_id, self._sample_rate)

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

    def _lose_one(self) -> None:
        for exporter in self._exporters:
            exporter.lost += 1

    def _take(self) -> list[dict[str, Any]]:
        spans, self._spans = self._spans, []
        items = [_item(span, self._sample_rate) for span in spans]
        return [item for item in items if is_sampled(str(item["data"].get("trace.trace_id")), self._sample_rate)]


def scrub(fields: dict[str, object]) -> None:
    """Make every value a short plain one."""
    for key, value in fields.items():
        fields[key] = _plain(value)


def is_sampled(trace_id: str, sample_rate: int) -> bool:
    """Whether this trace is the one in sample_rate that is kept, by OpenTelemetry's rule for anybody who samples.

    Trace ids are as good as random; their last 56 bits decide, which a collector further on looks at, too:
    https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
    """
    return sample_rate <= 1 or int(trace_id[-14:], 16) >= rejection_threshold(sample_rate)


def rejection_threshold(sample_rate: int) -> int:
    """How many of the 2**56 values of a trace id's last 56 bits are not kept: the lowest ones."""
    return _RANDOM_VALUES - _RANDOM_VALUES // sample_rate


def _plain(value: object) -> str | bool | int | float | None:
    if isinstance(value, str):  # most are
        return _without_addresses(value)[:LONGEST_TEXT]
    if value is None or isinstance(value, int):  # or bool, which is one
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return type(value).__name__  # not its text: that could be a payload


def _without_addresses(text: str) -> str:
    """The text with e-mail addresses cut to the name in them: who approved stays, how to write to them does not."""
    return _ADDRESS.sub(r"\1@…", text) if "@" in text else text


def _item(span: SpanEvent, sample_rate: int) -> dict[str, Any]:
    started = span.created_at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return {"time": started, "samplerate": sample_rate, "data": span.fields()}
