"""Whoever shows a trace reads it as spans, wherever it is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.traces.spans import spans_from, spans_of
from pipeline_state.table.models import Tables
from pipeline_state.tracing import trace_of

COMMIT = "c" * 40
TRACE = trace_of("myOrg/myApp", COMMIT).trace_id


def item(span_id: str, second: Any = 0, **data: Any) -> dict[str, Any]:
    fields = {"name": "x", "duration_ms": 2.5, "trace.trace_id": TRACE, "trace.span_id": span_id, **data}
    return {"time": f"2026-01-01T12:00:{second:02}.000000Z", "samplerate": 1, "data": fields}


def local_stack(traces: Path) -> Stack:
    return Stack("local", "us-east-1", Tables(gates="gates"), {}, {}, lambda _: None, traces=traces)


def test_spans_are_in_the_order_of_their_start() -> None:
    assert [span.id for span in spans_from([item("2", second=5), item("1", second=1)])] == ["1", "2"]


def test_a_store_that_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "traces.db").write_text("no store at all" * 100)
    with pytest.raises(CommandError, match=r"the traces cannot be read: .*traces\.db: file is not a database"):
        spans_of(local_stack(tmp_path / "traces.db"), "myOrg/myApp", COMMIT)


def test_a_span_says_what_it_is() -> None:
    (span,) = spans_from([item("1", **{"service.name": "promoter", "gatestream.kind": "wait", "error": "KeyError"})])
    assert (span.id, span.parent, span.service, span.kind, span.is_wait) == ("1", "", "promoter", "wait", True)
    assert (span.error, span.detail) == ("KeyError", "")
    assert (span.start, span.end - span.start) == (
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        timedelta(milliseconds=2.5),
    )


def test_a_span_without_a_kind_is_work_and_a_reason_goes_before_the_class_of_an_error() -> None:
    (span,) = spans_from([item("1", error="TemporaryFault", error_detail="SNS did not take an event")])
    assert (span.kind, span.is_wait, span.error) == ("work", False, "SNS did not take an event")


def test_a_span_that_came_twice_counts_once() -> None:
    assert len(spans_from([item("1"), item("1")])) == 1
