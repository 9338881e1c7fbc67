"""Promotions that people ask for by name: what is planned, what is refused, and what is claimed, on both DynamoDBs."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from pipeline_state.cli import facts
from pipeline_state.cli.asking import happening
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.steering import history_view, moving, moving_view, promotions
from pipeline_state.cli.steering.closures import read_closures, read_stop
from pipeline_state.cli.steering.moving import Plan
from pipeline_state.cli.steering.places import Place, find_place
from pipeline_state.cli.steering.wishes import Wish
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Cluster, Environment, FreezeWindow
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.times import format_time
from pipeline_state.table import holds
from pipeline_state.table.deployments import deployments
from pipeline_state.table.journal import history
from pipeline_state.table.results import record_news
from pipeline_state.table.snapshot import EVERYTHING
from tests.contract.function_room import before_each_write
from tests.contract.table_room import BUILD, LEGAL, START, WEB, A, B, C, D, TableRoom, pipeline, raw, seconds

LOCAL = Cluster(context="local")
STAGING = Environment("staging", ("build",), (), (WEB,), LOCAL)
PRODUCTION = Environment("production", ("legal",), ("staging",), (replace(WEB, namespace="live"),), LOCAL)
LATER = "2026-07-02T12:00:00Z"


@pytest.fixture
def shop(room: TableRoom) -> TableRoom:
    """A and then B deployed to staging."""
    room.define(pipeline(STAGING))
    deploy(room, A)
    deploy(room, B, A)
    return room


def deploy(room: TableRoom, commit: str, before: str = "", status: str = "TRUE") -> Promotion:
    """Pushed, built, promoted and installed."""
    second = 100.0 * "abcd".index(commit[0])
    room.ready(commit, second, before)
    (promotion,) = room.promote(commit)
    room.deployed(promotion, status, second + 60, **({"reason": "no such chart"} if status == "FALSE" else {}))
    return promotion


def place(room: TableRoom, environment: str = "staging") -> Place:
    return find_place(room.pipeline_name, environment)


def wish(room: TableRoom, action: Action, commit: str = "", environment: str = "staging", **changes: Any) -> Wish:
    return replace(Wish(action, place(room, environment), "ann", "too slow", commit), **changes)


def planned(room: TableRoom, action: Action, commit: str = "", **changes: Any) -> Plan:
    return moving.plan(wish(room, action, commit, **changes), lambda: room.now)


def done(room: TableRoom, action: Action, commit: str = "", **changes: Any) -> Promotion:
    (promotion,) = moving.carry_out(planned(room, action, commit, **changes), lambda: room.now)
    return promotion


def refused(room: TableRoom, action: Action, commit: str = "", **changes: Any) -> str:
    before = room.environment(), len(list(deployments(*place(room).key)))
    with pytest.raises(CommandError) as refusal:
        done(room, action, commit, **changes)
    assert (room.environment(), len(list(deployments(*place(room).key)))) == before
    return str(refusal.value)


def close(room: TableRoom, kind: str, until: str = "") -> None:
    """By ben, as the commands do it."""
    it = place(room)
    told = happening(it.key, kind, "ben", room.now, {})
    if kind == "frozen":
        holds.freeze(it.pipeline, it.environment.name, Freeze("ben", until, "sale"), told)
    else:
        holds.hold(it.pipeline, it.environment.name, "sale", told)


@pytest.fixture
def stopped(shop: TableRoom) -> Iterator[TableRoom]:
    """Everything is, and goes on afterwards: the tables are those of other tests, too."""
    holds.stop(Freeze("zoe", "", "fire"), happening(EVERYTHING, "stopped", "zoe", shop.now, {}))
    try:
        yield shop
    finally:
        holds.start(happening(EVERYTHING, "started", "zoe", shop.now, {}))
        shop.forget_stops()


# rollback


def test_a_rollback_claims_the_last_older_commit_that_was_deployed_and_holds_the_environment(shop: TableRoom) -> None:
    promotion = done(shop, Action.ROLLBACK)
    assert (promotion.commit, promotion.generation, promotion.by, promotion.reason) == (A, 3, "ann", "too slow")
    assert promotion.action is Action.ROLLBACK
    state = shop.state()
    assert (state.head, state.newest, state.held_by, state.held_reason) == (A, B, "ann", "too slow")
    claim = shop.record(A).claims["staging"]
    assert (claim.by, claim.published) == ("ann", False)
    entry = list(history(shop.repo, A))[-1]
    assert (entry["kind"], entry["by"], entry["verified"]) == ("claimed", "ann", True)
    assert (entry["what"]["action"], entry["what"]["reason"]) == ("rollback", "too slow")


def test_what_is_gone_back_from_is_deployed_there_no_more_and_goes_no_further(room: TableRoom) -> None:
    room.define(pipeline(STAGING, PRODUCTION))
    deploy(room, A)
    deploy(room, B, A)
    room.edit(B, legal="TRUE")
    assert room.decision(B, "production") == "Promote"
    done(room, Action.ROLLBACK)
    [staging, production] = room.decisions(B)
    assert staging.sentence.endswith(f", but taken back: too slow, followed by {A[:12]}")
    assert production.sentence == "blocked: deployed_to_staging (taken back: too slow) failed"
    room.deployed(room.claimed("staging", 2)[0], "TRUE", 5000, reason="late")
    assert room.decision(B, "production") == "Blocked"


def test_what_was_gone_back_from_can_be_had_again_and_then_goes_on(shop: TableRoom) -> None:
    done(shop, Action.ROLLBACK)
    again = done(shop, Action.ROLLBACK, B)
    assert (again.commit, again.generation) == (B, 4)
    shop.deployed(again, "TRUE", 6000)
    assert shop.item(B)["deployed_to_staging"]["status"] == "TRUE"
    assert shop.item(A)["deployed_to_staging"]["reason"] == "taken back: too slow"


@pytest.mark.parametrize("action", [Action.REDEPLOY, Action.ROLLBACK])
def test_a_head_whose_record_is_gone_and_one_that_is_repeated_are_not_marked(shop: TableRoom, action: Action) -> None:
    if action is Action.ROLLBACK:
        shop.client.delete_item(TableName=shop.tables.names["gates"], Key=raw({"repo": shop.repo, "commit": B}))
    done(shop, action)
    assert shop.item(B).get("deployed_to_staging", {}).get("status", "") == ""


def test_what_failed_and_what_is_newer_is_never_gone_back_to(shop: TableRoom) -> None:
    deploy(shop, C, B, "FALSE")
    deploy(shop, D, C)
    shop.deployed(done(shop, Action.ROLLBACK), second=500)
    assert shop.state().head == B
    shop.deployed(done(shop, Action.ROLLBACK), second=600)
    assert shop.state().head == A
    assert refused(shop, Action.ROLLBACK).startswith(f"no commit before {A[:12]} has been deployed to staging of shop-")


@pytest.fixture
def journalled(shop: TableRoom) -> TableRoom:
    """What became of A and of B is in their journals, which tell it when their gates tell of something later."""
    for generation in (1, 2):
        told_of(shop, shop.claimed("staging", generation)[0], "deployed", 60.0 + generation)
    return shop


def gone_back(room: TableRoom, commit: str = "", status: str = "TRUE", second: float = 500) -> None:
    """A rollback that is carried out, and whose hold is released."""
    reason = {"reason": "no such chart"} if status == "FALSE" else {}
    room.deployed(done(room, Action.ROLLBACK, commit), status, second, **reason)
    holds.release(place(room).pipeline, "staging", happening(place(room).key, "released", "ann", room.now, {}))


@pytest.mark.parametrize("told_by", ["the journal", "the gate alone, as earlier versions left it"])
def test_what_somebody_went_back_from_is_gone_to_only_when_it_is_named(journalled: TableRoom, told_by: str) -> None:
    gone_back(journalled, status="FALSE")
    deploy(journalled, C, B)
    if told_by != "the journal":
        forget(journalled, B, "taken back")
    assert planned(journalled, Action.ROLLBACK).commit == A
    assert planned(journalled, Action.ROLLBACK, B).commit == B


def test_what_was_taken_back_and_went_well_later_is_gone_back_to(journalled: TableRoom) -> None:
    gone_back(journalled)
    gone_back(journalled, B, second=600)
    deploy(journalled, C, B)
    assert planned(journalled, Action.ROLLBACK).commit == B


def test_what_was_taken_back_and_failed_later_is_not_gone_back_to(journalled: TableRoom) -> None:
    gone_back(journalled, status="FALSE")
    gone_back(journalled, B, "FALSE", second=600)
    deploy(journalled, C, B)
    assert planned(journalled, Action.ROLLBACK).commit == A


def test_what_somebody_went_on_from_to_a_newer_one_is_gone_back_to(journalled: TableRoom) -> None:
    gone_back(journalled)
    gone_back(journalled, B, second=600)
    assert planned(journalled, Action.ROLLBACK).commit == A


def forget(room: TableRoom, commit: str, kind: str) -> None:
    """Entries of a kind leave a commit's journal."""
    record = f"{room.repo}#{commit}"
    for entry in [each["entry"] for each in history(room.repo, commit) if each["kind"] == kind]:
        room.client.delete_item(TableName=room.tables.names["journal"], Key=raw({"record": record, "entry": entry}))


