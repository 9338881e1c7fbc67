"""What leaves by age, in either DynamoDB, and what never does: DynamoDB itself deletes what has an age to leave at."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline_state.handlers import helm_installer
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.table import retention
from pipeline_state.table.deployments import deployments
from pipeline_state.table.journal import history
from pipeline_state.table.models import Tables, connect, connection
from pipeline_state.table.retention import KEPT
from tests.contract.table_room import WEB, A, B, C, LocalTables, TableRoom, pipeline
from tests.contract.way_room import WayRoom

DAYS = 30
EXPIRES = "_expires_at"


class AgeingTables(LocalTables):
    """Their records are kept for some days."""

    days = DAYS

    def connect(self) -> None:
        if self._connection is None or connection() is not self._connection:
            given: dict[str, Any] = {**self.names, "access_key": "test", "secret_key": "test"}
            connect(Tables(**given, endpoint_url=self.endpoint_url, retention_days=self.days))
            self._connection = connection()


@pytest.fixture(scope="module", params=["ministack", "dynamodb_local"])
def own_tables(request: pytest.FixtureRequest) -> LocalTables:
    return AgeingTables(request.getfixturevalue(request.param))


@pytest.fixture
def room(own_tables: LocalTables) -> TableRoom:
    return TableRoom(own_tables)


def leaves(room: TableRoom, commit: str) -> Any:
    """When a record leaves, in seconds from now; None if it does not."""
    at = room.item(commit).get(EXPIRES)
    return None if at is None else int(at) - int(room.now.timestamp())


def entries_leave(room: TableRoom, commit: str) -> set[Any]:
    """The same of its journal's entries."""
    found = (entry.get(EXPIRES) for entry in history(room.repo, commit))
    return {None if at is None else int(at) - int(room.now.timestamp()) for at in found}


MONTH = DAYS * 86_400


