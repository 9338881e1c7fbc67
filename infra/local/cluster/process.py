"""The embedded cluster as a child process."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_ROOT = Path(__file__).parents[3]
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster; ends with ``stop()``, with its context, or with the process that started it."""

    url: str
    kubeconfig: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the process and wait until it is gone; stopping twice does nothing."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(kubeconfig: Path, *, ready_after: float = 0.2) -> Cluster:
    """Start a cluster on a free port of 127.0.0.1 and write its kubeconfig (mode 0600).

    :param ready_after: seconds until Pods are ready, where no annotation says otherwise.
    :raises RuntimeError: it did not come up; its own words are on standard error.
    """
    command = [sys.executable, "-m", "infra.local.cluster", "--kubeconfig", str(kubeconfig.absolute())]
    process = subprocess.Popen(
        [*command, "--with-parent", str(os.getpid()), "--ready-after", str(ready_after)],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches the one who started it, who may still need it
    )
    output = process.stdout
    assert output is not None  # noqa: S101 - it was asked for
    with output:
        line = output.readline()
    if not line:
        raise RuntimeError(f"the embedded cluster ended with code {process.wait()} before it was ready")
    return Cluster(json.loads(line)["url"], kubeconfig, process)
