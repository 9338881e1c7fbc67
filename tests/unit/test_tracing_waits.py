"""A commit's waits as spans of its trace."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline_state import tracing
from pipeline_state.model.waits import Wait
from pipeline_state.tracing.waits import send_wait, wait_fields, wait_span_id
from tests.span_file import FileSink

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = tracing.trace_of("myOrg/myApp", "a" * 40)
LEGAL = Wait("legal", "people", "production", NOON, NOON + timedelta(hours=3), "ann", "verified")


def test_a_wait_that_is_over_is_a_span_under_the_root_which_it_is_again_whenever_it_is_sent(tmp_path: Path) -> None:
    tracing.configure("promoter", FileSink(tmp_path / "spans"))
    for wait in (LEGAL, LEGAL, Wait("scan", "people", "production", NOON)):
        send_wait(wait, parent=ROOT)
    tracing.shutdown()
    first, second = map(json.loads, (tmp_path / "spans").read_text().splitlines())
    assert first == second
    assert first["time"] == "2026-03-01T12:00:00.000000Z"
    assert (
        first["data"].items()
        >= {
            "name": "waiting for legal",
            "duration_ms": 3 * 3600 * 1000,
            "trace.trace_id": ROOT.trace_id,
            "trace.parent_id": ROOT.span_id,
            "trace.span_id": wait_span_id(ROOT.trace_id, LEGAL),
            "gatestream.kind": "wait",
            "wait.for": "legal",
            "wait.who": "people",
            "wait.ended_by": "ann",
            "wait.known": "verified",
            "deployment.environment.name": "production",
        }.items()
    )


def test_a_wait_that_lasts_tells_nobody_who_ended_it() -> None:
    assert wait_fields(Wait("legal", "people", "production", NOON)).keys() == {
        "gatestream.kind", "wait.for", "wait.who", "deployment.environment.name"
    }  # fmt: skip


def test_the_same_gate_awaited_at_another_time_is_another_span() -> None:
    later = Wait("legal", "people", "production", NOON + timedelta(days=1))
    assert wait_span_id(ROOT.trace_id, later) != wait_span_id(ROOT.trace_id, LEGAL)
