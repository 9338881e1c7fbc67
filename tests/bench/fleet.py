"""`fleet`: a thousand releases by eight installers, against `xargs -P8 helm upgrade --install --wait` of as many.

In batches by turns, so that both see the same cluster grow; each batch has a namespace of its own.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tests.bench import clusters
from tests.bench.figures import Figure
from tests.bench.installers import Installed, Installer, bare_command, bare_environment, installer, some_commit
from tests.bench.lambda_runtime import LambdaRuntime
from tests.contract.clusters import ClusterUnderTest

GOAL = 1.25
INSTALLERS = 8
BATCHES, QUICK_BATCHES = 10, 2
BATCH, QUICK_BATCH = 100, 20


@dataclass(frozen=True, slots=True)
class Fleet:
    """Eight installers of one cluster. last: what each of them said of its last install."""

    cluster: ClusterUnderTest
    installers: Sequence[Installer]
    folder: Path
    last: dict[int, Installed]

    def install(self, releases: int) -> float:
        """The seconds that so many new releases take: whoever is free takes the next, as from a queue."""
        namespace, queue = self.cluster.new_namespace(), SimpleQueue[str | None]()
        for name in [*_names(releases), *[None] * INSTALLERS]:
            queue.put(name)

        def work(number: int) -> None:
            while name := queue.get():
                self.last[number] = self.installers[number].install(namespace, name, some_commit())

        begun = time.perf_counter()
        with ThreadPoolExecutor(INSTALLERS) as pool:
            list(pool.map(work, range(INSTALLERS)))
        return time.perf_counter() - begun

    def install_bare(self, releases: int) -> float:
        """The same by xargs."""
        command = bare_command(self.cluster, self.cluster.new_namespace(), "{}", some_commit())
        environment, names = bare_environment(self.folder), "\n".join(_names(releases))
        xargs = ["xargs", f"-P{INSTALLERS}", "-I{}", *command]
        begun = time.perf_counter()
        subprocess.run(xargs, env=environment, input=names, text=True, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun


def measure(*, quick: bool) -> Iterator[Figure]:
    """Cluster by cluster."""
    batches, batch = (QUICK_BATCHES, QUICK_BATCH) if quick else (BATCHES, BATCH)
    with TemporaryDirectory() as folder:
        runtime = LambdaRuntime.make(Path(folder) / "lambda")
        for name in clusters.names():
            place = Path(folder) / name
            place.mkdir()
            with clusters.running(name) as cluster, ExitStack() as stack:
                started = [
                    stack.enter_context(installer(runtime, cluster, place / str(each))) for each in range(INSTALLERS)
                ]
                fleet = Fleet(cluster, started, place, {})
                yield figure(name, batch, *in_turn(fleet, batches, batch), list(fleet.last.values()))


def in_turn(fleet: Fleet, batches: int, batch: int) -> tuple[list[float], list[float]]:
    """The seconds of each batch, by the installers and by xargs; who begins changes."""
    ours, bare = [], []
    fleet.install(INSTALLERS)
    fleet.install_bare(INSTALLERS)
    for each in range(batches):
        if each % 2:
            bare.append(fleet.install_bare(batch))
        ours.append(fleet.install(batch))
        if not each % 2:
            bare.append(fleet.install_bare(batch))
    return ours, bare


def figure(cluster: str, batch: int, ours: Sequence[float], bare: Sequence[float], last: Sequence[Installed]) -> Figure:
    """From the seconds of batches of so many releases, and what each installer said of its last install."""
    speed, floor_speed = _per_minute(batch, ours), _per_minute(batch, bare)
    own, helm = (max(kilobytes) / 1024 for kilobytes in zip(*((e.peak_kb, e.helm_peak_kb) for e in last), strict=True))
    told = [
        f"{batch * len(ours):,} releases on the {cluster} cluster: {speed:.0f} a minute, {floor_speed:.0f} by xargs",
        f"memory of an installer, at most: {own:.0f} MB, and {helm:.0f} MB of a Helm process",
    ]
    samples, floor = ([1000 * seconds / batch for seconds in taken] for taken in (ours, bare))
    return Figure(f"fleet.{cluster}", "ms", GOAL, samples, floor, told)


def _names(releases: int) -> list[str]:
    return [f"web-{each}" for each in range(releases)]


def _per_minute(batch: int, seconds: Sequence[float]) -> float:
    return 60 * batch * len(seconds) / sum(seconds)
