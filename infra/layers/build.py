"""The contents of the two Lambda layers: `python -m infra.layers.build shared|helm TARGET`, called by the Makefile.

shared: `python/` with pipeline_state and what infra/locks/layer.lock pins, compiled: a cold start shall not compile.
helm: `bin/helm`, which Lambda unpacks as /opt/bin/helm, a place on its PATH.
"""

import compileall
import hashlib
import shutil
import sys
from functools import partial
from pathlib import Path
from py_compile import PycInvalidationMode

from infra.local import tools

ROOT = Path(__file__).parent.parent.parent
LOCK = ROOT / "infra" / "locks" / "layer.lock"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

# Chalice's other modules package and deploy projects; its run time is these two on the standard library.
CHALICE_KEEPS = {"__init__.py", "app.py"}
NOT_NEEDED = ("tests", "test", "__pycache__", "bin")


def build_shared(target: Path, python: str = RUNNING) -> None:
    """Fills `target` with the shared layer for that version of Python: locked dependencies, then pipeline_state.

    Raises ToolError when a dependency cannot be fetched or is not what the lock pins.
    """
    folder = target / "python"
    shutil.copytree(dependencies(python), folder, dirs_exist_ok=True)
    ours = folder / "pipeline_state"
    shutil.copytree(ROOT / "pipeline_state", ours, ignore=shutil.ignore_patterns("cli", "__pycache__"))
    compile_all(ours, "/opt/python/pipeline_state", python)


def build_helm(target: Path) -> None:
    """Fills `target` with the Helm layer."""
    (target / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy2(tools.helm_and_kubectl() / "helm", target / "bin" / "helm")


def dependencies(python: str) -> Path:
    """The folder with the unpacked and compiled dependencies, in the cache; made on first use of a lock."""
    recipe = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    return tools.once(tools.cache_dir() / f"layer-{recipe}-py{python}", partial(_install, python=python))


def compile_all(folder: Path, path_in_lambda: str, python: str) -> None:
    """Byte code beside the sources, valid whatever times the files get on their way through zips.

    Only the version of Python that is running can be compiled for; for another one Lambda compiles at each cold start.
    """
    if python == RUNNING:
        compileall.compile_dir(
            folder,
            stripdir=str(folder),
            prependdir=path_in_lambda,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            quiet=1,
        )


def _install(folder: Path, *, python: str) -> None:
    platform = ["--python-platform", "x86_64-manylinux_2_17", "--python-version", python, "--only-binary", ":all:"]
    lock = ["--no-deps", "--require-hashes", "--requirements", str(LOCK)]
    tools.uv("pip", "install", *lock, *platform, "--target", str(folder))
    for path in sorted(folder.rglob("*")):
        if _is_ballast(path.relative_to(folder)):
            _remove(path)
    compile_all(folder, "/opt/python", python)


def _is_ballast(path: Path) -> bool:
    folder = path.parent.name
    if folder == "chalice":
        return path.name not in CHALICE_KEEPS
    if folder.endswith(".dist-info"):
        return path.name not in {"METADATA", "licenses"}
    return path.name in NOT_NEEDED or path.suffix in {".pyi", ".pyx", ".md"} or path.name == ".lock"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main(layer: str, target: str = "", python: str = RUNNING) -> None:
    """Builds the layer into the folder `target`; without one, only fetches what it needs."""
    if layer == "helm":
        build_helm(Path(target)) if target else tools.helm_and_kubectl()
    else:
        build_shared(Path(target), python) if target else dependencies(python)


if __name__ == "__main__":
    main(*sys.argv[1:])
