"""A commit's spans as everybody here reads them: from the local stack's store, or a deployed stack's journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline_state.model.times import parse_time

if TYPE_CHECKING:
    from pipeline_state.cli.stacks import Stack


@dataclass(frozen=True, slots=True)
class Span:
    """One span. id, parent: 16 hex, parent empty on the root. fields: all its data."""

    name: str
    service: str
    id: str
    parent: str
    start: datetime
    duration: timedelta
    fields: Mapping[str, Any]

    @property
    def trace_id(self) -> str:
        """32 hex."""
        return str(self.fields.get("trace.trace_id") or "")

    @property
    def end(self) -> datetime:
        """When it was over."""
        return self.start + self.duration

    @property
    def is_root(self) -> bool:
        """Whether it is the commit's, under which all else hangs."""
        return self.fields.get("meta.span_type") == "root"

    @property
    def kind(self) -> str:
        """What the time was: "work", "transit" (a hop between functions) or "wait" (for CI, people or the pipeline)."""
        kind = self.fields.get("gatestream.kind")
        return kind if kind in {"transit", "wait"} else "work"

    @property
    def is_wait(self) -> bool:
        """Whether nothing was done meanwhile."""
        return self.kind == "wait"

    @property
    def is_open(self) -> bool:
        """Whether it still lasts; its end is the moment of reading."""
        return bool(self.fields.get("wait.open"))

    @property
    def is_stand_in(self) -> bool:
        """Whether nobody told of it, so that nobody knows how long it took."""
        return bool(self.fields.get("stands_in"))

    @property
    def error(self) -> str:
        """What went wrong, in a sentence where there is one, if anything did."""
        return self.detail or str(self.fields.get("error") or "")

    @property
    def detail(self) -> str:
        """The reason of an error in our own words, if it had one."""
        return str(self.fields.get("error_detail") or "")

    def to_item(self) -> dict[str, Any]:
        """The span as an item of Honeycomb's batch API."""
        return {"time": self.start.isoformat(), "samplerate": 1, "data": dict(self.fields)}

    def to_json(self) -> dict[str, Any]:
        """Plain data, as --json prints it."""
        return {
            "name": self.name,
            "service": self.service,
            "id": self.id,
            "parent": self.parent or None,
            "start": self.start.isoformat(),
            "duration_ms": round(self.duration.total_seconds() * 1000, 3),
            "error": self.error or None,
        }


def spans_of(stack: Stack, repo: str, commit: str, now: datetime | None = None) -> list[Span]:
    """The spans of a commit's trace so far, in the order of their start; what it still waits for lasts until now.

    repo, commit: as the record spells them. Raises CommandError and TemporaryFault.
    """
    from pipeline_state.cli.audit import with_enders
    from pipeline_state.cli.traces.stand_ins import with_stand_ins
    from pipeline_state.cli.traces.waiting import with_waits

    spans = sent_spans(stack, repo, commit)
    return with_enders(stack, repo, commit, with_waits(with_stand_ins(spans), repo, commit, now or datetime.now(UTC)))


def sent_spans(stack: Stack, repo: str, commit: str) -> list[Span]:
    """Those that functions have sent, and nothing besides. Raises as `spans_of`."""
    from pipeline_state.tracing import trace_of

    return spans_from(_items(stack, trace_of(repo, commit).trace_id))


def spans_from(items: Iterable[Mapping[str, Any]]) -> list[Span]:
    """Spans from items of Honeycomb's batch API, in the order of their start; one that came twice counts once."""
    spans = {span.id: span for item in items if (span := _span(item))}
    return sorted(spans.values(), key=lambda span: span.start)


def _items(stack: Stack, trace_id: str) -> list[dict[str, Any]]:
    from pipeline_state.cli.console import CommandError
    from pipeline_state.table import summaries
    from pipeline_state.tracing.store import StoreError, read

    if stack.traces is None:
        return summaries.read(trace_id)
    try:
        return read(stack.traces, trace_id)
    except StoreError as error:
        raise CommandError(f"the traces cannot be read: {error}") from error


def _span(item: Mapping[str, Any]) -> Span | None:
    data, start = item["data"], parse_time(str(item["time"]))
    if start is None:
        return None
    return Span(
        name=str(data.get("name", "")),
        service=str(data.get("service.name") or data.get("service_name") or ""),
        id=str(data["trace.span_id"]),
        parent=str(data.get("trace.parent_id") or ""),
        start=start,
        duration=timedelta(milliseconds=float(data.get("duration_ms") or 0)),
        fields=data,
    )