def test_a_newer_one_is_gone_to_when_it_is_named(shop: TableRoom) -> None:
    shop.deployed(done(shop, Action.ROLLBACK), second=500)
    assert done(shop, Action.ROLLBACK, B[:8]).commit == B


def test_a_rollback_repeats_what_was_installed_then(shop: TableRoom) -> None:
    chart = replace(WEB, chart="charts/web2", values={"replicas": 9})
    shop.define(pipeline(replace(STAGING, releases=(chart,), cluster=Cluster(context="new"))))
    deploy(shop, C, B)
    promotion = done(shop, Action.ROLLBACK)
    assert (promotion.commit, promotion.release, promotion.cluster) == (B, WEB, LOCAL)
    assert promotion.pipeline_version == 1


def test_todays_definition_is_taken_where_it_is_wanted(shop: TableRoom) -> None:
    chart = replace(WEB, chart="charts/web2")
    shop.define(pipeline(replace(STAGING, releases=(chart,))))
    promotion = done(shop, Action.ROLLBACK, is_current=True)
    assert (promotion.commit, promotion.release, promotion.pipeline_version) == (A, chart, 2)


MAIN = Cluster(eks="main", role="arn:aws:iam::111111111111:role/deployer")


@pytest.mark.parametrize("action", [Action.ROLLBACK, Action.REDEPLOY])
@pytest.mark.parametrize(
    "cluster", [MAIN, replace(MAIN, role="arn:aws:iam::111111111111:role/jobs")], ids=["the same", "by another role"]
)
def test_a_release_that_another_environment_has_by_now_is_not_taken_back_there(
    room: TableRoom, action: Action, cluster: Cluster
) -> None:
    api = replace(WEB, name="api")
    room.define(pipeline(replace(STAGING, releases=(WEB, api), cluster=MAIN)))
    for commit, before in ((A, ""), (B, A)):
        room.ready(commit, 100.0 * "abcd".index(commit[0]), before)
        for promotion in room.promote(commit):
            room.deployed(promotion, second=160)
    jobs = Environment("jobs", ("build",), (), (WEB,), cluster)
    room.define(pipeline(replace(STAGING, releases=(api,), cluster=MAIN), jobs))
    name = room.pipeline_name
    assert refused(room, action) == (
        f"staging of {name} had web then, which jobs of {name} has now; "
        f"--current-definition leaves it there, and for web see `gatestream history {name} jobs`"
    )
    assert done(room, action, is_current=True).release == api


