"""A replay of what the real functions have journalled: with the definitions as they are, it is what really happened."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from pipeline_state.cli.replay.recorded import History, read_history
from pipeline_state.events.deployment import deployed, failed, read_promotion
from pipeline_state.events.publish import Publisher
from pipeline_state.handlers.promotion import Promotions
from pipeline_state.model.comparison import unlike
from pipeline_state.model.decide import on_request
from pipeline_state.model.decision import Promote
from pipeline_state.model.environments import Freeze
from pipeline_state.model.history import Claimed, Edited, Ended, Froze, Pinned, Pushed, Reported
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline, Policy, SourceKind
from pipeline_state.model.promotion import Action
from pipeline_state.model.replay import Replayed, replay
from pipeline_state.model.times import format_time
from pipeline_state.startup import utc_now
from pipeline_state.table import holds, leases
from pipeline_state.table.claims import Order, claim
from pipeline_state.table.journal import Happening
from pipeline_state.table.lease import Taken
from pipeline_state.table.listing import commits
from pipeline_state.table.snapshot import Reader
from tests.contract.function_room import FunctionRoom
from tests.contract.table_room import WEB, A, B, C, pipeline, seconds

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
PRODUCTION = Environment("production", ("legal",), ("staging",), (WEB,), Cluster(context="local"))

Kind = TypeVar("Kind")

CHAIN = pipeline(STAGING, PRODUCTION)


@pytest.fixture
def shop(functions: FunctionRoom) -> FunctionRoom:
    functions.tables.define(CHAIN)
    return functions


def install(shop: FunctionRoom, *, fails: bool = False) -> None:
    """What the installer does with all that is promoted, and tells of it."""
    for event, _ in shop.waiting(shop.installs):
        promotion, now = read_promotion(event), utc_now()
        lease = leases.take(promotion, "it", now.timestamp, now.timestamp() + 60)
        if not isinstance(lease, Taken):
            continue
        leases.finish(promotion, "it", {"kind": "failed" if fails else "deployed"})
        told = (
            failed(promotion, at=now, reason="no")
            if fails
            else deployed(promotion, at=now, action="upgraded", revision=1, chart="web-1")
        )
        shop.send(told)


def settle(shop: FunctionRoom, *, fails: bool = False) -> None:
    """All that follows, the sweeper's part included."""
    sweeper = Promotions(Reader(), Publisher(shop.sns), shop.promotions, utc_now)
    for _ in range(4):
        shop.settle()
        sweeper.promote_waiting(shop.repo)
        install(shop, fails=fails)
    shop.settle()


def definitions(shop: FunctionRoom) -> Sequence[Pipeline]:
    return shop.tables.snapshot(A).definitions.pipelines


def history(shop: FunctionRoom) -> History:
    keys = [(each.name, environment.name) for each in definitions(shop) for environment in each.environments]
    return read_history(shop.repo, [each.commit for each in commits(shop.repo)], keys)


def as_it_is(shop: FunctionRoom) -> tuple[History, Replayed]:
    found = history(shop)
    return found, replay(definitions(shop), found.facts, lambda *_: None, utc_now())


def of(found: History, kind: type[Kind]) -> list[Kind]:
    return [fact for fact in found.facts if isinstance(fact, kind)]


def claims(found: History) -> list[tuple[str, str]]:
    return [(fact.environment, fact.commit[0]) for fact in of(found, Claimed)]


