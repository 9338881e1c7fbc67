"""Packages and layers: the same bytes for the same files, and a refusal that says what is missing."""

import filecmp
import io
import os
import zipfile
from pathlib import Path

import pytest

from infra.layers.build import build_shared
from infra.local.package import PackageError, packages, sources, with_uploads, zip_folder
from infra.local.process import ROOT

TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")


def test_every_function_and_layer_of_the_template_is_found_with_its_folder() -> None:
    assert sources(TEMPLATE) == {
        "SharedLayer": "infra/layers/",
        "HelmLayer": "infra/layers/",
        "GitHubWebhook": "functions/github_webhook/",
        "CircleCIWebhook": "functions/circleci_webhook/",
        "EventForwarder": "functions/event_forwarder/",
        "GateRecorder": "functions/gate_recorder/",
        "Promoter": "functions/promoter/",
        "Sweeper": "functions/sweeper/",
        "HelmInstaller": "functions/helm_installer/",
        "RolloutObserver": "functions/rollout_observer/",
    }


def test_a_deployed_template_differs_in_these_folders_only() -> None:
    uploads = {name: f"s3://bucket/{name}.zip" for name in sources(TEMPLATE)}
    pairs = zip(TEMPLATE.splitlines(), with_uploads(TEMPLATE, uploads).splitlines(), strict=True)
    changed = [new.strip() for old, new in pairs if old != new]
    assert changed == [f"{'ContentUri' if 'Layer' in name else 'CodeUri'}: {uri}" for name, uri in uploads.items()]


def test_a_package_depends_on_nothing_but_its_files(tmp_path: Path) -> None:
    for name in ("b.py", "a.py"):
        (tmp_path / name).write_text("code", encoding="utf-8")
    first = zip_folder(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    for name in ("a.cpython-311.pyc", "b.cpython-311.pyc.140234567"):  # the second is still being written
        (tmp_path / "__pycache__" / name).write_bytes(b"code")
    os.utime(tmp_path / "a.py", (0, 0))
    assert zip_folder(tmp_path) == first
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["a.py", "b.py"]


def test_a_function_without_its_folder_is_named(tmp_path: Path) -> None:
    template = "Resources:\n  Lost:\n    Properties:\n      CodeUri: functions/lost/\n"
    with pytest.raises(PackageError, match=r"Lost.*functions/lost/"):
        packages(template, tmp_path)


def test_the_same_sources_make_the_same_layer(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    build_shared(one)
    build_shared(two)
    names = [path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file()]
    assert "python/pipeline_state/settings.py" in names
    assert filecmp.cmpfiles(one, two, names, shallow=False) == (names, [], [])
    assert sum(1 for path in two.rglob("*") if path.is_file()) == len(names)
