"""The programs of a Kubernetes control plane: found, or built with Go from the Go module proxy once.

Versions and the checksums of every module are in `modules/<name>/go.mod` and `go.sum`. kube-apiserver and its kin live
in one module whose `replace` lines point at directories of Kubernetes' own repository; a module that requires it must
repeat them with versions (go.dev/ref/mod, "replace directive": only the main module's count), v0.x for v1.x.

`python -m infra.local.control_plane.assets` builds them and prints the folder.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local.tools import ToolError, cache_dir, once

MODULES = Path(__file__).with_name("modules")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
VARIABLE = "KUBEBUILDER_ASSETS"  # book.kubebuilder.io, "Configuring envtest for integration tests"
_KUBERNETES = "k8s.io/kubernetes"


@dataclass(frozen=True, slots=True)
class Assets:
    """Where the programs are; `missing` says, as a sentence, why they cannot be run from there, or nothing."""

    folder: Path
    missing: str

    def program(self, name: str) -> str:
        """The path of one of PROGRAMS."""
        return str(self.folder / name)


def find() -> Assets:
    """The programs as they are now, in KUBEBUILDER_ASSETS if that is set, else in the cache; nothing is built.

    The programs of two folders are never mixed: a controller manager newer than its API server is not supported
    (kubernetes.io/releases/version-skew-policy).
    """
    given = os.environ.get(VARIABLE)
    folder = Path(given) if given else cache_dir() / build_name()
    lacking = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if not lacking:
        return Assets(folder, "")
    if given:
        return Assets(
            folder, f"{VARIABLE}={given} has no {', '.join(lacking)}; `make cluster-assets` builds a whole set."
        )
    return Assets(folder, "No control plane has been built on this machine: `make cluster-assets` does.")


def build() -> Path:
    """The folder of the built programs; builds them (about ten minutes on two cores) unless they are in the cache.

    Raises ToolError.
    """
    return once(cache_dir() / build_name(), _build)


def versions() -> dict[str, str]:
    """The pinned version of each program, from the go.mod files."""
    kubernetes, etcd = _required("kubernetes", _KUBERNETES), _required("etcd", "go.etcd.io/etcd/server/v3")
    kwok = _required("kwok", "sigs.k8s.io/kwok")
    return {name: {"etcd": etcd, "kwok": kwok}.get(name, kubernetes) for name in PROGRAMS}


def build_name() -> str:
    """The name of the folder in the cache; it changes with every pinned version and checksum."""
    digest = hashlib.sha256()
    for path in sorted(MODULES.glob("*/go.*")):
        digest.update(path.read_bytes())
    return f"control-plane-{digest.hexdigest()[:12]}"


def _required(module: str, path: str) -> str:
    found = re.search(
        rf"^\s*(?:require )?{re.escape(path)} (v\S+)", (MODULES / module / "go.mod").read_text(), re.MULTILINE
    )
    if found is None:
        raise ToolError(f"modules/{module}/go.mod does not require {path}")
    return found[1]


def _build(folder: Path) -> None:
    if shutil.which("go") is None:
        raise ToolError("Building a control plane needs Go on PATH: https://go.dev/dl. Or set KUBEBUILDER_ASSETS.")
    known = versions()
    _go(folder, "etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, {})
    _go(folder, "kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, {})
    components = {name: f"{_KUBERNETES}/cmd/{name}" for name in PROGRAMS if name.startswith("kube-")}
    _go(folder, "kubernetes", components, _stamp(known["kube-apiserver"]))


def _stamp(version: str) -> dict[str, str]:
    """What Kubernetes' own build writes into the programs (hack/lib/version.sh): clients ask for the version."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return {f"{package}.{name}": fact for package in packages for name, fact in facts.items()}


def _go(folder: Path, module: str, programs: dict[str, str], stamp: dict[str, str]) -> None:
    """Builds programs (by name, the package of each) as static executables without debugging symbols."""
    flags = " ".join(["-s", "-w", *(f"-X {name}={fact}" for name, fact in stamp.items())])
    for name, package in programs.items():
        sys.stderr.write(f"    {name}\n")
        done = subprocess.run(
            ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", str(folder / name), package],
            cwd=MODULES / module,
            env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolError(f"go build {package} ended with code {done.returncode}:\n{done.stderr.strip()[-2000:]}")


def main() -> int:
    """Builds, or finds, the programs and prints their folder; the process's exit code."""
    sys.stderr.write("==> A Kubernetes control plane (400 MB; about ten minutes on two cores, the first time)\n")
    try:
        folder = Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else build()
    except ToolError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{folder}\n")
    sys.stderr.write(f"{find().missing}\n" if find().missing else "")
    return 1 if find().missing else 0


if __name__ == "__main__":
    sys.exit(main())
