"""`cold_import.<function>`: importing a function in a new process, against boto3 and one client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from pipeline_state.settings import Settings
from tests.bench.figures import Figure
from tests.bench.lambda_runtime import LambdaRuntime

GOALS = {
    "github_webhook": 1.5,
    "circleci_webhook": 1.5,
    "event_forwarder": 1.5,
    "gate_recorder": 1.7,
    "promoter": 1.7,
    "sweeper": 1.7,
    "helm_installer": 2.2,
    "rollout_observer": 2.2,
}
FLOOR = """
import time; begun = time.perf_counter()
import boto3; boto3.client("sns")
print(time.perf_counter() - begun)
"""
FUNCTION = """
import time; begun = time.perf_counter()
import app
print(time.perf_counter() - begun)
(put_together,) = (value for value in vars(app).values() if hasattr(value, "cache_info"))
put_together()
print(time.perf_counter() - begun)
"""
SETTINGS = {
    field.name.upper(): f"some-{field.name}"
    for field in fields(Settings)
    if field.name.endswith(("_table", "_arn", "_url")) and field.name != "honeycomb_key_arn"
}
ROUNDS, QUICK_ROUNDS = 15, 3


def measure(*, quick: bool) -> Iterator[Figure]:
    """One process for each function and one for the floor in turn, round after round; the first round only warms.

    What a function puts together at its first event, its clients and tracing, is no import: it is told beside it.
    """
    imports: dict[str, list[float]] = {name: [] for name in ("", *GOALS)}
    ready: dict[str, list[float]] = {name: [] for name in GOALS}
    with TemporaryDirectory() as folder:
        runtime = LambdaRuntime.make(Path(folder))
        for each in range(1 + (QUICK_ROUNDS if quick else ROUNDS)):
            for name, taken in imports.items():
                first, *then = runtime.run(FUNCTION if name else FLOOR, name, **SETTINGS).splitlines()
                if each:
                    taken.append(1000 * float(first))
                if each and then:
                    ready[name].append(1000 * float(then[-1]))
    floor = median(imports[""])
    for name, goal in GOALS.items():
        whole = median(ready[name])
        told = f"cold_import.{name}, with its clients and tracing: {whole:.2f} ms, {whole / floor:.2f} × the floor"
        yield Figure(f"cold_import.{name}", "ms", goal, imports[name], imports[""], [told])
