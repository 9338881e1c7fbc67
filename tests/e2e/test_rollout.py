"""A release that may take hours, on the local stack: applied by one function, seen to be ready by another."""

from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.model.pipelines import Cluster, Environment, GateDefinition, GateSource, SourceKind, Verification
from pipeline_state.tracing import trace_of
from tests.e2e.way import Way, commit, eventually

BUILD = GateDefinition("circle_ci_build_done", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))
HOURS = 4 * 3600


@pytest.fixture
def way(stack: StackInfo) -> Way:
    return Way(stack)


def on_its_way(way: Way, name: str, **release: object) -> str:
    """A commit that goes to an environment with one such release."""
    made = way.release(name, **release)
    environment = Environment(name, (BUILD.name,), (), (made,), Cluster(context="gatestream-embedded"))
    way.define(environment, gates=(BUILD, GateDefinition("smoke_test")))
    sha = commit()
    way.push(sha)
    way.build(sha)
    return sha


def verdict(way: Way, sha: str, environment: str) -> dict[str, Any]:
    """The deployed gate once it is more than pending."""

    def told() -> dict[str, Any] | None:
        gate = way.item(sha).get(f"deployed_to_{environment}")
        return dict(gate) if gate and gate["status"] else None

    return eventually(told, f"a verdict on {environment}")


def test_a_long_rollout_is_watched_and_ends_in_the_commits_trace(way: Way) -> None:
    sha = on_its_way(way, "slow", timeout=HOURS)
    gate = verdict(way, sha, "slow")
    assert (gate["status"], gate["releases"]["slow"]["revision"]) == ("TRUE", 1)
    trace = trace_of(way.repo, sha).trace_id
    wanted = {"hand lease over", "look again later", "SQS delay queue", "observe rollout", "helm status"}
    eventually(lambda: wanted <= {span["name"] for span in way.spans(trace)} or None, "the look in the trace")


def test_a_release_waits_for_the_gate_that_verifies_it(way: Way) -> None:
    sha = on_its_way(way, "checked", verify=Verification(gate="smoke_test", within=HOURS))
    eventually(lambda: way.item(sha).get("deployed_to_checked"), "the release applied")
    assert "to be verified" in way.item(sha)["deployed_to_checked"]["reason"]
    way.column(sha, "smoke_test", "TRUE")
    assert verdict(way, sha, "checked")["status"] == "TRUE"
