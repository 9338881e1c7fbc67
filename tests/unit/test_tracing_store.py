"""The local stack's store of spans: shared by processes, bounded, and never in a function's way."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state import tracing
from pipeline_state.tracing.store import Store, StoreError, append, read, read_all

TRACE, OTHER = "a" * 32, "b" * 32


def item(trace_id: str = TRACE, /, **data: Any) -> dict[str, Any]:
    fields = {"name": "record", "trace.span_id": "c00eb1b3cecd6801", **data, "trace.trace_id": trace_id}
    return {"time": "2026-11-27T09:59:04.383243Z", "samplerate": 1, "data": fields}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


def test_what_is_appended_is_read_trace_by_trace_in_the_order_in_which_it_came(path: Path) -> None:
    append(path, [item(number=1), item(OTHER, number=2), item(number=3)])
    append(path, [item(number=4)])
    assert read(path, TRACE) == [item(number=1), item(number=3), item(number=4)]
    assert read(path, OTHER) == [item(OTHER, number=2)]
    assert len(read_all(path)) == 4


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()))
def test_any_plain_field_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("store") / "traces.db"
    append(path, [item(**data)])
    assert read(path, TRACE) == [item(**data)]


def test_no_store_yet_is_no_spans_yet(path: Path) -> None:
    assert read(path, TRACE) == read_all(path) == []
    assert not path.exists()


def test_the_oldest_traces_leave_and_what_is_told_of_a_trace_later_does_not_make_it_younger(path: Path) -> None:
    store = Store(path, most_traces=3)
    for number in range(5):
        store.append([item(f"{number:032x}")])
        store.append([item(f"{0:032x}"), item(f"{number:032x}")])
    counts = [len(read(path, f"{number:032x}")) for number in range(5)]
    assert counts[1] == counts[2] == 0
    assert counts[3] == counts[4] == 2
    assert len({each["data"]["trace.trace_id"] for each in read_all(path)}) == 3


def test_the_file_is_for_the_users_eyes_only(path: Path) -> None:
    append(path, [item()])
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_store_may_be_read_while_it_is_written(path: Path) -> None:
    store = Store(path)
    store.append([item()])
    with sqlite3.connect(path) as writing:
        writing.execute("BEGIN IMMEDIATE")
        assert len(read(path, TRACE)) == 1


def test_a_store_that_another_holds_for_long_costs_the_spans_and_no_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.tracing.store._LOCKED_SECONDS", 0.1)
    store = Store(path)
    store.append([item()])
    blocking = sqlite3.connect(path)
    blocking.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"traces\.db: database is locked"):
        store.append([item()])
    blocking.close()
    store.append([item()])
    assert len(read(path, TRACE)) == 2


@pytest.mark.parametrize("damage", [b"no database" * 1000, b""], ids=["garbage", "empty"])
def test_a_damaged_store_is_put_aside_and_the_next_spans_begin_a_new_one(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    store = Store(path)
    with pytest.raises(StoreError, match=r"traces\.db"):
        store.append([item(number=1)])
    store.append([item(number=2)])
    assert read(path, TRACE) == [item(number=2)]
    assert path.with_suffix(".damaged").read_bytes() == damage


def test_damage_deep_inside_is_found_by_whoever_writes_there(path: Path) -> None:
    append(path, [item(f"{number:032x}", text="x" * 200) for number in range(1000)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    store = Store(path)
    with pytest.raises(StoreError):
        store.append([item()])
    store.append([item()])
    assert read(path, TRACE) == [item()]


def test_a_reader_of_a_damaged_store_is_told_so(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"traces\.db: file is not a database"):
        read(path, TRACE)


def test_a_store_that_cannot_be_written_never_fails_a_function(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracing.configure("promoter", tracing.StoreSink(tmp_path / "absent" / "traces.db"))
    with tracing.invocation(None), tracing.message_span("record", parent=None):
        pass
    tracing.shutdown()
    assert "1 spans lost: " in caplog.text


WRITER = """
import sys
from pathlib import Path
from pipeline_state import tracing
from pipeline_state.tracing import store

store._LOCKED_SECONDS = 60  # whoever holds the file may stand still; how long is too long is another test's question
tracing.configure(sys.argv[2], tracing.StoreSink(Path(sys.argv[1])))
parent = tracing.trace_of("myOrg/myApp", "a" * 40)
for number in range(50):
    with tracing.invocation(None), tracing.message_span("message", parent=parent, fields={"number": number}):
        for _ in range(4):
            with tracing.span("step", text="x" * 200):
                pass
"""


def test_processes_that_begin_a_store_together_lose_nothing(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), f"writer {number}"]) for number in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    spans = [each["data"] for each in read(path, tracing.trace_of("myOrg/myApp", "a" * 40).trace_id)]
    for number in range(4):
        own = [span for span in spans if span["service.name"] == f"writer {number}"]
        assert [span["number"] for span in own if span["name"] == "message"] == list(range(50))
        assert len(own) == 250


def test_a_span_is_small_in_the_store(path: Path) -> None:
    store = Store(path)
    spans = [item(f"{number:032x}", **{"service.name": "gate_recorder", "repo": "a/b"}) for number in range(2000)]
    for span in spans:
        store.append([span])
    store.close()
    assert path.stat().st_size < len(json.dumps(spans))
