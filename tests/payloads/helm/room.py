"""Where a sample is recorded: one Helm, a cluster, a namespace and a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import tools
from pipeline_state.deploy import Workspace, dialect
from pipeline_state.deploy.helm import environment
from pipeline_state.deploy.progress import without_debug

SECONDS = 180.0


class NothingSaidError(Exception):
    """Helm succeeded where it was to fail."""


@dataclass(frozen=True, slots=True)
class Room:
    """helm: the executable, of that version. url, kubeconfig: the cluster's, for whoever may do everything in it."""

    helm: Path
    version: str
    url: str
    kubeconfig: Path
    directory: Path
    namespace: str = field(default_factory=lambda: f"shop-{uuid.uuid4().hex[:6]}")

    @property
    def major(self) -> dialect.Major:
        return 4 if self.version.startswith("4.") else 3

    def chart(self, templates: Mapping[str, str], *, crds: str = "", schema: str = "", **metadata: Any) -> str:
        """The folder of a chart "web" of these templates."""
        place = self.directory / "charts" / uuid.uuid4().hex[:6] / "web"
        (place / "templates").mkdir(parents=True)
        about = {"apiVersion": "v2", "name": "web", "version": "0.1.0", **metadata}
        (place / "Chart.yaml").write_text(json.dumps(about))
        for name, content in templates.items():
            (place / "templates" / f"{name}.yaml").write_text(content)
        if crds:
            (place / "crds").mkdir()
            (place / "crds" / "crds.yaml").write_text(crds)
        if schema:
            (place / "values.schema.json").write_text(schema)
        return str(place)

    def upgrade(
        self,
        chart: str,
        *flags: str,
        wish: dialect.Wish = dialect.Wish(waits=True, goes_back=True),  # noqa: B008 - frozen
        kubeconfig: Path | None = None,
        timeout: str = "20s",
        release: str = "web",
        **values: Any,
    ) -> bytes:
        """What Helm says on standard error. Raises NothingSaidError."""
        fixed = ["--output", "json", "--timeout", timeout, "--values", "-", "--create-namespace"]
        spoken = dialect.upgrade(self.major, wish)
        return self.run("upgrade", release, chart, *fixed, *spoken, *flags, kubeconfig=kubeconfig, given=values)

    def prepared(self, chart: str, *flags: str, **values: Any) -> None:
        """The release is there, and nothing waits for it to be ready. Raises subprocess.CalledProcessError."""
        fixed = ["upgrade", "web", chart, "--install", "--values", "-", "--create-namespace"]
        self._call([*fixed, *flags], values).check_returncode()

    def run(self, *command: str, kubeconfig: Path | None = None, given: Any = None) -> bytes:
        """What Helm says on standard error. Raises NothingSaidError."""
        done = self._call([*command], given, kubeconfig)
        if not done.returncode:
            raise NothingSaidError(done.stderr.decode() or done.stdout.decode())
        return without_debug(done.stderr)

    def start(self, *command: str, kubeconfig: Path | None = None) -> subprocess.Popen[bytes]:
        """Helm at work."""
        return subprocess.Popen(
            [self.helm, *command, *self._target(kubeconfig)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def kubectl(self, *command: str, given: Any = None) -> str:
        """What kubectl prints, as whoever may do everything. Raises subprocess.CalledProcessError."""
        done = subprocess.run(
            [tools.helm_and_kubectl() / "kubectl", "--kubeconfig", self.kubeconfig, *command],
            input=json.dumps(given),
            env={"KUBECACHEDIR": str(self.directory / "kubectl"), "HOME": str(self.directory)},
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return done.stdout

    def config(self, name: str, url: str = "", *, user: Any = None, **cluster: Any) -> Path:
        """A kubeconfig that leads elsewhere, or to the same cluster as somebody else."""
        own = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--output", "json"))
        there = {"server": url, **cluster} if url else own["clusters"][0]["cluster"]
        named = own["contexts"][0]["context"]
        own["clusters"] = [{"name": named["cluster"], "cluster": there}]
        own["users"] = own["users"] if user is None else [{"name": named["user"], "user": user}]
        path = self.directory / f"{name}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(own))
        return path

    def until(self, is_so: Callable[[], bool]) -> None:
        """Asks until it is. Raises TimeoutError."""
        for _ in range(1000):
            if is_so():
                return
        raise TimeoutError

    def _call(
        self, command: list[str], given: Any, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.helm, *command, *self._target(kubeconfig)],
            input=json.dumps(given or {}).encode(),
            env=self._environment(),
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )

    def _target(self, kubeconfig: Path | None) -> list[str]:
        return ["--namespace", self.namespace, "--kubeconfig", str(kubeconfig or self.kubeconfig)]

    def _environment(self) -> dict[str, str]:
        return environment(Workspace(self.directory / "work", self.directory), str(self.helm))


def emptied(directory: Path) -> Path:
    """The folder, new."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    return directory
