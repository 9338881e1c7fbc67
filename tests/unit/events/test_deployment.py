from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.v1.event import CloudEvent

from pipeline_state.events.deployment import (
    deployed,
    failed,
    promoted,
    read_deployment,
    read_promotion,
    started,
    superseded,
)
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.model.promotion import Promotion, promotion_id

AT = datetime(2026, 3, 2, 8, 20, tzinfo=UTC)
COMMIT = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
PROMOTION = Promotion(
    id=promotion_id("web/é", COMMIT, "production", "web", 3),
    repo="octo-org/octo-repo",
    commit=COMMIT,
    branch="main",
    sequence=1772439300500,
    pipeline="web/é",
    pipeline_version=2,
    environment="production",
    environment_key="web_production",
    generation=3,
    release=Release("web", "shop", "charts/web", values={"replicas": 2}),
    cluster=Cluster(eks="prod", region="eu-central-1"),
    releases=("web", "worker"),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def document(event: CloudEvent) -> dict[str, Any]:
    data: Any = event.get_data()
    return dict(data)


def test_a_promotion_is_announced_as_a_fact_under_its_own_id() -> None:
    event = promoted(PROMOTION, at=AT)
    assert event.get_id() == PROMOTION.id
    assert event.get_type() == "dev.cdeventsx.gatestream-release.promoted.0.1.0"
    assert event.get_source() == "/gatestream/pipelines/web%2F%C3%A9"
    assert event.get_subject() == f"octo-org/octo-repo@{COMMIT} → production"
    assert event.get_extension("traceparent") == PROMOTION.traceparent


EVENTS = {
    "promoted": promoted(PROMOTION, at=AT),
    "started": started(PROMOTION, at=AT),
    "superseded": superseded(PROMOTION, at=AT, by=4),
    "failed": failed(PROMOTION, at=AT, reason="timed out"),
    "deployed": deployed(PROMOTION, at=AT, action="deployed", revision=1, chart="web-1.2.3"),
    "upgraded": deployed(PROMOTION, at=AT, action="upgraded", revision=2, chart="web-1.2.3"),
    "rolledback": deployed(PROMOTION, at=AT, action="rolledback", revision=3, chart="web-1.2.3"),
}


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_a_whole_cdevents_document(name: str) -> None:
    event = EVENTS[name]
    data = document(event)
    assert data["context"] == {
        "specversion": "0.5.1",
        "id": event.get_id(),
        "source": event.get_source(),
        "type": event.get_type(),
        "timestamp": "2026-03-02T08:20:00Z",
    }
    assert data["subject"]["id"] == event.get_subject()
    assert data["subject"]["source"] == event.get_source()
    assert event.get_time() == AT


@pytest.mark.parametrize("name", ["deployed", "upgraded", "rolledback"])
def test_a_service_event_has_what_cdevents_asks_for_and_nothing_else(name: str) -> None:
    event = EVENTS[name]
    data = document(event)
    assert event.get_type() == f"dev.cdevents.service.{name}.0.3.0"
    assert event.get_source() == "/gatestream/pipelines/web%2F%C3%A9/environments/production"
    assert event.get_subject() == "web"
    assert data["subject"]["content"] == {
        "environment": {"id": "web_production"},
        "artifactId": f"pkg:github/octo-org/octo-repo@{COMMIT}",
    }
    assert data.keys() == {"context", "subject", "customData"}


def test_a_second_attempt_says_the_same_under_the_same_id() -> None:
    ids = {name: event.get_id() for name, event in EVENTS.items()}
    assert ids["deployed"] == ids["upgraded"] == ids["rolledback"] == f"{PROMOTION.id}-deployed"
    assert len({ids["promoted"], ids["started"], ids["superseded"], ids["failed"], ids["deployed"]}) == 5


def test_a_promotion_that_a_later_version_wrote_is_read() -> None:
    event = promoted(PROMOTION, at=AT)
    promotion = document(event)["subject"]["content"]["promotion"]
    promotion |= {
        "priority": 1,
        "release": {**promotion["release"], "wave": 2},
        "cluster": {"eks": "prod", "zone": "a"},
    }
    assert read_promotion(event) == replace(PROMOTION, cluster=Cluster(eks="prod"))


@pytest.mark.parametrize("name", ["started", "superseded", "failed", "deployed"])
def test_a_deployment_is_not_a_promotion(name: str) -> None:
    with pytest.raises(PermanentFault, match=r"expected dev\.cdeventsx\.gatestream-release\.promoted"):
        read_promotion(EVENTS[name])


def test_a_promotion_is_not_a_deployment() -> None:
    with pytest.raises(PermanentFault, match="which no installer sends"):
        read_deployment(EVENTS["promoted"])


@pytest.mark.parametrize(
    "data, problem",
    [
        ({}, "not a CDEvents document"),
        ({"subject": {"content": []}}, "our part of its data is a list"),
        ({"subject": {"content": {}}}, "'promotion' is missing"),
        ({"subject": {"content": {"promotion": {"id": "x"}}}}, "'repo' is missing"),
        ({"subject": {"content": {"promotion": []}}}, "a value does not fit"),
    ],
)
def test_data_that_is_not_whole_is_refused_with_the_reason(data: dict[str, Any], problem: str) -> None:
    event = CloudEvent(EVENTS["promoted"].get_attributes(), data)
    with pytest.raises(PermanentFault, match=problem):
        read_promotion(event)


def test_a_deployment_tells_its_charts_digest_and_an_older_one_none() -> None:
    digest = "sha256:" + "0a" * 32
    event = deployed(PROMOTION, at=AT, action="upgraded", revision=2, chart="web-1.2.3", digest=digest)
    assert (read_deployment(event).digest, read_deployment(EVENTS["upgraded"]).digest) == (digest, "")
    assert "digest" not in document(EVENTS["upgraded"])["customData"]


def test_a_revision_that_is_no_number_is_refused() -> None:
    event = EVENTS["upgraded"]
    data = document(event)
    told = {**data, "customData": {**data["customData"], "revision": "two"}}
    with pytest.raises(PermanentFault, match="its revision is a str"):
        read_deployment(CloudEvent(event.get_attributes(), told))
