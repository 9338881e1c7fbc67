"""What leaves by age and what never does, and what an environment was given before."""

from datetime import timedelta
from typing import Any

import pytest

from pipeline_state.model.decision import Promote
from pipeline_state.model.promotion import Action
from pipeline_state.table import models, retention
from pipeline_state.table.claims import Order, claim
from pipeline_state.table.deployments import deployments
from pipeline_state.table.journal import history
from pipeline_state.table.models import expiring
from tests.contract.table_room import A, B, C, D, TableRoom, pipeline

DAYS = 90
EXPIRES = "_expires_at"


@pytest.fixture
def shop(room: TableRoom, monkeypatch: pytest.MonkeyPatch) -> TableRoom:
    """Where records are kept for ninety days."""
    room.define(pipeline())
    monkeypatch.setattr(models, "_retention", [DAYS])
    return room


def entries(room: TableRoom, commit: str) -> list[dict[str, Any]]:
    return list(history(room.repo, commit))


def in_days(room: TableRoom, number: float) -> int:
    return int((room.now + timedelta(days=number)).timestamp())


def deploy(room: TableRoom, *commits: str) -> None:
    for number, (before, commit) in enumerate(zip(["", *commits], commits, strict=False)):
        room.ready(commit, 100 * number, before)
        (promotion,) = room.promote(commit)
        room.mark(commit, "staging", promotion.generation)


def deployment(room: TableRoom, generation: int) -> dict[str, Any]:
    return room.environment(f"staging#deployment#{generation:010d}")


def test_records_and_journal_are_written_with_an_age_to_leave_at(shop: TableRoom) -> None:
    shop.ready()
    assert shop.item(A)[EXPIRES] == in_days(shop, DAYS)
    assert [entry[EXPIRES] for entry in entries(shop, A)] == [in_days(shop, DAYS)] * 2


