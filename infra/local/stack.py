"""The local stack: MiniStack, a cluster, and the very template.yaml deployed between them.

`up` leaves it on in the background until `down`; `running` is the same for the length of a `with` block. Everything it
writes lies in its state folder, so that any number of stacks can run side by side.
"""

import errno
import fcntl
import json
import os
import secrets
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from infra.local import ministack, ports, process, tools
from infra.local.deployment import STACK_NAME, DeploymentError, deploy
from infra.local.package import PackageError, packages
from infra.local.stack_info import StackInfo, StackOptions, where_outputs_say

__all__ = [
    "DEFAULT_STATE_DIR",
    "NoStackError",
    "OnAlreadyError",
    "StackError",
    "StackInfo",
    "StackOptions",
    "command",
    "down",
    "read",
    "running",
    "up",
]

DEFAULT_STATE_DIR = process.ROOT / ".gatestream" / "local"
TEMPLATE = process.ROOT / "template.yaml"
PACKAGES_DIR = process.ROOT / ".gatestream" / "packages"
EMBEDDED_CONTEXT = "gatestream-embedded"  # in the kubeconfig that the embedded cluster writes
START_SECONDS = 90.0
POLL_SECONDS = 0.02
LOG_TAIL = 2000

Progress: TypeAlias = Callable[[str], None]


class StackError(Exception):
    """The local stack could not be started; says which part, why, and where its log is."""


class NoStackError(StackError):
    """No local stack is on there."""


class OnAlreadyError(StackError):
    """A local stack is on there already."""


def up(state_dir: Path, *, options: StackOptions | None = None, progress: Progress | None = None) -> StackInfo:
    """Starts a stack and leaves it on in the background.

    On failure, and on Ctrl-C half-way, everything is ended again. Raises StackError.
    """
    return _start(_Start(_Files(state_dir.absolute()), options or StackOptions(), progress or _silent))


@contextmanager
def running(
    state_dir: Path, *, options: StackOptions | None = None, progress: Progress | None = None
) -> Iterator[StackInfo]:
    """A stack for the length of the block; it ends with this process, too, however that ends. Raises StackError."""
    files = _Files(state_dir.absolute())
    info = _start(_Start(files, options or StackOptions(), progress or _silent, ("--with-parent", str(os.getpid()))))
    try:
        yield info
    finally:
        down(state_dir)


