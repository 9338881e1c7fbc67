"""`gatestream demo` as a person runs it: it shows the whole way, and leaves nothing behind, however it ends."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from infra.local import process, tools
from infra.local import stack as local_stack
from infra.local.kube import Kube, current_context
from pipeline_state.cli import stacks
from pipeline_state.cli.demo.waiting import Trouble, wait_for

pytestmark = pytest.mark.e2e

GATESTREAM = Path(sys.executable).with_name("gatestream")
PATIENCE = 240.0
COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


def stat_of(pid: int) -> tuple[int, int] | None:
    """Parent and start time of a process that lives; an id and its start time are never given twice."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[1]), int(fields[19]))


def words_of(pid: int) -> str:
    """The command line of a process; empty for one that has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    return ""


@dataclass
class Demo:
    """A demo in a session of its own, with every process seen below it."""

    home: Path
    process: subprocess.Popen[str]
    seen: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines: list[str] = []
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._watch)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def _watch(self) -> None:
        while self.process.poll() is None:
            self._look()
            time.sleep(0.1)

    def _look(self) -> None:
        found = {int(path.name): stat_of(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
        family = {self.process.pid, *self.seen}
        while grown := {pid for pid, stat in found.items() if stat and stat[0] in family} - family:
            family |= grown
        self.seen |= {pid: stat[1] for pid in family if (stat := found.get(pid))}

    def shows(self, text: str) -> None:
        """Returns once a line with this text has been printed."""
        deadline = time.monotonic() + PATIENCE
        while not any(text in line for line in list(self.lines)):
            assert self.process.poll() is None, "".join(self.lines)
            assert time.monotonic() < deadline, "".join(self.lines)
            time.sleep(0.1)

    def ends(self) -> str:
        """All that was printed, once it has ended."""
        self.process.wait(timeout=PATIENCE)
        for thread in self._threads:
            thread.join(timeout=10)
        return "".join(self.lines)

    def succeeds(self) -> dict[str, Any]:
        """Its summary as JSON, once it has ended well."""
        shown = self.ends()
        assert self.process.returncode == 0, (self.home / "errors").read_text(encoding="utf-8")
        return cast("dict[str, Any]", json.loads(shown))

    @property
    def alive(self) -> dict[int, str]:
        """Those of its processes that still live, with their command lines."""
        lives = [pid for pid, started in self.seen.items() if (stat := stat_of(pid)) and stat[1] == started]
        return {pid: words for pid in lives if (words := words_of(pid))}

    @property
    def outside(self) -> list[Path]:
        """What it left in the user's home and in the folder for temporary files."""
        return [path for folder in ("home", "tmp") for path in (self.home / folder).rglob("*")]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with started(tmp_path) as demo:
        yield demo


@pytest.fixture
def json_demo(tmp_path: Path) -> Iterator[Demo]:
    with started(tmp_path, "--json") as demo:
        yield demo


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Kube]:
    """A cluster that was there before the demo; its current context is the only one."""
    kubeconfig = tmp_path / "kubeconfig"
    command = [sys.executable, "-m", "infra.local.cluster", "--kubeconfig", str(kubeconfig)]
    command += ["--with-parent", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=process.ROOT) as cluster:
        assert cluster.stdout is not None
        cluster.stdout.readline()  # it serves
        helm = tools.helm_and_kubectl()
        yield Kube(helm, kubeconfig, current_context(helm, kubeconfig), tmp_path / "private")
        cluster.terminate()


@contextmanager
def started(tmp_path: Path, *options: str, **variables: str) -> Iterator[Demo]:
    for folder in ("home", "tmp"):
        (tmp_path / folder).mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_CACHE_HOME": str(tools.cache_dir().parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }
    errors = tmp_path / "errors"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [str(GATESTREAM), "demo", "--state-dir", str(tmp_path / "state"), *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr if options else subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as shown,
    ):
        yield Demo(tmp_path, shown)
        shown.kill()


def test_the_demo_shows_the_whole_way_and_leaves_nothing(demo: Demo) -> None:
    shown = demo.ends()
    assert demo.process.returncode == 0, shown
    for evidence in (
        "staging      waits for approval_from_legal",
        f"web: 2/2 ready, octo-org/web:{COMMIT}",
        "helm list",
        "kubectl get deployments",
        "helm upgrade --install --wait, bare",
        "helm_installer",
    ):
        assert evidence in shown
    assert "\x1b" not in shown
    assert "Traceback" not in shown
    assert len(demo.seen) > 3
    assert demo.alive == {}
    assert demo.outside == []


def test_the_summary_is_one_object(json_demo: Demo) -> None:
    summary = json_demo.succeeds()
    gates = {gate["name"]: gate["status"] for gate in summary["status"]["gates"]}
    assert gates == dict.fromkeys(
        ("circle_ci_build_done", "approval_from_legal", "deployed_to_staging", "deployed_to_production"), "passed"
    )
    assert summary["waited"]["staging"] == "waits for approval_from_legal"
    assert {each["image"] for each in summary["deployments"]} == {f"octo-org/web:{COMMIT}"}
    assert [each["status"] for each in summary["helm_list"]] == ["deployed", "deployed"]
    assert list(summary["hops"]) == ["push", "build", "staging", "production"]
    assert {span["service"] for span in summary["spans"]} - {"sweeper"} == {  # which comes by once a minute
        "github_webhook",
        "circleci_webhook",
        "gate_recorder",
        "promoter",
        "helm_installer",
    }
    assert len(summary["bare_helm_seconds"]) == 3


