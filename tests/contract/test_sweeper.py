"""What the sweeper finds that nobody woke for, what it finishes, what it strikes off, and what it costs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from functions.sweeper import app as sweeper_app
from pipeline_state import tracing
from pipeline_state.events.deployment import read_promotion
from pipeline_state.handlers.promotion import REPEATS
from pipeline_state.model.decision import OVERDUE
from pipeline_state.model.pipelines import Cluster, Environment, Policy
from pipeline_state.model.times import format_time
from pipeline_state.table import waiting
from tests.contract.table_room import WEB, A, B, C, TableRoom, pipeline
from tests.contract.way_room import WayRoom, new_room

LOCAL = Cluster(context="local")
STAGING = Environment("staging", ("build",), (), (WEB,), LOCAL)
PRODUCTION = Environment("production", ("legal",), ("staging",), (replace(WEB, namespace="live"),), LOCAL)
NOTHING = {"faults": 0, "repositories_left": 0}


@pytest.fixture
def shop(ministack: str, monkeypatch: pytest.MonkeyPatch) -> WayRoom:
    room = new_room(ministack, monkeypatch)
    room.tables.define(pipeline(STAGING, PRODUCTION))
    return room


def missed(room: WayRoom, *commits: str) -> None:
    """Pushed one after the other, and built; the stream's records are lost."""
    for number, (before, commit) in enumerate(zip(["", *commits], commits, strict=False)):
        room.send(room.push(before, commit, 10 * number), room.build(commit, second=10 * number + 5))
    room.record()
    room.changes()


def published(room: WayRoom) -> list[str]:
    """The commits whose promotions are in the installer's queue; they are taken from it."""
    return [read_promotion(event).commit for event, _ in room.waiting(room.installs)]


def listed(room: WayRoom) -> set[str]:
    return {each.commit for each in waiting.of_repo(room.repo)}


# what nobody woke for


def test_a_commit_that_is_ready_and_that_nobody_woke_for_is_promoted(shop: WayRoom) -> None:
    missed(shop, A)
    assert shop.sweep() == {**NOTHING, "waiting": 1, "promoted": 1}
    assert published(shop) == [A]
    assert shop.tables.record(A).claims["staging"].published
    assert shop.sweep() == {**NOTHING, "waiting": 1}


def test_of_several_that_are_ready_the_newest_is_promoted_once(shop: WayRoom) -> None:
    missed(shop, A, B, C)
    assert shop.sweep()["promoted"] == 1
    assert published(shop) == [C]
    assert listed(shop) == {A, B, C}, "A and B may still be sent on by hand until the next look"
    assert shop.sweep()["settled"] == 2
    assert listed(shop) == {C}


def test_where_every_commit_has_its_turn_the_oldest_is_promoted(shop: WayRoom) -> None:
    shop.tables.define(pipeline(replace(STAGING, policy=Policy.EVERY)))
    missed(shop, A, B, C)
    order = []
    for _ in range(3):
        shop.sweep()
        order += published_and_installed(shop)
    assert order == [A, B, C]


def published_and_installed(room: WayRoom) -> list[str]:
    """What the installer is given, once it has carried it out; nobody hears of that but the tables."""
    before = len(room.releases.history.get(("shop", "web"), []))
    room.install()
    room.record()
    room.changes()
    return [commit for _, commit in room.releases.history[("shop", "web")][before:]]


def test_a_freeze_that_ends_by_the_clock_lets_the_newest_go_once(shop: WayRoom) -> None:
    shop.freeze("staging", format_time(shop.clock() + timedelta(hours=1)))
    missed(shop, A, B)
    assert shop.sweep() == {**NOTHING, "waiting": 2}
    shop.clock.go_on(3600)
    assert shop.sweep()["promoted"] == 1
    assert published(shop) == [B]


def test_a_soak_time_that_is_over_lets_the_commit_go_on(shop: WayRoom) -> None:
    shop.tables.define(pipeline(STAGING, replace(PRODUCTION, gates=(), soak=600)))
    missed(shop, A)
    shop.sweep()
    shop.settle()
    assert shop.sweep() == {**NOTHING, "waiting": 1}
    shop.clock.go_on(600)
    assert shop.sweep()["promoted"] == 1
    assert published(shop) == [A]


def test_an_approval_that_went_stale_lets_nothing_go(shop: WayRoom) -> None:
    shop.tables.define(pipeline(replace(STAGING, gates=("build", "legal"))))
    missed(shop, A)
    shop.approve(A, expires_at=format_time(shop.clock() + timedelta(minutes=5)))
    shop.changes()
    shop.clock.go_on(600)
    assert shop.sweep() == {**NOTHING, "waiting": 1}
    shop.approve(A)
    shop.changes()
    assert shop.sweep()["promoted"] == 1


# what was left half done


