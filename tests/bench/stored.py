"""`flat` and `sweep`: what a gate change and a sweep cost with many commits in the tables, against few.

The tables are in AWS's own DynamoDB Local, since what another one costs with many items is its own affair. Where that
cannot run there are no such figures, and standard error says why.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from tests.bench.figures import Figure

GOAL, GROWTH_GOAL = 1.2, 5.5
FEW, MANY, QUICK_MANY = 10, 100_000, 1_000
SAMPLES, QUICK_SAMPLES = (100, 60, 20), (10, 10, 5)
WAITING = (5, 20, 200)
"""How many commits wait for their gates, in four repositories: beside a gate change, in a sweep, in a great one."""

Found = Mapping[str, Mapping[str, Sequence[tuple[float, int]]]]


def measure(*, quick: bool) -> Iterator[Figure]:
    """In a network namespace of its own."""
    sizes = {"few": FEW, "many": QUICK_MANY if quick else MANY}
    plan = zip(("change", "sweep", "great_sweep"), WAITING, QUICK_SAMPLES if quick else SAMPLES, strict=True)
    wanted = {"sizes": sizes, "plan": list(plan)}
    inside = [sys.executable, "-m", "infra.local.loopback", "--"]
    program = [sys.executable, "-m", "tests.bench.stored_program", json.dumps(wanted)]
    done = subprocess.run([*inside, *program], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if "missing" in found:
        print(f"flat and sweep are left out: {found['missing']}", file=sys.stderr)
        return
    yield from figures(found, sizes)


def figures(found: Found, sizes: Mapping[str, int]) -> Iterator[Figure]:
    """From samples, milliseconds and calls each: of gate changes, sweeps and great sweeps, with few and many stored."""
    change, sweep, great = found["change"], found["sweep"], found["great_sweep"]
    told = [_calls("a gate change", sizes[name], change[name]) for name in sizes]
    yield Figure("flat", "ms", GOAL, _times(change["many"]), _times(change["few"]), told)
    yield Figure("sweep", "ms", GOAL, _times(sweep["many"]), _times(sweep["few"]))
    told = [
        _calls(f"a sweep of {waiting} waiting commits", sizes[name], swept[name], waiting)
        for waiting, swept in zip(WAITING[1:], (sweep, great), strict=True)
        for name in sizes
    ]
    yield Figure("sweep.calls", "calls", GOAL, _numbers(sweep["many"]), _numbers(sweep["few"]), told)
    yield Figure("sweep.growth", "ms", GROWTH_GOAL, _times(great["many"]), _times(sweep["many"]))


def _times(samples: Sequence[tuple[float, int]]) -> list[float]:
    return [milliseconds for milliseconds, _ in samples]


def _numbers(samples: Sequence[tuple[float, int]]) -> list[float]:
    return [float(calls) for _, calls in samples]


def _calls(what: str, stored: int, samples: Sequence[tuple[float, int]], waiting: int = 0) -> str:
    """What was done and how many calls it took, in the median."""
    calls = median(_numbers(samples))
    each = f", {calls / waiting:.2f} for each of them" if waiting else ""
    return f"{what} beside {stored:,} stored commits: {calls:.0f} calls of DynamoDB{each}"
