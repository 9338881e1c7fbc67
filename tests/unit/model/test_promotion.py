"""Promotions travel as plain data, older ones too, and have ids and locks of their own."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline_state.model.pipelines import Cluster, FreezeWindow, Release
from pipeline_state.model.promotion import AUTOMATIC, Action, Promotion, promotion_id

WINDOW = FreezeWindow("0 18 * * 5", 60, "Europe/Berlin", ("2026-12-24",), "weekend")
PROMOTION = Promotion(
    id="id",
    repo="myOrg/myApp",
    commit="a" * 40,
    branch="main",
    sequence=7,
    pipeline="shop",
    pipeline_version=3,
    environment="staging",
    environment_key="shop_staging",
    generation=5,
    release=Release("web", "shop", "charts/web", values={"replicas": 1}),
    cluster=Cluster(eks="prod", region="eu-west-1"),
    releases=("web", "api"),
    by="ann",
    action=Action.ROLLBACK,
    reason="broken",
    override=True,
    freezes=(WINDOW,),
    traceparent="00-1-2-01",
)
ADDED_LATER = (
    *("action", "reason", "override", "freezes"),
    *("in_order", "rollback_together", "force_conflicts"),
)


def test_it_travels_as_json_but_for_its_trace() -> None:
    data = json.loads(json.dumps(PROMOTION.to_dict()))
    assert "traceparent" not in data
    assert Promotion.from_dict(data, "00-1-2-01") == PROMOTION
    assert Promotion.from_dict(data) == replace(PROMOTION, traceparent="")


def test_its_plain_data_is_what_json_has() -> None:
    data = PROMOTION.to_dict()
    assert (data["releases"], data["action"], data["override"]) == (["web", "api"], "rollback", True)
    assert isinstance(data["freezes"], list)
    assert data["freezes"][0]["cron"] == "0 18 * * 5"


def test_one_of_an_older_version_is_nobodys_request_and_heeds_no_window() -> None:
    data = {name: value for name, value in PROMOTION.to_dict().items() if name not in ADDED_LATER}
    expected = replace(PROMOTION, action=Action.PROMOTE, reason="", override=False, freezes=(), traceparent="")
    assert Promotion.from_dict(data) == expected


@pytest.mark.parametrize("part", [(), ("release",), ("cluster",)])
def test_what_a_later_version_added_is_ignored(part: tuple[str, ...]) -> None:
    data: dict[str, Any] = PROMOTION.to_dict()
    inner = data
    for name in part:
        inner = inner[name]
    inner["added_later"] = 1
    assert Promotion.from_dict(data, PROMOTION.traceparent) == PROMOTION


@pytest.mark.parametrize("missing", sorted(set(PROMOTION.to_dict()) - {*ADDED_LATER}))
def test_without_one_of_its_parts_it_is_no_promotion(missing: str) -> None:
    data = {name: value for name, value in PROMOTION.to_dict().items() if name != missing}
    with pytest.raises(KeyError):
        Promotion.from_dict(data)


def test_only_a_person_asks() -> None:
    assert PROMOTION.is_asked_for
    assert not replace(PROMOTION, by=AUTOMATIC).is_asked_for


@pytest.mark.parametrize(
    "other",
    [
        replace(PROMOTION, cluster=Cluster(eks="staging", region="eu-west-1")),
        replace(PROMOTION, cluster=Cluster(eks="prod", region="us-east-1")),
        replace(PROMOTION, release=replace(PROMOTION.release, namespace="other")),
        replace(PROMOTION, release=replace(PROMOTION.release, name="other")),
    ],
    ids=["cluster", "region", "namespace", "release"],
)
def test_releases_of_different_places_do_not_wait_for_each_other(other: Promotion) -> None:
    assert other.lock != PROMOTION.lock


def test_every_promotion_of_a_release_has_one_lock_that_sns_takes() -> None:
    again = replace(PROMOTION, id="x", commit="b" * 40, generation=6, environment="other", pipeline="other")
    assert again.lock == PROMOTION.lock
    assert (len(PROMOTION.lock), PROMOTION.lock.isalnum()) == (64, True)


def test_an_id_is_made_of_all_five_and_never_changes() -> None:
    five = ("shop", "a" * 40, "staging", "web", 5)
    assert promotion_id(*five) == "6391de2adeae6d06611e57263e7ecfda"
