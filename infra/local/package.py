"""Packages for the local stack: what `sam build && sam package` does with template.yaml, without its ten seconds."""

import hashlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.local import tools
from infra.local.process import ROOT

_SOURCE = re.compile(r"^(?P<key> +(?:CodeUri|ContentUri): )(?P<folder>\S+)$", re.MULTILINE)
_LOGICAL_ID = re.compile(r"^  (\w+):$", re.MULTILINE)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold


class PackageError(Exception):
    """A package could not be built; says which, and what the build printed."""


def packages(template: str, cache: Path) -> dict[str, bytes]:
    """The zip of each function and layer of the template, by logical id.

    Helm lies on MiniStack's PATH and would lose its execute bit in a layer there, so that layer stays empty.
    Raises PackageError and ToolError.
    """
    return {name: _package(name, folder, cache) for name, folder in sources(template).items()}


def sources(template: str) -> dict[str, str]:
    """The folder of each function and layer, by logical id."""
    return {_owner(template, match.start()): match["folder"] for match in _SOURCE.finditer(template)}


def with_uploads(template: str, uris: Mapping[str, str]) -> str:
    """The same template, with each folder replaced by the address of its package."""
    return _SOURCE.sub(lambda match: match["key"] + uris[_owner(template, match.start())], template)


def zip_folder(folder: Path, *, compiled: bool = False) -> bytes:
    """The folder as a zip: the same bytes for the same files. Stored, since it travels no further than this machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in _files(folder, compiled=compiled):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            info.external_attr = path.stat().st_mode << 16
            archive.writestr(info, path.read_bytes())
    return buffer.getvalue()


def _package(name: str, folder: str, cache: Path) -> bytes:
    if name == "SharedLayer":
        return _shared_layer(cache)
    if name == "HelmLayer":
        return zip_folder(cache / "empty")
    path = ROOT / folder
    if not path.is_dir():
        raise PackageError(f"{name}: template.yaml takes its code from {folder}, which is no folder of {ROOT}")
    return zip_folder(path)


def _shared_layer(cache: Path) -> bytes:
    """Built through its Makefile, as by `sam build`, unless these very sources have been built before."""
    made = tools.once(cache / f"shared-layer-{_digest()}", _build_shared_layer)
    for other in set(cache.glob("shared-layer-*/")) - {made}:
        if other.suffix != ".partial":  # which another process is building right now
            shutil.rmtree(other, ignore_errors=True)
    return (made / "layer.zip").read_bytes()


def _build_shared_layer(folder: Path) -> None:
    artifacts = folder / "artifacts"
    version = f"PYTHON_VERSION={sys.version_info.major}.{sys.version_info.minor}"
    command = [
        "make",
        "-s",
        "-C",
        str(ROOT / "infra/layers"),
        "build-SharedLayer",
        f"ARTIFACTS_DIR={artifacts}",
        version,
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(
            f"SharedLayer: '{' '.join(command)}' ended with code {done.returncode}:\n{done.stderr[-2000:]}"
        )
    (folder / "layer.zip").write_bytes(zip_folder(artifacts, compiled=True))
    shutil.rmtree(artifacts)


def _digest() -> str:
    """Changes with everything the shared layer is made of."""
    digest = hashlib.sha256(sys.version.encode())
    makers = [ROOT / "infra/layers/Makefile", ROOT / "infra/layers/build.py", ROOT / "infra/locks/layer.lock"]
    for path in [*makers, *_files(ROOT / "pipeline_state")]:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _files(folder: Path, *, compiled: bool = False) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if (compiled or "__pycache__" not in path.parts) and path.is_file():
            yield path


def _owner(template: str, position: int) -> str:
    """The logical id of the resource that the position of the template belongs to."""
    return [match[1] for match in _LOGICAL_ID.finditer(template, 0, position)][-1]
