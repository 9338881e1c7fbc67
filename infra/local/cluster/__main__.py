"""Runs the embedded cluster until SIGTERM: ``python -m infra.local.cluster --kubeconfig PATH``."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import uuid
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from infra.local.cluster.api import Api
from infra.local.cluster.controller import Controller
from infra.local.cluster.definitions import Definitions
from infra.local.cluster.http import serve_connection
from infra.local.cluster.kinds import NAMESPACE
from infra.local.cluster.quotas import Quotas
from infra.local.cluster.store import Store

_HOST = "127.0.0.1"
_PARENT_POLL_SECONDS = 0.5


def main() -> None:
    """Serve until SIGTERM, SIGINT, or, with ``--with-parent``, until that process is no longer the parent."""
    parser = argparse.ArgumentParser(prog="infra.local.cluster", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="file to write")
    parser.add_argument("--ready-after", type=float, default=0.2, help="seconds until Pods are ready, unless annotated")
    parser.add_argument("--with-parent", type=int, metavar="PID", help="end when this, the parent process, ends")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    store = Store(_now, lambda: str(uuid.uuid4()))
    for name in ("default", "kube-system"):
        store.create(
            NAMESPACE,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}},
        )
    Controller(store, options.ready_after)
    Quotas(store)
    Definitions(store)
    stop = _stop_signal()
    server = await asyncio.start_server(partial(serve_connection, handle=Api(store).handle), _HOST, options.port)
    url = f"http://{_HOST}:{server.sockets[0].getsockname()[1]}"
    _write_kubeconfig(options.kubeconfig, url)
    sys.stdout.write(json.dumps({"url": url, "kubeconfig": str(options.kubeconfig), "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    await (_until_orphaned(stop, options.with_parent) if options.with_parent else stop.wait())


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _until_orphaned(stop: asyncio.Event, parent: int) -> None:
    while os.getppid() == parent and not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _PARENT_POLL_SECONDS)


def _write_kubeconfig(path: Path, url: str) -> None:
    name = "gatestream-embedded"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": {}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
    with os.fdopen(handle, "w") as file:
        json.dump(config, file, indent=2)
    Path(temporary).replace(path)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    main()
