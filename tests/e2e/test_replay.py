"""`gatestream replay` on a real stack: what really went through it, against changed files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.cli.definitions.pipelines_file import to_file
from pipeline_state.model.pipelines import Environment, GateDefinition, GateSource, Pipeline, SourceKind
from tests.e2e.test_cli import Terminal
from tests.e2e.way import Way, commit, eventually

BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))


@pytest.fixture
def way(stack: StackInfo) -> Way:
    return Way(stack)


@pytest.fixture
def gatestream(way: Way) -> Terminal:
    return Terminal(way)


def pipeline(way: Way, *environments: Environment) -> Pipeline:
    return Pipeline(way.repo, way.repo, gates=(BUILD, GateDefinition("legal")), environments=environments)


def test_what_was_deployed_is_replayed_against_other_definitions(
    gatestream: Terminal, way: Way, tmp_path: Path
) -> None:
    staging = way.environment("staging", "build")
    production = way.environment("production", "legal", after=("staging",))
    applied, file = pipeline(way, staging, production), tmp_path / "new.yaml"
    file.write_text(to_file([applied]))
    gatestream("pipelines", "apply", str(file), "--yes")
    first, second = commit(), commit()
    way.push(first)
    way.build(first)
    way.deployed(first, "staging")
    way.push(second, before=first)
    way.column(first, "legal", "TRUE")
    way.deployed(first, "production")

    def told() -> bool:
        return "edited by hand" in [each["kind"] for each in gatestream.json("events", way.repo, first)]

    eventually(told, "the journal's entry of the edit")
    same = gatestream.json("replay", way.repo, "--pipelines", str(file))
    assert same["summary"] == "2 commits, 2 environments: nothing would have been decided differently"
    assert (same["differences"], same["happened_otherwise"], same["vague_entries"]) == ([], [], 0)

    file.write_text(to_file([pipeline(way, replace(staging, gates=("build", "legal")), production)]))

    def changed() -> dict[str, Any] | None:
        """A deployment to staging takes as long in the replay; until that time is over, production is not due."""
        found: dict[str, Any] = gatestream.json("replay", way.repo, "--pipelines", str(file), code=1)
        return found if "not at all" not in found["summary"] else None

    found = eventually(changed, "production in the replay")
    assert found["summary"] == "2 commits, 2 environments: 2 promotions would have come later"
    assert [(each["environment"], each["commit"], each["kind"]) for each in found["differences"]] == [
        ("staging", first, "later"),
        ("production", first, "later"),
    ]
    assert [each["why"] for each in found["differences"]] == ["waits for legal", "waits for deployed_to_staging"]
    shown = gatestream("replay", way.repo, "--pipelines", str(file), code=1).stdout.splitlines()
    assert shown[0] == "staging"
    assert shown[-1] == found["summary"]
    nothing = gatestream("replay", way.repo, "--pipelines", str(file), "-n", "1").stdout
    assert nothing == "1 commit, 2 environments: nothing would have been decided differently\n"
    assert gatestream.json("pipelines", "show", way.repo)[0]["version"] == 1


def test_what_cannot_be_replayed_says_what_to_do(gatestream: Terminal, way: Way, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text(to_file([pipeline(way, way.environment("staging", "build"))]))
    empty = gatestream("replay", way.repo, "--pipelines", str(file), code=2).stderr
    assert empty.startswith(f"gatestream: {way.repo} has no history yet")
    other = gatestream("replay", "some/other", "--pipelines", str(file), code=2).stderr
    assert other.startswith(f"gatestream: {file} has no pipeline of some/other, only of {way.repo}; add one")
    missing = gatestream("replay", way.repo, "--pipelines", str(tmp_path / "none.yaml"), code=2).stderr
    assert "cannot be read" in missing
    since = gatestream("replay", way.repo, "--pipelines", str(file), "--since", "lunch", code=2).stderr
    assert since.startswith("gatestream: 'lunch' is no time; write how long ago")
    way.push(sha := commit())
    way.recorded(sha)
    future = gatestream("replay", way.repo, "--pipelines", str(file), "--since", "2999-01-01", code=2).stderr
    assert "none since then; give --since an earlier time" in future
