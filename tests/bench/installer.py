"""`installer_warm_ms`, `installer_cold_ms` and `helm`: what an install takes beyond Helm, and what Helm takes in it.

Each on the embedded cluster and, where there can be one, on a real control plane. The tables and topics around an
install are measured elsewhere, as `installer_overhead_ms`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench import clusters
from tests.bench.figures import Figure
from tests.bench.installers import Installed, bare_helm, installer, some_commit
from tests.bench.lambda_runtime import LambdaRuntime
from tests.contract.clusters import ClusterUnderTest

WARM_GOAL, COLD_GOAL, HELM_GOAL = 40.0, 250.0, 0.7
WARM_UP = 2
TURNS, QUICK_TURNS = 30, 3
STARTS, QUICK_STARTS = 15, 3
ORIGINAL_MS = 17_400
"""What the original of 2019 took for an upgrade."""


def measure(*, quick: bool) -> Iterator[Figure]:
    """Cluster by cluster."""
    with TemporaryDirectory() as folder:
        runtime = LambdaRuntime.make(Path(folder) / "lambda")
        for name in clusters.names():
            place = Path(folder) / name
            place.mkdir()
            with clusters.running(name) as cluster:
                warm, bare = in_turn(runtime, cluster, place, QUICK_TURNS if quick else TURNS)
                cold = starts(runtime, cluster, place, QUICK_STARTS if quick else STARTS)
            yield from figures(name, warm, bare, cold)


def in_turn(
    runtime: LambdaRuntime, cluster: ClusterUnderTest, folder: Path, turns: int
) -> tuple[list[Installed], list[float]]:
    """Upgrades to a new image, by an installer that has installed before, and by the bare command in ms."""
    namespace, found, bare = cluster.new_namespace(), [], []
    with installer(runtime, cluster, folder / "warm") as process:
        for turn in range(WARM_UP + turns):
            tag = some_commit()
            if turn % 2:
                bare.append(bare_helm(cluster, namespace, "bare", tag, folder))
            found.append(process.install(namespace, "web", tag))
            if not turn % 2:
                bare.append(bare_helm(cluster, namespace, "bare", tag, folder))
    return found[WARM_UP:], bare[WARM_UP:]


def starts(runtime: LambdaRuntime, cluster: ClusterUnderTest, folder: Path, number: int) -> list[Installed]:
    """First installs, each in a new process with an empty folder; what comes first only warms the disk's cache."""
    namespace, found = cluster.new_namespace(), []
    for turn in range(1 + number):
        with installer(runtime, cluster, folder / f"cold-{turn}") as process:
            found.append(process.install(namespace, f"web-{turn}", some_commit()))
    return found[1:]


def figures(
    cluster: str, warm: Sequence[Installed], bare: Sequence[float], cold: Sequence[Installed]
) -> Iterator[Figure]:
    """From upgrades by a warm installer, the bare command's times in ms, and first installs of new processes."""
    yield Figure(f"installer_warm_ms.{cluster}", "ms", WARM_GOAL, [each.own_ms for each in warm])
    told = [_parts(cluster, cold)]
    yield Figure(f"installer_cold_ms.{cluster}", "ms", COLD_GOAL, [each.cold_ms for each in cold], details=told)
    upgrades = [each.steps["helm upgrade"] for each in warm]
    yield Figure(f"helm.{cluster}", "ms", HELM_GOAL, upgrades, bare, _told(cluster, warm, median(bare)))


def _parts(cluster: str, cold: Sequence[Installed]) -> str:
    imported, ready = median(each.import_ms for each in cold), median(each.ready_ms for each in cold)
    own, whole = median(each.own_ms for each in cold), median(each.ready_ms + each.ms for each in cold)
    parts = f"import {imported:.0f}, clients and tracing {ready - imported:.0f}, install() {own:.0f} ms"
    return f"a first install on the {cluster} cluster: {whole:.0f} ms with Helm; {parts}"


def _told(cluster: str, warm: Sequence[Installed], bare: float) -> list[str]:
    whole, look_up = median(each.ms for each in warm), median(each.steps["release look-up"] for each in warm)
    times = f"{whole / bare:.2f} × the bare command, {ORIGINAL_MS / whole:.0f} times faster than the original's 17.4 s"
    return [
        f"an install on the {cluster} cluster: {whole:.0f} ms, {times}",
        f"its look-up of the release: {look_up:.0f} ms, {look_up / bare:.2f} × the bare command",
    ]
