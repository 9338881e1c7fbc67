"""AWS's own DynamoDB Local as a process. It listens on all addresses: only inside a network namespace."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local import tools
from infra.local.ports import HOST, free_port

START_SECONDS = 240.0  # two workers, a JVM each, and a control plane start in the same moment


def missing() -> str:
    """Why it cannot run here, as a sentence; empty if it can."""
    if os.environ.get("GATESTREAM_NETWORK") != "namespace":
        return "DynamoDB Local listens on all addresses: only inside `make test`'s network namespace"
    return tools.without_dynamodb_local()


@contextmanager
def running(here: Path, *java: str) -> Iterator[str]:
    """Its endpoint URL, for the length of the block. here: an empty folder, since it leaves a file wherever it starts.

    java: options of the virtual machine.
    """
    folder, port = tools.dynamodb_local(), free_port()
    libraries = f"-Djava.library.path={folder}/DynamoDBLocal_lib"
    options = ["-inMemory", "-disableTelemetry", "-port", str(port)]
    command = ["java", *java, libraries, "-jar", f"{folder}/DynamoDBLocal.jar", *options]
    silent: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=here, **silent) as it:
        try:
            wait(lambda: _listens(port), lambda: it.poll() is None, lambda: f"{' '.join(command)}: code {it.poll()}")
            yield f"http://{HOST}:{port}"
        finally:
            it.kill()


def wait(is_ready: Callable[[], bool], lives: Callable[[], bool], said: Callable[[], str]) -> None:
    """Returns when a server is ready. Raises AssertionError with what was said when it ends, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        assert lives(), said()
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)
    assert lives(), f"another answered: {said()}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
