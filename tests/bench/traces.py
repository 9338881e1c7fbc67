"""`traces`: the local stack's store full of traces, what summaries in the journal take, and what no span explains."""

from __future__ import annotations

import json
import random
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local import stack
from pipeline_state.cli.stacks import local_from
from pipeline_state.cli.traces.account import unexplained
from pipeline_state.cli.traces.spans import spans_from
from pipeline_state.table import summaries
from pipeline_state.table.models import GateRecord, connect, set_all
from pipeline_state.tracing.store import MOST_TRACES, Store, read
from tests.bench.figures import Figure

READ_GOAL, APPEND_GOAL, SUMMARIES_GOAL, UNEXPLAINED_GOAL = 5.0, 2.0, 2.0, 0.25
TRACES, QUICK_TRACES = MOST_TRACES, 2_000
SAMPLES, QUICK_SAMPLES = 300, 30
DIFFERENT = 200
"""Traces that differ in their ids, times and durations; the store is filled with these again and again."""

GATESTREAM = Path(sys.executable).with_name("gatestream")

Item = dict[str, Any]


def measure(*, quick: bool) -> Iterator[Figure]:
    """The spans of the demo's commit are what the store is filled with, and what summaries are made of."""
    samples = QUICK_SAMPLES if quick else SAMPLES
    with TemporaryDirectory() as folder:
        way = demo_spans(Path(folder) / "demo")
        yield from stored(Path(folder) / "traces.db", way, QUICK_TRACES if quick else TRACES, samples)
        yield summarised(Path(folder) / "stack", way, samples)
    seconds, since = unexplained(spans_from(way))
    told = f"no span explains {seconds:.3f} s of the demo's way, from {since}"
    yield Figure("traces.unexplained", "s", UNEXPLAINED_GOAL, [seconds], details=[told])


def demo_spans(folder: Path) -> list[Item]:
    """The whole trace of `gatestream demo`."""
    command = [str(GATESTREAM), "demo", "--json", "--state-dir", str(folder)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return read(folder / "traces.db", told["status"]["trace_id"])


def flushes(way: Sequence[Item]) -> list[list[Item]]:
    """The spans by the invocations that sent them."""
    found: dict[tuple[str, str], list[Item]] = {}
    for item in way:
        data = item["data"]
        found.setdefault((data["service.name"], str(data.get("faas.invocation_id"))), []).append(item)
    return list(found.values())


def stored(path: Path, way: Sequence[Item], traces: int, samples: int) -> Iterator[Figure]:
    """Reading one trace of a full store, and a flush of a new trace, which takes the place of the oldest."""
    fill(path, way, traces)
    size = sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))
    kept = f"{traces} traces of {len(way)} spans: {size / 1e6:.0f} MB, {size / traces / 1e3:.1f} KB a trace"
    with closing(sqlite3.connect(path)) as connection:
        ids = [row[0].hex() for row in connection.execute("SELECT id FROM traces")]
    taken = [timed(partial(read, path, each)) for each in random.sample(ids, samples)]
    yield Figure("traces.read", "ms", READ_GOAL, taken, details=[kept])
    store, flush = Store(path, traces), max(flushes(way), key=len)
    taken = [timed(lambda: store.append(moved(flush))) for _ in range(samples)]
    yield Figure("traces.append", "ms", APPEND_GOAL, taken, details=[f"a flush of {len(flush)} spans, of a new trace"])
    store.close()


def fill(path: Path, way: Sequence[Item], traces: int) -> None:
    """As the functions would have filled it, but in one transaction."""
    store = Store(path)
    for _ in range(min(DIFFERENT, traces)):
        again = moved(way)
        for flush in flushes(again):
            store.append(flush)
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = connection.execute("SELECT trace, flush, spans FROM spans").fetchall()
        for number in range(DIFFERENT + 1, traces + 1):
            connection.execute("INSERT INTO traces VALUES (?, ?)", (number, secrets.token_bytes(16)))
        for base in range(DIFFERENT, traces, DIFFERENT):
            more = ((base + trace, flush, spans) for trace, flush, spans in rows)
            connection.executemany("INSERT INTO spans VALUES (?, ?, ?)", more)


def moved(way: Sequence[Item]) -> list[Item]:
    """The spans as of another commit: other ids, and other durations."""
    trace_id, ids = secrets.token_hex(16), {}
    for item in way:
        ids[item["data"]["trace.span_id"]] = secrets.token_hex(8)
    return [{**item, "data": _renamed(item["data"], trace_id, ids)} for item in way]


def _renamed(data: Item, trace_id: str, ids: dict[str, str]) -> Item:
    parent = data.get("trace.parent_id")
    own = {"trace.trace_id": trace_id, "trace.span_id": ids[data["trace.span_id"]]}
    took = round(random.random() * 100, 3)  # noqa: S311 - no secret
    return {**data, **own, "duration_ms": took, "trace.parent_id": ids.get(parent, parent) if parent else None}


def summarised(folder: Path, way: Sequence[Item], samples: int) -> Figure:
    """One flush to the journal, against one UpdateItem by the same connection: what a function does anyway."""
    own = [flush for flush in flushes(way) if not flush[0]["data"]["service.name"].endswith("_webhook")]
    now = datetime.now(UTC)
    with stack.running(folder) as info:
        connect(local_from(info).tables)
        taken, floor = [], []
        for number in range(samples + 5):
            flush = moved(own[number % len(own)])
            floor.append(timed(lambda: GateRecord("bench/floor", "a" * 40).update(set_all({"n": 1}))))
            taken.append(timed(partial(summaries.write, flush, now)))
    sizes = [summary_bytes(flush, now) for flush in own]
    units = sum(ceil(size / 1024) for size in sizes)
    told = f"{len(own)} invocations told of the demo's commit: {sum(sizes)} bytes, {units} write units"
    return Figure("traces.summaries", "ms", SUMMARIES_GOAL, taken[5:], floor[5:], details=[told])


def summary_bytes(flush: Sequence[Item], now: datetime) -> int:
    """What DynamoDB counts for the item: names and values in UTF-8."""
    row = summaries.row_of(flush[0]["data"]["trace.trace_id"], flush, now)
    return sum(len(name) + len(str(next(iter(value.values()))).encode()) for name, value in row.items())


def timed(work: Callable[[], object]) -> float:
    """In ms."""
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)
