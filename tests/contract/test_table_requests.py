"""What people claim by name: going back, holding on to it, and what is written down of who and why."""

from dataclasses import replace

import pytest

from pipeline_state.faults import PermanentFault
from pipeline_state.model.decide import on_request
from pipeline_state.model.decision import Promote
from pipeline_state.model.pipelines import Cluster, Environment, FreezeWindow, Policy
from pipeline_state.model.promotion import Action, Promotion, promotion_id
from pipeline_state.table.claims import Order, claim, mark_repeated
from pipeline_state.table.deployments import deployments
from pipeline_state.table.journal import history
from pipeline_state.table.models import GateRecord
from pipeline_state.table.snapshot import Snapshot
from pipeline_state.table.transaction import RefusedError
from tests.contract.table_room import WEB, A, B, TableRoom, pipeline, seconds

THEN, LATER = Cluster(context="then"), Cluster(context="later")
STAGING = Environment("staging", ("build",), (), (WEB, replace(WEB, name="worker")), THEN)
NIGHT = FreezeWindow("0 22 * * *", 60)
CHANGED = replace(STAGING, releases=(replace(WEB, chart="charts/other"),), cluster=LATER, freezes=(NIGHT,))
BACK = Order("ann", Action.ROLLBACK, "broken", holds=True)


@pytest.fixture
def shop(room: TableRoom) -> TableRoom:
    """Where A and then B were promoted; since then the definition is another."""
    room.define(pipeline(STAGING))
    for number, (before, commit) in enumerate((("", A), (A, B))):
        room.ready(commit, 100 * number, before)
        promotions = room.promote(commit)
        room.mark(commit, "staging", number + 1)
        for each in promotions:
            room.deployed(each, second=100 * number + 50)
    room.define(pipeline(CHANGED))
    return room


def go(room: TableRoom, commit: str, order: Order, snapshot: Snapshot | None = None) -> list[Promotion]:
    seen = snapshot or room.reader.read(room.repo, commit, *({A, B} - {commit}))
    mine = seen.definitions.pipelines[0]
    decision = on_request(seen.record, mine, mine.environments[0], seen.definitions.declared, room.now)
    assert isinstance(decision, Promote)
    return claim(seen, mine, decision, room.now, order)


def back(room: TableRoom, **changes: object) -> list[Promotion]:
    pinned = tuple(room.claimed("staging", 1))
    return go(room, A, replace(BACK, pinned=pinned, **changes))  # type: ignore[arg-type]


def test_going_back_installs_what_was_installed_then_under_the_windows_of_now(shop: TableRoom) -> None:
    before = shop.claimed("staging", 1)
    promotions = back(shop)
    assert promotions == [
        replace(
            each,
            id=promotion_id(shop.named("shop"), A, "staging", each.release.name, 3),
            generation=3,
            by="ann",
            action=Action.ROLLBACK,
            reason="broken",
            freezes=(NIGHT,),
        )
        for each in before
    ]
    assert {(each.cluster, each.pipeline_version) for each in promotions} == {(THEN, 1)}
    assert [each.release for each in promotions] == list(STAGING.releases)
    assert shop.claimed("staging", 3) == promotions


def test_going_forward_by_request_installs_what_is_defined_now(shop: TableRoom) -> None:
    (promotion,) = go(shop, A, Order("ann", Action.OVERRIDE, "", override=True))
    assert (promotion.cluster, promotion.release, promotion.pipeline_version) == (LATER, CHANGED.releases[0], 2)
    assert (promotion.by, promotion.action, promotion.reason, promotion.override) == ("ann", "override", "", True)
    assert promotion.releases == ("web",)


def test_going_back_moves_the_head_and_leaves_the_latest_place_where_it_is(shop: TableRoom) -> None:
    before = shop.environment()
    back(shop)
    after = shop.environment()
    assert after == before | {
        "generation": 3,
        "head": A,
        "promoted_at": shop.record(A).claims["staging"].at,
        "releases": ["web", "worker"],
        "held_by": "ann",
        "held_reason": "broken",
    }
    assert (before["newest"], before["head"], before["generation"]) == (B, B, 2)
    assert (after["repo"], after["branch"], after["_schema"]) == (shop.repo, "main", 1)


def test_without_a_hold_the_environment_stays_as_open_as_it_was(shop: TableRoom) -> None:
    back(shop, holds=False)
    assert {"held_by", "held_reason"}.isdisjoint(shop.environment())
    assert "holds" not in list(history(shop.repo, A))[-1]["what"]


def test_the_record_says_who_went_back_and_is_not_deployed_again_yet(shop: TableRoom) -> None:
    back(shop)
    item = shop.item(A)
    claimed = item["_claim_staging"]
    assert {name: claimed[name] for name in ("generation", "published", "by", "action", "reason")} == {
        "generation": 3,
        "published": False,
        "by": "ann",
        "action": "rollback",
        "reason": "broken",
    }
    pending = {"status": "", "at": claimed["at"], "by": "gatestream", "generation": 3}
    assert item["deployed_to_staging"] == pending
    assert item["_set_deployed_to_staging"] == {"at": claimed["at"], "by": "gatestream", "value": pending}


