"""`repository`: what a repository's page, and how far its environments are behind, cost with many commits, against few.

In AWS's own DynamoDB Local, as `stored`, and without a browser.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from tests.bench.figures import Figure

GOAL = 1.3
FEW, MANY, QUICK_MANY = 100, 10_000, 1_000
SAMPLES, QUICK_SAMPLES = 40, 5


def measure(*, quick: bool) -> Iterator[Figure]:
    """In a network namespace of its own."""
    few, many = FEW, QUICK_MANY if quick else MANY
    wanted = [few, many, QUICK_SAMPLES if quick else SAMPLES]
    inside = [sys.executable, "-m", "infra.local.loopback", "--"]
    program = [sys.executable, "-m", "tests.bench.large_repo_program", json.dumps(wanted)]
    done = subprocess.run([*inside, *program], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if "missing" in found:
        print(f"repository is left out: {found['missing']}", file=sys.stderr)
        return
    yield from figures(found, few, many)


def figures(found: Mapping[str, Mapping[str, Sequence[float]]], few: int, many: int) -> Iterator[Figure]:
    """From milliseconds by what was done, with few and with many commits."""
    told = [f"a repository of {many:,} commits, against one of {few:,}"]
    for name, samples in found.items():
        yield Figure(f"repository.{name}", "ms", GOAL, samples["many"], samples["few"], told)