def test_the_journal_tells_all_that_a_replay_needs(shop: FunctionRoom) -> None:
    shop.send(
        shop.push("", A, paths=["web/x"], paths_complete=True), shop.push(A, B, 10, paths=["y"], paths_complete=True)
    )
    shop.send(shop.build(B, second=20))
    settle(shop)
    shop.tables.edit(B, legal={"status": "TRUE", "by": "ann", "expires_at": "2099-01-01T00:00:00Z"}, scan=True)
    shop.promote()
    shop.tables.edit(B, scan=None)
    settle(shop)
    found = history(shop)
    assert found.vague == 0
    kinds = [type(fact) for fact in found.facts if not isinstance(fact, Claimed)]
    assert kinds == [Pushed, Pushed, Reported, Ended, Edited, Edited, Ended]
    (first, second), (result,) = of(found, Pushed), of(found, Reported)
    (edit, removal), (ended, _) = of(found, Edited), of(found, Ended)
    assert (first.push.before, first.push.paths) == ("0" * 40, ("web/x",)), "GitHub lists nothing of a new branch"
    assert (second.branch, second.push.before, second.push.pushed_at) == ("main", A, seconds(10))
    told = result.result
    assert (told.kind, told.name, told.app) == (SourceKind.CIRCLECI_WORKFLOW, "build-test", "circleci")
    assert (told.status, told.completed_at, result.is_app_known) == ("success", seconds(20), True)
    assert edit.values == {
        "legal": {"status": "TRUE", "by": "ann", "expires_at": "2099-01-01T00:00:00Z"},
        "scan": True,
    }
    assert removal.values == {"scan": None}
    assert (ended.environment, ended.release, ended.generation, ended.status) == ("staging", "web", 1, "TRUE")


def test_a_push_of_more_paths_than_the_journal_keeps_touches_all(shop: FunctionRoom) -> None:
    many, long = [f"f{number}" for number in range(201)], ["x" * 8193]
    shop.send(shop.push(A, B, 0, paths=many, paths_complete=True), shop.push(B, C, 9, paths=long, paths_complete=True))
    shop.recorder.drain()
    pushes = [fact.push for fact in of(history(shop), Pushed)]
    assert [(push.after[0], push.paths) for push in pushes] == [("b", None), ("c", None)]


def test_values_of_hand_edits_are_kept_up_to_a_limit(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A))
    shop.settle()
    told = {"status": "TRUE", "reason": "r" * 300, "secret": "s", "at": 7}
    shop.tables.edit(A, legal=told, scan="x" * 300, odd=[1])
    shop.promote()
    (edit,) = of(history(shop), Edited)
    assert edit.values == {"legal": {"status": "TRUE", "reason": "r" * 196}, "scan": "x" * 200, "odd": "[Decimal('1')]"}


def test_a_repository_on_its_whole_way(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A), shop.push(A, B, 10), shop.build(A, second=20))
    settle(shop)
    shop.tables.edit(A, legal="TRUE")
    settle(shop)
    shop.send(shop.push(B, C, 30), shop.build(C, second=40), shop.build(B, second=50))
    settle(shop)
    found, replayed = as_it_is(shop)
    assert claims(found) == [("staging", "a"), ("production", "a"), ("staging", "c")]
    assert unlike(found.facts, replayed) == []


def test_a_deployment_that_failed(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A), shop.build(A))
    settle(shop, fails=True)
    shop.tables.edit(A, legal="TRUE")
    settle(shop)
    found, replayed = as_it_is(shop)
    assert claims(found) == [("staging", "a")]
    assert unlike(found.facts, replayed) == []


def happening(shop: FunctionRoom, kind: str, **what: str) -> Happening:
    """A command about staging."""
    now = format_time(utc_now())
    told = shop.tables.happening(f"{kind} {now}", "staging")
    return replace(told, repo=shop.tables.named("shop"), time=now, kind=kind, by="ann", written_at=now, what=what)