def test_where_all_is_kept_nothing_has_an_age(shop: TableRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_retention", [0])
    shop.ready()
    retention.let_go(shop.repo, A, shop.now)
    assert retention.let_old_promotions_go([(shop.named("shop"), "staging")], [A], shop.now) == 0
    assert EXPIRES not in shop.item(A)
    assert not retention.is_leaving(shop.snapshot(A).item, shop.now)


@pytest.mark.parametrize("days, leaves", [(0, False), (DAYS / 2 - 0.01, False), (DAYS / 2 + 0.01, True), (DAYS, True)])
def test_past_the_half_of_its_time_a_record_is_leaving(shop: TableRoom, days: float, *, leaves: bool) -> None:
    shop.ready()
    assert retention.is_leaving(shop.snapshot(A).item, shop.now + timedelta(days=days)) is leaves


def test_exactly_at_its_half_a_record_is_not_leaving_yet(shop: TableRoom) -> None:
    moment = shop.now.replace(microsecond=0)
    item = {EXPIRES: {"N": str(int((moment + timedelta(days=DAYS / 2)).timestamp()))}}
    assert not retention.is_leaving(item, moment)
    assert retention.is_leaving(item, moment + timedelta(seconds=2))


def test_a_record_without_an_age_never_leaves(shop: TableRoom) -> None:
    assert not retention.is_leaving({}, shop.now)


def test_what_is_kept_has_no_age_any_more_nor_has_its_journal(shop: TableRoom) -> None:
    shop.ready()
    retention.keep(shop.repo, A)
    assert EXPIRES not in shop.item(A)
    assert [EXPIRES in entry for entry in entries(shop, A)] == [False, False]
    assert shop.decision(A) == "Promote", "everything else is as it was"


def test_what_is_let_go_leaves_so_long_after_the_moment(shop: TableRoom) -> None:
    shop.ready()
    later = shop.now + timedelta(days=10)
    retention.let_go(shop.repo, A, later)
    assert shop.item(A)[EXPIRES] == in_days(shop, DAYS + 10)
    assert {entry[EXPIRES] for entry in entries(shop, A)} == {in_days(shop, DAYS + 10)}


def test_what_has_left_already_is_not_made_again(shop: TableRoom) -> None:
    retention.keep(shop.repo, B)
    retention.let_go(shop.repo, B, shop.now)
    assert shop.item(B) == {}
    assert entries(shop, B) == []


def test_what_an_environment_was_given_is_told_newest_first(shop: TableRoom) -> None:
    deploy(shop, A, B, C)
    found = list(deployments(shop.named("shop"), "staging"))
    assert [(each.generation, each.commit) for each in found] == [(3, C), (2, B), (1, A)]
    first = found[-1]
    assert (first.repo, first.by, first.action, first.reason, first.is_leaving) == (
        shop.repo,
        "gatestream",
        "promote",
        "",
        False,
    )
    assert first.promotions == tuple(shop.claimed("staging", 1))
    assert first.at == shop.record(A).claims["staging"].at
    assert [each.generation for each in deployments(shop.named("shop"), "staging", most=2)] == [3, 2]
    assert list(deployments(shop.named("shop"), "stag")) == []


def test_a_deployment_that_a_person_asked_for_says_who_and_why(shop: TableRoom) -> None:
    shop.ready()
    snapshot = shop.snapshot(A)
    (decision,) = shop.decisions(A, snapshot)
    assert isinstance(decision, Promote)
    order = Order("ann", Action.OVERRIDE, "hotfix", override=True)
    claim(snapshot, snapshot.definitions.pipelines[0], decision, shop.now, order)
    (found,) = deployments(shop.named("shop"), "staging")
    assert (found.by, found.action, found.reason) == ("ann", "override", "hotfix")
    assert [(each.by, each.override) for each in found.promotions] == [("ann", True)]


def test_what_is_no_deployment_is_passed_over(shop: TableRoom) -> None:
    deploy(shop, A)
    shop.edit_environment("staging#deployment#0000000009", note="mine")
    assert [each.generation for each in deployments(shop.named("shop"), "staging")] == [1]


def test_the_oldest_promotions_are_let_go_with_their_commits_and_the_last_ones_are_kept(
    shop: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "KEPT", 1)
    deploy(shop, A, B, C, D)
    for commit in (A, B, C, D):
        retention.keep(shop.repo, commit)
    place = (shop.named("shop"), "staging")
    assert retention.let_old_promotions_go([place], [B], shop.now) == 3
    assert [EXPIRES in deployment(shop, generation) for generation in (1, 2, 3, 4)] == [True, True, True, False]
    assert {commit[0]: EXPIRES in shop.item(commit) for commit in (A, B, C, D)} == {
        "a": True,
        "b": False,
        "c": True,
        "d": False,
    }, "the environment's head is kept however old its promotion is"
    assert shop.item(A)[EXPIRES] == deployment(shop, 1)[EXPIRES] == expiring(shop.now)[EXPIRES]
    assert [each.is_leaving for each in deployments(*place)] == [False, True, True, True]
    assert retention.let_old_promotions_go([place], [B], shop.now) == 0


def test_what_one_environment_has_among_its_last_no_other_lets_go(
    shop: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "KEPT", 1)
    deploy(shop, A, B)
    retention.keep(shop.repo, A)
    other = (shop.named("other"), "production")
    kept = deployment(shop, 1)
    promotions, about = kept["promotions"], {"repo": shop.repo, "commit": A, "at": kept["at"]}
    shop.write(
        "environments",
        pipeline=other[0],
        environment="production#deployment#0000000001",
        promotions=promotions,
        **about,
    )
    assert retention.let_old_promotions_go([(shop.named("shop"), "staging"), other], [], shop.now) == 1
    assert EXPIRES in deployment(shop, 1)
    assert EXPIRES not in shop.item(A)


def test_one_look_goes_so_far_back_and_no_further(shop: TableRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "KEPT", 1)
    monkeypatch.setattr(retention, "_LOOKED_AT", 2)
    deploy(shop, A, B, C)
    assert retention.let_old_promotions_go([(shop.named("shop"), "staging")], [], shop.now) == 1
    assert [EXPIRES in deployment(shop, generation) for generation in (1, 2, 3)] == [False, True, False]