def read(state_dir: Path) -> StackInfo:
    """The stack that is on there; raises NoStackError."""
    files = _Files(state_dir.absolute())
    try:
        info = StackInfo.from_json(json.loads(files.stack.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NoStackError(f"no local stack in {state_dir}: start one with `{command('up', state_dir)}`") from None
    ended = sorted(set(files.processes()) - set(files.running()))
    if ended:
        again = f"start again with `{command('up', state_dir)}`"
        raise NoStackError(f"{' and '.join(ended)} of {state_dir} ended, see {files.log}: {again}")
    return info


def down(state_dir: Path) -> bool:
    """Ends every process of the stack and forgets it; whether there was one. Its log and traces stay."""
    files = _Files(state_dir.absolute())
    if not files.folder.is_dir():
        return False
    with process.uninterrupted(), files.locked():
        return _end(files)


def command(name: str, state_dir: Path) -> str:
    """The command line that is about the stack in that folder."""
    usual = state_dir.absolute() == DEFAULT_STATE_DIR
    return f"gatestream {name}" if usual else f"gatestream {name} --state-dir {shlex.quote(str(state_dir))}"


@dataclass(frozen=True, slots=True)
class _Files:
    """A state folder."""

    folder: Path

    @property
    def stack(self) -> Path:
        return self.folder / "stack.json"

    @property
    def log(self) -> Path:
        return self.folder / "stack.log"

    @property
    def traces(self) -> Path:
        return self.folder / "traces.db"

    def processes(self) -> dict[str, int]:
        """The ids of all processes started and not yet ended by `down`, by name."""
        return {path.stem: int(path.read_text(encoding="ascii")) for path in self.folder.glob("*.pid")}

    def note(self, name: str, pid: int) -> None:
        (self.folder / f"{name}.pid").write_text(str(pid), encoding="ascii")

    def running(self) -> dict[str, int]:
        return {name: pid for name, pid in self.processes().items() if process.is_running(pid, str(self.folder))}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else starts or ends a stack here meanwhile."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def is_on(self) -> bool:
        """Whether there is a stack of which every part lives."""
        return self.stack.exists() and self.processes() == self.running()

    def write_stack(self, info: StackInfo) -> None:
        """For the user's eyes only: the webhook secrets are in it."""
        partial = self.folder / "stack.json.partial"
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(info.to_json(), indent=2), encoding="utf-8")
        partial.rename(self.stack)

    def forget_traces(self) -> None:
        for path in self.folder.glob(f"{self.traces.name}*"):  # with SQLite's own files beside it
            path.unlink()

    def forget(self) -> None:
        for path in [self.stack, *self.folder.glob("*.pid")]:
            path.unlink(missing_ok=True)
        for name in ("tmp", "runtime"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Start:
    """One start of a stack; `lifetime` are options for its processes."""

    files: _Files
    options: StackOptions
    progress: Progress
    lifetime: tuple[str, ...] = ()

    def run(self) -> StackInfo:
        """Starts both servers and packages meanwhile, then deploys into them."""
        port = _free(self.options.port) if self.options.port else ports.free_port()
        helm = tools.helm_and_kubectl() / "helm"
        endpoint_url = f"http://{ports.HOST}:{port}"
        self.progress(f"MiniStack on {endpoint_url}")
        environment = ministack.environment(self.files.folder, port=port, tools=helm.parent, auth=self.options.auth)
        self._launch("ministack", "infra.local.ministack", str(self.files.folder), environment=environment)
        kubeconfig, context = self._start_cluster(environment)
        self.progress("packages of the functions and their layer")
        template = TEMPLATE.read_text(encoding="utf-8")
        packaged = packages(template, PACKAGES_DIR)
        if not self.options.kubeconfig:
            self._wait("cluster", kubeconfig.exists)
        self._wait("ministack", lambda: ministack.is_ready(port))
        self.progress("template.yaml")
        client = partial(ministack.client, endpoint_url)
        found = where_outputs_say(deploy(client, template, packaged, self._parameters(kubeconfig)), endpoint_url)
        info = StackInfo(
            **found,
            stack_name=STACK_NAME,
            github_secrets=_fill_secret(client, found["github_secrets_arn"]),
            circleci_secrets=_fill_secret(client, found["circleci_secrets_arn"]),
            kubeconfig=str(kubeconfig),
            kube_context=context,
            helm=str(helm),
            traces=str(self.files.traces),
            log=str(self.files.log),
        )
        self.files.write_stack(info)
        return info

    def _start_cluster(self, environment: dict[str, str]) -> tuple[Path, str]:
        """The kubeconfig and the context of the user's cluster, or of the embedded one, which is still starting."""
        if self.options.kubeconfig:
            return self.options.kubeconfig.absolute(), self.options.kube_context
        self.progress("the embedded cluster")
        kubeconfig = self.files.folder / "kubeconfig"
        kubeconfig.unlink(missing_ok=True)
        arguments = ["--kubeconfig", str(kubeconfig), "--ready-after", str(self.options.ready_after)]
        self._launch("cluster", "infra.local.cluster", *arguments, environment=environment)
        return kubeconfig, EMBEDDED_CONTEXT

    def _parameters(self, kubeconfig: Path) -> dict[str, str]:
        return {
            "TraceFile": str(self.files.traces),
            "SpanSummaries": "true" if self.options.span_summaries else "false",
            "LocalKubeconfig": str(kubeconfig),
            "ChartsDir": str(self.options.charts_dir.absolute()) if self.options.charts_dir else "",
            "DeletionProtection": "false",
        }

    def _launch(self, name: str, module: str, *arguments: str, environment: dict[str, str]) -> None:
        with process.uninterrupted():
            pid = process.start(module, *arguments, *self.lifetime, log=self.files.log, environment=environment)
            self.files.note(name, pid)

    def _wait(self, name: str, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            ready = is_ready()  # what answers may be another server, if ours has ended
            if name not in self.files.running() or (not ready and time.monotonic() > deadline):
                said = self.files.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip()
                raise StackError(f"{name} did not start; the end of {self.files.log}:\n{said}")
            if ready:
                return
            time.sleep(POLL_SECONDS)


def _start(start: _Start) -> StackInfo:
    files = start.files
    files.folder.mkdir(parents=True, exist_ok=True)
    with files.locked():
        if files.is_on():
            end = command("down", files.folder)
            raise OnAlreadyError(f"a local stack is on already in {files.folder}: end it with `{end}`")
        _end(files)  # what is left of one that died
        files.log.unlink(missing_ok=True)
        if not start.options.keeps_traces:
            files.forget_traces()
        try:
            return start.run()
        except (DeploymentError, PackageError, tools.ToolError) as error:
            _end(files)
            raise StackError(f"{error}\nMiniStack's log is {files.log}") from error
        except BaseException:
            _end(files)
            raise


def _end(files: _Files) -> bool:
    """Ends and forgets what is there, while it is locked; whether there was anything."""
    with process.uninterrupted():
        processes = files.processes()
        for pid in processes.values():
            process.stop(pid, str(files.folder))
        files.forget()
    return bool(processes)


def _free(port: int) -> int:
    """The port that was asked for. Raises StackError when it cannot be listened on."""
    try:
        ports.try_port(port)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise StackError(f"port {port} of {ports.HOST} {why}: choose another one, or 0 for any that is free") from error
    return port


def _fill_secret(client: Callable[[str], Any], arn: str) -> tuple[str, ...]:
    """A new random value for a webhook secret of the stack."""
    values = (secrets.token_hex(32),)
    client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps({"secrets": values}))
    return values


def _silent(_: str) -> None:
    pass
