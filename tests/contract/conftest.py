"""The local AWS for contract tests: a MiniStack and a DynamoDB Local for each of pytest's processes, on loopback."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from botocore.config import Config

from functions.helm_installer import app as installer_app
from functions.rollout_observer import app as observer_app
from infra.local import cluster, control_plane, process, tools
from infra.local import ministack as local
from infra.local.ports import HOST, free_port
from pipeline_state import tracing
from pipeline_state.handlers import rollout_observer
from tests.contract import clusters
from tests.contract import dynamodb_local as dynamodb_local_process
from tests.contract.borrowed_cluster import borrowed
from tests.contract.function_room import FunctionRoom
from tests.contract.memory_local import MemoryLocalTables
from tests.contract.shop import CHARTS, Shop
from tests.contract.table_room import LocalTables, TableRoom

CLUSTER_FIXTURES = {"a_cluster", "plane", "own_plane"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "cluster: the installer on the embedded cluster and on a real one, and these themselves"
    )
    run = ExitStack()
    run.enter_context(clusters.run())
    config.add_cleanup(run.close)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if CLUSTER_FIXTURES & {*getattr(item, "fixturenames", ())}:
            item.add_marker("cluster")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many cases the real control plane was not there for."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if clusters.NONE in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} cases skipped for want of a real control plane: {clusters.missing()}"
        )


def pytest_report_header() -> str:
    return f"control plane: {clusters.described()}"


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its endpoint URL. It is shared: give what you make in it names of its own."""
    state_dir = tmp_path_factory.mktemp("ministack")
    port = free_port()
    environment = local.environment(state_dir, port=port, tools=tools.helm_and_kubectl(), auth=False)
    log = state_dir / "log"
    pid = process.start(
        "infra.local.ministack", str(state_dir), "--with-parent", str(os.getpid()), log=log, environment=environment
    )
    try:
        lives = partial(process.is_running, pid, str(state_dir))
        dynamodb_local_process.wait(lambda: local.is_ready(port), lives, log.read_text)
        yield f"http://{HOST}:{port}"
    finally:
        process.stop(pid, str(state_dir))


@pytest.fixture(scope="session")
def dynamodb_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint URL of AWS's own DynamoDB Local, which is shared as well."""
    reason = dynamodb_local_process.missing()
    if reason:
        _go_without(reason)
    small = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    with dynamodb_local_process.running(tmp_path_factory.mktemp("dynamodb-local"), *small) as url:
        yield url


def _go_without(reason: str) -> NoReturn:
    """Skip what needs DynamoDB Local, unless whoever runs the tests insists on it."""
    if os.environ.get("GATESTREAM_REQUIRE_DYNAMODB_LOCAL"):
        pytest.fail(reason)
    pytest.skip(reason)


STORES = os.environ.get("GATESTREAM_STORES", "ministack dynamodb_local").split()


@pytest.fixture(scope="session", params=STORES)
def local_tables(request: pytest.FixtureRequest) -> LocalTables | MemoryLocalTables:
    """The four tables in the one and in the other; pytest runs the tests of each together."""
    return MemoryLocalTables() if request.param == "memory" else LocalTables(request.getfixturevalue(request.param))


@pytest.fixture
def room(local_tables: LocalTables) -> TableRoom:
    return TableRoom(local_tables)


@pytest.fixture(scope="session")
def ministack_tables(ministack: str) -> LocalTables:
    return LocalTables(ministack)


@pytest.fixture
def functions(ministack_tables: LocalTables) -> FunctionRoom:
    """Recorder and promoter with their tables, queues and topics in MiniStack."""
    return FunctionRoom(TableRoom(ministack_tables))


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Cluster]:
    with cluster.start(tmp_path_factory.mktemp("cluster") / "kubeconfig", ready_after=0.05) as started:
        yield started


@pytest.fixture(scope="session", params=clusters.NAMES)
def a_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[clusters.ClusterUnderTest]:
    """The embedded cluster, and a real control plane where its programs have been built: `make cluster-assets`."""
    directory = tmp_path_factory.mktemp("installer")
    if request.param == "embedded":
        yield clusters.embedded(request.getfixturevalue("embedded"), directory)
    elif request.param == "real":
        yield clusters.real(request.getfixturevalue("plane"))
    else:
        if reason := clusters.missing():
            clusters.go_without(reason)  # kwok, that is
        with borrowed(Path(os.environ["KUBECONFIG"]).absolute(), directory) as cluster:
            yield cluster


@pytest.fixture(scope="session")
def plane() -> control_plane.Plane:
    """A real control plane, which is shared by all workers: kill none of its programs."""
    if reason := clusters.missing():
        clusters.go_without(reason)
    return clusters.shared_plane()


@pytest.fixture
def own_plane(tmp_path: Path) -> Iterator[control_plane.Plane]:
    """One for a single test, which may kill its programs; it takes some seconds to start."""
    if reason := clusters.missing():
        clusters.go_without(reason)
    with control_plane.start(tmp_path / "plane") as started:
        yield started


@pytest.fixture
def patient_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions' clients: a call that the machine was slow to answer is neither given up nor made twice."""
    monkeypatch.setattr("pipeline_state.startup._BOUNDED", Config(read_timeout=60, retries={"total_max_attempts": 1}))
    monkeypatch.setattr("pipeline_state.table.models._BOUNDED", {"read_timeout_seconds": 60, "max_retry_attempts": 0})


@pytest.fixture(autouse=True)
def patient_look_ups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm is not asked for what the API server was slow to tell us: tests count what Helm is asked for."""
    monkeypatch.setattr("pipeline_state.deploy.helm._SHORT_SECONDS", 60.0)


@pytest.fixture
def installing(
    functions: FunctionRoom,
    embedded: cluster.Cluster,
    patient_clients: None,  # noqa: ARG001 - set up first
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """What template.yaml gives the installer."""
    more = {
        "DEAD_LETTER_QUEUE_URL": functions.dead_installs,
        "LOCAL_KUBECONFIG": str(embedded.kubeconfig),
        "CHARTS_DIR": str(CHARTS),
        "INSTALL_ATTEMPTS": "3",
    }
    for name, value in {**functions.settings, **more}.items():
        monkeypatch.setenv(name, value)
    yield
    installer_app.handler.cache_clear()
    observer_app.handler.cache_clear()
    tracing.shutdown()


@pytest.fixture
def shop(
    functions: FunctionRoom,
    embedded: cluster.Cluster,
    installing: None,  # noqa: ARG001 - set up first
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    shop = Shop(functions, embedded.kubeconfig)
    monkeypatch.setattr(rollout_observer, "utc_now", shop.observers_clock)
    shop.define()
    return shop
