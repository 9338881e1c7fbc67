"""Records what Helm says of a failure: `python -m tests.payloads.helm.record [--real KUBECONFIG] [CASE …]`.

Each case is made to happen, with Helm 4 and with Helm 3, and Helm's standard error is kept whole. Most happen on the
embedded cluster, some only on a real control plane: the one of infra.local.control_plane where it is built, or any
whose kubeconfig's user may do everything, with the roles of infra/cluster-access applied. A case that Helm does not
fail in leaves no file. What people are told of each is in expected.json, without what differs from one recording to the
next; tests/unit/deploy/test_words_samples.py compares.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from infra.local import cluster, control_plane, tools
from infra.local.control_plane import assets
from tests.payloads.helm import cases_admission, cases_api, cases_charts, cases_cluster, cases_readiness
from tests.payloads.helm.cases import CASES, Case
from tests.payloads.helm.room import NothingSaidError, Room, emptied

SAMPLES = Path(__file__).parent
MODULES = (cases_charts, cases_api, cases_readiness, cases_admission, cases_cluster)
"""Importing them is what fills CASES."""


def main() -> None:
    """Records the cases named, all where none is."""
    parser = argparse.ArgumentParser(prog="tests.payloads.helm.record", description=__doc__)
    parser.add_argument("--real", type=Path, metavar="KUBECONFIG", help="instead of our own")
    parser.add_argument("names", nargs="*", metavar="CASE", help="all, if none is named")
    options = parser.parse_args()
    console = Console(highlight=False)
    with clusters(options.real) as places:
        for name in options.names or CASES:
            for helm in (tools.helm_and_kubectl() / "helm", tools.helm_3() / "helm"):
                if CASES[name].where in places:
                    console.print(f"{name} ({version(helm)}): {record(name, CASES[name], helm, places)}", markup=False)


@contextmanager
def clusters(real: Path | None) -> Iterator[dict[str, tuple[str, Path]]]:
    """URL (of the embedded one) and kubeconfig of each cluster there is."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        embedded = stack.enter_context(cluster.start(folder / "kubeconfig", ready_after=0.05))
        if real is None and not assets.find().missing:
            real = stack.enter_context(control_plane.start(folder / "control-plane")).admin_kubeconfig
        yield {"embedded": (embedded.url, embedded.kubeconfig)} | ({"real": ("", real)} if real else {})


def record(name: str, wanted: Case, helm: Path, places: dict[str, tuple[str, Path]]) -> str:
    """Writes the sample, or removes it where Helm does not fail; what was said in the end."""
    sample = SAMPLES / version(helm) / f"{name}.txt"
    directory = emptied(Path(tempfile.gettempdir()) / "helm-samples")
    room = Room(helm, version(helm), *places[wanted.where], directory)
    try:
        said = wanted.say(room)
    except NothingSaidError:
        sample.unlink(missing_ok=True)
        return "(succeeded)"
    sample.parent.mkdir(exist_ok=True)
    sample.write_bytes(said)
    return said.decode(errors="replace").rstrip().rpartition("\n")[2]


def version(helm: Path) -> str:
    """As `helm version` tells it, "4.3.1"."""
    command = [str(helm), "version", "--template", "{{.Version}}"]
    return subprocess.check_output(command, text=True).removeprefix("v")


if __name__ == "__main__":
    main()
