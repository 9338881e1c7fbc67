"""Runs where DynamoDB Local may: gate changes and sweeps over few and over many stored commits; prints the samples.

Given how many commits are few and how many are many, and for each thing to do, how many commits wait meanwhile and how
many samples to take. Both lie in tables of one DynamoDB, each with a process of its own, of which one works at a time.
"""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.stored_commits import StoredCommits
from tests.contract import dynamodb_local

WARM_UP = 5

Work = Callable[[int], tuple[float, int]]

mine: list[StoredCommits] = []
"""Those of this process, once it has them."""


def main(sizes: dict[str, int], plan: list[tuple[str, int, int]]) -> dict[str, Any]:
    """Samples by what was done and by size, each milliseconds and calls; or why there are none."""
    if reason := dynamodb_local.missing():
        return {"missing": reason}
    found: dict[str, Any] = {}
    with TemporaryDirectory() as folder, dynamodb_local.running(Path(folder), "-Xmx1g") as url, ExitStack() as stack:
        processes = {name: stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"))) for name in sizes}
        for made in [process.submit(make, url, sizes[name]) for name, process in processes.items()]:
            made.result()
        for what, commits, number in plan:
            work: Work = change if what == "change" else sweep
            for process in processes.values():
                process.submit(wait, commits).result()
            taken = [one_of_each(processes, work, each) for each in range(WARM_UP + number)]
            found[what] = {name: [each[name] for each in taken[WARM_UP:]] for name in processes}
    return found


def one_of_each(processes: dict[str, ProcessPoolExecutor], work: Work, number: int) -> dict[str, tuple[float, int]]:
    """One sample of each, and the next time in the other order."""
    names = sorted(processes, reverse=number % 2 == 1)
    return {name: processes[name].submit(work, number).result() for name in names}


def make(url: str, stored: int) -> None:
    mine[:] = [StoredCommits(url, stored)]


def wait(commits: int) -> None:
    mine[0].wait(commits)


def change(number: int) -> tuple[float, int]:
    return mine[0].change(number)


def sweep(_: int) -> tuple[float, int]:
    return mine[0].sweep()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(main(given["sizes"], given["plan"])))
