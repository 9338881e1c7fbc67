import json
from pathlib import Path

from pipeline_state.cli.traces.trace_file import read_spans

TRACE = "a" * 32


def line(span_id: str, trace: str = TRACE, **data: str | None) -> str:
    fields = {"name": "x", "duration_ms": 2.5, "trace.trace_id": trace, "trace.span_id": span_id, **data}
    return json.dumps({"time": "2026-01-01T12:00:00Z", "samplerate": 1, "data": fields})


def test_spans_of_one_trace_are_read_and_an_unfinished_line_is_left(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    kept = line("1", TRACE, **{"trace.parent_id": None, "service.name": "promoter", "error": "KeyError"})
    path.write_text("\n".join([kept, line("2", "b" * 32), line("3")[:-20]]))
    (span,) = read_spans(path, TRACE)
    assert (span.id, span.parent, span.service, span.error) == ("1", "", "promoter", "KeyError")
    assert span.duration.total_seconds() == 0.0025


def test_no_file_yet_is_no_spans_yet(tmp_path: Path) -> None:
    assert read_spans(tmp_path / "none", TRACE) == []