@pytest.mark.parametrize(
    "other",
    [
        Environment("jobs", ("build",), (), (WEB,), replace(MAIN, role="arn:aws:iam::222222222222:role/deployer")),
        Environment("jobs", ("build",), (), (replace(WEB, namespace="jobs"),), MAIN),
        None,
    ],
    ids=["in another account", "in another namespace", "nowhere"],
)
def test_a_release_that_nobody_has_any_more_is_gone_back_to(room: TableRoom, other: Environment | None) -> None:
    room.define(pipeline(replace(STAGING, cluster=MAIN)))
    deploy(room, A)
    deploy(room, B, A)
    api = replace(STAGING, releases=(replace(WEB, name="api"),), cluster=MAIN)
    room.define(pipeline(api, *([other] if other else [])))
    assert done(room, Action.ROLLBACK).release == WEB


def test_a_gate_that_closed_refuses_it_with_the_way_to_open_it(shop: TableRoom) -> None:
    shop.edit(A, build={"status": "FALSE", "reason": "CVE-1"})
    fix = f"`gatestream gate set {shop.repo} {A[:12]} build passed --reason …` opens it"
    told = f"{A[:12]} cannot go to staging of {shop.pipeline_name}: blocked: build (CVE-1) failed; {fix}"
    assert refused(shop, Action.ROLLBACK) == told
    assert refused(shop, Action.ROLLBACK, override=True) == told