def test_a_claim_that_nobody_published_is_published_under_its_own_id(shop: WayRoom) -> None:
    missed(shop, A)
    (claimed,) = shop.tables.promote(A)
    assert shop.sweep() == {**NOTHING, "waiting": 1, "published": 1}
    ((event, _),) = shop.waiting(shop.installs)
    assert event.get_id() == claimed.id
    assert shop.tables.record(A).claims["staging"].published


def test_a_promotion_without_a_result_is_repeated_three_times_and_then_left_to_a_person(shop: WayRoom) -> None:
    missed(shop, A)
    shop.sweep()
    (first,) = shop.promoted()
    shop.clock.go_on(OVERDUE.total_seconds() - 120)
    assert shop.sweep() == {**NOTHING, "waiting": 1}, "not overdue yet"
    for repeat in range(1, REPEATS + 1):
        shop.clock.go_on(OVERDUE.total_seconds())
        assert shop.sweep() == {**NOTHING, "waiting": 1, "repeated": 1}
        assert shop.promoted() == [first]
        assert shop.tables.record(A).claims["staging"].repeats == repeat
        assert shop.sweep() == {**NOTHING, "waiting": 1}, "not overdue again yet"
    shop.clock.go_on(OVERDUE.total_seconds())
    assert shop.sweep() == {**NOTHING, "waiting": 1, "stuck": 1}
    assert shop.promoted() == []


def test_what_was_repeated_is_installed_once(shop: WayRoom) -> None:
    missed(shop, A)
    shop.sweep()
    shop.clock.go_on(OVERDUE.total_seconds())
    assert shop.sweep()["repeated"] == 1
    shop.settle()
    assert shop.releases.commits("shop") == "a"
    assert shop.tables.record(A).gates["deployed_to_staging"]["status"] == "TRUE"


def test_a_promotion_whose_commit_was_overtaken_is_not_repeated(shop: WayRoom) -> None:
    missed(shop, A)
    shop.sweep()
    shop.send(shop.push(A, B, 30), shop.build(B, second=35))
    shop.record()
    shop.changes()
    shop.sweep()
    assert published(shop) == [A, B]
    shop.clock.go_on(OVERDUE.total_seconds())
    assert shop.sweep()["repeated"] == 1
    assert published(shop) == [B]


def test_what_is_parked_goes_on_when_a_freeze_ends_by_the_clock(shop: WayRoom) -> None:
    missed(shop, A)
    shop.sweep()
    shop.freeze("staging", format_time(shop.clock() + timedelta(hours=1)))
    shop.changes()
    shop.settle()
    assert shop.releases.commits("shop") == ""
    assert "parked:web" in shop.tables.environment()
    assert shop.sweep() == {**NOTHING, "waiting": 1}
    shop.clock.go_on(3600)
    assert shop.sweep() == {**NOTHING, "waiting": 1, "resumed": 1}
    assert "parked:web" not in shop.tables.environment()
    shop.clock.go_on(OVERDUE.total_seconds() - 120)
    assert shop.sweep() == {**NOTHING, "waiting": 1}, "its time runs from then on"
    shop.settle()
    assert shop.releases.commits("shop") == "a"


def test_what_is_parked_by_a_freeze_is_not_overdue(shop: WayRoom) -> None:
    missed(shop, A)
    shop.sweep()
    shop.freeze("staging")
    shop.settle()
    shop.clock.go_on(OVERDUE.total_seconds() * 5)
    assert shop.sweep() == {**NOTHING, "waiting": 1}


# what is settled


def test_a_commit_that_is_everywhere_is_struck_off(shop: WayRoom) -> None:
    missed(shop, A)
    shop.sweep()
    shop.settle()
    assert shop.sweep() == {**NOTHING, "waiting": 1}
    shop.approve(A)
    shop.settle()
    assert shop.sweep() == {**NOTHING, "waiting": 1, "settled": 1}
    assert shop.sweep() == NOTHING


def test_a_deployment_that_failed_is_settled_where_nothing_comes_after_it(shop: WayRoom) -> None:
    shop.tables.define(pipeline(STAGING))
    shop.releases.broken.add(WEB.chart)
    missed(shop, A)
    shop.sweep()
    shop.settle()
    assert shop.sweep()["settled"] == 1


def test_a_commit_whose_record_is_gone_is_struck_off(shop: WayRoom) -> None:
    missed(shop, A)
    key = {"repo": {"S": shop.repo}, "commit": {"S": A}}
    shop.tables.client.delete_item(TableName=shop.tables.tables.names["gates"], Key=key)
    assert shop.sweep() == {**NOTHING, "settled": 1}
    assert listed(shop) == set()


def test_a_commit_that_an_edit_has_spoilt_waits_until_it_is_mended(shop: WayRoom) -> None:
    missed(shop, A)
    places = shop.tables.item(A)["_branches"]
    shop.tables.edit(A, _branches="nonsense")
    assert shop.sweep() == {**NOTHING, "waiting": 1}
    shop.tables.edit(A, _branches=places)
    assert shop.sweep()["promoted"] == 1