@pytest.mark.parametrize(
    "moment, number",
    [
        ("MiniStack on", signal.SIGINT),
        ("packages of", signal.SIGTERM),
        ("recorded in DynamoDB", signal.SIGHUP),
        ("promoted to staging", signal.SIGINT),
    ],
)
def test_a_signal_at_any_moment_ends_everything(moment: str, number: signal.Signals, demo: Demo) -> None:
    demo.shows(moment)
    os.killpg(demo.process.pid, number)  # as a terminal does
    shown = demo.ends()
    assert demo.process.returncode == 128 + number
    assert f"Stopped by {number.name}; everything it started has ended." in shown
    assert "Traceback" not in shown
    assert demo.alive == {}
    assert demo.outside == []


def test_a_second_demo_leaves_the_first_alone(demo: Demo) -> None:
    demo.shows("recorded in DynamoDB")
    command = [str(GATESTREAM), "demo", "--state-dir", str(demo.home / "state")]
    second = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert second.returncode == 1
    assert second.stderr.startswith("gatestream: another demo is running in ")
    assert "--state-dir DIR" in second.stderr
    shown = demo.ends()
    assert demo.process.returncode == 0, shown


def test_a_failure_half_way_is_told_and_ends_everything(demo: Demo) -> None:
    demo.shows("recorded in DynamoDB")
    ministack = int((demo.home / "state" / "ministack.pid").read_text(encoding="ascii"))
    os.kill(ministack, signal.SIGKILL)
    shown = demo.ends()
    assert demo.process.returncode == 1
    assert "Where things stand" in shown
    assert "ministack of" in shown
    assert "Traceback" not in shown
    assert demo.alive == {}
    assert demo.outside == []


def test_a_cluster_of_the_users_own_is_used_and_left_as_it_was(own_cluster: Kube, tmp_path: Path) -> None:
    def namespaces() -> set[str]:
        return set(own_cluster.kubectl("get", "namespaces", "--output", "name").split())

    before = namespaces()
    with started(tmp_path, "--json", KUBECONFIG=str(own_cluster.kubeconfig)) as demo:
        summary = demo.succeeds()
    assert [each["namespace"] for each in summary["deployments"]] == [
        "gatestream-demo-staging",
        "gatestream-demo-production",
    ]
    assert namespaces() == before


def test_on_a_terminal_a_cluster_of_the_environment_is_asked_about_first(own_cluster: Kube, tmp_path: Path) -> None:
    here, there = pty.openpty()
    variables = {"KUBECONFIG": str(own_cluster.kubeconfig), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    command = [str(GATESTREAM), "demo", "--state-dir", str(tmp_path / "state")]
    cache = {"XDG_CACHE_HOME": str(tools.cache_dir().parent)}
    with subprocess.Popen(
        command, env=variables | cache, stdin=there, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stderr is not None
        question = demo.stderr.read(
            len(f"KUBECONFIG names cluster {own_cluster.context}: install the demo there? [y/N]")
        )
        try:
            shown = interrupted(demo)
        finally:
            demo.kill()  # where whoever started the tests has SIGINT ignored, it is for its children, too
    os.close(here)
    os.close(there)
    assert question == f"KUBECONFIG names cluster {own_cluster.context}: install the demo there? [y/N]"
    assert shown.strip() == ""  # Python itself may or may not have got to the blank after the question
    assert not (tmp_path / "state").exists()


def interrupted(asking: subprocess.Popen[str]) -> str:
    """What a program that asks says until it has ended. A signal just before it begins to read is not seen by it."""
    for _ in range(60):
        asking.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return asking.communicate(timeout=1)[0]
    raise AssertionError("it does not end")


def test_nothing_that_is_there_already_is_touched(own_cluster: Kube, tmp_path: Path) -> None:
    own_cluster.kubectl("create", "namespace", "gatestream-demo-production")
    with started(tmp_path, "--kubeconfig", str(own_cluster.kubeconfig)) as demo:
        demo.ends()
        assert demo.process.returncode == 1
    assert "has a namespace gatestream-demo-production already" in (tmp_path / "errors").read_text(encoding="utf-8")
    assert "gatestream-demo-production" in own_cluster.kubectl("get", "namespaces")


def test_trouble_names_the_dead_letters_and_their_reason(tmp_path: Path) -> None:
    with local_stack.running(tmp_path) as info:
        stacks.local_from(info).connect()
        trouble = Trouble(info, "octo-org/octo-repo", COMMIT)

        letter, log = "GateEventsDeadLetters: ", "GateRecorderLogs: "

        def told() -> list[str] | None:
            """The letter is there before the log is, which may tell of one call only with the next."""
            info.client("sqs").send_message(QueueUrl=info.queues["GateEvents"], MessageBody="no event")
            lines = list(trouble.lines())
            return lines if all(any(line.startswith(name) for line in lines) for name in (letter, log)) else None

        lines = wait_for("a dead letter, and what the log says", told, PATIENCE)
        assert "octo-org/octo-repo has no pipeline" in lines[0]
        assert "JSON" in next(line for line in lines if line.startswith(letter))
        assert not [line for line in lines if '"_aws"' in line]
    assert "no local stack" in list(trouble.lines())[-1]