def test_a_column_that_somebody_added_meanwhile_is_a_gate_of_a_rollback_too(shop: TableRoom) -> None:
    shop.edit(A, recall="")
    assert "waits for recall" in refused(shop, Action.ROLLBACK)
    shop.edit(A, recall="TRUE")
    assert done(shop, Action.ROLLBACK).commit == A


def test_gates_declared_since_then_are_asked_for_only_where_todays_definition_is_wanted(shop: TableRoom) -> None:
    shop.define(pipeline(replace(STAGING, gates=("build", "scan")), gates=(BUILD, LEGAL, replace(LEGAL, name="scan"))))
    shop.edit(A, scan="")  # as any result that comes in for it leaves it
    assert "waits for scan" in refused(shop, Action.ROLLBACK, is_current=True)
    assert done(shop, Action.ROLLBACK).commit == A


def test_an_approval_that_has_expired_refuses_it(shop: TableRoom) -> None:
    shop.edit(A, build={"status": "TRUE", "expires_at": seconds(10)})
    assert f"waits for build (expired at {seconds(10)})" in refused(shop, Action.ROLLBACK)


@pytest.mark.parametrize(
    "commit, told", [(B, "has bbbbbbbbbbbb already"), (C, "it was never there; there are aaaaaaaa")]
)
def test_a_commit_that_cannot_be_gone_back_to_is_told(shop: TableRoom, commit: str, told: str) -> None:
    shop.ready(C, 300, B)
    assert told in refused(shop, Action.ROLLBACK, commit)


def test_a_commit_that_failed_there_is_not_gone_back_to_and_others_are_named(shop: TableRoom) -> None:
    deploy(shop, C, B, "FALSE")
    deploy(shop, D, C)
    told = refused(shop, Action.ROLLBACK, C)
    assert told.endswith(f"its promotion failed (no such chart); there are {B[:12]}, {A[:12]}".replace("no", "web: no"))


def test_where_nothing_ever_was_there_is_nothing_to_go_back_to(room: TableRoom) -> None:
    room.define(pipeline(STAGING))
    for action in (Action.ROLLBACK, Action.REDEPLOY):
        assert refused(room, action) == f"nothing has ever been promoted to staging of {room.pipeline_name}"


def test_a_freeze_refuses_it_with_name_and_end_and_an_override_says_so(shop: TableRoom) -> None:
    close(shop, "frozen", LATER)
    told = f"staging of {shop.pipeline_name} is frozen by ben until {LATER}: sale"
    assert refused(shop, Action.ROLLBACK) == f"{told}; add --override to go ahead all the same, in your own name"
    assert planned(shop, Action.ROLLBACK, override=True).despite == (told,)
    assert done(shop, Action.ROLLBACK, override=True).override


@pytest.mark.parametrize("action", [Action.ROLLBACK, Action.REDEPLOY])
def test_an_environment_whose_numbers_somebody_broke_takes_nothing(shop: TableRoom, action: Action) -> None:
    shop.edit_environment(generation="two")
    told = (
        f"nothing can go to staging of {shop.pipeline_name}: generation of staging of {shop.pipeline_name}: not a num"
    )
    assert refused(shop, action).startswith(told)


def test_a_freeze_that_is_over_refuses_nothing(shop: TableRoom) -> None:
    close(shop, "frozen", seconds(30))
    assert done(shop, Action.ROLLBACK).commit == A


def test_a_stop_refuses_it(stopped: TableRoom) -> None:
    assert refused(stopped, Action.ROLLBACK).startswith("everything is stopped by zoe: fire; add --override")
    assert done(stopped, Action.ROLLBACK, override=True).commit == A


