"""Telling of the past never holds up what comes next."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline_state import tracing
from pipeline_state.faults import TemporaryFault
from pipeline_state.handlers.waits_told import tell_ended
from pipeline_state.table.snapshot import Snapshot
from pipeline_state.table.stream import Change
from tests.span_file import FileSink

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CHANGE = Change("o/r", "a" * 40, "1", NOW, {}, ("legal",), True, False, None, False, ("legal",), {})  # noqa: FBT003 - as the stream tells it


@pytest.fixture(autouse=True)
def traced(tmp_path: Path) -> Iterator[None]:
    tracing.configure("promoter", FileSink(tmp_path / "spans.jsonl"))
    yield
    tracing.shutdown()


@pytest.mark.parametrize(
    "error,told",
    [(TemporaryFault("DynamoDB throttles"), "DynamoDB throttles"), (KeyError("sequence"), "unexpected KeyError")],
    ids=["a fault", "a bug"],
)
def test_what_goes_wrong_is_logged_and_reaches_nobody(
    caplog: pytest.LogCaptureFixture, error: Exception, told: str
) -> None:
    def read() -> Snapshot:
        raise error

    with caplog.at_level(logging.WARNING):
        tell_ended(CHANGE, read, NOW)
    assert told in caplog.text
    assert "sequence" not in caplog.text
