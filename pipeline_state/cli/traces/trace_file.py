"""The spans that the local stack's functions leave in its trace file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline_state.model.times import parse_time


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
    def end(self) -> datetime:
        """When it was over."""
        return self.start + self.duration

    @property
    def error(self) -> str:
        """What went wrong, if anything did."""
        return str(self.fields.get("error.reason") or self.fields.get("error") or "")

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


def read_spans(path: Path, trace_id: str) -> list[Span]:
    """The spans of a trace, in the order of their start; a line that is still being written is left for later."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    spans = {span.id: span for line in text.splitlines() if trace_id in line and (span := _span(line, trace_id))}
    return sorted(spans.values(), key=lambda span: span.start)


def _span(line: str, trace_id: str) -> Span | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    data, start = event["data"], parse_time(event["time"])
    if start is None or data.get("trace.trace_id") != trace_id:
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