def test_a_record_and_its_journal_leave_after_the_settled_time(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready(A)
    assert (leaves(room, A), entries_leave(room, A)) == (MONTH, {MONTH})


def test_later_news_of_a_record_does_not_keep_it_longer(room: TableRoom) -> None:
    room.push("", A, 0)
    room.now += timedelta(days=1)
    room.result(A)
    assert leaves(room, A) == MONTH - 86_400
    assert entries_leave(room, A) == {MONTH - 86_400, MONTH}


def test_the_journal_of_a_commit_that_was_promoted_is_kept_from_then_on(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready(A)
    (promotion,) = room.promote(A)
    room.deployed(promotion)
    assert [entry["entry"].split("#")[1] for entry in history(room.repo, A) if EXPIRES not in entry] == [
        f"{promotion.id} TRUE",
        "staging-1",
    ]


def test_keeping_a_record_keeps_all_of_its_journal(room: TableRoom) -> None:
    room.ready(A)
    retention.keep(room.repo, A)
    assert (leaves(room, A), entries_leave(room, A)) == (None, {None})


def test_what_is_let_go_leaves_with_all_of_its_journal(room: TableRoom) -> None:
    room.ready(A)
    retention.keep(room.repo, A)
    retention.let_go(room.repo, A, room.now + timedelta(days=2))
    assert (leaves(room, A), entries_leave(room, A)) == (MONTH + 2 * 86_400, {MONTH + 2 * 86_400})


def test_keeping_or_letting_go_what_is_gone_brings_nothing_back(room: TableRoom) -> None:
    retention.keep(room.repo, A)
    retention.let_go(room.repo, A, room.now)
    assert room.item(A) == {}


@pytest.mark.parametrize("days, is_leaving", [(0, False), (14, False), (16, True), (40, True)])
def test_a_record_is_leaving_past_the_half_of_its_time(room: TableRoom, days: int, is_leaving: bool) -> None:  # noqa: FBT001
    room.push("", A, 0)
    item = room.snapshot(A).item
    assert retention.is_leaving(item, room.now + timedelta(days=days)) is is_leaving
    retention.keep(room.repo, A)
    assert not retention.is_leaving(room.snapshot(A).item, room.now + timedelta(days=days))


def keep_deployments(room: TableRoom, commits: Iterable[str], environment: str = "staging") -> None:
    """One promotion after the other, each with a record that is kept."""
    for number, commit in enumerate(commits, 1):
        room.push("", commit, number, id_=f"push {environment} {number}")
        retention.keep(room.repo, commit)
        kept = {"repo": room.repo, "commit": commit, "at": "then", "promotions": json.dumps([])}
        name = f"{environment}#deployment#{number:010d}"
        room.write("environments", pipeline=room.named("shop"), environment=name, **kept)


def test_the_last_promotions_of_an_environment_stay_and_older_ones_leave_with_their_commits(room: TableRoom) -> None:
    commits = [f"{number:040x}" for number in range(1, KEPT + 4)]
    keep_deployments(room, commits)
    place = (room.named("shop"), "staging")
    assert retention.let_old_promotions_go([place], [commits[-1]], room.now) == 3
    found = [(each.generation, each.is_leaving) for each in deployments(*place)]
    assert found == [(number, number <= 3) for number in range(KEPT + 3, 0, -1)]
    assert [leaves(room, commit) for commit in commits] == [MONTH] * 3 + [None] * KEPT
    assert entries_leave(room, commits[0]) == {MONTH}
    assert retention.let_old_promotions_go([place], [commits[-1]], room.now) == 0, "once is enough"


def test_a_commit_that_some_environment_still_has_or_can_go_back_to_stays(room: TableRoom) -> None:
    commits = [f"{number:040x}" for number in range(1, KEPT + 4)]
    keep_deployments(room, commits)
    keep_deployments(room, [commits[1]], "production")
    places = [(room.named("shop"), name) for name in ("staging", "production")]
    assert retention.let_old_promotions_go(places, [commits[0]], room.now) == 3
    assert [leaves(room, commit) for commit in commits[:4]] == [None, None, MONTH, None]


def test_a_commit_that_was_there_twice_stays_for_the_later_time(room: TableRoom) -> None:
    commits = [A, *(f"{number:040x}" for number in range(1, KEPT)), A, B]
    keep_deployments(room, commits)
    assert retention.let_old_promotions_go([(room.named("shop"), "staging")], [B], room.now) == 2
    assert leaves(room, A) is None
    assert leaves(room, commits[1]) == MONTH


def test_without_a_time_nothing_ever_leaves(own_tables: LocalTables) -> None:
    tables = AgeingTables(own_tables.endpoint_url)
    tables.days = 0
    room = TableRoom(tables)
    room.ready(A)
    retention.let_go(room.repo, A, room.now)
    keep_deployments(room, [f"{number:040x}" for number in range(1, KEPT + 4)])
    assert retention.let_old_promotions_go([(room.named("shop"), "staging")], [], room.now) == 0
    assert (leaves(room, A), entries_leave(room, A)) == (None, {None})


# what the sweeper does with it

LOCAL = Cluster(context="local")
STAGING = Environment("staging", ("build",), (), (WEB,), LOCAL)
PRODUCTION = Environment("production", ("legal",), ("staging",), (replace(WEB, namespace="live"),), LOCAL)


@pytest.fixture
def shop(ministack: str, monkeypatch: pytest.MonkeyPatch) -> WayRoom:
    shop = WayRoom(TableRoom(AgeingTables(ministack)))
    monkeypatch.setattr(helm_installer, "install", shop.releases.install)
    shop.tables.define(pipeline(STAGING, PRODUCTION))
    return shop


def come(shop: WayRoom, commit: str, before: str, second: float) -> None:
    shop.send(shop.push(before, commit, second), shop.build(commit, second=second + 5))
    shop.settle()


def test_a_commit_that_waits_for_months_is_kept(shop: WayRoom) -> None:
    come(shop, A, "", 0)
    assert shop.tables.item(A)[EXPIRES]
    shop.sweep()
    assert shop.tables.item(A)[EXPIRES], "there is time left"
    shop.clock.go_on(20 * 86_400)
    shop.sweep()
    assert EXPIRES not in shop.tables.item(A)
    assert entries_leave(shop.tables, A) == {None}


def test_heads_are_kept_and_what_never_got_anywhere_leaves(shop: WayRoom) -> None:
    come(shop, A, "", 0)
    shop.send(shop.push(A, B, 100), shop.push(B, C, 110), shop.build(C, second=115))
    shop.settle()
    shop.approve(C)
    shop.settle()
    assert shop.sweep()["settled"] == 3
    assert [EXPIRES in shop.tables.item(commit) for commit in (A, B, C)] == [False, True, False]
    assert shop.releases.commits("live") == "c"


def test_a_commit_that_waited_long_and_was_overtaken_leaves_after_all(shop: WayRoom) -> None:
    shop.send(shop.push("", A, 0))
    shop.settle()
    shop.clock.go_on(20 * 86_400)
    shop.sweep()
    assert EXPIRES not in shop.tables.item(A)
    overtaken = shop.clock().timestamp()
    come(shop, B, A, 100)
    shop.approve(B)
    shop.settle()
    assert shop.sweep()["settled"] == 2
    assert overtaken + MONTH <= shop.tables.item(A)[EXPIRES] <= shop.clock().timestamp() + MONTH
