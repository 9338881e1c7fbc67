"""Installers as processes of their own, and the bare command that they are compared with."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local import tools
from tests.bench.cold_import import SETTINGS
from tests.bench.deployments import CHARTS
from tests.bench.lambda_runtime import LambdaRuntime
from tests.contract.clusters import ClusterUnderTest

PROGRAM = Path(__file__).with_name("installer_program.py")


@dataclass(frozen=True, slots=True)
class Installed:
    """One install, times in ms. steps: each Helm process, and the look-up, by the name of its span, "helm upgrade".

    import_ms, ready_ms: how long after its start the process had imported the function, and could take its first event.
    peak_kb, helm_peak_kb: the most memory that the process and any one of its Helms have had so far.
    """

    kind: str
    reason: str
    ms: float
    helm_ms: float
    import_ms: float
    ready_ms: float
    steps: Mapping[str, float]
    peak_kb: int
    helm_peak_kb: int

    @property
    def own_ms(self) -> float:
        """What the install took beyond its Helm processes."""
        return self.ms - self.helm_ms

    @property
    def cold_ms(self) -> float:
        """The same of a first install, with all that its process had to import and to put together."""
        return self.ready_ms + self.own_ms


@dataclass(frozen=True, slots=True)
class Installer:
    """A process in which the installer's code runs, as in a Lambda of its own."""

    process: subprocess.Popen[str]

    def install(self, namespace: str, name: str, commit: str) -> Installed:
        """Raises ValueError when the release is not deployed, or the process is gone."""
        asked, answers = self.process.stdin, self.process.stdout
        assert asked
        assert answers
        asked.write(json.dumps({"namespace": namespace, "name": name, "commit": commit}) + "\n")
        asked.flush()
        line = answers.readline()
        if not line:
            raise ValueError(f"the installer ended with code {self.process.wait()}")
        done = Installed(**json.loads(line))
        if done.kind != "Deployed":
            raise ValueError(f"{namespace}/{name}: {done.kind}: {done.reason}")
        return done


@contextmanager
def installer(runtime: LambdaRuntime, cluster: ClusterUnderTest, folder: Path) -> Iterator[Installer]:
    """An installer with a new folder for all it writes; it ends with the block, having done what it was asked to."""
    folder.mkdir()
    environment = {"TMPDIR": str(folder), "CHARTS_DIR": str(CHARTS)}
    path = os.pathsep.join([str(tools.helm_and_kubectl()), os.defpath])
    code = PROGRAM.read_text(encoding="utf-8")
    arguments = ("helm_installer", str(cluster.kubeconfig))
    with runtime.start(code, *arguments, **{**SETTINGS, **environment, "PATH": path}) as process:
        yield Installer(process)


def bare_command(cluster: ClusterUnderTest, namespace: str, name: str, tag: str) -> list[str]:
    """What a person types to install the same: Helm's own defaults, and --wait."""
    helm = str(tools.helm_and_kubectl() / "helm")
    target = ["--namespace", namespace, "--create-namespace", "--kubeconfig", str(cluster.kubeconfig)]
    values = ["--set", "replicaCount=1", "--set-string", f"image.tag={tag}"]
    return [helm, "upgrade", "--install", name, str(CHARTS / "web"), "--wait", *values, *target]


def bare_environment(home: Path) -> dict[str, str]:
    """HOME is where Helm keeps what it discovers."""
    return {"PATH": os.defpath, "HOME": str(home)}


def bare_helm(cluster: ClusterUnderTest, namespace: str, name: str, tag: str, home: Path) -> float:
    """The bare command's time, in ms."""
    command, environment = bare_command(cluster, namespace, name, tag), bare_environment(home)
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - begun)


def some_commit() -> str:
    """One that nobody has."""
    return secrets.token_hex(20)
