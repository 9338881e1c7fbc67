"""`gatestream diff` on a real stack: what it tells is what the promotion then does."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.local.stack import StackInfo
from tests.e2e.test_cli import Terminal
from tests.e2e.way import Way, commit


@pytest.fixture
def way(stack: StackInfo) -> Way:
    return Way(stack)


@pytest.fixture
def gatestream(way: Way) -> Terminal:
    return Terminal(way)


def deployed(way: Way) -> str:
    sha = commit()
    way.push(sha)
    way.deployed(sha, "staging")
    return sha


def test_what_a_commit_would_change_is_told_and_nothing_is_changed_by_it(gatestream: Terminal, way: Way) -> None:
    staging = way.environment("staging")
    way.define(staging)
    first, second = deployed(way), commit()
    assert "nothing changes" in gatestream("diff", way.repo, "staging", first).stdout
    way.define(replace(staging, gates=("legal",)))
    way.push(second, first)
    way.recorded(second)
    told = gatestream("diff", way.repo.upper(), "STAGING", second[:12], code=1).stdout
    assert f"revision 1, web-0.1.0 → web-0.1.0 with {second[:12]}" in told
    assert {line[0] for line in told.splitlines() if first in line or second in line} == {"+", "-"}
    data = gatestream.json("diff", way.repo, "staging", second, code=1)
    assert (data["repo"], data["environment"], data["commit"]) == (way.repo, "staging", second)
    (release,) = data["releases"]
    assert release["summary"]["names"] == ["~ Deployment/staging"]
    assert (release["failure"], release["refusals"], release["notes"]) == (None, [], [])
    assert len(way.helm("history", "staging")) == 1


def test_a_release_of_several_can_be_asked_for_and_one_that_cannot_be_installed_is_trouble(
    gatestream: Terminal, way: Way
) -> None:
    staging = way.environment("staging", "legal")
    broken = replace(way.release("broken"), chart="charts/none")
    way.define(replace(staging, releases=(*staging.releases, broken)))
    sha = commit()
    way.push(sha)
    way.recorded(sha)
    new, failed = gatestream.json("diff", way.repo, "staging", sha, code=2)["releases"]
    assert (new["live"], new["has_changes"], new["summary"]["created"]) == (None, True, 2)
    assert failed["failure"].endswith('charts/none" not found')
    told = gatestream("diff", way.repo, "staging", sha, "--release", "staging", code=1).stdout
    assert "not there yet → web-0.1.0" in told
    assert "broken" not in told


def test_a_kubeconfig_of_ones_own_leads_to_another_cluster(gatestream: Terminal, way: Way, tmp_path: Path) -> None:
    way.define(way.environment("staging"))
    sha = deployed(way)
    config = tmp_path / "kubeconfig"
    config.write_text(Path(way.stack.kubeconfig).read_text().replace(way.stack.kube_context, "mine"))
    arguments = ["diff", way.repo, "staging", sha, "--kubeconfig", str(config)]
    assert "on mine\n" in gatestream(*arguments, "--context", "mine").stdout
    told = gatestream(*arguments, "--kube-context", "yours", code=2).stdout
    assert 'context "yours" does not exist' in told


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["staging", "feed"], "has no record of feed"),
        (["stagin", "feed"], "did you mean staging?"),
        (["staging", "no"], "'no' is not a commit"),
        (["staging", "feed", "--release", "x"], "has no release x; there is staging"),
    ],
)
def test_trouble_is_never_taken_for_changes(gatestream: Terminal, way: Way, arguments: list[str], said: str) -> None:
    way.define(way.environment("staging"))
    done = gatestream("diff", way.repo, *arguments, code=2)
    assert said in done.stderr
    assert done.stdout == ""
