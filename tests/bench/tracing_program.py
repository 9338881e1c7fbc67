"""Runs where a function runs: its handler with tracing off and on, by turns; prints samples in ms by what was on.

Given the function, its event (for a recorder's, `commit` in it is made new each time), how many to measure, where spans
may go, and the URL of an endpoint that never answers.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pipeline_state import tracing
from pipeline_state.tracing.outbox import Outbox
from pipeline_state.tracing.setup import process

sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - log lines cost what they cost; __stdout__ is for the result
app = __import__("app")  # the function's, found beside the layer on this process's path

WARM_UP = 10
DEAD_TIMES, KNOWN_TIMES = 5, 20
GIVEN: dict[str, Any] = json.loads(sys.argv[1])


def handle() -> None:
    event = json.loads(GIVEN["event"].replace("<commit>", uuid.uuid4().hex + "00000000"))
    if GIVEN["function"] == "github_webhook":
        answer = app.app(event, None)
        failed = answer["statusCode"] != 202
    else:
        answer = app.record_gates(event, None)
        failed = bool(answer["batchItemFailures"])
    if failed:
        raise SystemExit(f"the handler answered {answer}")


def outbox(*sinks: tracing.Sink) -> Outbox:
    return Outbox([sink.exporter(GIVEN["function"]) for sink in sinks])


def use(where: Outbox | None) -> None:
    """None is without tracing. One beeline serves all in turn: it lets itself be set up only once."""
    process.beeline = BEELINE if where else None
    process.outbox = BEELINE.client.xmit = where or NOWHERE


def took(clock: Callable[[], float], where: Outbox | None) -> float:
    """Milliseconds of one event."""
    use(where)
    begun = clock()
    handle()
    return 1000 * (clock() - begun)


handle()  # what a function puts together at its first event
BEELINE, NOWHERE = process.beeline, process.outbox
TO = GIVEN["to"]
OUTBOXES = {
    "off": None,
    "nowhere": NOWHERE,
    "store": outbox(tracing.StoreSink(Path(TO["store"]))),
    "honeycomb": outbox(tracing.HoneycombSink("key", TO["honeycomb"])),
    "otlp": outbox(tracing.OtlpSink(TO["otlp"])),
}
samples: dict[str, list[float]] = {name: [] for name in OUTBOXES}
names = list(OUTBOXES)
for turn in range(WARM_UP + GIVEN["events"]):
    for name in names[turn % len(names) :] + names[: turn % len(names)]:
        sample = took(time.process_time, OUTBOXES[name])
        if turn >= WARM_UP:
            samples[name].append(sample)

wall = partial(took, time.perf_counter)
samples |= {"dead": [], "dead.known": [], "dead.off": []}
for _ in range(DEAD_TIMES):
    dead = outbox(tracing.HoneycombSink("key", TO["dead"]), tracing.OtlpSink(TO["dead"]))
    samples["dead"].append(wall(dead))
    for _ in range(KNOWN_TIMES):
        samples["dead.off"].append(wall(None))
        samples["dead.known"].append(wall(dead))
print(json.dumps(samples), file=sys.__stdout__, flush=True)
os._exit(0)  # without waiting for threads that wait for an answer