def test_what_was_struck_off_and_is_pushed_again_waits_again(shop: WayRoom) -> None:
    missed(shop, A, B)
    shop.sweep()
    shop.sweep()
    assert listed(shop) == {B}
    shop.send(shop.push(B, A, 60))
    shop.record()
    assert listed(shop) == {A, B}


# one repository among others


@pytest.fixture
def others(shop: WayRoom) -> list[TableRoom]:
    """Repositories beside it, each with a commit that is ready."""
    rooms = [TableRoom(shop.tables.tables) for _ in range(3)]
    for room in rooms:
        room.define(pipeline(STAGING))
        room.ready(A)
    return rooms


def heads(rooms: list[TableRoom]) -> list[str]:
    return [room.environment().get("head", "") for room in rooms]


def sweep_once(room: WayRoom, *seconds_left: float) -> dict[str, Any]:
    left = iter(seconds_left)
    return room.sweeper().sweep(lambda: next(left, 0.0))


def test_a_repository_whose_pipelines_are_nonsense_delays_no_other(shop: WayRoom, others: list[TableRoom]) -> None:
    missed(shop, A)
    shop.tables.change("pipelines", {"repo": shop.repo.lower()}, {"definitions": "nonsense"})
    found = sweep_once(shop, *[100.0] * 4)
    assert (found["faults"], found["promoted"]) == (1, 3)
    assert heads(others) == [A, A, A]


def test_a_record_that_is_nonsense_delays_no_other_of_its_repository(shop: WayRoom) -> None:
    missed(shop, A, B)
    shop.tables.edit(A, _claim_staging={"generation": 9, "at": "2026-07-01T12:00:00Z", "promotions": {}})
    found = sweep_once(shop, 100.0)
    assert (found["faults"], found["promoted"]) == (1, 1)
    assert published(shop) == [B]


def test_a_table_that_cannot_be_reached_costs_one_repository_its_turn(shop: WayRoom, others: list[TableRoom]) -> None:
    def fails(name: str) -> None:
        if name == "dynamodb.BatchGetItem" and shop.calls.made.count(name) == 1:
            raise ConnectionRefusedError

    shop.calls.before = fails
    with shop.calls.counted(), pytest.raises(ConnectionRefusedError):
        sweep_once(shop, *[100.0] * 3)
    assert heads(others) == ["", "", ""]


def test_without_time_for_all_each_has_its_turn(shop: WayRoom, others: list[TableRoom]) -> None:
    found = sweep_once(shop, 16.0, 15.0)
    assert (found["repositories_left"], found["promoted"]) == (2, 1)
    assert sorted(heads(others)) == ["", "", A]
    for _ in range(100):
        if "" not in heads(others):
            break
        sweep_once(shop, 16.0, 15.0)
    assert heads(others) == [A, A, A]


def test_without_any_time_nothing_is_begun(shop: WayRoom, others: list[TableRoom]) -> None:
    assert sweep_once(shop, 15.0) == {"faults": 0, "repositories_left": 3}
    assert heads(others) == ["", "", ""]


# what it costs


def cost(room: WayRoom) -> list[str]:
    room.calls.made.clear()
    room.sweep()
    return [*room.calls.made]


def test_the_cost_grows_with_what_waits_and_not_with_what_is_stored(shop: WayRoom) -> None:
    assert cost(shop) == ["dynamodb.Query"]
    names = shop.tables.tables.names
    for number in range(20):
        item = {"repo": {"S": shop.repo}, "commit": {"S": f"{number:040}"}, "_schema": {"N": "1"}}
        shop.tables.client.put_item(TableName=names["gates"], Item=item)
    assert cost(shop) == ["dynamodb.Query"]
    shop.send(shop.push("", A, 0), shop.push(A, B, 1), shop.push(B, C, 2))
    shop.settle()
    few = cost(shop)
    assert few == ["dynamodb.Query", "dynamodb.BatchGetItem", "dynamodb.TransactGetItems", "dynamodb.TransactGetItems"]
    pushes = [
        shop.push(C if not number else f"{number - 1:040x}", f"{number:040x}", 10 + number) for number in range(9)
    ]
    shop.send(*pushes)
    shop.settle()
    assert cost(shop) == few, "twelve wait for what three cost"


# the function


@pytest.fixture
def environment(
    shop: WayRoom,
    patient_clients: None,  # noqa: ARG001 - set up first
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    for name, value in shop.settings.items():
        monkeypatch.setenv(name, value)
    yield
    sweeper_app.handler.cache_clear()
    tracing.shutdown()
    shop.tables.tables.connect()


@pytest.mark.usefixtures("environment")
def test_the_function_answers_with_what_it_found(shop: WayRoom) -> None:
    missed(shop, A)
    context = SimpleNamespace(
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: 60_000,
        function_name="sweeper",
        invoked_function_arn="a",
    )
    report = sweeper_app.sweep({}, context)
    assert report["promoted"] == 1
    assert published(shop) == [A]
