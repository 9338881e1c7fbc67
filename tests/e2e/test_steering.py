"""Freezes, holds, stops, rollbacks and overrides on a real stack: what people ask for is what Helm then does."""

import os
import pty
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.cli.definitions.pipelines_file import to_file
from pipeline_state.model.pipelines import Environment, FreezeWindow, GateDefinition, Pipeline
from tests.e2e.test_cli import COMMAND, USER, Terminal
from tests.e2e.way import Way, commit, eventually

LEGAL = GateDefinition("legal")


@pytest.fixture
def way(stack: StackInfo) -> Way:
    return Way(stack)


@pytest.fixture
def gatestream(way: Way) -> Terminal:
    return Terminal(way)


@pytest.fixture
def staging(way: Way) -> Environment:
    """It asks for nothing but a push."""
    return way.environment("staging")


def pushed(way: Way, before: str = "") -> str:
    sha = commit()
    way.push(sha, before)
    way.recorded(sha)
    return sha


def deployed(way: Way, before: str = "") -> str:
    sha = pushed(way, before)
    way.deployed(sha, "staging")
    return sha


def why(gatestream: Terminal, sha: str) -> str:
    (environment,) = gatestream.json("why", gatestream.way.repo, sha)["environments"]
    return str(environment["reason"])


def running(way: Way) -> str:
    """The commit that Helm last installed."""
    return str(way.helm("get", "values", "staging")["image"]["tag"])


def comes_to_run(way: Way, sha: str) -> None:
    eventually(lambda: running(way) == sha, f"{sha[:12]} in staging")


def history(gatestream: Terminal) -> list[tuple[Any, ...]]:
    told = gatestream.json("history", gatestream.way.repo, "staging")
    return [(each["commit"], each["action"], each["by"], each["outcome"]) for each in told]


def test_a_commit_waits_for_the_end_of_a_freeze_and_is_promoted_once(
    gatestream: Terminal, way: Way, staging: Environment
) -> None:
    way.define(staging)
    frozen = gatestream.json("freeze", way.repo, "STAGING", "--until", "2h", "--reason", "the sale")
    assert (frozen["frozen"]["by"], frozen["frozen"]["reason"], frozen["replaced"]) == (USER, "the sale", None)
    sha = pushed(way)
    told = f"staging is frozen by {USER} until {frozen['frozen']['until']}: the sale"
    eventually(lambda: why(gatestream, sha) == f"ready, but {told}", "the reason")
    (head,) = [each for each in gatestream.json("status") if each["repo"] == way.repo]
    assert (head["frozen"], head["ready"], head["head"]) == (frozen["frozen"], 1, None)
    assert f"staging of {way.repo} is frozen by {USER}" in gatestream("status").stdout
    gatestream("unfreeze", way.repo, "staging")
    way.deployed(sha, "staging")
    assert history(gatestream) == [(sha, "promote", "gatestream", "deployed")]
    told_events = [event["text"] for event in gatestream.json("events", way.repo, "staging")]
    assert told_events[:3] == [
        f"staging frozen until {frozen['frozen']['until']}: the sale",
        "staging unfrozen",
        "promoted to staging, generation 1",
    ]


def test_a_rollback_goes_back_and_holds_until_the_release(gatestream: Terminal, way: Way, staging: Environment) -> None:
    way.define(staging)
    first = deployed(way)
    way.define(replace(staging, releases=(replace(staging.releases[0], values={"color": "new"}),)))
    second = deployed(way, first)
    plan = gatestream.json("rollback", way.repo, "staging", "--reason", "too slow", code=1)
    assert (plan["from"]["commit"], plan["to"], plan["holds"], plan["promoted"]) == (second, first, True, False)
    told = gatestream("rollback", way.repo, "staging", "--reason", "too slow", "--yes").stdout
    assert "Promoted, number 3" in told
    comes_to_run(way, first)
    assert "color" not in way.helm("get", "values", "staging")
    third = pushed(way, second)
    eventually(lambda: why(gatestream, third) == f"ready, but staging is held by {USER}: too slow", "the hold")
    gatestream("release", way.repo, "staging")
    comes_to_run(way, third)
    way.deployed(third, "staging")
    outcomes = ["deployed"] * 4  # the third's may be recorded before that of the rollback
    eventually(lambda: [outcome for *_, outcome in history(gatestream)] == outcomes, "all outcomes")
    assert history(gatestream) == [
        (third, "promote", "gatestream", "deployed"),
        (first, "rollback", USER, "deployed"),
        (second, "promote", "gatestream", "deployed"),
        (first, "promote", "gatestream", "deployed"),
    ]
    assert why(gatestream, second).endswith(f"followed by {third[:12]}")


