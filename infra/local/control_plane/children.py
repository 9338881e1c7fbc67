"""The programs as child processes: started, watched, started anew when they end, and gone with their parent."""

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LAST_WORDS = 2000
_RESTARTS = 20
# More memory for less collecting: half of a start's time would otherwise go there. See GOGC in pkg.go.dev/runtime.
_ENVIRONMENT = {"GOGC": "400"}
_libc = ctypes.CDLL(None, use_errno=True)


class ProgramError(Exception):
    """A program of the control plane ended; says which, and its last words."""


class Children:
    """The programs of one control plane; each writes into <name>.log, its process id is in <name>.pid."""

    def __init__(self, commands: Mapping[str, Sequence[str]], directory: Path) -> None:
        self._commands = commands
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts = 0

    def start(self, name: str) -> None:
        """Starts a program."""
        with (self._directory / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                self._commands[name],
                cwd=self._directory,
                env={**os.environ, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
            )
        self._running[name] = child
        partial = self._directory / f"{name}.pid.partial"
        partial.write_text(str(child.pid))
        partial.replace(self._directory / f"{name}.pid")

    def check(self) -> None:
        """Raises ProgramError if a program has ended."""
        for name, child in self._running.items():
            if child.poll() is not None:
                raise ProgramError(f"{name} ended with code {child.returncode}:\n{self._last_words(name)}")

    def watch(self, owner: int) -> None:
        """Starts anew whatever ends, as a kubelet would; returns when the process `owner` is gone.

        Raises ProgramError when that has happened too often.
        """
        try:
            owner_handle = os.pidfd_open(owner)
        except ProcessLookupError:
            return
        while True:
            handles = {os.pidfd_open(child.pid): name for name, child in self._running.items()}
            ended, _, _ = select.select([owner_handle, *handles], [], [])
            for handle in handles:
                os.close(handle)
            if owner_handle in ended:
                return
            for handle in ended:
                self._restart(handles[handle])

    def stop(self) -> None:
        """Kills all, and returns when they are gone: what they know goes with their folder."""
        for child in self._running.values():
            child.kill()
        for child in self._running.values():
            child.wait()

    def _restart(self, name: str) -> None:
        self._running[name].wait()
        self._restarts += 1
        if self._restarts > _RESTARTS:
            self.check()
            raise ProgramError(f"{name} ended once more:\n{self._last_words(name)}")
        time.sleep(0.1)  # whatever it needs may have ended in the same moment
        self.start(name)

    def _last_words(self, name: str) -> str:
        log = self._directory / f"{name}.log"
        return log.read_text(errors="replace").strip()[-_LAST_WORDS:]


def _die_with_parent() -> None:
    """Lets the kernel kill this process once its parent is gone, however that ended (PR_SET_PDEATHSIG(2const))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
