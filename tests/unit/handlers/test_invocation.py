"""What is around every handler: its spans have left and its numbers are written when it returns, also when it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline_state import metrics, tracing
from pipeline_state.handlers.invocation import invocation
from pipeline_state.tracing.store import read_all

ROOT = tracing.trace_of("myOrg/myApp", "a" * 40)
CONTEXT = SimpleNamespace(aws_request_id="request-1")


@pytest.fixture
def spans(tmp_path: Path) -> Iterator[Path]:
    metrics.configure("Gatestream/test", "test")
    path = tmp_path / "spans.db"
    tracing.configure("test", tracing.StoreSink(path))
    yield path
    tracing.shutdown()
    metrics.configure("", "")


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_spans_have_left_and_numbers_are_written(spans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with invocation(CONTEXT):
        with tracing.message_span("work", parent=ROOT):
            metrics.count(metrics.PROMOTIONS)
        assert not spans.exists()
    (line,) = written(capsys)
    assert (line["request_id"], line["Promotions"]) == ("request-1", 1)
    assert "SpansLost" not in line
    assert len(read_all(spans)) == 1


def test_the_same_holds_for_one_that_fails(spans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @invocation(CONTEXT)
    def fail() -> None:
        with tracing.message_span("work", parent=ROOT):
            metrics.count(metrics.RETRIES)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (line,) = written(capsys)
    assert line["Retries"] == 1
    assert "ZeroDivisionError" in str(read_all(spans))


def test_spans_that_came_to_nothing_are_counted_once(spans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spans.mkdir()  # so that it cannot be written
    for _ in range(2):
        with invocation(CONTEXT), tracing.message_span("work", parent=ROOT):
            pass
    assert [line["SpansLost"] for line in written(capsys)] == [1, 1]
