"""Helm and kubectl, as a person would run them, against the cluster of a local stack."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 180.0


class KubeError(Exception):
    """Helm or kubectl failed; says which command, and what it printed."""


@dataclass(frozen=True, slots=True)
class Kube:
    """One context of a kubeconfig.

    tools: the folder with helm and kubectl. private: a folder for what they like to keep in the user's home.
    """

    tools: Path
    kubeconfig: Path
    context: str
    private: Path

    def helm(self, *arguments: str, values: str = "") -> str:
        """What helm prints; `values` is its standard input. Raises KubeError."""
        return self._run(["helm", *arguments, "--kube-context", self.context], values)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints. Raises KubeError."""
        return self._run(["kubectl", *arguments, "--context", self.context])

    def _run(self, command: list[str], given: str = "") -> str:
        name, *arguments = command
        try:
            done = subprocess.run(
                [self.tools / name, *arguments, "--kubeconfig", str(self.kubeconfig)],
                env=self._environment(),
                input=given,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise KubeError(f"{' '.join(command)} did not end within {SECONDS:.0f} seconds") from error
        if done.returncode:
            raise KubeError(f"{' '.join(command)}\n{done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """The user's own, which a kubeconfig may call for to log in, less what would lead Helm elsewhere."""
        homes = {f"HELM_{kind}_HOME": str(self.private / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
        return {**kept, **homes, "KUBECACHEDIR": str(self.private / "kubectl")}


def current_context(tools: Path, kubeconfig: Path) -> str:
    """The context that a kubeconfig is set to. Raises KubeError."""
    try:
        done = subprocess.run(
            [tools / "kubectl", "config", "current-context", "--kubeconfig", str(kubeconfig)],
            capture_output=True,
            text=True,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise KubeError(f"{kubeconfig}: {error.stderr.strip()}; choose one with --kube-context") from error
    return done.stdout.strip()