def test_freezes_and_holds(shop: FunctionRoom) -> None:
    (shops,) = definitions(shop)
    holds.freeze(shops, "staging", Freeze("ann", "", "why"), happening(shop, "frozen", reason="why"))
    shop.send(shop.push("", A), shop.build(A))
    settle(shop)
    holds.unfreeze(shops, "staging", happening(shop, "unfrozen"))
    settle(shop)
    holds.hold(shops, "staging", "so", happening(shop, "held", reason="so"))
    shop.send(shop.push(A, B, 100), shop.build(B, second=110))
    settle(shop)
    holds.release(shops, "staging", happening(shop, "released"))
    settle(shop)
    found, replayed = as_it_is(shop)
    closings = [fact for fact in found.facts if isinstance(fact, Froze | Pinned) and fact.pipeline]
    assert [type(fact) for fact in closings] == [Froze, Froze, Pinned, Pinned]
    assert claims(found) == [("staging", "a"), ("staging", "b")]
    assert unlike(found.facts, replayed) == []
    untouched = [fact for fact in found.facts if fact not in closings]
    freely = replay(definitions(shop), untouched, lambda *_: None, utc_now())
    assert [each.commit for each in freely.steps] == [A, B]
    assert [each.at for each in freely.steps] < [each.at for each in replayed.steps]


def test_a_rollback_and_its_hold(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A), shop.build(A), shop.push(A, B, 100))
    settle(shop)
    shop.send(shop.build(B, second=110))
    settle(shop)
    snapshot = shop.tables.snapshot(A)
    (shops,) = snapshot.definitions.pipelines
    asked = on_request(snapshot.record, shops, shops.environments[0], snapshot.definitions.declared, utc_now())
    assert isinstance(asked, Promote)
    claim(snapshot, shops, asked, utc_now(), Order("ann", Action.ROLLBACK, "it hurts", holds=True))
    settle(shop)
    shop.send(shop.push(B, C, 200), shop.build(C, second=210))
    settle(shop)
    found, replayed = as_it_is(shop)
    assert claims(found) == [("staging", "a"), ("staging", "b"), ("staging", "a")]
    assert unlike(found.facts, replayed) == []
    assert [each.by for each in replayed.steps] == ["gatestream", "gatestream", "ann"]
    assert replayed.sentence((shops.name, "staging"), C) == "ready, but staging is held by ann: it hurts"


ACTIONS = ("push", "push", "build", "build", "build", "fail", "approve", "refuse", "add", "remove", "settle", "settle")


POLICIES = {
    "newest": (Policy.NEWEST, Policy.NEWEST),
    "every": (Policy.EVERY, Policy.NEWEST),
    "every after newest": (Policy.NEWEST, Policy.EVERY),
}

COLUMNS: dict[str, dict[str, object]] = {
    "approve": {"legal": {"status": "TRUE", "by": "ann"}},
    "refuse": {"legal": "FALSE"},
    "add": {"scan": ""},
    "remove": {"scan": None},
}


@pytest.mark.parametrize("policies", POLICIES)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_happened_the_replay_with_todays_definitions_is_what_was_claimed(
    functions: FunctionRoom, seed: int, policies: str
) -> None:
    """One thing after the other, so that it does not depend on which of two promoters is faster."""
    staging, production = POLICIES[policies]
    functions.tables.define(pipeline(replace(STAGING, policy=staging), replace(PRODUCTION, policy=production)))
    chance = random.Random(seed)  # noqa: S311 - no secret
    pushed: list[str] = []
    for step in range(20):
        action, second = chance.choice(ACTIONS), step * 10
        commit = chance.choice(pushed) if pushed else ""
        if action == "push" or not pushed:
            new = f"{seed}{step:02}".ljust(40, "0")
            functions.send(functions.push(pushed[-1] if pushed else "", new, second))
            pushed.append(new)
        elif action in {"build", "fail"}:
            functions.send(functions.build(commit, {"build": "success", "fail": "failed"}[action], second))
        elif action == "settle":
            settle(functions, fails=chance.random() < 0.2)
        else:
            functions.tables.edit(commit, **COLUMNS[action])
        functions.settle()
    settle(functions)
    found, replayed = as_it_is(functions)
    really = [(fact.environment, fact.commit) for fact in of(found, Claimed)]
    assert really
    assert [(each.environment, each.commit) for each in replayed.steps] == really
    assert unlike(found.facts, replayed) == []
