"""Child processes, real ones: what they get, how they are stopped, and that nobody stays behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy import process

STAY = "import time; time.sleep(600)"
LONG = 60.0


def python(script: str, *, stdin: bytes | None = None) -> process.Ended:
    command = [sys.executable, "-c", script]
    return asyncio.run(process.run(command, stdin=stdin, environment={"A": "1"}, seconds=LONG, grace=LONG))


def shell(script: str, *, seconds: float = LONG, grace: float = LONG) -> process.Ended:
    command = ["/bin/sh", "-c", script]
    return asyncio.run(process.run(command, stdin=None, environment={}, seconds=seconds, grace=grace))


class Ahead(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def late(command: list[str], *, grace: float = LONG) -> process.Ended:
    """The command's time is up once it says on standard error that it is ready for a signal."""
    loop = Ahead()

    def hear(_: bytes) -> None:
        loop.ahead = LONG

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(process.run(command, stdin=None, environment={}, seconds=LONG, grace=grace, hear=hear))


def gone(pid: int) -> bool:
    """Whether the process ends by itself: a signal reaches one that is not our child a moment after it was sent."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(handle):
        return bool(select.select([handle], [], [], LONG)[0])


def test_output_and_code_come_back_and_input_goes_in() -> None:
    ended = python("import sys; print(sys.stdin.read()); sys.exit(3)", stdin=b"values")
    assert ended == process.Ended(3, b"values\n", b"", stopped=False)


def test_standard_error_is_heard_before_the_end(tmp_path: Path) -> None:
    """The process goes on only once it has been heard."""
    heard, path = [], tmp_path / "heard"
    script = f"echo first >&2; until [ -e '{path}' ]; do sleep 0.01; done; echo last >&2"

    def hear(part: bytes) -> None:
        heard.append(part)
        path.touch()

    command = ["/bin/sh", "-c", script]
    environment = {"PATH": os.defpath}
    ended = asyncio.run(process.run(command, stdin=None, environment=environment, seconds=LONG, grace=LONG, hear=hear))
    assert heard[0] == b"first\n"
    assert b"".join(heard) == ended.stderr == b"first\nlast\n"


def test_a_process_need_not_read_what_it_is_given() -> None:
    assert python("", stdin=b"x" * 1_000_000) == process.Ended(0, b"", b"", stopped=False)


def test_without_input_there_is_an_empty_one_and_not_our_own() -> None:
    assert python("import sys; print(repr(sys.stdin.read()))").stdout == b"''\n"


def test_the_environment_is_what_was_given_and_nothing_else() -> None:
    seen = python("import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))").stdout
    assert seen == b"['A']\n"


def test_arguments_are_never_read_by_a_shell() -> None:
    words = ["$(touch x)", "`id`", "a b", "'; true #", '"', "🚀", "*"]
    script = "import sys; print(sys.argv[1:])"
    command = [sys.executable, "-X", "utf8", "-c", script, *words]
    ended = asyncio.run(process.run(command, stdin=None, environment={}, seconds=LONG, grace=LONG))
    assert ended.stdout.decode() == f"{words}\n"


def test_a_command_that_is_not_there_is_an_error_of_its_own() -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(process.run(["./nowhere"], stdin=None, environment={}, seconds=LONG, grace=LONG))


def test_one_whose_time_is_up_may_tidy_up_first() -> None:
    wait = "import signal, sys; to_wait_for = {signal.SIGTERM}; signal.pthread_sigmask(signal.SIG_BLOCK, to_wait_for)"
    end = "signal.sigwait(to_wait_for); print('tidied up'); sys.exit(3)"
    ended = late([sys.executable, "-c", f"{wait}; print('ready', file=sys.stderr, flush=True); {end}"])
    assert ended == process.Ended(3, b"tidied up\n", b"ready\n", stopped=True)


def test_one_that_does_not_listen_is_killed() -> None:
    ended = late(["/bin/sh", "-c", "trap '' TERM; echo ready >&2; sleep 600; true"], grace=0.1)
    assert (ended.stopped, ended.code) == (True, -signal.SIGKILL)


@pytest.mark.parametrize("seconds", [0.5, 0.0, -1.0])
def test_children_of_the_child_go_with_it(seconds: float) -> None:
    ended = shell("trap '' TERM; sleep 600 & echo $!; wait", seconds=seconds, grace=0.1)
    assert ended.stopped
    assert all(gone(int(pid)) for pid in ended.stdout.split())


def test_a_child_left_behind_by_one_that_ended_well_goes_too() -> None:
    ended = shell("sleep 600 >/dev/null 2>&1 & echo $!")
    assert (ended.code, ended.stopped) == (0, False)
    assert gone(int(ended.stdout))


def test_another_process_that_has_the_number_by_now_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    create = asyncio.create_subprocess_exec

    async def renumbered(*command: str, **given: Any) -> asyncio.subprocess.Process:
        child = await create(*command, **given)
        child.pid = other.pid
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", renumbered)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        try:
            assert python("print('ended')").stdout == b"ended\n"
        finally:
            other.terminate()
    assert other.returncode == -signal.SIGTERM


def test_cancelling_leaves_nobody_behind(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)

    async def cancel() -> int:
        script = f"import os; open({str(fifo)!r}, 'w').write(str(os.getpid())); {STAY}"
        command = [sys.executable, "-c", script]
        task = asyncio.ensure_future(process.run(command, stdin=None, environment={}, seconds=LONG, grace=LONG))
        pid = int(await asyncio.to_thread(fifo.read_text))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert gone(asyncio.run(cancel()))
