"""Background processes of the local stack: started apart from the terminal, ended by id with all their descendants."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

ROOT = Path(__file__).parent.parent.parent
_POLITE_SECONDS = 10.0  # MiniStack gives 3 to whoever still waits for an answer
_KILL_SECONDS = 30.0
_POLL_SECONDS = 0.02
_PARENT_POLL_SECONDS = 0.5

Family: TypeAlias = dict[int, int]
"""Processes by id, with when they started: of two that have had one id, that tells them apart."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those this process started itself: they stay zombies until it collects them."""


def start(module: str, *arguments: str, log: Path, environment: Mapping[str, str]) -> int:
    """Runs `python -m module arguments…` in a session of its own, so that Ctrl-C reaches only whoever started it.

    What it prints is appended to the log. `environment` is all it gets. Returns the process id.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[child.pid] = child
    return child.pid


def is_running(pid: int, mark: str) -> bool:
    """Whether the process lives and has a word starting with `mark` on its command line: ids are used again."""
    if _is_living_child(pid):  # whose id is not, and which has no command line yet in the moment of its start
        return True
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.startswith(mark.encode()) for word in words)


def stop(pid: int, mark: str) -> None:
    """Ends the process and all its descendants, politely and then not; returns when they are gone, if they can be.

    Of one that has died already, those of its session that bear the mark themselves: its id may be another's by now.
    """
    heads = [pid] if is_running(pid, mark) else [each for each in _descendants(pid) if is_running(each, mark)]
    family = _born([*heads, *_descendants(*heads)])
    _signal(family, signal.SIGTERM)
    _wait_until_gone(family, _POLITE_SECONDS)
    held: Family = {}
    while new := {each: born for each, born in _left(family).items() if each not in held}:
        _signal(new, signal.SIGSTOP)  # who stands still starts nobody: the last look finds them all
        held |= new
        family |= new
    _signal(held, signal.SIGKILL)
    _wait_until_gone(held, _KILL_SECONDS)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Puts off Ctrl-C, and other signals this process handles, where one in the middle would leave a process behind."""
    if threading.current_thread() is not threading.main_thread():  # which alone handles signals
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    handled = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handled:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
    if came:
        handled[signal.Signals(came[0])](came[0], None)


def end_with_parent(parent: int) -> None:
    """Lets this process get SIGTERM once its parent is gone, however that ended.

    parent: the id of the process that started this one. Asking for it here would be too late if it is gone already.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _is_living_child(pid: int) -> bool:
    """Whether this process started it and it lives. One that has ended is collected and forgotten: its id is free."""
    child = _children.get(pid)
    lives = child is not None and child.poll() is None
    if not lives:
        _children.pop(pid, None)
    return lives


def _born(pids: Iterable[int]) -> Family:
    return {pid: stat.started for pid in pids if (stat := _stat(pid))}


def _left(family: Family) -> Family:
    """Who lives of a family, and whoever they have started."""
    ours = [pid for pid, started in family.items() if (stat := _stat(pid)) is None or stat.started == started]
    return {pid: born for pid, born in _born([*ours, *_descendants(*ours)]).items() if _alive(pid, born)}


def _wait_until_gone(family: Family, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_alive(*each) for each in family.items()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _alive(pid: int, started: int) -> bool:
    if _is_living_child(pid):
        return True
    stat = _stat(pid)
    return stat is not None and stat.started == started and stat.state not in "ZX"  # zombie or dead


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _descendants(*pids: int) -> Iterator[int]:
    """All processes below these, and those of their sessions that lost their parent."""
    stats = {int(path.name): stat for path in Path("/proc").glob("[0-9]*") if (stat := _stat(int(path.name)))}
    found = {*pids}
    while grown := {other for other, stat in stats.items() if {stat.parent, stat.session} & found} - found:
        found |= grown
    yield from found - {*pids}


class _Stat(NamedTuple):
    """Of proc_pid_stat(5). started: clock ticks after boot."""

    state: str
    parent: int
    session: int
    started: int


def _stat(pid: int) -> _Stat | None:
    """None when the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return _Stat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))
