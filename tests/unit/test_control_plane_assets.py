"""Where the programs of a control plane are looked for, and what is said when they are not there."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.control_plane import assets
from infra.local.tools import ToolError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(assets.VARIABLE, raising=False)
    return tmp_path / "cache"


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch(0o755)
    return folder


def test_what_has_not_been_built_is_missed_with_the_next_step(cache: Path) -> None:  # noqa: ARG001 - empty
    assert assets.find().missing == "No control plane has been built on this machine: `make cluster-assets` does."


def test_the_folder_of_envtest_wins_and_what_it_lacks_is_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache / "gatestream" / f"{assets.build_name()}", *assets.PROGRAMS)
    assert assets.find().missing == ""
    envtest = fill(tmp_path / "envtest", "etcd", "kube-apiserver", "kubectl")
    monkeypatch.setenv(assets.VARIABLE, str(envtest))
    found = assets.find()
    assert found.folder == envtest
    assert f"{envtest} has no kube-controller-manager, kube-scheduler, kwok; `make cluster-assets`" in found.missing


def test_a_whole_folder_is_taken_as_it_is(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fill(tmp_path / "whole", *assets.PROGRAMS)
    monkeypatch.setenv(assets.VARIABLE, str(whole))
    assert (assets.find().missing, assets.find().program("kwok")) == ("", str(whole / "kwok"))
    done = subprocess.run(
        [sys.executable, "-m", "infra.local.control_plane.assets"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{whole}\n"
    assert not cache.exists()


def test_without_go_nothing_is_built_and_the_way_out_is_named(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"needs Go on PATH.*Or set KUBEBUILDER_ASSETS"):
        assets.build()
    assert [path for path in cache.rglob("*") if path.name in assets.PROGRAMS] == []


def test_every_module_of_kubernetes_is_pinned_to_the_version_of_its_release() -> None:
    known = assets.versions()
    assert list(known) == list(assets.PROGRAMS)
    staging = known["kube-apiserver"].replace("v1.", "v0.")
    lines = (assets.MODULES / "kubernetes" / "go.mod").read_text().splitlines()
    replaced = [line.split() for line in lines if "=>" in line]
    assert len(replaced) > 30
    assert {(name, version) for name, _, _, version in replaced} == {(name, staging) for name, *_ in replaced}
    assert all(name == other for name, _, other, _ in replaced)
