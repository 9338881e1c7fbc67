"""A child process without a shell, whose whole family is gone when we are done with it."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; stopped: by us, because its time was up. A negative code is the signal that ended it."""

    code: int
    stdout: bytes
    stderr: bytes
    stopped: bool


Hear = Callable[[bytes], None]


async def run(
    command: Sequence[str],
    *,
    stdin: bytes | None,
    environment: Mapping[str, str],
    seconds: float,
    grace: float,
    hear: Hear = lambda _: None,
) -> Ended:
    """Runs the command in a process group of its own, with exactly this environment.

    After `seconds` the group gets SIGTERM, `grace` seconds later SIGKILL; so does whatever is left of it at the end.
    hear: is given standard error, as it comes. Raises OSError when the command cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL if stdin is None else PIPE,  # never ours: in a Lambda that may be the runtime's own channel
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        start_new_session=True,
    )
    output = asyncio.ensure_future(_output(process, stdin, hear))
    try:
        stopped = not await _finished(output, seconds)
        if stopped:
            _signal(process, signal.SIGTERM)
            await _finished(output, grace)
    finally:
        # Also when we are cancelled. A child's child may hold the pipes open: first the group goes, then the output.
        _signal(process, signal.SIGKILL)
        stdout, stderr = await output
    return Ended(process.returncode or 0, stdout, stderr, stopped)


async def _output(process: Process, stdin: bytes | None, hear: Hear) -> tuple[bytes, bytes]:
    """Process.communicate, but that standard error is heard before the process has ended."""
    assert process.stdout  # noqa: S101 - both are pipes
    assert process.stderr  # noqa: S101
    fed = _fed(process.stdin, stdin or b"")
    _, stdout, stderr = await asyncio.gather(fed, process.stdout.read(), _heard(process.stderr, hear))
    await process.wait()
    return stdout, stderr


async def _fed(stream: StreamWriter | None, content: bytes) -> None:
    if stream:
        with suppress(BrokenPipeError, ConnectionResetError):  # whoever does not want to read on need not
            stream.write(content)
            await stream.drain()
        stream.close()


async def _heard(stream: StreamReader, hear: Hear) -> bytes:
    whole = bytearray()
    while part := await stream.read(_AT_ONCE):
        hear(part)
        whole += part
    return bytes(whole)


async def _finished(task: asyncio.Future[tuple[bytes, bytes]], seconds: float) -> bool:
    done, _ = await asyncio.wait({task}, timeout=max(seconds, 0))
    return bool(done)


def _signal(process: Process, number: signal.Signals) -> None:
    """To the process and its group, unless somebody else has their number by now.

    Linux gives it to nobody while the group has members. So where ours has been collected, one with its number is
    another's.
    """
    if process.returncode is None or not _is_running(process.pid):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
