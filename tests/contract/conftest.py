"""The local AWS for contract tests: a MiniStack and a DynamoDB Local for each of pytest's processes, on loopback."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from infra.local import ministack as local
from infra.local import process, tools
from tests.contract.function_room import FunctionRoom
from tests.contract.table_room import LocalTables, TableRoom

START_SECONDS = 30.0


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its endpoint URL. It is shared: give what you make in it names of its own."""
    state_dir = tmp_path_factory.mktemp("ministack")
    port = local.free_port()
    environment = local.environment(state_dir, port=port, tools=tools.helm_and_kubectl(), auth=False)
    log = state_dir / "log"
    pid = process.start(
        "infra.local.ministack", str(state_dir), "--with-parent", str(os.getpid()), log=log, environment=environment
    )
    try:
        _wait(lambda: local.is_ready(port), log.read_text)
        yield f"http://{local.HOST}:{port}"
    finally:
        process.stop(pid, "infra.local.ministack")


@pytest.fixture(scope="session")
def dynamodb_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint URL of AWS's own DynamoDB Local, which is shared as well."""
    if os.environ.get("GATESTREAM_NETWORK") != "namespace":
        _go_without("DynamoDB Local listens on all addresses: only inside `make test`'s network namespace")
    folder = tools.dynamodb_local()
    if folder is None:
        _go_without(tools.without_dynamodb_local())
    port = local.free_port()
    libraries = f"-Djava.library.path={folder}/DynamoDBLocal_lib"
    small = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    options = ["-inMemory", "-disableTelemetry", "-port", str(port)]
    command = ["java", *small, libraries, "-jar", str(folder / "DynamoDBLocal.jar"), *options]
    here = tmp_path_factory.mktemp("dynamodb-local")  # it leaves a file wherever it starts
    silent: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=here, **silent) as it:
        try:
            _wait(lambda: _listens(port), lambda: f"{' '.join(command)}: exit code {it.poll()}")
            yield f"http://{local.HOST}:{port}"
        finally:
            it.kill()


def _go_without(reason: str) -> NoReturn:
    """Skip what needs DynamoDB Local, unless whoever runs the tests insists on it."""
    if os.environ.get("GATESTREAM_REQUIRE_DYNAMODB_LOCAL"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", params=["ministack", "dynamodb_local"])
def local_tables(request: pytest.FixtureRequest) -> LocalTables:
    """The four tables in the one and in the other; pytest runs the tests of each together."""
    return LocalTables(request.getfixturevalue(request.param))


@pytest.fixture
def room(local_tables: LocalTables) -> TableRoom:
    return TableRoom(local_tables)


def _wait(is_ready: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((local.HOST, port)) == 0


@pytest.fixture(scope="session")
def ministack_tables(ministack: str) -> LocalTables:
    return LocalTables(ministack)


@pytest.fixture
def functions(ministack_tables: LocalTables) -> FunctionRoom:
    """Recorder and promoter with their tables, queues and topics in MiniStack."""
    return FunctionRoom(TableRoom(ministack_tables))
