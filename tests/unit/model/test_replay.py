"""What a replay makes of each kind of fact, and of the time between them."""

from dataclasses import replace
from datetime import datetime

import pytest

from pipeline_state.model.environments import Freeze
from pipeline_state.model.history import Fact, Reported
from pipeline_state.model.pipelines import (
    Environment,
    FreezeWindow,
    GateDefinition,
    GateSource,
    Pipeline,
    Policy,
    Release,
    SourceKind,
)
from pipeline_state.model.promotion import Action
from pipeline_state.model.replay import replay
from tests.unit.model.histories import (
    BUILD,
    CHAIN,
    EVERY,
    PRODUCTION,
    SHOP,
    STAGING,
    WEB,
    A,
    B,
    C,
    D,
    at,
    built,
    claimed,
    edited,
    ended,
    frozen,
    held,
    no_windows,
    played,
    promoted,
    pushed,
    steps,
    time,
    unfrozen,
    with_environments,
)

READY = (pushed(0, "", A), built(60, A))
TWO = (*READY, pushed(100, A, B), built(160, B))
APPROVED = {"status": "TRUE", "at": time(500), "by": "ann"}
ROLLBACK = {"by": "ann", "action": Action.ROLLBACK}

CASES: dict[str, tuple[tuple[Fact, ...], Pipeline, list[tuple[float, str, str]]]] = {
    "a build that passes": (READY, SHOP, [(60, "staging", "a")]),
    "a build before its push": ((built(10, A), pushed(20, "", A)), SHOP, [(20, "staging", "a")]),
    "a build that fails": ((READY[0], built(60, A, "failed")), SHOP, []),
    "a build that is done again": ((READY[0], built(60, A, "failed"), built(90, A)), SHOP, [(90, "staging", "a")]),
    "a result that completed before the one that is there": (
        (READY[0], built(60, A, "failed"), built(90, A, completed_at=time(30))),
        SHOP,
        [],
    ),
    "a result of another app than the gate's": ((READY[0], built(60, A, app="travis")), SHOP, [(60, "staging", "a")]),
    "a result of another workflow": ((READY[0], built(60, A, name="lint")), SHOP, []),
    "a push to a branch that the pipeline does not take": ((pushed(0, "", A, branch="try"), READY[1]), SHOP, []),
    "a gate set by hand": ((READY[0], edited(70, A, build="TRUE")), SHOP, [(70, "staging", "a")]),
    "a hand edit that a later build replaces": (
        (READY[0], edited(70, A, build="FALSE"), built(80, A)),
        SHOP,
        [(80, "staging", "a")],
    ),
    "a column somebody added": ((READY[0], edited(10, A, scan=""), READY[1]), SHOP, []),
    "a column somebody added and removed": (
        (READY[0], edited(10, A, scan=""), READY[1], edited(70, A, scan=None)),
        SHOP,
        [(70, "staging", "a")],
    ),
    "one after the other": (TWO, SHOP, [(60, "staging", "a"), (160, "staging", "b")]),
    "an older one that is ready later": (
        (READY[0], pushed(100, A, B), built(160, B), built(170, A)),
        SHOP,
        [(160, "staging", "b")],
    ),
    "a push told late": (
        (pushed(100, A, B), built(160, B), replace(pushed(0, "", A), at=at(200)), built(210, A)),
        SHOP,
        [(160, "staging", "b")],
    ),
    "a commit pushed again": (
        (*TWO, pushed(200, B, A)),
        SHOP,
        [(60, "staging", "a"), (160, "staging", "b"), (200, "staging", "a")],
    ),
    "the environment after": (
        (*READY, claimed(60, A, 1), ended(90, A, 1), edited(500, A, legal=APPROVED)),
        CHAIN,
        [(60, "staging", "a"), (500, "production", "a")],
    ),
    "an approval before the deployment": (
        (READY[0], edited(10, A, legal="TRUE"), READY[1], claimed(60, A, 1), ended(90, A, 1)),
        CHAIN,
        [(60, "staging", "a"), (90, "production", "a")],
    ),
    "an approval that expired meanwhile": (
        (
            READY[0],
            edited(10, A, legal={"status": "TRUE", "expires_at": time(80)}),
            READY[1],
            claimed(60, A, 1),
            ended(90, A, 1),
        ),
        CHAIN,
        [(60, "staging", "a")],
    ),
    "a deployment that failed": (
        (*READY, claimed(60, A, 1), ended(90, A, 1, "FALSE"), edited(500, A, legal="TRUE")),
        CHAIN,
        [(60, "staging", "a")],
    ),
    "a freeze that somebody ends": (
        (*TWO[:3], frozen(150), TWO[3], unfrozen(300)),
        SHOP,
        [(60, "staging", "a"), (300, "staging", "b")],
    ),
    "a freeze that ends by the clock": ((frozen(30, 400), *TWO), SHOP, [(400, "staging", "b")]),
    "a freeze of another environment": (
        (frozen(30, None, "production"), *READY),
        CHAIN,
        [(60, "staging", "a")],
    ),
    "a stop of everything": ((frozen(30, None, ""), *READY, unfrozen(300, "")), SHOP, [(300, "staging", "a")]),
    "a hold": ((held(30, "ann"), *TWO, held(300, "")), SHOP, [(300, "staging", "b")]),
    "a rollback, which holds": (
        (*TWO, claimed(500, A, 3, holds=True, **ROLLBACK), pushed(600, B, C), built(660, C), held(900, "")),
        SHOP,
        [(60, "staging", "a"), (160, "staging", "b"), (500, "staging", "a"), (900, "staging", "c")],
    ),
    "an approval of what somebody has gone back from": (
        (*TWO, claimed(500, A, 3, **ROLLBACK), edited(600, B, legal=APPROVED)),
        CHAIN,
        [(60, "staging", "a"), (160, "staging", "b"), (500, "staging", "a")],
    ),
    "a rollback that holds nothing": (
        (
            *(pushed(0, "", A), pushed(10, A, B), pushed(20, B, C), built(60, A), built(70, C)),
            *(claimed(500, A, 3, **ROLLBACK), built(600, B), pushed(700, C, D), built(760, D)),
        ),
        SHOP,
        [(60, "staging", "a"), (70, "staging", "c"), (500, "staging", "a"), (760, "staging", "d")],
    ),
    "a push of which only the next one tells": (
        (built(10, A), pushed(20, A, B)),
        SHOP,
        [(20, "staging", "a")],
    ),
    "a rollback to what is not among the commits": (
        (claimed(10, C, 9, holds=True, **ROLLBACK), *READY),
        SHOP,
        [(10, "staging", "c")],
    ),
    "an override of a freeze": (
        (frozen(30), *READY, claimed(100, A, 1, by="ann", action=Action.OVERRIDE)),
        SHOP,
        [(100, "staging", "a")],
    ),
    "an override of what is closed in the replay": (
        (READY[0], claimed(100, A, 1, by="ann", action=Action.OVERRIDE)),
        SHOP,
        [],
    ),
    "a person's wish for an environment there is not": (
        (*READY, claimed(100, A, 1, "canary", **ROLLBACK)),
        SHOP,
        [(60, "staging", "a")],
    ),
    "a freeze of an environment there is not": ((frozen(0, None, "canary"), *READY), SHOP, [(60, "staging", "a")]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_follows_from(case: str) -> None:
    facts, pipeline, expected = CASES[case]
    assert promoted(*facts, pipeline=pipeline) == expected


def test_a_result_whose_app_is_not_known_may_be_of_the_one_that_a_gate_wants() -> None:
    pinned = replace(BUILD, source=GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test", "ci"))
    pipeline = replace(SHOP, gates=(pinned,))
    told = built(60, A, app="other")
    assert promoted(READY[0], told, pipeline=pipeline) == []
    vague = Reported(told.at, A, replace(told.result, app=""), is_app_known=False)
    assert promoted(READY[0], vague, pipeline=pipeline) == [(60, "staging", "a")]


def test_paths_decide_which_pipeline_of_a_repository_a_push_is_for() -> None:
    part = replace(SHOP, paths=("web/*",))
    assert promoted(pushed(0, "", A, paths=("api/x",)), built(60, A), pipeline=part) == []
    assert promoted(pushed(0, "", A, paths=("web/x",)), built(60, A), pipeline=part) == [(60, "staging", "a")]
    assert promoted(pushed(0, "", A, paths=None), built(60, A), pipeline=part) == [(60, "staging", "a")]


# how deployments end

SOAKING = with_environments(STAGING, replace(PRODUCTION, gates=(), soak=600))


def test_a_soak_counts_from_the_deployment_and_ends_by_the_clock() -> None:
    facts = (*READY, claimed(60, A, 1), ended(90, A, 1))
    assert promoted(*facts, pipeline=SOAKING) == [(60, "staging", "a"), (690, "production", "a")]
    assert promoted(*facts, pipeline=SOAKING, until=689) == [(60, "staging", "a")]


def test_a_soak_counts_from_the_end_of_the_deployment_not_from_when_it_was_told() -> None:
    told_late = replace(ended(90, A, 1), told_at=time(80))
    assert promoted(*READY, claimed(60, A, 1), told_late, pipeline=SOAKING)[1:] == [(680, "production", "a")]


def test_a_soak_that_a_failing_gate_interrupts_promotes_nothing() -> None:
    facts = (*READY, claimed(60, A, 1), ended(90, A, 1), edited(300, A, deployed_to_staging="FALSE"))
    assert promoted(*facts, pipeline=SOAKING) == [(60, "staging", "a")]


AT_ONCE = with_environments(STAGING, replace(PRODUCTION, gates=()))


def test_a_deployment_that_history_does_not_know_takes_the_usual_time() -> None:
    """It was frozen in history, and is not in the replay."""
    known = (claimed(60, A, 1), ended(90, A, 1), pushed(100, A, B), built(160, B))
    assert promoted(*READY, *known, pipeline=AT_ONCE) == [
        (60, "staging", "a"),
        (90, "production", "a"),
        (160, "staging", "b"),
        (190, "production", "b"),
    ]


def test_without_any_deployment_in_history_it_is_over_at_once() -> None:
    assert promoted(*READY, pipeline=AT_ONCE) == [(60, "staging", "a"), (60, "production", "a")]


def test_a_deployment_that_comes_later_takes_as_long_as_it_did() -> None:
    late = with_environments(replace(STAGING, gates=("build", "legal")), replace(PRODUCTION, gates=()))
    facts = (*READY, claimed(60, A, 1), ended(100, A, 1), edited(1000, A, legal="TRUE"))
    assert promoted(*facts, pipeline=late) == [(1000, "staging", "a"), (1040, "production", "a")]


def test_one_that_was_overtaken_before_it_was_deployed_is_so_in_the_replay() -> None:
    facts = (*TWO[:3], claimed(61, A, 1), TWO[3], claimed(161, B, 2), ended(200, B, 2))
    expected = [(60, "staging", "a"), (160, "staging", "b"), (200, "production", "b")]
    assert promoted(*facts, pipeline=AT_ONCE) == expected


def test_one_that_was_overtaken_but_is_not_in_the_replay_is_deployed() -> None:
    later = with_environments(replace(STAGING, gates=("build", "legal")), replace(PRODUCTION, gates=()))
    facts = (*READY, edited(70, A, legal="TRUE"), claimed(70, A, 1), *TWO[2:], claimed(161, B, 2), ended(200, B, 2))
    assert promoted(*facts, pipeline=later) == [(70, "staging", "a"), (161, "production", "a")]


def test_one_that_was_overtaken_but_is_not_in_the_replay_takes_the_usual_time_at_least() -> None:
    later = with_environments(replace(STAGING, gates=("build", "legal")), replace(PRODUCTION, gates=()))
    facts = (*READY, edited(70, A, legal="TRUE"), claimed(70, A, 1), *TWO[2:], claimed(161, B, 2), ended(361, B, 2))
    assert promoted(*facts, pipeline=later) == [(70, "staging", "a"), (270, "production", "a")]


def test_a_commit_that_comes_again_is_deployed_again_before_it_goes_on() -> None:
    facts = (
        *(*READY, claimed(60, A, 1), ended(90, A, 1)),
        *(*TWO[2:], claimed(160, B, 2), ended(165, B, 2)),
        *(pushed(200, B, A), claimed(200, A, 3), ended(260, A, 3)),
    )
    assert promoted(*facts, pipeline=AT_ONCE) == [
        *((60, "staging", "a"), (90, "production", "a")),
        *((160, "staging", "b"), (165, "production", "b")),
        *((200, "staging", "a"), (260, "production", "a")),
    ]


def test_one_that_is_still_on_its_way_stays_so() -> None:
    assert promoted(*READY, claimed(61, A, 1), pipeline=AT_ONCE) == [(60, "staging", "a")]


def test_an_error_leaves_the_deployment_to_the_next_attempt() -> None:
    facts = (*READY, claimed(60, A, 1), ended(90, A, 1, ""), ended(150, A, 1))
    assert promoted(*facts, pipeline=AT_ONCE) == [(60, "staging", "a"), (150, "production", "a")]


def test_a_release_that_history_does_not_know_goes_with_the_others() -> None:
    two = replace(STAGING, releases=(WEB, Release("worker", "shop", "charts/worker")))
    pipeline = with_environments(two, replace(PRODUCTION, gates=()))
    facts = (*READY, claimed(60, A, 1), ended(90, A, 1))
    assert promoted(*facts, pipeline=pipeline) == [(60, "staging", "a"), (90, "production", "a")]


# turns

QUEUE = with_environments(EVERY)
THREE = (pushed(0, "", A), pushed(10, A, B), pushed(20, B, C))
WENT = (claimed(60, A, 1), ended(100, A, 1))


def test_each_commit_has_its_turn_once_the_one_before_is_deployed() -> None:
    facts = (*THREE, built(60, A), built(61, B), built(62, C), *WENT)
    assert promoted(*facts, pipeline=QUEUE) == [(60, "staging", "a"), (100, "staging", "b"), (140, "staging", "c")]


def test_a_commit_that_waits_for_its_build_has_those_behind_it_wait() -> None:
    facts = (*THREE, built(60, B), built(61, C), built(200, A))
    assert promoted(*facts, pipeline=QUEUE) == [(200, "staging", "a"), (200, "staging", "b"), (200, "staging", "c")]


def test_a_commit_that_fails_lets_the_others_pass() -> None:
    facts = (*THREE, built(60, B), built(61, C), built(200, A, "failed"))
    assert promoted(*facts, pipeline=QUEUE) == [(200, "staging", "b"), (200, "staging", "c")]


def test_after_a_freeze_the_one_whose_turn_it_is_goes_first() -> None:
    facts = (frozen(30, 400), *THREE, built(60, A), built(61, B))
    assert promoted(*facts, pipeline=QUEUE) == [(400, "staging", "a"), (400, "staging", "b")]


LIVE_IN_TURN = with_environments(STAGING, replace(PRODUCTION, policy=Policy.EVERY))


def test_one_that_was_skipped_before_has_nobody_wait_for_it() -> None:
    """B never comes to production, since C is in staging; A does, and has C wait for its approval."""
    facts = (*THREE, built(60, A), built(61, C), edited(70, C, legal="TRUE"), edited(80, A, legal="TRUE"))
    expected = [(60, "staging", "a"), (61, "staging", "c"), (80, "production", "a"), (80, "production", "c")]
    assert promoted(*facts, pipeline=LIVE_IN_TURN) == expected


def test_one_that_was_overtaken_on_its_way_has_nobody_wait_for_it() -> None:
    facts = (*THREE, built(60, A), claimed(60, A, 1), built(61, C), claimed(61, C, 2), edited(70, C, legal="TRUE"))
    expected = [(60, "staging", "a"), (61, "staging", "c"), (90, "production", "c")]
    assert promoted(*facts, ended(90, C, 2), pipeline=LIVE_IN_TURN) == expected


def test_one_that_was_overtaken_does_not_hide_those_before_it() -> None:
    """A is deployed to staging and waits for its approval; B never got there; C waits for A's turn."""
    facts = (
        *(*READY, claimed(60, A, 1), ended(65, A, 1)),
        *(pushed(70, A, B), built(80, B), claimed(80, B, 2)),
        *(pushed(90, B, C), built(95, C), claimed(95, C, 3), ended(100, C, 3), edited(110, C, legal="TRUE")),
    )
    found = played(*facts, pipeline=LIVE_IN_TURN)
    assert steps(found) == [(60, "staging", "a"), (80, "staging", "b"), (95, "staging", "c")]
    told = f"ready, but queued for production behind {A[:12]}, which goes first"
    assert found.sentence(("shop", "production"), C) == told


# windows


def window(begin: float, end: float) -> object:
    def current(_: Environment, now: datetime) -> Freeze | None:
        return Freeze("pipelines.yaml", time(end)) if at(begin) <= now < at(end) else None

    return current


WINDOWED = with_environments(replace(STAGING, freezes=(FreezeWindow("0 12 * * *", 60),)))


def test_a_window_holds_up_until_its_end() -> None:
    assert promoted(*TWO, pipeline=WINDOWED, windows=window(30, 700)) == [(700, "staging", "b")]
    assert promoted(*TWO, pipeline=WINDOWED, windows=window(100, 700))[1:] == [(700, "staging", "b")]


def test_windows_are_asked_only_for_environments_that_have_some() -> None:
    assert promoted(*READY, pipeline=SHOP, windows=window(0, 700)) == [(60, "staging", "a")]


# what it tells


def test_a_promotion_tells_what_was_waited_for() -> None:
    facts = (*READY, claimed(60, A, 1), ended(90, A, 1), edited(500, A, legal="TRUE"))
    assert [each.waited for each in played(*facts, pipeline=CHAIN).steps] == ["waits for build", "waits for legal"]


def test_the_last_decision_about_each_commit_is_told() -> None:
    found = played(*TWO, pushed(300, B, C), pipeline=CHAIN)
    assert steps(found) == [(60, "staging", "a"), (160, "staging", "b")]
    assert found.environments == (("shop", "staging"), ("shop", "production"))
    assert found.sentence(("shop", "staging"), C) == "waits for build"
    assert found.sentence(("shop", "production"), B) == "waits for legal"
    assert found.sentence(("shop", "staging"), A) == f"deployed to staging at {time(60)}, followed by {B[:12]}"
    assert (found.sentence(("shop", "canary"), A), found.sentence(("shop", "staging"), "d" * 40)) == ("", "")


def test_two_pipelines_of_one_repository_keep_an_order_of_their_own() -> None:
    gates = (GateDefinition("build", BUILD.source),)
    web, api = (
        Pipeline(name, "myOrg/myApp", paths=(f"{name}/*",), gates=gates, environments=(STAGING,), shared=True)
        for name in ("web", "api")
    )
    facts = (
        pushed(0, "", A, paths=("web/x",)),
        pushed(10, A, B, paths=("api/x",)),
        built(60, B),
        built(70, A),
    )
    found = replay([web, api], facts, no_windows, at(1000))
    assert [(each.pipeline, each.commit) for each in found.steps] == [("api", B), ("web", A)]
