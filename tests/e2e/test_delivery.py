"""What was deployed on a real stack, counted: by the command, and on the page."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.cli.dashboard import delivery, server
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.security import Door
from pipeline_state.cli.stacks import local_from
from pipeline_state.model.pipelines import GateDefinition, GateSource, SourceKind
from tests.e2e.way import Way, commit
from tests.visitor import Visitor

COMMAND = Path(sys.executable).with_name("gatestream")
BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))


@pytest.fixture
def way(stack: StackInfo) -> Way:
    """A commit that has gone the whole way to production."""
    way = Way(stack)
    staging = way.environment("staging", "build")
    way.define(
        staging, way.environment("production", "legal", after=("staging",)), gates=(BUILD, GateDefinition("legal"))
    )
    sha = commit()
    way.push(sha)
    way.build(sha)
    way.deployed(sha, "staging")
    way.column(sha, "legal", "TRUE")
    way.deployed(sha, "production")
    return way


def told(way: Way, *arguments: str) -> Any:
    state_dir = Path(way.stack.log).parent
    command = [str(COMMAND), "--state-dir", str(state_dir), "delivery", way.repo, *arguments, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_a_deployed_commit_is_counted_with_where_its_time_went(way: Way) -> None:
    production, staging = told(way, "--days", "2"), told(way, "--environment", "staging")
    assert [each["environment"] for each in production["environments"]] == ["production"]
    for found in (production, staging):
        assert (found["deployed"], found["changes"], found["failed"], found["commits_looked_into"]) == (1, 1, 0, 1)
        assert sum(found["seconds_spent"].values()) == pytest.approx(found["lead_time_seconds"], abs=0.001)
        assert found["seconds_spent"]["helm"] > 0
    assert staging["lead_time_seconds"] < production["lead_time_seconds"]
    assert "legal" in {each["what"] for each in production["awaited"]}


def test_the_page_shows_the_same(way: Way) -> None:
    stack = local_from(way.stack)
    stack.connect()
    board = Board(stack, Door(4321))
    visitor = Visitor(server.application(board, delivery.routes(board)), board.door).enter()
    shown = visitor.get(f"/delivery/{way.repo}/figures?days=7").text
    assert "Where the time goes" in shown
    assert "From push to deployment of 1 commit." in shown
