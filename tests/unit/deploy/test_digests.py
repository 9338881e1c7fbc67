"""What tells one chart from another, and what is done where it is not the one that was deployed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy import Workspace, charts, digests
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Release

ONE, OTHER = "sha256:" + "0a" * 32, "sha256:" + "b1" * 32
WEB = {"Chart.yaml": b"name: web\nversion: 1.0.0\n", "templates/deployment.yaml": b"kind: Deployment\n"}

paths = st.lists(st.sampled_from(["a", "b", "ab", "a.b", "é"]), min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(paths, st.binary(max_size=4) | st.sampled_from([b"a", b"ab"]), max_size=4).filter(
    lambda tree: not any(name.startswith(f"{other}/") for name in tree for other in tree)
)


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def digest_of(files: Mapping[str, bytes]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return digests.of_chart(str(write(Path(folder), files)))


@given(trees, trees)
def test_folders_have_one_digest_exactly_if_they_have_the_same_files(
    one: dict[str, bytes], two: dict[str, bytes]
) -> None:
    assert (digest_of(one) == digest_of(two)) == (one == two)
    assert digest_of(one) == digest_of(dict(reversed(one.items())))


def test_a_folders_digest_is_the_same_tomorrow_elsewhere_and_for_another_user(tmp_path: Path) -> None:
    here, there = write(tmp_path / "here", WEB), tmp_path / "there"
    shutil.copytree(here, there, copy_function=shutil.copyfile)
    for path in there.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    assert digests.of_chart(str(here)) == digests.of_chart(str(there))
    written_down = (
        "sha256:7b1608b367b0b70819d6173fe356106b818809b13a2bb59a641fc852480ebe39"  # and so in gates, for years
    )
    assert digests.of_chart(str(here)) == written_down


def test_an_archives_digest_is_its_bytes(tmp_path: Path) -> None:
    write(tmp_path, {"web.tgz": b"chart"})
    assert digests.of_chart(str(tmp_path / "web.tgz")) == f"sha256:{hashlib.sha256(b'chart').hexdigest()}"


@pytest.mark.parametrize("place", ["/nowhere/web", "/nowhere/web.tgz", "/nowhere/\0", "/proc/self/mem"])
def test_where_nothing_can_be_read_there_is_no_digest(place: str) -> None:
    assert digests.of_chart(place) == ""


def test_a_folder_that_goes_on_elsewhere_has_no_digest(tmp_path: Path) -> None:
    folder = write(tmp_path / "web", WEB)
    (folder / "charts").symlink_to(write(tmp_path / "elsewhere", WEB))
    assert digests.of_chart(str(folder)) == ""


PULLED = f"Pulled: registry.example.com/charts/web:1.0.0\nDigest: {ONE}\n"
UNDERSCORE = (
    f"Pulled: registry.example.com/charts/web:1.0.0_1\nDigest: {ONE}\nweb:1.0.0_1 contains an underscore.\n\nSo\n"
)
RELEASE = json.dumps({"name": "web", "notes": f"\nPulled: it\nDigest: {OTHER}\n"})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    write(tmp_path / "bundled/web", WEB)
    write(tmp_path / "bundled", {"api.tgz": b"chart"})
    return Workspace(directory=tmp_path / "work", charts_dir=tmp_path / "bundled")


@pytest.mark.parametrize("chart", ["charts/web", "charts/api.tgz"])
def test_a_bundled_chart_is_taken_if_it_is_the_one_that_was_deployed(chart: str, workspace: Workspace) -> None:
    found = charts.find(Release("web", "shop", chart), workspace)
    assert found.digest == digests.of_chart(found.place) != ""
    assert charts.find(Release("web", "shop", chart, digest=found.digest), workspace) == found


@pytest.mark.parametrize(
    "chart,now",
    [("charts/web", "is sha256:%s now"), ("charts/api.tgz", "is sha256:%s now"), ("charts/x", "cannot be read")],
)
def test_another_bundled_chart_is_refused_with_both_digests_and_the_fix(
    chart: str, now: str, workspace: Workspace
) -> None:
    found = charts.find(Release("web", "shop", chart), workspace).digest.removeprefix("sha256:")[:12]
    with pytest.raises(PermanentFault) as caught:
        charts.find(Release("web", "shop", chart, digest=ONE), workspace)
    said = caught.value.reason
    assert said.startswith(f"chart {chart!r} was sha256:0a0a0a0a0a0a when it was deployed, and ")
    assert now.replace("%s", found) in said
    assert said.endswith("with --current-definition")


@pytest.mark.parametrize("chart", ["charts/web", "oci://registry.example.com/web"])
@pytest.mark.parametrize("digest", ["sha256:", ONE[:-1], f"{ONE}0", f"{ONE} --set", ONE.upper(), "latest"])
def test_what_is_no_digest_is_refused(chart: str, digest: str, workspace: Workspace) -> None:
    with pytest.raises(PermanentFault, match="not sha256: and 64 hex digits"):
        charts.find(Release("web", "shop", chart, digest=digest), workspace)
