"""Waits, from entries as the journal has them; times are seconds after START."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from pipeline_state.model.environments import Freeze
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import (
    Environment,
    FreezeWindow,
    GateDefinition,
    GateSource,
    Policy,
    SourceKind,
    Verification,
)
from pipeline_state.model.record import Record
from pipeline_state.model.waits import waits
from tests.unit.model.histories import at, time
from tests.unit.model.journals import (
    PRODUCTION,
    REPO,
    SHOP,
    STAGING,
    WEB,
    A,
    begun,
    built,
    claimed,
    closed,
    deployed,
    edited,
    entry,
    found,
    gate_set,
    pushed,
    told,
    told_of,
)

BROKEN: dict[str, Any] = {"kind": "?"}


def test_the_whole_way_is_waiting_for_ci_then_for_a_person() -> None:
    assert found(
        pushed(0), built(60), *deployed(62, "staging"), gate_set(500, "legal"), *deployed(501, "production")
    ) == [
        ("build", "ci", 0, 61, "circleci", "verified"),
        ("legal", "people", 0, 500, "ann", "verified"),
        ("deployed_to_staging", "pipeline", 62, 64, "gatestream", "verified"),
    ]


def test_what_is_still_awaited_has_no_end() -> None:
    assert found(pushed(0), built(60)) == [
        ("build", "ci", 0, 61, "circleci", "verified"),
        ("legal", "people", 0, None, "", ""),
        ("promotion to staging", "pipeline", 61, None, "", ""),
    ]


def test_a_wait_has_a_name_a_place_and_a_duration() -> None:
    record = Record(REPO, A, {"main": Place(7, pushed_at=time(0))})
    build, legal = waits(record, [pushed(0), built(60, late=0)], (SHOP,), at(62))
    shown = [(each.name, each.environment, each.duration(at(62)).total_seconds()) for each in (build, legal)]
    assert shown == [("waiting for build", "staging", 60), ("waiting for legal", "production", 62)]


def test_a_commit_that_no_pipeline_takes_waits_for_nothing() -> None:
    record = Record(REPO, A, {"feature": Place(7, pushed_at=time(0))})
    assert waits(record, [pushed(0)], (SHOP,), at(9)) == ()
    assert waits(Record(REPO, A), [built(1)], (SHOP,), at(9)) == ()


def test_a_result_that_came_before_the_push_leaves_nothing_to_wait_for() -> None:
    assert found(built(-5), pushed(0))[0] == ("legal", "people", 0, None, "", "")


def test_a_push_that_only_the_next_one_has_told_of_begins_the_waits_at_its_time() -> None:
    assert found(built(60))[0] == ("build", "ci", 0, 61, "circleci", "verified")


def test_a_gate_that_somebody_added_is_awaited_from_then_on() -> None:
    value = {"status": "TRUE", "by": "scanner"}
    told_ = found(pushed(0), edited(30, scan=""), edited(40, "scanner", scan=value))
    assert told_[2] == ("scan", "people", 30, 40, "scanner", "claimed")


def test_a_gate_that_somebody_removed_is_awaited_no_more() -> None:
    assert found(pushed(0), edited(30, scan=""), edited(40, scan=None))[2] == (
        ("scan", "people", 30, 40, "", "unknown")
    )


def test_a_declared_gate_that_somebody_removed_is_awaited_again() -> None:
    gates = [each for each in found(pushed(0), gate_set(10, "legal"), edited(20, legal=None)) if each[0] == "legal"]
    assert gates == [("legal", "people", 0, 10, "ann", "verified"), ("legal", "people", 20, None, "", "")]


def test_a_gate_that_is_reset_is_awaited_once_more_and_the_way_is_no_longer_open() -> None:
    told = found(pushed(0), built(60), gate_set(90, "build", "", by="bea"), built(200, late=2))
    assert [each for each in told if each[0] != "legal"] == [
        ("build", "ci", 0, 61, "circleci", "verified"),
        ("promotion to staging", "pipeline", 61, 90, "bea", "verified"),
        ("build", "ci", 90, 202, "circleci", "verified"),
        ("promotion to staging", "pipeline", 202, None, "", ""),
    ]


def test_a_gate_that_failed_is_to_be_mended() -> None:
    told = found(pushed(0), built(60, "failed"), built(300))
    assert [each for each in told if each[0].startswith("build")] == [
        ("build", "ci", 0, 61, "circleci", "verified"),
        ("build to be mended", "people", 61, 301, "circleci", "verified"),
    ]


def test_a_result_that_does_not_count_ends_no_wait() -> None:
    assert found(pushed(0), built(60, "cancelled"))[0] == ("build", "ci", 0, None, "", "")
    told = found(pushed(0), built(60, "failed"), built(30, late=40))
    assert told[-1] == ("build to be mended", "people", 61, None, "", "")


def test_a_result_without_an_app_is_the_providers() -> None:
    assert found(pushed(0), built(60, app=""))[0][4:] == ("CircleCI", "verified")
    status = {**built(60, app="")["what"], "name": "lint"}
    lint = GateDefinition("lint", GateSource(SourceKind.GITHUB_CHECK, "lint"))
    checked = replace(SHOP, gates=(lint,), environments=(replace(STAGING, gates=("lint",)),))
    told_ = found(pushed(0), entry(60, "com.github.check_run.completed", status), pipeline=checked)
    assert told_[0] == ("lint", "ci", 0, 60, "GitHub", "verified")


def test_an_approval_that_expires_is_awaited_once_more() -> None:
    told = found(pushed(0), gate_set(10, "legal", expires_at=time(100)), gate_set(150, "legal"))
    assert [each for each in told if each[0] == "legal"] == [
        ("legal", "people", 0, 10, "ann", "verified"),
        ("legal", "people", 100, 150, "ann", "verified"),
    ]


def test_what_no_environment_needs_any_more_is_awaited_no_more() -> None:
    """The definition was another one when the commit was promoted."""
    assert found(pushed(0), claimed(50, "staging"))[0] == ("build", "ci", 0, 50, "gatestream", "verified")


def test_the_soak_time_is_told_from_what_comes_after() -> None:
    soaking = replace(SHOP, environments=(STAGING, replace(PRODUCTION, gates=(), soak=600)))
    told = found(pushed(0), built(60), *deployed(61, "staging"), *begun(720, "production"), pipeline=soaking, now=2000)
    assert told[2:] == [
        ("the soak time before production", "pipeline", 63, 663, "gatestream", "verified"),
        ("promotion to production", "pipeline", 663, 720, "gatestream", "verified"),
    ]


def test_the_soak_time_counts_from_the_deployment_however_late_the_gates_open() -> None:
    soaking = replace(SHOP, environments=(STAGING, replace(PRODUCTION, soak=600)))
    way = [pushed(0), built(60), *deployed(61, "staging")]
    early = found(*way, gate_set(300, "legal"), *begun(670, "production"), pipeline=soaking)
    assert early[3:] == [("the soak time before production", "pipeline", 300, 663, "gatestream", "verified")]
    late = found(*way, gate_set(663, "legal"), *begun(700, "production"), pipeline=soaking)
    assert late[3:] == [("promotion to production", "pipeline", 663, 700, "gatestream", "verified")]
    by_hand = found(
        pushed(0), built(60), gate_set(70, "legal"), edited(80, deployed_to_staging="TRUE"), pipeline=soaking
    )
    assert by_hand[-2] == ("the soak time before production", "pipeline", 80, 680, "gatestream", "verified")


def test_a_deployment_that_is_dated_to_the_end_of_the_calendar_is_soaked_until_then() -> None:
    soaking = replace(SHOP, environments=(STAGING, replace(PRODUCTION, soak=600)))
    for_good = edited(80, deployed_to_staging={"status": "TRUE", "at": "9999-12-31T23:59:59Z"})
    endless = found(pushed(0), built(60), gate_set(70, "legal"), for_good, pipeline=soaking)
    assert endless[-1] == ("the soak time before production", "pipeline", 80, None, "", "")


def test_who_waits_in_a_queue_waits_for_its_turn() -> None:
    queue = replace(SHOP, environments=(replace(STAGING, policy=Policy.EVERY),))
    assert found(pushed(0), built(60), claimed(200, "staging"), pipeline=queue)[1] == (
        ("its turn in staging", "pipeline", 61, 200, "gatestream", "verified")
    )


def test_what_the_pipeline_takes_by_itself_is_no_wait() -> None:
    told_ = found(pushed(0), built(60), claimed(70, "staging"), told(79, "staging", "started"))
    assert [each[0] for each in told_] == ["build", "legal", "deployed_to_staging"]


@pytest.mark.parametrize(
    "begin, end, what",
    [
        ("frozen", "unfrozen", "the end of the freeze of staging"),
        ("held", "released", "the end of the hold on staging"),
    ],
)
def test_a_closed_environment_is_waited_for_with_who_opened_it(begin: str, end: str, what: str) -> None:
    entries = [closed(10, begin), closed(100, end, by="bea"), *begun(130, "staging")]
    assert [each for each in found(pushed(0), built(60), *entries) if "staging" in each[0]] == [
        (what, "people", 61, 100, "bea", "verified"),
        ("promotion to staging", "pipeline", 100, 130, "gatestream", "verified"),
        ("deployed_to_staging", "pipeline", 130, None, "", ""),
    ]


def test_a_freeze_can_begin_amid_and_end_by_its_own_time() -> None:
    entries = [closed(80, "frozen", until=time(120)), closed(300, "unfrozen", by="bea")]
    assert [each for each in found(pushed(0), built(60), *entries) if "staging" in each[0]] == [
        ("promotion to staging", "pipeline", 61, 80, "", ""),
        ("the end of the freeze of staging", "people", 80, 120, "gatestream", "verified"),
        ("promotion to staging", "pipeline", 120, None, "", ""),
    ]


def test_a_freeze_that_is_ended_at_its_own_time_was_ended_by_that() -> None:
    entries = [closed(10, "frozen", until=time(120)), closed(120, "unfrozen", by="bea")]
    told_ = found(pushed(0), built(60), *entries, claimed(121, "staging"))
    assert told_[2] == ("the end of the freeze of staging", "people", 61, 120, "gatestream", "verified")


def test_a_freeze_that_replaces_another_one_goes_on_from_it_and_others_do_not_count() -> None:
    entries = [closed(10, "frozen"), closed(70, "frozen", by="bea"), closed(75, "held", "elsewhere")]
    assert [each for each in found(pushed(0), built(60), *entries) if "staging" in each[0]] == [
        ("the end of the freeze of staging", "people", 61, 70, "bea", "verified"),
        ("the end of the freeze of staging", "people", 70, None, "", ""),
    ]


def test_the_stop_of_everything_closes_every_environment() -> None:
    stop = [entry(5, "stopped", {}, by="ann", record="#everything#stop")]
    start = [entry(500, "started", {}, by="bea", record="#everything#stop")]
    told = found(pushed(0), built(60), *stop, *start, claimed(501, "staging"))
    assert told[2] == ("the end of the stop of everything", "people", 61, 500, "bea", "verified")


def test_a_person_who_overrides_a_freeze_ends_the_wait() -> None:
    told = found(pushed(0), built(60), closed(10, "frozen"), claimed(100, "staging", by="bea"))
    assert told[2] == ("the end of the freeze of staging", "people", 61, 100, "bea", "verified")


def test_a_freeze_window_is_waited_for_where_it_is_known() -> None:
    windowed = replace(SHOP, environments=(replace(STAGING, freezes=(FreezeWindow("0 12 * * *", 10),)),))

    def windows(_: Environment, moment: datetime) -> Freeze | None:
        return Freeze("pipelines.yaml", time(600)) if moment < at(600) else None

    told = found(pushed(0), built(60), *begun(640, "staging"), pipeline=windowed, windows=windows)
    assert told[1:] == [
        ("the end of the freeze window of staging", "pipeline", 61, 600, "gatestream", "verified"),
        ("promotion to staging", "pipeline", 600, 640, "gatestream", "verified"),
    ]

    def over(_: Environment, __: datetime) -> Freeze | None:
        return Freeze("pipelines.yaml", time(61))

    unwindowed = replace(SHOP, environments=(STAGING,))
    assert found(pushed(0), built(60), claimed(640, "staging"), pipeline=unwindowed, windows=windows)[1][0] == (
        "promotion to staging"
    )
    assert found(pushed(0), built(60), claimed(640, "staging"), pipeline=windowed, windows=over)[1][0] == (
        "promotion to staging"
    )
    unknown = found(pushed(0), built(60), claimed(640, "staging"), pipeline=windowed)
    assert unknown[1] == ("promotion to staging", "pipeline", 61, 640, "gatestream", "verified")


def test_an_installation_that_is_put_aside_waits_for_the_environment() -> None:
    told_ = found(pushed(0), built(60), claimed(62, "staging"), told(200, "staging", "started"))
    assert ("staging to be free", "pipeline", 62, 200, "gatestream", "verified") in told_
    frozen = [closed(63, "frozen"), closed(150, "unfrozen", by="bea")]
    told_ = found(pushed(0), built(60), claimed(62, "staging"), *frozen, told(155, "staging", "superseded"))
    assert ("the end of the freeze of staging", "people", 63, 150, "bea", "verified") in told_


def test_a_promotion_that_people_put_an_end_to_before_it_began_waits_no_more() -> None:
    taken_back = {"status": "FALSE", "by": "bea", "at": time(300), "reason": "taken back"}
    told_ = found(pushed(0), built(60), claimed(62, "staging"), gates={"deployed_to_staging": taken_back})
    assert ("staging to be free", "pipeline", 62, 300, "bea", "claimed") in told_
    way = [pushed(0), built(60), claimed(62, "staging"), gate_set(300, "deployed_to_staging", "FALSE", by="bea")]
    assert ("staging to be free", "pipeline", 62, 300, "bea", "verified") in found(*way)


def test_a_promotion_that_has_not_begun_waits_for_the_environment_until_now() -> None:
    way = [pushed(0), built(60), *deployed(62, "staging"), gate_set(70, "legal"), claimed(101, "production")]
    assert found(*way)[-1] == ("production to be free", "pipeline", 101, None, "", "")
    assert found(*way, closed(102, "frozen", "production"))[-1] == (
        ("the end of the freeze of production", "people", 102, None, "", "")
    )
    assert [each for each in found(*way, now=105) if each[3] is None] == [], "it is on its way"


def test_a_gate_that_a_release_is_verified_by_is_awaited_from_the_moment_it_is_applied() -> None:
    verified = replace(STAGING, releases=(replace(WEB, verify=Verification(gate="smoke")),))
    shop = replace(SHOP, gates=(*SHOP.gates, GateDefinition("smoke")), environments=(verified,))
    way = [pushed(0), built(60), claimed(61, "staging"), told(62, "staging", "applied")]
    told_ = found(*way, gate_set(120, "smoke"), told(125, "staging", "deployed"), pipeline=shop)
    assert told_[1:] == [("smoke", "people", 62, 120, "ann", "verified")]
    for verdict in ("failed", "deployed"):
        assert found(*way, told(90, "staging", verdict), pipeline=shop)[1][3] == 90


def test_a_deployment_that_failed_is_to_be_mended_and_one_more_is_awaited() -> None:
    way = [pushed(0), built(60), claimed(61, "staging"), told(63, "staging", "failed", reason="no")]
    told_ = found(*way, claimed(200, "staging", 2, by="bea"), told(201, "staging", "deployed", 2))
    assert [each for each in told_ if each[0].startswith("deployed_to")] == [
        ("deployed_to_staging", "pipeline", 61, 63, "gatestream", "verified"),
        ("deployed_to_staging to be mended", "people", 63, 200, "bea", "verified"),
        ("deployed_to_staging", "pipeline", 200, 201, "gatestream", "verified"),
    ]


def test_late_news_of_an_older_promotion_count_no_more() -> None:
    way = [pushed(0), built(60), claimed(61, "staging"), claimed(70, "staging", 2), told(80, "staging", "deployed", 1)]
    assert ("deployed_to_staging", "pipeline", 61, None, "", "") in found(*way)


def test_a_record_that_is_further_than_its_journal_is_believed() -> None:
    gates = {"legal": {"status": "TRUE", "by": "bea", "at": time(20)}, "build": "TRUE", "scan": True}
    assert found(pushed(0), gates=gates)[:2] == [
        ("build", "ci", 0, 1000, "", "unknown"),
        ("legal", "people", 0, 20, "bea", "claimed"),
    ]
    assert found(pushed(0), gates={"legal": ""})[1] == ("legal", "people", 0, None, "", "")


def test_entries_that_are_not_ours_and_environments_that_are_gone_are_left_alone() -> None:
    gone = claimed(50, "gone")
    numberless = {**told(70, "staging", "deployed")["what"], "generation": "?"}
    after = found(pushed(0), built(60), *begun(62, "staging"), entry(70, "dev.cdevents.x", numberless))
    assert after[-1:] == [("deployed_to_staging", "pipeline", 62, None, "", "")]
    assert found(pushed(0), BROKEN, {**gone, "what": "?"}, gone, told(51, "staging", "?", generation="?")) == [
        ("build", "ci", 0, None, "", ""),
        ("legal", "people", 0, None, "", ""),
    ]


def test_another_pipelines_promotions_are_its_own() -> None:
    other = replace(SHOP, name="other", branches=("release",), shared=True)
    record = Record(REPO, A, {"main": Place(7, pushed_at=time(0))})
    what = {**claimed(5, "staging")["what"], "pipeline": "other"}
    entries = [pushed(0), entry(5, "claimed", what, by="gatestream")]
    told_ = [told_of(each) for each in waits(record, entries, (replace(SHOP, shared=True), other), at(9))]
    assert [each[0] for each in told_] == ["build", "legal"]


def test_what_was_set_by_hand_holds_until_a_result_that_was_completed_later() -> None:
    older, newer = built(120, "failed", completed_at=time(90)), built(130, "failed", completed_at=time(110))
    for by_hand in (gate_set(100, "build"), edited(100, build="TRUE"), edited(100, build={"status": "TRUE"})):
        assert [each[0] for each in found(pushed(0), by_hand, older)] == ["build", "legal", "promotion to staging"]
        assert found(pushed(0), by_hand, older, newer)[-1][:3] == ("build to be mended", "people", 131)


def test_of_two_results_of_one_second_the_worse_counts() -> None:
    passed, failed = built(60, late=1), built(60, "failed", late=2)
    assert [each[0] for each in found(pushed(0), passed, failed)][-1] == "build to be mended"
    assert [each[0] for each in found(pushed(0), {**failed, "written_at": time(60)}, passed)][
        -1
    ] == "build to be mended"


def test_entries_that_do_not_say_when_they_were_written_count_from_their_own_time() -> None:
    undated = [{**each, "written_at": ""} for each in (pushed(0), built(60), gate_set(90, "legal"))]
    assert [each[:4] for each in found(*undated)][:2] == [("build", "ci", 0, 60), ("legal", "people", 0, 90)]
    assert found(pushed(10, late=-5), built(60))[0][2] == 5, "GitHub's clock is ahead"


def test_every_wait_names_its_environment_and_its_gate_if_it_is_for_one() -> None:
    record = Record(REPO, A, {"main": Place(7, pushed_at=time(0))})
    way = [pushed(0), built(60, "failed"), built(90), claimed(120, "staging"), told(180, "staging", "started")]
    told_ = waits(record, way, (replace(SHOP, environments=(STAGING,)),), at(200))
    assert [(each.what, each.environment, each.gate) for each in told_] == [
        ("build", "staging", "build"),
        ("build to be mended", "staging", "build"),
        ("promotion to staging", "staging", ""),
        ("staging to be free", "staging", ""),
    ]
