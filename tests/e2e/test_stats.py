"""`gatestream stats` on a real stack: what its functions counted on the way of a commit."""

import json
import subprocess
from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.model.pipelines import GateDefinition
from tests.e2e.test_cli import COMMAND, Terminal
from tests.e2e.way import Way, commit, eventually


@pytest.fixture
def gatestream(stack: StackInfo) -> Terminal:
    return Terminal(Way(stack))


def counts(gatestream: Terminal) -> dict[str, int]:
    """Of all tests on this stack, however long they take; exit code 1 where one of them has left what failed."""
    command = [str(COMMAND), "--state-dir", str(gatestream.state_dir), "stats", "--hours", "24", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    data: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if data["problems"] else 0)
    return {name: count["now"] for name, count in data["counts"].items()} | {
        name: timing["number"] for name, timing in data["durations"].items()
    }


def test_a_commits_way_is_counted_by_every_function_on_it(gatestream: Terminal) -> None:
    """MiniStack tells a late line with the next call of its worker only: another commit makes up for it."""
    way, before = gatestream.way, counts(gatestream)
    way.define(way.environment("staging", "approval"), gates=(GateDefinition("approval"),))
    least = {"EventsReceived": 1, "GateChanges": 2, "Promotions": 1, "Deployments": 1}
    least |= {"PromotionLag": 1, "HelmDuration": 1}

    def missing() -> set[str]:
        sha = commit()
        way.push(sha)
        way.recorded(sha)
        way.column(sha, "approval", "TRUE")
        way.deployed(sha, "staging")
        after = counts(gatestream)
        return {name for name, number in least.items() if after[name] < before[name] + number}

    eventually(lambda: not missing(), "everything is counted")


def test_a_forged_webhook_is_counted_as_rejected(gatestream: Terminal) -> None:
    before = counts(gatestream)["EventsRejectedUnsigned"]

    def grown() -> bool:
        gatestream("webhook", "send", "github", "-", "--secret-file", "/dev/null", text="{}", code=1)
        return counts(gatestream)["EventsRejectedUnsigned"] > before

    eventually(grown, "a forgery is counted")


def test_in_a_terminal_it_is_a_table(gatestream: Terminal) -> None:
    done = subprocess.run(
        [str(COMMAND), "--state-dir", str(gatestream.state_dir), "stats"], check=False, capture_output=True, text=True
    )
    assert "webhooks received" in done.stdout
    assert done.stderr == ""
