"""The command's outside: quick to start, and understanding its common options wherever they stand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline_state.cli.main import app

ROOT = Path(__file__).parents[3]
EXAMPLE = str(ROOT / "infra" / "local" / "example" / "pipelines.yaml")
COMMANDS = [
    ["up"],
    ["down"],
    ["demo"],
    ["status"],
    ["why"],
    ["replay"],
    ["events"],
    ["trace"],
    ["stats"],
    ["gate", "set"],
    ["webhook", "send"],
    *([name] for name in ("rollback", "redeploy", "override", "history")),
    *([name] for name in ("freeze", "unfreeze", "hold", "release", "stop", "start")),
    *(["dlq", name] for name in ("list", "show", "redrive")),
    *(["pipelines", name] for name in ("apply", "check", "show", "schema")),
]


def test_help_waits_for_nothing_that_is_slow_to_import() -> None:
    slow = ["boto3", "botocore", "pynamodb", "pydantic", "yaml", "infra.local.stack", "beeline"]
    script = f"import sys, pipeline_state.cli.main; print([name for name in {slow} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_answers_in_json_about_any_stack(command: list[str]) -> None:
    told = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "120", "NO_COLOR": "1"}).output
    assert [option for option in ("--json", "--stack", "--region", "--profile") if option not in told] == []


@pytest.mark.parametrize(
    "arguments", [["--json", "pipelines", "check", EXAMPLE], ["pipelines", "check", EXAMPLE, "--json"]]
)
def test_common_options_stand_before_the_command_or_after_it(arguments: list[str]) -> None:
    assert json.loads(CliRunner().invoke(app, arguments).stdout)["valid"] is True


def test_a_wrong_file_is_told_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("pipelines:\n  - repo: a\n    branch: x\n")
    result = CliRunner().invoke(app, ["pipelines", "check", str(path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == ["2", "2", "3"]


def test_the_schema_is_printed_for_editors() -> None:
    assert "$schema" in json.loads(CliRunner().invoke(app, ["pipelines", "schema"]).stdout)


@pytest.mark.parametrize("arguments", [["nonsense"], ["webhook", "send", "gitlab", "x"], ["why", "only/repo"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_context_without_a_kubeconfig_starts_nothing(command: str, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "KUBECONFIG": None}
    arguments = [command, "--kube-context", "mine", "--state-dir", str(tmp_path / "state")]
    result = CliRunner().invoke(app, arguments, env=home)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"gatestream: there is no {tmp_path}/.kube/config to find the context mine in; add --kubeconfig FILE\n"
    )
    assert not (tmp_path / "state").exists()
