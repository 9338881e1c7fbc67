"""Runs a control plane until SIGTERM, or until another process ends: `python -m infra.local.control_plane …`."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from infra.local.control_plane import assets
from infra.local.control_plane.access import Client
from infra.local.control_plane.children import Children, ProgramError
from infra.local.control_plane.furnish import FurnishError, answers, furnish, until
from infra.local.control_plane.plane import STATE
from infra.local.control_plane.programs import Layout, commands, lay_out


def main() -> int:
    """The process's exit code; why it failed is on standard error."""
    parser = argparse.ArgumentParser(prog="infra.local.control_plane", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="an empty folder, for everything it keeps")
    parser.add_argument("--owner", type=int, required=True, metavar="PID", help="end when this process ends")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    found = assets.find()
    if found.missing:
        sys.stderr.write(f"{found.missing}\n")
        return 1
    layout = lay_out(options.directory)
    children = Children(commands(found, layout), options.directory)
    try:
        _start(children, layout)
        _tell(layout)
        children.watch(options.owner)
    except (ProgramError, FurnishError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        children.stop()
    return 0


def _start(children: Children, layout: Layout) -> None:
    api = Client.of(layout.admin_kubeconfig)
    children.start("etcd")
    children.start("kube-apiserver")
    until(lambda: answers(api), "an API server that is ready", children.check)
    for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
        children.start(name)
    furnish(api, children.check)


def _tell(layout: Layout) -> None:
    partial = layout.directory / f"{STATE}.partial"
    partial.write_text(json.dumps({"url": layout.url, "pid": os.getpid()}))
    partial.replace(layout.directory / STATE)


def _leave(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
