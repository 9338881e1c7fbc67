"""Expected faults are one line and an exit code; anything else is a bug and shows itself as one."""

import sys
from decimal import Decimal
from typing import Annotated

import pytest
import typer
from botocore.exceptions import ClientError, NoCredentialsError
from typer.testing import CliRunner

from infra.local.stack import NoStackError
from pipeline_state.cli.console import CommandError, print_json, told
from pipeline_state.cli.main import app
from pipeline_state.cli.options import Choice, before_the_command, common
from pipeline_state.faults import PermanentFault, TemporaryFault

DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "GetItem")


@pytest.mark.parametrize(
    "error, line, code",
    [
        (CommandError("no such commit"), "gatestream: no such commit", 1),
        (CommandError("no such value", 2), "gatestream: no such value", 2),
        (PermanentFault("DynamoDB refuses it"), "gatestream: DynamoDB refuses it", 1),
        (TemporaryFault("throttled"), "gatestream: throttled; try again", 1),
        (NoStackError("no stack: start one"), "gatestream: no stack: start one", 1),
        (
            DENIED,
            "gatestream: AWS refused GetItem: AccessDenied: not you; check credentials, --profile and --region",
            1,
        ),
        (
            NoCredentialsError(),
            "gatestream: AWS: Unable to locate credentials; check credentials, --profile and --region",
            1,
        ),
    ],
)
def test_an_expected_fault_is_one_line(error: Exception, line: str, code: int) -> None:
    assert told(error) == (line, code)


@pytest.mark.parametrize("error", [KeyError("x"), OSError("y"), AssertionError()])
def test_a_bug_is_not_hidden(error: Exception) -> None:
    assert told(error) is None


def test_numbers_of_dynamodb_are_numbers_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Decimal(3), Decimal("0.5")])
    assert capsys.readouterr().out.split() == ["[", "3,", "0.5", "]"]


def test_without_the_checkout_the_local_stack_is_told_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "infra.local", None)
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 2
    assert "name a deployed one: --stack NAME" in result.stderr


def chosen(*arguments: str) -> Choice:
    """What a command of an app of its own is given."""
    found: list[Choice] = []
    other = typer.Typer()
    before_the_command(other)

    def look(choice: Choice, word: Annotated[str, typer.Argument()] = "") -> None:  # noqa: ARG001 - only its parsing counts
        found.append(choice)

    other.command()(common(look))
    other.command("unused")(lambda: None)
    assert CliRunner().invoke(other, arguments).exit_code == 0
    return found[0]


def test_an_option_after_the_command_wins_over_the_same_before_it() -> None:
    assert chosen("--stack", "a", "--region", "r", "look", "--stack", "b") == Choice(stack="b", region="r")


def test_no_options_are_the_local_stack_for_people() -> None:
    assert chosen("look", "word") == Choice()