def test_what_failed_is_deployed_again_by_the_definition_that_was_mended(
    gatestream: Terminal, way: Way, staging: Environment
) -> None:
    way.define(replace(staging, releases=(way.release("staging", chart="charts/missing"),)))
    sha = pushed(way)
    way.deployed(sha, "staging", "FALSE")
    way.define(staging)
    arguments = ("redeploy", way.repo, "staging", "--reason", "the chart was missing", "--yes", "--current-definition")
    assert gatestream.json(*arguments)["generation"] == 2
    eventually(lambda: way.item(sha)["deployed_to_staging"]["status"] == "TRUE", "the second deployment")
    assert running(way) == sha
    assert [outcome for *_, outcome in history(gatestream)] == ["deployed", "failed"]


@pytest.fixture
def stopped(gatestream: Terminal) -> Iterator[None]:
    """Everything on this stack, for one test."""
    gatestream("stop", "--reason", "fire")
    yield
    gatestream("start")


@pytest.mark.usefixtures("stopped")
def test_a_stop_lets_nothing_go_but_an_override_by_name(gatestream: Terminal, way: Way, staging: Environment) -> None:
    way.define(staging)
    sha = pushed(way)
    eventually(lambda: "who stopped everything" in why(gatestream, sha), "the stop")
    assert f"everything is stopped by {USER}: fire" in gatestream("status").stdout
    gatestream("override", way.repo, "staging", sha[:10], "--reason", "the fix of the fire", "--yes")
    way.deployed(sha, "staging")
    (event,) = [each for each in gatestream.json("events", way.repo, sha) if each["kind"] == "claimed"]
    assert event["text"] == "promoted by override to staging, generation 1: the fix of the fire"
    assert (event["by"], event["verified"]) == (USER, True)


def test_what_waited_for_a_stop_goes_on_after_the_start(gatestream: Terminal, way: Way, staging: Environment) -> None:
    way.define(staging)
    gatestream("stop", "--reason", "fire", "--until", "1h")
    try:
        sha = pushed(way)
        eventually(lambda: "who stopped everything" in why(gatestream, sha), "the stop")
    finally:
        gatestream("start")
    way.deployed(sha, "staging")
    assert history(gatestream) == [(sha, "promote", "gatestream", "deployed")]


def applied(gatestream: Terminal, path: Path, *pipelines: Pipeline) -> str:
    path.write_text(to_file(pipelines))
    return gatestream("pipelines", "apply", str(path), "--yes").stdout


def test_a_first_pipeline_promotes_the_newest_commit_that_is_ready(
    gatestream: Terminal, way: Way, staging: Environment, tmp_path: Path
) -> None:
    older = pushed(way)
    newest = pushed(way, older)
    applied(gatestream, tmp_path / "pipelines.yaml", Pipeline(way.repo, way.repo, environments=(staging,)))
    way.deployed(newest, "staging")
    assert "_claim_staging" not in way.item(older)
    (event,) = [each for each in gatestream.json("events", way.repo) if each["kind"] == "applied"]
    assert (event["text"], event["by"], event["commit"]) == ("pipelines applied, version 1", USER, "")


def test_a_gate_that_is_needed_no_more_lets_the_commit_go_that_waited_for_it(
    gatestream: Terminal, way: Way, staging: Environment, tmp_path: Path
) -> None:
    path = tmp_path / "pipelines.yaml"
    pipeline = Pipeline(way.repo, way.repo, gates=(LEGAL,), environments=(replace(staging, gates=("legal",)),))
    applied(gatestream, path, pipeline)
    sha = pushed(way)
    assert why(gatestream, sha) == "waits for legal"
    applied(gatestream, path, replace(pipeline, environments=(staging,)))
    way.deployed(sha, "staging")