def test_a_hold_of_somebody_elses_does_not_refuse_it_and_passes_over(shop: TableRoom) -> None:
    close(shop, "held")
    plan = planned(shop, Action.ROLLBACK)
    assert plan.despite == (f"staging of {shop.pipeline_name} is held by ben: sale, and from now on by you",)
    done(shop, Action.ROLLBACK)
    assert shop.state().held_by == "ann"


def test_what_is_carried_out_is_what_was_agreed_to_or_nothing(shop: TableRoom) -> None:
    plan = planned(shop, Action.ROLLBACK)
    deploy(shop, C, B)
    with pytest.raises(CommandError, match="has changed in this moment, and nothing was done"):
        moving.carry_out(plan, lambda: shop.now)
    assert shop.state().head == C


def test_a_gate_closed_after_the_question_refuses_the_claim(shop: TableRoom) -> None:
    plan = planned(shop, Action.ROLLBACK)
    shop.edit(A, build="FALSE")
    with pytest.raises(CommandError, match="blocked: build failed"):
        moving.carry_out(plan, lambda: shop.now)
    assert shop.state().head == B


def test_a_gate_that_expires_during_the_question_refuses_the_claim(shop: TableRoom) -> None:
    expiry = shop.now + timedelta(minutes=5)
    shop.edit(A, build={"status": "TRUE", "expires_at": format_time(expiry)})
    plan = planned(shop, Action.ROLLBACK)
    with pytest.raises(CommandError, match=r"waits for build \(expired at"):
        moving.carry_out(plan, lambda: expiry)
    assert shop.state().head == B


def test_a_freeze_window_that_begins_during_the_question_refuses_the_claim(shop: TableRoom) -> None:
    evening = FreezeWindow("0 18 * * *", 60)
    shop.define(pipeline(replace(STAGING, freezes=(evening,))))
    plan = planned(shop, Action.ROLLBACK)
    with pytest.raises(CommandError, match=r"is frozen by pipelines\.yaml until 2026-07-01T19:00:00Z; add --override"):
        moving.carry_out(plan, lambda: START + timedelta(hours=6))
    assert shop.state().head == B


def between_look_and_claim(act: Callable[[], object]) -> AbstractContextManager[None]:
    """Acts once, when the plan has been made again and the claim is about to be written."""
    acts = [act]

    def once(*_: object) -> None:
        if acts:
            acts.pop()()

    return before_each_write(once)


def test_a_promotion_in_the_moment_of_the_claim_refuses_it(shop: TableRoom) -> None:
    plan = planned(shop, Action.ROLLBACK)
    with between_look_and_claim(lambda: deploy(shop, C, B)), pytest.raises(CommandError) as refusal:
        moving.carry_out(plan, lambda: shop.now)
    assert "has changed in this moment, and nothing was done" in str(refusal.value)
    assert shop.state().head == C


def test_a_change_without_a_difference_in_the_moment_of_the_claim_has_it_made_again(shop: TableRoom) -> None:
    plan = planned(shop, Action.ROLLBACK)
    evidence = {**shop.item(A)["build"], "reason": "looked at again"}
    with between_look_and_claim(lambda: shop.edit(A, build=evidence)):
        (promotion,) = moving.carry_out(plan, lambda: shop.now)
    assert (promotion.commit, promotion.generation, shop.state().head) == (A, 3, A)


# redeploy


def test_a_redeploy_is_a_new_promotion_of_the_same_and_holds_nothing(shop: TableRoom) -> None:
    promotion = done(shop, Action.REDEPLOY)
    assert (promotion.commit, promotion.generation, promotion.action) == (B, 3, Action.REDEPLOY)
    assert shop.state().held_by == ""
    assert shop.item(B)["deployed_to_staging"]["status"] == ""


def test_a_redeploy_follows_a_failure_by_the_definition_that_is_wanted(shop: TableRoom) -> None:
    deploy(shop, C, B, "FALSE")
    mended = replace(WEB, chart="charts/mended")
    shop.define(pipeline(replace(STAGING, releases=(mended,))))
    assert planned(shop, Action.REDEPLOY).installs == ((WEB, LOCAL),)
    assert done(shop, Action.REDEPLOY, is_current=True).release == mended


# override


