"""A control plane for the process that needs it: started as a child, known by its folder."""

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local import process
from infra.local.control_plane.access import Client

STATE = "control-plane.json"
_MODULE = "infra.local.control_plane"
_POLL_SECONDS = 0.05


class PlaneError(Exception):
    """The control plane did not start; its own words."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane; ends with `stop()`, with its context, or with the process that owns it."""

    directory: Path
    url: str
    supervisor: int

    @property
    def kubeconfig(self) -> Path:
        """The installer's: a member of gatestream-installers, with the rights of infra/cluster-access and no others."""
        return self.directory / "kubeconfig"

    @property
    def admin_kubeconfig(self) -> Path:
        """Of a user who may do everything."""
        return self.directory / "admin.kubeconfig"

    @property
    def admin(self) -> Client:
        """The API, asked by that user."""
        return Client.of(self.admin_kubeconfig)

    def pid(self, program: str) -> int:
        """The process id of one of `assets.PROGRAMS`; another one once it has been started anew."""
        return int((self.directory / f"{program}.pid").read_text())

    def stop(self) -> None:
        """Ends all processes, returns when they are gone, and removes the folder; stopping twice does nothing."""
        process.stop(self.supervisor, str(self.directory))
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(directory: Path, *, owner: int | None = None) -> Plane:
    """Starts a control plane in a new folder and returns when it is of use.

    owner: the id of the process whose end also ends it; this process, unless given.
    Raises PlaneError.
    """
    directory.mkdir(mode=0o700)
    log = directory / "supervisor.log"
    words = ("--directory", str(directory.absolute()), "--owner", str(owner or os.getpid()))
    pid = process.start(_MODULE, *words, log=log, environment=os.environ)
    while not (directory / STATE).exists():
        if not process.is_running(pid, str(directory.absolute())):
            raise PlaneError(log.read_text(errors="replace").strip())
        time.sleep(_POLL_SECONDS)
    return load(directory)


def load(directory: Path) -> Plane:
    """The control plane that runs in this folder. Raises FileNotFoundError where none has started."""
    told = json.loads((directory / STATE).read_text())
    return Plane(directory.absolute(), told["url"], told["pid"])