def test_a_person_at_a_terminal_is_asked_and_may_say_no(gatestream: Terminal, way: Way, staging: Environment) -> None:
    way.define(staging)
    first = deployed(way)
    second = deployed(way, first)
    command = [str(COMMAND), "--state-dir", str(gatestream.state_dir), "rollback", way.repo, "staging", "--reason", "x"]
    for answer, code, told in ((b"n\n", 1, "Nothing was changed."), (b"y\n", 0, "Promoted, number 3")):
        here, there = pty.openpty()
        os.write(here, answer)
        done = subprocess.run(command, check=False, stdin=there, capture_output=True, text=True)
        os.close(here)
        os.close(there)
        assert done.returncode == code, done.stderr
        assert f"Roll staging of {way.repo} back to {first[:12]}?" in done.stdout
        assert told in done.stdout
    comes_to_run(way, first)
    assert why(gatestream, second).endswith(f"followed by {first[:12]}")


@pytest.mark.parametrize(
    "arguments, code, told",
    [
        (
            ("freeze", "{repo}", "stagin", "--reason", "x"),
            2,
            "{repo} has no environment 'stagin'; did you mean staging",
        ),
        (("freeze", "No/such-{repo}", "staging", "--reason", "x"), 2, "there is no pipeline 'No/such-{repo}'"),
        (("freeze", "{repo}", "staging", "--reason", " "), 2, "--reason is empty; say why"),
        (("freeze", "{repo}", "staging", "--reason", "x", "--until", "1h ago"), 2, "'1h ago' is no time; write a"),
        (("unfreeze", "{repo}", "staging"), 1, "staging of {repo} is not frozen"),
        (("release", "{repo}", "staging"), 1, "staging of {repo} is not held"),
        (("start",), 1, "nothing is to be started: there is no stop"),
        (("rollback", "{repo}", "staging", "--reason", "x"), 1, "nothing has ever been promoted to staging of {repo}"),
        (("redeploy", "{repo}", "staging", "--reason", "x"), 1, "nothing has ever been promoted to staging of {repo}"),
        (("history", "{repo}", "staging"), 1, "nothing has ever been promoted to staging of {repo}"),
        (("override", "{repo}", "staging", "main", "--reason", "x"), 2, "'main' is not a commit; give 4 to 40 hex"),
        (("override", "{repo}", "staging", "abcd", "--reason", "x"), 1, "{repo} has no record of abcd"),
        (("events", "{repo}", "stagin"), 2, "{repo} has no environment 'stagin'; did you mean staging"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    gatestream: Terminal, way: Way, staging: Environment, arguments: tuple[str, ...], code: int, told: str
) -> None:
    way.define(staging)
    refused = gatestream(*(each.format(repo=way.repo) for each in arguments), code=code)
    assert refused.stderr.startswith(f"gatestream: {told.format(repo=way.repo)}")
    assert (refused.stderr.count("\n"), refused.stdout) == (1, "")


def test_a_rollback_without_anybody_to_ask_does_nothing(gatestream: Terminal, way: Way, staging: Environment) -> None:
    way.define(staging)
    deployed(way, deployed(way))
    refused = gatestream("rollback", way.repo, "staging", "--reason", "x", code=2)
    assert refused.stderr == "gatestream: nobody is there to be asked; look at the changes and add --yes\n"
    assert len(history(gatestream)) == 2


def test_a_freeze_by_the_definition_is_told_as_such(gatestream: Terminal, way: Way, staging: Environment) -> None:
    way.define(replace(staging, freezes=(FreezeWindow("0 0 * * *", 24 * 60, reason="always"),)))
    told = gatestream("unfreeze", way.repo, "staging", code=1).stderr
    assert told.startswith(f"gatestream: nobody has frozen staging of {way.repo}, but until ")
    gatestream("hold", way.repo, "staging", "--reason", "mine")
    status = gatestream("status").stdout
    assert "is frozen by pipelines.yaml until" in status
    assert f"held by {USER}: mine" in status