def test_an_override_takes_a_newer_commit_into_a_frozen_and_held_environment(shop: TableRoom) -> None:
    close(shop, "frozen")
    close(shop, "held")
    shop.ready(C, 300, B)
    promotion = done(shop, Action.OVERRIDE, C, override=True)
    assert (promotion.commit, promotion.action, promotion.override) == (C, Action.OVERRIDE, True)
    state = shop.state()
    assert (state.head, state.held_by) == (C, "ben")


def test_an_override_takes_a_commit_that_soaks_but_says_so(shop: TableRoom) -> None:
    live = Environment("production", (), ("staging",), (replace(WEB, namespace="live"),), LOCAL, soak=86_400)
    shop.define(pipeline(STAGING, live))
    plan = planned(shop, Action.OVERRIDE, B, environment="production", override=True)
    assert plan.despite[0].startswith("soaks until 2026-07-02T")


def test_an_override_opens_no_gate(shop: TableRoom) -> None:
    close(shop, "frozen")
    shop.push(B, C, 300)
    told = refused(shop, Action.OVERRIDE, C, override=True)
    assert "waits for build; `gatestream gate set" in told


def test_what_goes_by_itself_needs_no_override(shop: TableRoom) -> None:
    shop.ready(C, 300, B)
    assert refused(shop, Action.OVERRIDE, C, override=True).startswith(
        "there is nothing to override: by itself, cccccccccccc goes to staging now"
    )


def test_an_older_commit_is_not_the_business_of_an_override(shop: TableRoom) -> None:
    close(shop, "frozen")
    told = refused(shop, Action.OVERRIDE, A, override=True)
    assert f"`gatestream rollback {shop.pipeline_name} staging --to {A[:12]}` goes back" in told


def test_what_was_promoted_just_before_the_freeze_and_is_parked_is_taken_on_by_an_override(shop: TableRoom) -> None:
    shop.ready(C, 300, B)
    (parked,) = shop.promote(C)
    shop.edit_environment(**{"parked:web": "{}"})
    close(shop, "frozen")
    promotion = done(shop, Action.OVERRIDE, C, override=True)
    assert (promotion.commit, promotion.generation) == (C, parked.generation + 1)


# what is told


@pytest.mark.parametrize("width", [80, 140])
def test_the_plan_shows_from_where_to_where_what_and_who_opened_the_gates(shop: TableRoom, width: int) -> None:
    close(shop, "frozen", LATER)
    deploy_failed = {"status": "FALSE", "generation": 2, "at": seconds(200), "reason": "web: it crashed"}
    shop.edit(B, deployed_to_staging=deploy_failed)
    shop.edit(A, build={"status": "TRUE", "by": "eve", "reason": "looked at by eye"})
    plan = planned(shop, Action.ROLLBACK, override=True)
    lines = drawn(moving_view.plan_view(plan), width).splitlines()
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    for words in (
        f"roll back staging of {shop.pipeline_name}",
        f"from {B[:12]} promoted 2026-07-01 13:00:00 UTC by gatestream, failed: web: it crashed",
        f"to {A[:12]} as it was promoted 2026-07-01 13:00:00 UTC, number 1",
        "web local charts/web",
        "✓ build passed by eve · looked at by eye",
        f"in spite of: staging of {shop.pipeline_name} is frozen by ben until {LATER}: sale",
        f"until `gatestream release {shop.pipeline_name} staging`",
    ):
        assert words in told
    assert moving_view.question(plan) == f"Roll staging of {shop.pipeline_name} back to {A[:12]}?"


