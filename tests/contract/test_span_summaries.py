"""Summaries of spans in the Journal, on both local DynamoDBs: what a deployed stack's traces are drawn from."""

import time
import uuid
from typing import Any

import pytest

from pipeline_state.faults import TemporaryFault
from pipeline_state.table import models, summaries
from pipeline_state.table.journal import history
from pipeline_state.table.listing import latest_entries
from pipeline_state.table.models import JournalEntry, Tables, connect, to_plain
from pipeline_state.tracing import Exporter, trace_of
from tests.contract.table_room import A, B, TableRoom

WAIT = {
    "gatestream.kind": "wait",
    "wait.for": "legal",
    "wait.who": "people",
    "wait.ended_by": "ann",
    "wait.known": "verified",
}


def span(trace_id: str, name: str = "record gates", second: Any = 0, **fields: Any) -> dict[str, Any]:
    ids = {"trace.trace_id": trace_id, "trace.span_id": uuid.uuid4().hex[:16], "trace.parent_id": "b" * 16}
    data = {"name": name, "service.name": "gate_recorder", **ids, "duration_ms": 12.345, **fields}
    return {"time": f"2026-07-01T12:00:{second:02}.000000Z", "samplerate": 1, "data": data}


@pytest.fixture
def trace_id() -> str:
    return uuid.uuid4().hex


def test_what_is_written_is_read_as_spans(room: TableRoom, trace_id: str) -> None:
    written = [
        span(trace_id, second=1),
        span(trace_id, "waiting for legal", **WAIT),
        span(trace_id, second=2, error="KeyError"),
    ]
    assert summaries.write(written, room.now) == 0
    later = span(trace_id, second=3, error="TemporaryFault", error_detail="SNS did not take an event")
    summaries.write([later], room.now)
    assert summaries.read(trace_id) == [*written, later]


def test_only_what_a_waterfall_needs_is_kept(room: TableRoom, trace_id: str) -> None:
    kept = span(trace_id, environment="staging")
    more = {"meta.beeline_version": "3.6.0", "cloudevents.event_source": "https://github.com/o/r", "decision": "Wait"}
    summaries.write([{**kept, "data": {**kept["data"], **more, "trace.parent_id": None}}], room.now)
    (found,) = summaries.read(trace_id)
    del kept["data"]["trace.parent_id"]
    assert found == kept


def test_each_trace_of_an_invocation_is_an_item_of_its_own(room: TableRoom) -> None:
    traces = [uuid.uuid4().hex for _ in range(60)]  # more than two BatchWriteItems
    assert summaries.write([span(trace) for trace in traces for _ in range(2)], room.now) == 0
    assert [len(list(JournalEntry.query(summaries.PARTITION + trace))) for trace in traces] == [1] * 60
    assert [len(summaries.read(trace)) for trace in traces] == [2] * 60


def test_what_has_waited_for_the_journal_is_more_than_one_item_holds(room: TableRoom, trace_id: str) -> None:
    told = [span(trace_id, second=at % 60, error="TemporaryFault", error_detail=256 * "x") for at in range(1000)]
    assert summaries.write(told, room.now) == 0
    ids = [{each["data"]["trace.span_id"] for each in items} for items in (told, summaries.read(trace_id))]
    assert ids[0] == ids[1]


def test_a_commits_history_and_the_latest_entries_do_not_meet_them(room: TableRoom, trace_id: str) -> None:
    room.push("", A, 0)
    before = list(history(room.repo, A)), latest_entries(10_000)
    summaries.write([span(trace_id)], room.now)
    assert (list(history(room.repo, A)), latest_entries(10_000)) == before


def test_they_leave_by_age(room: TableRoom, trace_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_retention", [90])
    summaries.write([span(trace_id)], room.now)
    (entry,) = JournalEntry.query(summaries.PARTITION + trace_id)
    assert to_plain(entry.raw)["_expires_at"] == int(room.now.timestamp()) + 90 * 86_400


def test_no_span_is_no_request(room: TableRoom) -> None:
    assert summaries.write([], room.now) == 0


def test_a_trace_nobody_told_of_has_no_spans(room: TableRoom, trace_id: str) -> None:
    assert room.repo
    assert summaries.read(trace_id) == []


def flushed(*items: dict[str, Any]) -> Exporter:
    """What took the spans of an invocation, and has had its answer."""
    exporter = summaries.SummarySink().exporter("gate_recorder")
    exporter.export(items)
    exporter.wait(time.monotonic() + 60)
    return exporter


def test_an_invocation_leaves_one_item_for_each_commit_it_was_about(room: TableRoom) -> None:
    traces = [trace_of(room.repo, commit).trace_id for commit in (A, B)]
    assert flushed(*(span(trace, name) for name in ("write record", "record gates") for trace in traces)).lost == 0
    for trace in traces:
        assert len(list(JournalEntry.query(summaries.PARTITION + trace))) == 1
        assert [item["data"]["name"] for item in summaries.read(trace)] == ["write record", "record gates"]


def test_a_journal_that_refuses_costs_the_spans_and_no_more(
    room: TableRoom, trace_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    names: Any = {**room.tables.names, "journal": "gone"}
    connect(Tables(**names, endpoint_url=room.tables.endpoint_url, access_key="test", secret_key="test"))
    assert flushed(span(trace_id), span(trace_id)).lost == 2
    assert "2 spans lost: The Journal answered DynamoDB did not take the request: ResourceNotFound" in caplog.text


def test_a_table_that_is_not_there_is_a_fault_of_the_moment(room: TableRoom, trace_id: str) -> None:
    names: Any = {**room.tables.names, "journal": "gone"}
    connect(Tables(**names, endpoint_url=room.tables.endpoint_url, access_key="test", secret_key="test"))
    with pytest.raises(TemporaryFault, match="ResourceNotFound"):
        summaries.write([span(trace_id)], room.now)
    with pytest.raises(TemporaryFault, match="ResourceNotFound"):
        summaries.read(trace_id)