def test_the_commit_that_is_left_is_taken_back_and_says_why(shop: TableRoom) -> None:
    back(shop)
    item, moment = shop.item(B), shop.record(A).claims["staging"].at
    value = {"status": "FALSE", "at": moment, "by": "ann", "reason": "taken back: broken", "generation": 3}
    assert item["deployed_to_staging"] == value
    assert item["_set_deployed_to_staging"] == {"at": moment, "by": "ann", "value": value}


def test_a_commit_that_is_left_without_a_reason_is_taken_back_all_the_same(shop: TableRoom) -> None:
    back(shop, reason="")
    assert shop.item(B)["deployed_to_staging"]["reason"] == "taken back"
    assert "reason" not in shop.item(A)["_claim_staging"]


@pytest.mark.parametrize("action", [Action.REDEPLOY, Action.OVERRIDE])
def test_only_going_back_takes_the_other_commit_back(shop: TableRoom, action: Action) -> None:
    before = shop.item(B)
    back(shop, action=action)
    assert shop.item(B) == before


def test_a_commit_that_is_put_there_again_is_not_taken_back_from_itself(shop: TableRoom) -> None:
    go(shop, B, replace(BACK, pinned=tuple(shop.claimed("staging", 2))))
    assert shop.item(B)["deployed_to_staging"]["status"] == ""
    assert shop.environment()["generation"] == 3


def test_a_commit_whose_record_was_not_read_is_left_alone(shop: TableRoom) -> None:
    before = shop.item(B)
    go(shop, A, replace(BACK, pinned=tuple(shop.claimed("staging", 1))), shop.snapshot(A))
    assert shop.item(B) == before
    assert shop.environment()["head"] == A


def test_a_record_that_has_left_meanwhile_refuses_being_taken_back(shop: TableRoom) -> None:
    seen = shop.reader.read(shop.repo, A, B)
    GateRecord(shop.repo, B).delete()
    with pytest.raises(RefusedError) as refused:
        go(shop, A, replace(BACK, pinned=tuple(shop.claimed("staging", 1))), seen)
    assert refused.value.labels == {"record taken back"}


def test_what_is_pinned_does_not_ask_whether_the_definition_is_another_by_now(shop: TableRoom) -> None:
    seen, pinned = shop.snapshot(A), tuple(shop.claimed("staging", 1))
    shop.define(pipeline(STAGING))
    with pytest.raises(RefusedError) as refused:
        go(shop, A, Order("ann", Action.REDEPLOY), seen)
    assert refused.value.labels == {"pipelines"}
    assert len(go(shop, A, replace(BACK, pinned=pinned), seen)) == 2


def test_the_journal_keeps_who_what_and_why_for_good(shop: TableRoom) -> None:
    back(shop)
    entry = [each for each in history(shop.repo, A) if each["kind"] == "claimed"][-1]
    assert entry["what"] == {
        "pipeline": shop.named("shop"),
        "environment": "staging",
        "generation": 3,
        "pipeline_version": 1,
        "by": "ann",
        "action": "rollback",
        "reason": "broken",
        "holds": True,
    }
    assert (entry["by"], entry["verified"]) == ("ann", True)
    assert entry["entry"].endswith(f"#staging-3#/gatestream/pipelines/{shop.named('shop')}")
    assert entry["written_at"] == shop.record(A).claims["staging"].at


def test_a_claim_that_nobody_asked_for_names_nobody(shop: TableRoom) -> None:
    (entry,) = [each for each in history(shop.repo, B) if each["kind"] == "claimed"]
    assert set(entry["what"]) == {"pipeline", "environment", "generation", "pipeline_version"}
    assert {"by", "action", "reason"}.isdisjoint(shop.item(B)["_claim_staging"])
    assert next(deployments(shop.named("shop"), "staging")).by == "gatestream"


def test_what_is_told_again_says_when_and_how_often(shop: TableRoom) -> None:
    (first, _) = shop.claimed("staging", 2)
    assert shop.item(B)["_claim_staging"]["published"] is True
    assert "repeats" not in shop.item(B)["_claim_staging"]
    assert shop.record(B).claims["staging"].told_at == seconds(3600)
    mark_repeated(first, shop.now, 2)
    assert shop.record(B).claims["staging"].repeats == 2


@pytest.mark.parametrize("policy", list(Policy))
def test_the_environment_says_whether_each_commit_has_its_turn(room: TableRoom, policy: Policy) -> None:
    room.define(pipeline(replace(STAGING, policy=policy)))
    room.ready()
    room.promote(A)
    assert room.environment()["in_turn"] is (policy is Policy.EVERY)


def test_an_environment_that_cannot_be_read_is_not_claimed_and_says_what_to_mend(shop: TableRoom) -> None:
    shop.edit_environment(generation="two")
    with pytest.raises(PermanentFault, match="generation of staging"):
        back(shop)


def test_an_environment_that_is_not_defined_is_not_claimed(shop: TableRoom) -> None:
    seen = shop.snapshot(A)
    with pytest.raises(LookupError, match=f"{shop.named('shop')} has no environment elsewhere"):
        claim(seen, seen.definitions.pipelines[0], Promote("elsewhere", "main", 1, ()), shop.now)