def test_a_history_fits_80_columns_and_controls_no_terminal(shop: TableRoom) -> None:
    done(shop, Action.REDEPLOY, reason="\x1b[2J" + "too slow " * 20)
    text = drawn(history_view.history_table(promotions.latest(place(shop), 10), shop.now), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.replace("\n", "").isprintable()
    assert "redeploy by ann:" in text


def drawn(view: RenderableType, width: int) -> str:
    console = Console(width=width, file=StringIO(), highlight=False, color_system=None)
    with console.capture() as shown:
        console.print(view)
    return shown.get()


def told_of(room: TableRoom, promotion: Promotion, outcome: str, second: float) -> None:
    """As the recorder journals the installer's word."""
    where = {"pipeline": promotion.pipeline, "environment": promotion.environment, "release": promotion.release.name}
    what = {"generation": promotion.generation, "outcome": outcome, "reason": ""}
    record_news(room.happening(f"{promotion.id} {outcome} {second}", promotion.commit, second, **where, **what))


def test_the_history_tells_each_promotion_with_who_why_and_how_it_went(shop: TableRoom) -> None:
    told_of(shop, shop.claimed("staging", 2)[0], "deployed", 160)  # its gate will tell that it was taken back
    rollback = done(shop, Action.ROLLBACK)
    shop.deployed(rollback, second=500)
    told_of(shop, rollback, "deployed", 500)
    done(shop, Action.REDEPLOY)
    found = [past.to_json(shop.now) for past in promotions.latest(place(shop), 10)]
    told = [(each["generation"], each["commit"], each["action"], each["by"], each["outcome"]) for each in found]
    assert told == [
        (4, A, "redeploy", "ann", None),
        (3, A, "rollback", "ann", "deployed"),
        (2, B, "promote", "gatestream", "deployed"),
        (1, A, "promote", "gatestream", None),
    ]
    assert (found[1]["reason"], found[1]["ended_at"], found[2]["ended_at"]) == ("too slow", seconds(500), seconds(160))
    assert [(each["name"], each["chart"], each["version"]) for each in found[1]["releases"]] == [
        ("web", "charts/web", None)
    ]
    assert [(gate["name"], gate["by"]) for gate in found[2]["approvals"]] == [("build", "circleci")]
    assert [past.deployment.generation for past in promotions.latest(place(shop), 2)] == [4, 3]


def test_the_approvals_in_the_history_are_those_that_the_environment_asks_for(shop: TableRoom) -> None:
    shop.edit(A, legal="TRUE", added="TRUE")
    found = promotions.latest(place(shop), 10)[1].to_json(shop.now)
    assert [gate["name"] for gate in found["approvals"]] == ["build", "added"]


def test_the_fleet_tells_what_closes_an_environment_and_what_waits(shop: TableRoom) -> None:
    close(shop, "frozen", LATER)
    close(shop, "held")
    shop.ready(C, 300, B)
    shop.ready(D, 400, C)
    (head,) = [each for each in facts.heads(shop.now) if each["repo"] == shop.repo]
    assert head["frozen"] == {"by": "ben", "until": LATER, "reason": "sale"}
    assert head["held"] == {"by": "ben", "reason": "sale"}
    assert (head["stopped"], head["parked"], head["ready"]) == (None, [], 2)


def test_the_fleet_tells_a_stop_and_a_window(stopped: TableRoom) -> None:
    always = FreezeWindow("0 0 * * *", 24 * 60, reason="always")
    stopped.define(pipeline(replace(STAGING, freezes=(always,))))
    (head,) = [each for each in facts.heads(stopped.now) if each["repo"] == stopped.repo]
    assert head["stopped"] == {"by": "zoe", "until": None, "reason": "fire"}
    assert (head["frozen"]["by"], head["frozen"]["reason"]) == ("pipelines.yaml", "always")


def test_a_freeze_that_is_over_is_told_as_ended(shop: TableRoom) -> None:
    close(shop, "frozen", seconds(30))
    closures = read_closures(place(shop), shop.now)
    assert (closures.freeze, closures.ended, closures.sentences) == (None, Freeze("ben", seconds(30), "sale"), [])
    assert read_stop(shop.now) is None
    assert read_closures(place(shop), START + timedelta(seconds=29)).freeze == Freeze("ben", seconds(30), "sale")


def test_what_people_do_to_an_environment_is_in_its_journal(shop: TableRoom) -> None:
    close(shop, "frozen")
    close(shop, "held")
    entries = [(entry["kind"], entry["by"], entry["verified"]) for entry in history(*place(shop).key)]
    assert sorted(entries) == [("frozen", "ben", True), ("held", "ben", True)]


def test_rollbacks_of_any_number_leave_one_head_and_each_its_own_generation(shop: TableRoom) -> None:
    for second, commit in zip(itertools.count(500, 10), [A, B, A, B], strict=False):
        shop.deployed(done(shop, Action.ROLLBACK, commit), second=second)
    generations = [each.generation for each in deployments(*place(shop).key)]
    assert generations == [6, 5, 4, 3, 2, 1]
    assert shop.state().head == B
