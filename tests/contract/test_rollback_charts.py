"""Going back installs the very chart that was installed then, as the record and its journal tell it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from pipeline_state.cli import facts
from pipeline_state.cli.steering import moving
from pipeline_state.cli.steering.moving import Plan
from pipeline_state.cli.steering.places import find_place
from pipeline_state.cli.steering.promotions import latest
from pipeline_state.cli.steering.wishes import Wish
from pipeline_state.events import deployment
from pipeline_state.events.deployment import read_promotion
from pipeline_state.model.pipelines import Environment
from pipeline_state.model.promotion import Action, Promotion
from tests.contract.function_room import FunctionRoom
from tests.contract.table_room import WEB, A, B, pipeline

OLD, NEW = "sha256:" + "0a" * 32, "sha256:" + "b1" * 32
API = replace(WEB, name="api", chart="oci://registry.example.com/api", version="1.4.2")


@dataclass
class Shop:
    """A repository whose installer is the test itself."""

    functions: FunctionRoom

    def __post_init__(self) -> None:
        self.revisions = count(1)
        self.functions.tables.define(pipeline(Environment("staging", ("build",), (), (WEB, API))))

    def deploy(self, commit: str, before: str = "", digest: str = OLD) -> list[Promotion]:
        """The promotions that came of a push, with their results told."""
        self.functions.send(self.functions.push(before, commit, 100 if before else 0), self.functions.build(commit))
        return self.finish(digest)

    def finish(self, digest: str = "", reason: str = "") -> list[Promotion]:
        """What has been published, each with a result told: failed for the reason, if one is given."""
        self.functions.settle()
        promotions = [read_promotion(event) for event, _ in self.functions.waiting(self.functions.installs)]
        for each in promotions:
            at, revision = datetime.now(UTC), next(self.revisions)
            told: dict[str, Any] = {"revision": revision, "chart": f"{each.release.name}-1.0.0", "digest": digest}
            failed = deployment.failed(each, at=at, reason=reason)
            self.functions.send(failed if reason else deployment.deployed(each, at=at, action="upgraded", **told))
        self.functions.settle()
        return promotions

    def wish(self, action: Action, commit: str = "", *, is_current: bool = False) -> Wish:
        place = find_place(self.functions.tables.named("shop"), "staging")
        return Wish(action, place, "ann", "it is slow", commit, is_current=is_current)

    def plan(self, *args: Any, **more: Any) -> Plan:
        return moving.plan(self.wish(*args, **more), lambda: datetime.now(UTC))

    def go(self, *args: Any, **more: Any) -> list[Promotion]:
        return moving.carry_out(self.plan(*args, **more), lambda: datetime.now(UTC))


@pytest.fixture
def shop(functions: FunctionRoom) -> Shop:
    return Shop(functions)


def charts(promotions: list[Promotion]) -> dict[str, str]:
    return {each.release.name: each.release.digest for each in promotions}


def test_a_rollback_promotes_what_was_there_with_the_charts_of_then(shop: Shop) -> None:
    assert charts(shop.deploy(A, digest=OLD)) == {"web": "", "api": ""}
    shop.deploy(B, A, digest=NEW)
    claimed = shop.go(Action.ROLLBACK)
    assert [each.release for each in claimed] == [replace(WEB, digest=OLD), replace(API, digest=OLD)]
    assert [each.release for each in shop.finish(OLD)] == [each.release for each in claimed]
    assert charts(shop.go(Action.REDEPLOY)) == {"web": OLD, "api": OLD}


def test_by_the_definition_of_today_any_chart_will_do(shop: Shop) -> None:
    shop.deploy(A, digest=OLD)
    shop.deploy(B, A, digest=NEW)
    assert charts(shop.go(Action.ROLLBACK, is_current=True)) == {"web": "", "api": ""}


def test_what_an_older_version_deployed_is_installed_by_its_reference(shop: Shop) -> None:
    shop.deploy(A, digest="")
    shop.deploy(B, A, digest=NEW)
    assert charts(shop.go(Action.ROLLBACK)) == {"web": "", "api": ""}


def test_the_journal_tells_the_charts_that_the_gate_has_forgotten(shop: Shop) -> None:
    shop.deploy(A, digest=OLD)
    shop.go(Action.REDEPLOY, is_current=True)
    shop.finish(reason="no such image")
    assert "releases" in shop.functions.tables.record(A).gates["deployed_to_staging"]
    shop.deploy(B, A, digest=NEW)
    plan = shop.plan(Action.ROLLBACK, A)
    assert plan.target is not None
    assert (plan.target.deployment.generation, charts(list(plan.order.pinned))) == (1, {"web": OLD, "api": OLD})


def test_status_plan_and_history_tell_the_digests(shop: Shop) -> None:
    shop.deploy(A, digest=OLD)
    shop.deploy(B, A, digest=NEW)
    plan, now = shop.plan(Action.ROLLBACK), datetime.now(UTC)
    assert [release["digest"] for release in plan.to_json(now)["releases"]] == [OLD, OLD]
    (environment,) = facts.status_of(shop.functions.repo, A, now)["environments"]
    assert [release["digest"] for release in environment["releases"]] == [OLD, OLD]
    told = latest(plan.place, 5)
    assert [[each["digest"] for each in past.to_json(now)["releases"]] for past in told] == [[NEW, NEW], [OLD, OLD]]
    assert told[0].charts == [f"web charts/web {NEW[:19]}", f"api oci://registry.example.com/api 1.4.2 {NEW[:19]}"]
