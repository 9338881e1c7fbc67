"""The local AWS for contract tests: one MiniStack for each of pytest's processes, on loopback."""

import socket
import time
from collections.abc import Iterator

import pytest

from infra.local import ministack as local
from infra.local import process, tools

START_SECONDS = 30.0


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its endpoint URL. It is shared: give what you make in it names of its own."""
    state_dir = tmp_path_factory.mktemp("ministack")
    with socket.create_server((local.HOST, 0)) as probe:
        port = probe.getsockname()[1]
    environment = local.environment(state_dir, port=port, tools=tools.helm_and_kubectl(), auth=False)
    log = state_dir / "log"
    pid = process.start("infra.local.ministack", str(state_dir), "--with-parent", log=log, environment=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not local.is_ready(port):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield f"http://{local.HOST}:{port}"
    finally:
        process.stop(pid, "infra.local.ministack")
