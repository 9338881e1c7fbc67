"""Several releases of one environment, with real Helm: in order, together, and back again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.helm_installer import app as installer_app
from pipeline_state.model.pipelines import Cluster, Environment, Release
from pipeline_state.model.promotion import Promotion
from pipeline_state.table.claims import claimed_promotions
from tests.contract.pump import Record
from tests.contract.shop import Shop
from tests.contract.table_room import WEB, A, B, pipeline

FAILS = {"annotations": {"cluster.gatestream.dev/ready": "fail"}}


def define(shop: Shop, *releases: str, fails: str = "", **environment: Any) -> None:
    """An environment with these releases, one of which fails."""
    made = [
        replace(WEB, name=name, namespace=shop.namespace, timeout=30, values=FAILS if name == fails else {})
        for name in releases
    ]
    staging = Environment("staging", ("build",), (), tuple(made), Cluster(context="gatestream-embedded"), **environment)
    shop.functions.tables.define(pipeline(staging))


def run(shop: Shop) -> None:
    """Until nobody has anything to do."""
    shop.install()
    while shop.mapping.drain():
        shop.functions.settle()


def statuses(shop: Shop, commit: str) -> dict[str, str]:
    return {name: release["status"] for name, release in shop.gate(commit)["releases"].items()}


def reason(shop: Shop, commit: str, release: str) -> str:
    return str(shop.gate(commit)["releases"][release]["reason"])


def promotions(shop: Shop) -> list[Promotion]:
    generation = int(shop.functions.tables.environment()["generation"])
    return claimed_promotions(shop.functions.tables.named("shop"), "staging", generation)


def test_in_order_one_is_announced_at_a_time(shop: Shop) -> None:
    define(shop, "database", "api", "web", in_order=True)
    shop.promote(A)
    seen = []
    while batch := shop.mapping.poll():
        assert len(batch) == 1
        shop.functions.settle()
        seen.append(sorted(statuses(shop, A)))
    assert seen == [["database"], ["api", "database"], ["api", "database", "web"]]
    assert shop.gate(A)["status"] == "TRUE"


def test_in_order_what_comes_after_a_failure_never_begins_and_says_why(shop: Shop) -> None:
    define(shop, "database", "api", "web", fails="api", in_order=True)
    shop.promote(A)
    run(shop)
    assert statuses(shop, A) == {"database": "TRUE", "api": "FALSE", "web": "FALSE"}
    assert reason(shop, A, "web") == "not begun, since api failed"
    assert (shop.statuses("database"), shop.statuses("web")) == (["deployed"], [])
    assert shop.functions.tables.state().is_finished


@pytest.mark.parametrize("in_order", [True, False])
def test_together_a_failure_takes_the_others_back(shop: Shop, in_order: bool) -> None:  # noqa: FBT001
    define(shop, "database", "api", in_order=in_order, rollback_together=True)
    shop.promote(A)
    run(shop)
    assert statuses(shop, A) == {"database": "TRUE", "api": "TRUE"}
    define(shop, "database", "api", fails="api", in_order=in_order, rollback_together=True)
    shop.promote(B, A, 100)
    run(shop)
    assert statuses(shop, B) == {"database": "FALSE", "api": "FALSE"}
    assert reason(shop, B, "database") == "taken back, since api failed; rolled back to revision 1"
    assert shop.statuses("database") == ["superseded", "superseded", "deployed"]
    environment = shop.functions.tables.environment()
    assert environment["verified:database"] == 1
    assert not [name for name in environment if name.startswith("lease")]


def test_together_a_first_deployment_that_fails_leaves_nothing(shop: Shop) -> None:
    define(shop, "database", "api", fails="api", rollback_together=True)
    shop.promote(A)
    run(shop)
    assert (shop.statuses("database"), shop.statuses("api")) == ([], [])
    assert reason(shop, A, "database").endswith("uninstalled, there being nothing to go back to")


def test_what_was_not_to_stand_or_fall_together_stays(shop: Shop) -> None:
    define(shop, "database", "api", fails="api")
    shop.promote(A)
    run(shop)
    assert statuses(shop, A) == {"database": "TRUE", "api": "FALSE"}
    assert shop.statuses("database") == ["deployed"]


def test_every_message_may_come_twice(shop: Shop) -> None:
    define(shop, "database", "api", fails="api", in_order=True, rollback_together=True)
    shop.promote(A)
    messages: list[Record] = []
    while batch := shop.mapping.poll():
        messages += batch
        shop.functions.settle()
    told = shop.gate(A)
    for message in messages * 2:
        assert shop.invoke([message]) == {"batchItemFailures": []}
    run(shop)
    assert statuses(shop, A) == {"database": "FALSE", "api": "FALSE"}
    assert shop.gate(A)["releases"] == told["releases"]


def test_what_could_not_be_taken_back_leaves_a_letter_that_says_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    define(shop, "database", "api", fails="api", in_order=True, rollback_together=True)
    shop.promote(A)
    for _ in ("database", "api"):
        shop.mapping.poll()
        shop.functions.settle()
    message = shop.receive()
    message["attributes"]["ApproximateReceiveCount"] = "3"
    away = tmp_path / "kubeconfig"
    away.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", shop.kubeconfig.read_text()))
    monkeypatch.setenv("LOCAL_KUBECONFIG", str(away))
    installer_app.handler.cache_clear()
    assert shop.invoke([message]) == {"batchItemFailures": []}
    shop.functions.settle()
    assert "; not rolled back, given up after 3 attempts: " in reason(shop, A, "database")
    assert shop.statuses("database") == ["deployed"]
    ((body, attributes),) = shop.functions.bodies(shop.functions.dead_installs)
    assert body == message["body"]
    assert attributes["reason"].startswith("not rolled back, given up after 3 attempts: ")


def test_a_newer_promotion_is_not_taken_back_for_an_older_one(shop: Shop) -> None:
    define(shop, "database", "api", fails="api", in_order=True, rollback_together=True)
    shop.promote(A)
    shop.mapping.poll()
    shop.mapping.poll()
    define(shop, "database", "api", in_order=True, rollback_together=True)
    shop.promote(B, A, 100)
    run(shop)
    assert statuses(shop, B) == {"database": "TRUE", "api": "TRUE"}
    assert shop.image("database").endswith(B)


def test_releases_of_one_promotion_know_of_each_other(shop: Shop) -> None:
    define(shop, "database", "api", in_order=True, rollback_together=True)
    shop.promote(A)
    assert [(each.release.name, each.releases, each.in_order) for each in promotions(shop)] == [
        ("database", ("database", "api"), True),
        ("api", ("database", "api"), True),
    ]
    assert isinstance(promotions(shop)[0].release, Release)
