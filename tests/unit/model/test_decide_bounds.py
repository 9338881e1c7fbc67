"""What decisions carry beside their sentences, and where one case ends and the next begins."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline_state.model.decide import candidate_place, decide, declared_gates, on_request
from pipeline_state.model.decision import Decision, NotACandidate, Promote, Promoted, Queued, Soaking, Superseded
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.gates import GateStatus, read_gate
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import Environment, GateDefinition, Pipeline, Policy
from pipeline_state.model.record import Claim, Record

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
BEFORE = "2026-07-01T11:00:00Z"
STAGING = Environment("staging", ("build",))
PIPELINE = Pipeline("shop", "myOrg/myApp", gates=(GateDefinition("build"),), environments=(STAGING,))
CLAIM = Claim("staging", 3, BEFORE, {"web": "id"}, published=True, pushed_at=BEFORE)


def record(letter: str = "a", sequence: int = 500, **changes: Any) -> Record:
    given = {"branches": {"main": Place(sequence, pushed_at=BEFORE)}, "gates": {"build": "TRUE"}, **changes}
    return Record("myOrg/myApp", letter * 40, **given)


def decided(given: Record, environment: Environment = STAGING, *waiting: Record, **state: Any) -> Decision:
    pipeline = replace(PIPELINE, environments=(environment,))
    states = {environment.name: EnvironmentState("shop", environment.name, **state)}
    (found,) = decide(given, states, pipeline, declared_gates([pipeline]), NOW, waiting)
    return found


@pytest.mark.parametrize("published", [True, False])
def test_what_was_promoted_says_by_which_claim_and_whether_it_was_told(*, published: bool) -> None:
    found = decided(
        record(claims={"staging": replace(CLAIM, published=published)}), generation=3, head="a" * 40, sequence=500
    )
    assert found == Promoted("staging", BEFORE, 3, published, None)


def test_what_is_closed_bars_only_a_promotion_that_waits_for_it() -> None:
    closed: dict[str, Any] = {"head": "a" * 40, "sequence": 500, "freezes": (Freeze("ann"),)}
    claimed = record(claims={"staging": CLAIM})
    parked, running = (decided(claimed, generation=3, parked=each, **closed) for each in (("web",), ()))
    assert isinstance(parked, Promoted)
    assert isinstance(running, Promoted)
    assert (parked.barred is None, running.barred is None) == (False, True)


def test_what_waits_there_is_not_the_promotion_that_another_has_followed() -> None:
    gates = {"build": "TRUE", "deployed_to_staging": "TRUE"}
    claimed = record(claims={"staging": CLAIM}, gates=gates)
    followed = decided(claimed, generation=4, head="b" * 40, parked=("web",), freezes=(Freeze("ann"),))
    deployed = read_gate("deployed_to_staging", "TRUE", NOW)
    assert deployed.status is GateStatus.PASSED
    assert followed == Promoted("staging", BEFORE, 3, published=True, deployed=deployed, then="b" * 40)


def test_what_was_promoted_says_when_it_was_last_announced_and_how_often() -> None:
    claimed = record(claims={"staging": replace(CLAIM, told_at="2026-07-01T11:30:00Z", repeats=2)})
    found = decided(claimed, generation=3, parked=("web",))
    assert found == Promoted(
        "staging", BEFORE, 3, published=True, deployed=None, parked=True, told_at="2026-07-01T11:30:00Z", repeats=2
    )


def test_an_environment_that_cannot_be_read_takes_nothing_until_it_is_mended() -> None:
    assert decided(record(), problem="no number") == NotACandidate("staging", "no number", can_be_mended=True)


@pytest.mark.parametrize("newest, is_newer", [("c", True), ("d", False)])
def test_a_commit_is_cut_off_by_any_of_the_environments_before_and_says_how(newest: str, *, is_newer: bool) -> None:
    before = (Environment("a"), Environment("b"), Environment("c", (), ("a", "b")))
    pipeline = replace(PIPELINE, environments=before)
    given = record(gates={"deployed_to_a": "TRUE"}, claims={"b": replace(CLAIM, environment_key="b")})
    overtaken = EnvironmentState("shop", "b", generation=4, head="c" * 40, newest=newest * 40)
    *_, found = decide(given, {"b": overtaken}, pipeline, declared_gates([pipeline]), NOW)
    assert found == Superseded("c", "c" * 40, is_newer, "b")


@pytest.mark.parametrize(
    "given, why, can_be_mended",
    [
        (record(branches={}), "no push has put it on a branch yet", False),
        (record(problems=("_claim_x is not a claim",)), "_claim_x is not a claim", True),
    ],
    ids=["no push", "a problem"],
)
def test_a_request_for_what_is_no_candidate_says_why(given: Record, why: str, *, can_be_mended: bool) -> None:
    found = on_request(given, PIPELINE, STAGING, declared_gates([PIPELINE]), NOW)
    assert found == NotACandidate("staging", why, can_be_mended)


def test_of_several_branches_the_one_with_the_latest_place_counts_whatever_its_name() -> None:
    places = {"main": Place(500), "zebra": Place(400), "alpha": Place(450)}
    pipeline = replace(PIPELINE, branches=("main", "zebra", "alpha"))
    assert candidate_place(record(branches=places), pipeline) == ("main", Place(500))


def test_a_soak_time_with_no_environment_before_it_counts_from_now() -> None:
    assert decided(record(), replace(STAGING, soak=600)) == Soaking("staging", "2026-07-01T12:10:00Z")


@pytest.mark.parametrize("sequence, goes_first", [(499, True), (500, False), (501, False)])
def test_only_an_earlier_place_goes_first(sequence: int, *, goes_first: bool) -> None:
    in_turn = replace(STAGING, policy=Policy.EVERY)
    found = decided(record(), in_turn, record("b", sequence), sequence=400)
    first, own = Queued("staging", "b" * 40, under_way=False), Promote("staging", "main", 500, ("build",))
    assert found == (first if goes_first else own)


@pytest.mark.parametrize("sequence, goes_first", [(399, False), (400, False), (401, True)])
def test_what_the_environment_has_passed_by_does_not_go_first(sequence: int, *, goes_first: bool) -> None:
    found = decided(record(), replace(STAGING, policy=Policy.EVERY), record("b", sequence), sequence=400)
    assert isinstance(found, Queued) is goes_first


def test_a_commit_does_not_wait_for_itself() -> None:
    found = decided(record(), replace(STAGING, policy=Policy.EVERY), record(sequence=450), sequence=400)
    assert isinstance(found, Promote)
