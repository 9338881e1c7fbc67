"""Every decision, what takes precedence over what, and the sentences `gatestream why` prints."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline_state.model.decide import candidate_place, decide, declared_gates, on_request, required_gates
from pipeline_state.model.decision import Decision, NotACandidate, Promote, Promoted, Queued, Soaking, Wait
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import Environment, GateDefinition, Pipeline, Policy
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
AGAIN = "push a commit, or try this one again with `gatestream redeploy`"
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
        "ready, but staging is frozen by ann",
    ),
    "it is frozen until later": (
        record(),
        state(freezes=(Freeze("ann", AFTER),)),
        "Frozen",
        f"ready, but staging is frozen by ann until {AFTER}",
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
        "ready, but staging is frozen by ann until Monday",
    ),
    "it is frozen twice": (
        record(),
        state(freezes=(Freeze("ann", AFTER), Freeze("zoe", "", "stopped"), Freeze("ben", "2026-07-01T14:00:00Z"))),
        "Frozen",
        "ready, but staging is frozen by zoe: stopped",
    ),
    "one of two freezes has ended": (
        record(),
        state(freezes=(Freeze("ann", BEFORE), Freeze("ben", AFTER))),
        "Frozen",
        f"ready, but staging is frozen by ben until {AFTER}",
    ),
    "it is held with a reason": (
        record(),
        state(held_by="ben", held_reason="went back"),
        "Held",
        "ready, but staging is held by ben: went back",
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
    "the environment is broken": (
        record(claims={"staging": CLAIM}),
        state(problem="generation: not a number"),
        "NotACandidate",
        "not a candidate: generation: not a number",
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
        f"promoted to staging at {BEFORE}, but the deployment failed: no image; {AGAIN}",
    ),
    "its deployment failed and nobody says why": (
        record({"deployed_to_staging": "FALSE"}, claims={"staging": CLAIM}),
        state(),
        "Promoted",
        f"promoted to staging at {BEFORE}, but the deployment failed: no reason given; {AGAIN}",
    ),
    "it is deployed and a gate has closed since": (
        record({"build": "FALSE", "deployed_to_staging": "TRUE"}, claims={"staging": CLAIM}),
        state(generation=3),
        "Promoted",
        "deployed to staging at an unknown time",
    ),
    "it was deployed and another commit came after it": (
        record({"deployed_to_staging": {"status": "TRUE", "at": AFTER}}, claims={"staging": CLAIM}),
        LATER,
        "Promoted",
        f"deployed to staging at {AFTER}, followed by eeeeeeeeeeee",
    ),
    "its deployment failed and another commit came after it": (
        record({"deployed_to_staging": {"status": "FALSE", "reason": "no image"}}, claims={"staging": CLAIM}),
        LATER,
        "Promoted",
        f"promoted to staging at {BEFORE}, but the deployment failed: no image, followed by eeeeeeeeeeee",
    ),
    "somebody went back from it": (
        record({"deployed_to_staging": {"status": "FALSE", "reason": "taken back: slow"}}, claims={"staging": CLAIM}),
        LATER,
        "Promoted",
        f"promoted to staging at {BEFORE}, but taken back: slow, followed by eeeeeeeeeeee",
    ),
    "it is claimed and its installation waits for a freeze to end": (
        record(claims={"staging": CLAIM}),
        state(generation=3, parked=("web",), freezes=(Freeze("ann", AFTER, "stocktaking"),)),
        "Promoted",
        f"promoted to staging at {BEFORE}, but staging is frozen by ann until {AFTER}: stocktaking",
    ),
    "it is claimed and its installation is about to go on": (
        record(claims={"staging": CLAIM}),
        state(generation=3, parked=("web",)),
        "Promoted",
        f"promoted to staging at {BEFORE}; not deployed yet",
    ),
    "it was claimed, and somebody went back before it was deployed": (
        record(claims={"staging": CLAIM}),
        state(generation=4, newest="a" * 40, sequence=500),
        "Superseded",
        "superseded in staging by eeeeeeeeeeee, to which somebody went back",
    ),
    "somebody went back to an older one": (
        record(branches={"main": Place(300, pushed_at=BEFORE)}),
        state(newest="f" * 40),
        "Superseded",
        "superseded in staging by the newer commit ffffffffffff",
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


SOAKED = Environment("production", (), ("staging",), soak=600)
SOAKING = replace(PIPELINE, environments=(Environment("staging"), SOAKED))
DEPLOYED = "2026-07-01T11:55:00Z"


def staged(**gate: Any) -> Record:
    return record({"deployed_to_staging": {"status": "TRUE", **gate}})


@pytest.mark.parametrize("deployed, soak, kind, sentence", [
    (DEPLOYED, 301, "Soaking", "soaks until 2026-07-01T12:00:01Z before it goes to production"),
    (DEPLOYED, 300, "Promote", "goes to production now: its one required gate is passed"),
    (AFTER, 1, "Soaking", "soaks until 2026-07-01T13:00:01Z before it goes to production"),
    (DEPLOYED, 0, "Promote", "goes to production now: its one required gate is passed"),
    ("9999-12-31T23:59:59Z", 60, "Soaking", "soaks until 9999-12-31T23:59:59.999Z before it goes to production"),
])  # fmt: skip
def test_a_commit_soaks_from_its_deployment_on(deployed: str, soak: int, kind: str, sentence: str) -> None:
    pipeline = replace(SOAKING, environments=(Environment("staging"), replace(SOAKED, soak=soak)))
    decision = decided(staged(at=deployed), pipeline=pipeline, environment="production")
    assert (decision.kind, decision.sentence) == (kind, sentence)


def test_a_commit_soaks_in_the_last_of_the_environments_before() -> None:
    both = (Environment("a"), Environment("b"), Environment("production", (), ("a", "b"), soak=600))
    gates = {
        name: {"status": "TRUE", "at": at} for name, at in (("deployed_to_a", DEPLOYED), ("deployed_to_b", BEFORE))
    }
    decision = decided(record(gates), pipeline=replace(PIPELINE, environments=both), environment="production")
    assert decision == Soaking("production", "2026-07-01T12:05:00Z")


@pytest.mark.parametrize("gate", [{}, {"at": "Monday"}], ids=["no time", "no time at all"])
def test_a_commit_deployed_at_an_unknown_time_waits_for_it(gate: dict[str, str]) -> None:
    decision = decided(staged(**gate), pipeline=SOAKING, environment="production")
    assert decision.kind == "Wait"
    told = "it does not say since when, and the soak time counts from there"
    assert decision.sentence == f"waits for deployed_to_staging ({told})"


def test_a_commit_that_failed_where_it_soaks_is_blocked() -> None:
    given = record({"deployed_to_staging": {"status": "FALSE", "at": DEPLOYED}})
    assert decided(given, pipeline=SOAKING, environment="production").kind == "Blocked"


def test_a_commit_soaks_on_although_another_has_followed_it() -> None:
    states = {"staging": LATER}
    decisions = decide(staged(at=BEFORE), states, SOAKING, declared_gates([SOAKING]), NOW)
    assert decisions[1].kind == "Promote"


# turns

IN_TURN = replace(PIPELINE, environments=(Environment("staging", ("build",), policy=Policy.EVERY),))
MINE = record(branches={"main": Place(800)})


def other(sequence: int, build: Any = "TRUE", commit: str = "b" * 40, **changes: Any) -> Record:
    return Record("myOrg/myApp", commit, {"main": Place(sequence)}, {"build": build}, **changes)


def in_turn(*waiting: Record, state: EnvironmentState | None = None, pipeline: Pipeline = IN_TURN) -> Decision:
    states = {"staging": state} if state else {}
    (decision,) = decide(MINE, states, pipeline, declared_gates([pipeline]), NOW, waiting)
    return decision


@pytest.mark.parametrize("before", [
    other(700), other(700, ""), other(700, "nonsense"), other(799, {"status": "TRUE", "expires_at": BEFORE}),
], ids=["ready", "pending", "nonsense", "expired"])  # fmt: skip
def test_a_commit_lets_the_one_before_it_go_first(before: Record) -> None:
    decision = in_turn(before, MINE)
    assert decision == Queued("staging", "b" * 40, under_way=False)
    assert decision.sentence == "ready, but queued for staging behind bbbbbbbbbbbb, which goes first"


@pytest.mark.parametrize("passed_over", [
    other(900),
    other(700, "FALSE"),
    Record("myOrg/myApp", "b" * 40, {"feature": Place(700)}, {"build": "TRUE"}),
    other(700, claims={"staging": CLAIM}),
    other(700, problems=("broken",)),
], ids=["newer", "failed", "of another branch", "promoted", "broken"])  # fmt: skip
def test_a_commit_does_not_wait_for_one_that_does_not_go_before_it(passed_over: Record) -> None:
    assert in_turn(passed_over, MINE).kind == "Promote"


def test_of_several_before_it_the_nearest_is_named() -> None:
    decision = in_turn(other(600), other(700, commit="c" * 40), other(650, commit="d" * 40))
    assert decision == Queued("staging", "c" * 40, under_way=False)


def test_those_that_the_environment_is_past_have_had_their_turn() -> None:
    assert in_turn(other(700), state=state(sequence=700)).kind == "Promote"
    assert in_turn(other(701), state=state(sequence=700)).kind == "Queued"


@pytest.mark.parametrize("done, kind", [
    ({}, "Queued"), ({"web": 1}, "Queued"), ({"web": 2}, "Promote"), ({"web": 3}, "Promote"),
])  # fmt: skip
def test_a_commit_waits_until_the_one_before_it_is_deployed(done: dict[str, int], kind: str) -> None:
    decision = in_turn(state=state(releases=("web",), done=done))
    assert decision.kind == kind
    if isinstance(decision, Queued):
        assert decision.sentence == "ready, but queued for staging behind eeeeeeeeeeee, which is being deployed"


def test_all_releases_of_the_one_before_have_to_be_done() -> None:
    assert in_turn(state=state(releases=("web", "worker"), done={"web": 2})).kind == "Queued"
    assert in_turn(state=state(releases=("web", "worker"), done={"web": 2, "worker": 2})).kind == "Promote"


def test_where_the_newest_goes_nobody_waits_for_a_turn() -> None:
    unfinished = state(releases=("web",))
    assert in_turn(other(700), state=unfinished, pipeline=PIPELINE_OF_ONE).kind == "Promote"


PIPELINE_OF_ONE = replace(PIPELINE, environments=PIPELINE.environments[:1])


def test_its_own_gates_come_before_its_turn_and_its_turn_before_a_freeze() -> None:
    frozen = state(freezes=(Freeze("ann"),))
    assert in_turn(other(700), state=frozen).kind == "Queued"
    given = record({"build": ""}, branches={"main": Place(800)})
    (decision,) = decide(given, {}, IN_TURN, declared_gates([IN_TURN]), NOW, (other(700),))
    assert decision.kind == "Wait"


# on request


def asked_for(given: Record) -> Decision:
    environment = PIPELINE.environments[0]
    return on_request(given, PIPELINE, environment, declared_gates([PIPELINE]), NOW)


def test_a_person_gets_what_has_been_there_before() -> None:
    again = record({**READY, "scan": "TRUE", "deployed_to_staging": "TRUE"}, claims={"staging": CLAIM})
    assert asked_for(again) == Promote("staging", "main", 500, ("build", "scan"))


@pytest.mark.parametrize("given, kind", [
    (record({"build": "FALSE"}), "Blocked"),
    (record({"build": ""}), "Wait"),
    (record({**READY, "scan": ""}), "Wait"),
    (record({"build": {"status": "TRUE", "expires_at": BEFORE}}), "Wait"),
    (record(branches={}), "NotACandidate"),
    (record(branches={"feature": MAIN}), "NotACandidate"),
])  # fmt: skip
def test_a_person_gets_nothing_whose_gates_are_closed(given: Record, kind: str) -> None:
    assert asked_for(given).kind == kind


@pytest.mark.parametrize("problems, mendable", [((), False), (("broken",), True)])
def test_only_what_somebody_broke_can_be_mended(problems: tuple[str, ...], mendable: bool) -> None:  # noqa: FBT001
    decision = decided(record(branches={}, problems=problems))
    assert isinstance(decision, NotACandidate)
    assert decision.can_be_mended is mendable


# superseded on the way

CHAIN = replace(
    PIPELINE,
    environments=(
        Environment("staging", ("build",)),
        Environment("canary", (), ("staging",)),
        Environment("last", (), ("canary",)),
    ),
)
ON_ITS_WAY = "superseded on its way to {}: eeeeeeeeeeee took its place in staging"


def along(given: Record, **states: EnvironmentState) -> list[Decision]:
    return decide(given, states, CHAIN, declared_gates([CHAIN]), NOW)


def test_what_is_superseded_in_one_environment_comes_to_none_after_it() -> None:
    told = [each.sentence for each in along(record(), staging=LATER)]
    assert told == [
        "superseded in staging by the newer commit eeeeeeeeeeee",
        *map(ON_ITS_WAY.format, ("canary", "last")),
    ]


def test_what_was_deployed_before_it_was_followed_goes_on() -> None:
    decisions = along(record({**READY, "deployed_to_staging": "TRUE"}, claims={"staging": CLAIM}), staging=LATER)
    assert [each.kind for each in decisions] == ["Promoted", "Promote", "Wait"]


def test_what_somebody_says_is_deployed_goes_on() -> None:
    decisions = along(record({**READY, "deployed_to_staging": "TRUE"}), staging=LATER)
    assert [each.kind for each in decisions] == ["Superseded", "Promote", "Wait"]


def test_a_gate_that_can_still_open_is_waited_for() -> None:
    assert [each.kind for each in along(record({"build": ""}), staging=state())] == ["Wait", "Wait", "Wait"]


def test_nobody_waits_for_a_commit_that_can_never_have_its_turn() -> None:
    last = replace(CHAIN.environments[1], policy=Policy.EVERY)
    pipeline = replace(CHAIN, environments=(CHAIN.environments[0], last))
    mine = record({**READY, "deployed_to_staging": "TRUE"}, branches={"main": Place(950)}, claims={"staging": CLAIM})
    decisions = decide(mine, {"staging": LATER}, pipeline, declared_gates([pipeline]), NOW, (other(800), mine))
    assert [each.kind for each in decisions] == ["Promoted", "Promote"]
