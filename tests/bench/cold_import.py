"""`cold_import.<function>`: importing a function in a new process, against boto3 and one client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.figures import Figure
from tests.bench.lambda_runtime import LambdaRuntime

GOALS = {
    "github_webhook": 1.5,
    "circleci_webhook": 1.5,
    "event_forwarder": 1.5,
    "gate_recorder": 1.7,
    "promoter": 1.7,
    "helm_installer": 2.2,
}
FLOOR = "import boto3; boto3.client('sns')"
TIMED = "import time; begun = time.perf_counter()\n{}\nprint(time.perf_counter() - begun)"
ROUNDS, QUICK_ROUNDS = 15, 3


def measure(*, quick: bool) -> Iterator[Figure]:
    """One process for each function and one for the floor in turn, round after round; the first round only warms."""
    samples: dict[str, list[float]] = {name: [] for name in ("", *GOALS)}
    with TemporaryDirectory() as folder:
        runtime = LambdaRuntime.make(Path(folder))
        for each in range(1 + (QUICK_ROUNDS if quick else ROUNDS)):
            for name, taken in samples.items():
                milliseconds = 1000 * float(runtime.run(TIMED.format("import app" if name else FLOOR), name))
                if each:
                    taken.append(milliseconds)
    for name, goal in GOALS.items():
        yield Figure(f"cold_import.{name}", "ms", goal, samples[name], samples[""])
