"""Every decision, what takes precedence over what, and the sentences `gatestream why` prints."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline_state.model.decide import candidate_place, decide, declared_gates, required_gates
from pipeline_state.model.decision import Decision, Promote, Promoted, Wait
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import Environment, GateDefinition, Pipeline
from pipeline_state.model.record import Claim, Record

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
BEFORE, AFTER = "2026-07-01T11:00:00Z", "2026-07-01T13:00:00Z"
HEAD = "e" * 40
MAIN = Place(500, pushed_at=BEFORE)
READY = {"build": "TRUE", "legal": ""}
PIPELINE = Pipeline(
    name="shop",
    repo="myOrg/myApp",
    gates=(GateDefinition("build"), GateDefinition("legal")),
    environments=(Environment("staging", ("build",)), Environment("production", ("legal",), ("staging",))),
)
CLAIM = Claim("staging", 3, BEFORE, {"web": "id"}, published=True, pushed_at=BEFORE)
LATER = EnvironmentState("shop", "staging", generation=4, head=HEAD, sequence=900)


def record(gates: dict[str, Any] | None = None, **changes: Any) -> Record:
    given = {"branches": {"main": MAIN}, "gates": READY if gates is None else gates, **changes}
    return Record("myOrg/myApp", "a" * 40, **given)


def decided(
    given: Record, state: EnvironmentState | None = None, pipeline: Pipeline = PIPELINE, environment: str = "staging"
) -> Decision:
    states = {environment: state} if state else {}
    decisions = decide(given, states, pipeline, declared_gates([pipeline]), NOW)
    assert [each.environment for each in decisions] == [each.name for each in pipeline.environments]
    (found,) = [each for each in decisions if each.environment == environment]
    return found


def state(**changes: Any) -> EnvironmentState:
    return EnvironmentState(
        **{"pipeline": "shop", "name": "staging", "generation": 2, "head": HEAD, "sequence": 400, **changes}
    )


CASES: dict[str, tuple[Record, EnvironmentState | None, str, str]] = {
    "all its gates are passed": (record(), None, "Promote", "goes to staging now: its one required gate is passed"),
    "the environment has an older push": (
        record(),
        state(),
        "Promote",
        "goes to staging now: its one required gate is passed",
    ),
    "a gate is pending": (record({"build": ""}), None, "Wait", "waits for build"),
    "a gate is not there": (record({}), None, "Wait", "waits for build"),
    "a gate says nonsense": (
        record({"build": "maybe"}),
        None,
        "Wait",
        "waits for build (unrecognised value 'maybe'; use TRUE, FALSE or an empty string)",
    ),
    "somebody added a column": (record({**READY, "scan": ""}), None, "Wait", "waits for scan"),
    "several are missing": (record({"a_scan": "", "z_scan": ""}), None, "Wait", "waits for build, a_scan, z_scan"),
    "a gate failed": (record({"build": "FALSE"}), None, "Blocked", "blocked: build failed"),
    "a gate failed with a reason": (
        record({"build": {"status": "FALSE", "reason": "3 tests"}}),
        None,
        "Blocked",
        "blocked: build (3 tests) failed",
    ),
    "a gate failed and another is pending": (
        record({"build": "", "scan": "FALSE"}),
        None,
        "Blocked",
        "blocked: scan failed",
    ),
    "another environment's gate failed": (
        record({"build": "TRUE", "legal": "FALSE"}),
        None,
        "Promote",
        "goes to staging now: its one required gate is passed",
    ),
    "the environment has a newer push": (
        record(),
        LATER,
        "Superseded",
        "superseded in staging by the newer commit eeeeeeeeeeee",
    ),
    "the environment has a push of the same place": (
        record(),
        replace(LATER, sequence=500),
        "Superseded",
        "superseded in staging by the newer commit eeeeeeeeeeee",
    ),
    "it is superseded and blocked": (
        record({"build": "FALSE"}),
        LATER,
        "Superseded",
        "superseded in staging by the newer commit eeeeeeeeeeee",
    ),
    "it is frozen": (
        record(),
        state(freezes=(Freeze("ann"),)),
        "Frozen",
        "ready, but staging is frozen until unfrozen by ann",
    ),
    "it is frozen until later": (
        record(),
        state(freezes=(Freeze("ann", AFTER),)),
        "Frozen",
        f"ready, but staging is frozen until {AFTER} by ann",
    ),
    "it was frozen until now": (
        record(),
        state(freezes=(Freeze("ann", "2026-07-01T12:00:00Z"),)),
        "Promote",
        "goes to staging now: its one required gate is passed",
    ),
    "it is frozen until nobody knows when": (
        record(),
        state(freezes=(Freeze("ann", "Monday"),)),
        "Frozen",
        "ready, but staging is frozen until Monday by ann",
    ),
    "it is held": (record(), state(held_by="ben"), "Held", "ready, but staging is held by ben"),
    "it is held and frozen": (
        record(),
        state(held_by="ben", freezes=(Freeze("ann"),)),
        "Held",
        "ready, but staging is held by ben",
    ),
    "it is held and a gate is pending": (record({}), state(held_by="ben"), "Wait", "waits for build"),
    "no push has told of it": (
        record(branches={}),
        None,
        "NotACandidate",
        "not a candidate: no push has put it on a branch yet",
    ),
    "it is on another branch": (
        record(branches={"feature": MAIN, "b": MAIN}),
        None,
        "NotACandidate",
        "not a candidate: it is on b, feature, the pipeline takes main",
    ),
    "its record is broken": (
        record(problems=("_branches is not a map",)),
        None,
        "NotACandidate",
        "not a candidate: _branches is not a map",
    ),
    "it is claimed": (
        record(claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet",
    ),
    "it is claimed and the deployment is unclear": (
        record({"deployed_to_staging": {"status": ""}}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet",
    ),
    "it is deployed": (
        record({"deployed_to_staging": {"status": "TRUE", "at": AFTER}}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"deployed to staging at {AFTER}",
    ),
    "it is deployed, somebody says": (
        record({"deployed_to_staging": "TRUE"}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        "deployed to staging at an unknown time",
    ),
    "its deployment is tried again": (
        record({"deployed_to_staging": {"status": "", "reason": "no cluster"}}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet: no cluster",
    ),
    "its deployment failed": (
        record({"deployed_to_staging": {"status": "FALSE", "reason": "no image"}}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}, but the deployment failed: no image; push a commit to try again",
    ),
    "its deployment failed and nobody says why": (
        record({"deployed_to_staging": "FALSE"}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}, but the deployment failed: no reason given; push a commit to try again",
    ),
    "it is deployed and a gate has closed since": (
        record({"build": "FALSE", "deployed_to_staging": "TRUE"}, claims={"staging": CLAIM}),
        LATER,
        "Promoted",
        "deployed to staging at an unknown time",
    ),
    "it was claimed and overtaken before it was deployed": (
        record(claims={"staging": CLAIM}),
        LATER,
        "Superseded",
        "superseded in staging by the newer commit eeeeeeeeeeee",
    ),
    "it was claimed and its branch has left the pipeline": (
        record(branches={"feature": MAIN}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet",
    ),
    "it was claimed and pushed again since": (
        record(branches={"main": Place(950, pushed_at=AFTER)}, claims={"staging": CLAIM}),
        LATER,
        "Promote",
        "goes to staging now: its one required gate is passed",
    ),
    "it was claimed, pushed again, and is superseded again": (
        record(branches={"main": Place(800, pushed_at=AFTER)}, claims={"staging": CLAIM}),
        LATER,
        "Superseded",
        "superseded in staging by the newer commit eeeeeeeeeeee",
    ),
    "it was claimed and its place has only moved up": (
        record(branches={"main": Place(950, pushed_at=BEFORE)}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet",
    ),
    "it was claimed and pushed again before that was published": (
        record(branches={"main": Place(950, pushed_at=AFTER)}, claims={"staging": replace(CLAIM, published=False)}),
        state(generation=3),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet",
    ),
    "it was claimed, never published, overtaken, and pushed again": (
        record(branches={"main": Place(950, pushed_at=AFTER)}, claims={"staging": replace(CLAIM, published=False)}),
        LATER,
        "Promote",
        "goes to staging now: its one required gate is passed",
    ),
    "it was claimed by somebody who does not say for which push": (
        record(branches={"main": Place(950, pushed_at=AFTER)}, claims={"staging": replace(CLAIM, pushed_at=None)}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_when(case: str) -> None:
    given, environment, kind, sentence = CASES[case]
    decision = decided(given, environment)
    assert (decision.kind, decision.sentence) == (kind, sentence)


def test_a_repository_without_a_pipeline_has_one_decision_about_the_whole() -> None:
    (decision,) = decide(record(), {}, None, frozenset(), NOW)
    assert (decision.kind, decision.environment) == ("NoPipeline", "")
    assert decision.sentence == "myOrg/myApp has no pipeline; define one and run `gatestream pipelines apply`"


def test_the_next_environment_waits_for_the_one_before_and_for_its_own_gates() -> None:
    assert decided(record(), environment="production").sentence == "waits for legal, deployed_to_staging"
    ready = {**READY, "legal": "TRUE", "deployed_to_staging": {"status": "TRUE", "at": BEFORE}}
    decision = decided(record(ready), environment="production")
    assert decision == Promote("production", "main", 500, ("legal", "deployed_to_staging"))
    assert decision.sentence == "goes to production now: its 2 required gates are passed"


def test_a_failed_deployment_blocks_the_next_environment() -> None:
    gates = {"build": "TRUE", "legal": "TRUE", "deployed_to_staging": {"status": "FALSE", "reason": "no image"}}
    assert decided(record(gates), environment="production").kind == "Blocked"


def test_a_claim_of_one_environment_is_none_of_another() -> None:
    given = record(claims={"production": replace(CLAIM, environment_key="production")})
    assert decided(given).kind == "Promote"
    assert decided(given, environment="production").kind == "Promoted"


def test_an_environment_without_gates_takes_every_push() -> None:
    decision = decided(record({}), pipeline=replace(PIPELINE, environments=(Environment("staging"),)))
    assert decision.sentence == "goes to staging now: its 0 required gates are passed"


def test_pipelines_that_share_a_repository_have_gates_and_claims_of_their_own() -> None:
    shared = replace(PIPELINE, shared=True)
    given = record(claims={"shop_staging": CLAIM})
    assert isinstance(decided(given, pipeline=shared), Promoted)
    assert isinstance(decided(given), Promote)
    assert decided(given, pipeline=shared, environment="production").sentence == (
        "waits for legal, deployed_to_shop_staging"
    )


def test_what_another_pipeline_declares_is_no_added_column() -> None:
    gates = {**READY, "their_gate": ""}
    assert decide(record(gates), {}, PIPELINE, frozenset({"build", "legal", "their_gate"}), NOW)[0].kind == "Promote"
    assert decide(record(gates), {}, PIPELINE, frozenset({"build", "legal"}), NOW)[0].kind == "Wait"


def test_declared_gates_are_those_of_every_pipeline() -> None:
    other = Pipeline("other", "r", gates=(GateDefinition("their_gate"), GateDefinition("build")))
    assert declared_gates([PIPELINE, other]) == {"build", "legal", "their_gate"}


def test_what_is_required_names_each_gate_once_and_no_deployment_of_others() -> None:
    environment = Environment("live", ("build", "build", "z"), ("staging",))
    columns = ["z", "y", "deployed_to_elsewhere", "deployed_to_staging", "build"]
    assert required_gates(columns, PIPELINE, environment, frozenset({"build"})) == (
        "build",
        "z",
        "deployed_to_staging",
        "y",
    )


def test_an_approval_that_has_expired_is_waited_for_and_says_so() -> None:
    decision = decided(record({"build": {"status": "TRUE", "expires_at": BEFORE}}))
    assert isinstance(decision, Wait)
    assert decision.sentence == f"waits for build (expired at {BEFORE})"


PATHS = replace(PIPELINE, paths=("web/*", "shared/**"))


@pytest.mark.parametrize(
    "paths, touches",
    [
        (("web/a.py",), True),
        (("docs/x.md", "web/deep/b.py"), True),
        (("docs/x.md",), False),
        ((), False),
        (None, True),
    ],
    ids=["a file of it", "one of several", "another's", "nothing", "not wholly known"],
)
def test_a_pipeline_of_a_part_takes_a_push_that_changes(paths: tuple[str, ...] | None, touches: bool) -> None:  # noqa: FBT001
    found = candidate_place(record(branches={"main": replace(MAIN, paths=paths)}), PATHS)
    assert found == (("main", replace(MAIN, paths=paths)) if touches else "it changes nothing under shared/**, web/*")


def test_a_pipeline_of_the_whole_takes_every_push() -> None:
    assert candidate_place(record(branches={"main": replace(MAIN, paths=())}), PIPELINE) == (
        "main",
        replace(MAIN, paths=()),
    )


def test_a_commit_on_several_branches_goes_from_the_newest_place_that_counts() -> None:
    branches = {
        "main": replace(MAIN, sequence=1, paths=("web/a",)),
        "release/1": replace(MAIN, sequence=2, paths=("web/a",)),
        "release/2": replace(MAIN, sequence=3, paths=("docs/a",)),
        "feature": replace(MAIN, sequence=4, paths=("web/a",)),
    }
    pipeline = replace(PATHS, branches=("main", "release/*"))
    assert candidate_place(record(branches=branches), pipeline) == ("release/1", branches["release/1"])
