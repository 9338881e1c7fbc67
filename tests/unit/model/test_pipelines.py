"""Pipelines and promotions as plain data, and the names and locks made of them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Release,
    SourceKind,
    Verification,
)
from pipeline_state.model.promotion import Action, Promotion, promotion_id

VALUES = {"image": {"repository": "web"}, "replicas": 2}
WEB = Release("web", "shop", "oci://registry/web", "1.2.3", VALUES, "tag", 60, "sha256:" + "0a" * 32)
PIPELINE = Pipeline(
    name="shop",
    repo="myOrg/myApp",
    branches=("main", "release/*"),
    paths=("web/*",),
    gates=(
        GateDefinition("legal"),
        *(GateDefinition(kind, GateSource(kind, f"by {kind}", "an-app")) for kind in SourceKind),
        GateDefinition("any app", GateSource(SourceKind.GITHUB_CHECK, "build")),
    ),
    environments=(
        Environment("staging", ("legal",), (), (WEB, replace(WEB, name="worker", version=None)), Cluster(context="c")),
        Environment("live", (), ("staging",), (WEB,), Cluster(eks="prod", region="eu-west-1", role="arn:aws:iam::1:r")),
        Environment("edge", (), ("staging", "live"), (), Cluster(kubeconfig_secret="edge", context="here")),
    ),
    shared=True,
    version=7,
)
PROMOTION = Promotion(
    id="1" * 32,
    repo="myOrg/myApp",
    commit="a" * 40,
    branch="main",
    sequence=500,
    pipeline="shop",
    pipeline_version=7,
    environment="staging",
    environment_key="shop_staging",
    generation=3,
    release=WEB,
    cluster=Cluster(eks="prod", region="eu-west-1"),
    releases=("web", "worker"),
    traceparent="00-1-2-01",
)


def test_a_pipeline_comes_back_from_json_as_it_was() -> None:
    assert Pipeline.from_dict(json.loads(json.dumps(PIPELINE.to_dict()))) == PIPELINE


NEWER: dict[str, Any] = {
    "image": "registry/web",
    "registry_secret": "login",
    "test": True,
    "verify": Verification(gate="legal", within=60),
}
HOW: dict[str, Any] = {"in_order": True, "rollback_together": True, "force_conflicts": True}


def test_how_releases_are_installed_and_verified_comes_back_from_json() -> None:
    releases = (replace(WEB, **NEWER), replace(WEB, name="api", verify=Verification("https://shop.example.com")))
    pipeline = replace(PIPELINE, environments=(replace(PIPELINE.environments[0], releases=releases, **HOW),))
    assert Pipeline.from_dict(json.loads(json.dumps(pipeline.to_dict()))) == pipeline


def test_definitions_from_before_releases_were_verified_install_as_they_did() -> None:
    written = json.loads(json.dumps(replace(PIPELINE, environments=PIPELINE.environments[:1]).to_dict()))
    (environment,) = written["environments"]
    for key in HOW:
        del environment[key]
    for release in environment["releases"]:
        for key in NEWER:
            del release[key]
    assert Pipeline.from_dict(written).environments == PIPELINE.environments[:1]


def test_a_pipeline_of_an_earlier_version_has_what_was_added_since_by_default() -> None:
    written = Pipeline("shop", "r").to_dict()
    del written["paths"], written["shared"]
    assert Pipeline.from_dict({**written, "of a later version": 1}) == Pipeline("shop", "r")


@pytest.mark.parametrize(
    "branch, taken", [("main", True), ("release/1.0", True), ("release/1/x", True), ("Main", False), ("mainly", False)]
)
def test_a_pipeline_takes_a_branch(branch: str, taken: bool) -> None:  # noqa: FBT001
    assert PIPELINE.takes_branch(branch) is taken


def test_names_carry_the_pipelines_where_several_share_a_repository() -> None:
    alone = replace(PIPELINE, shared=False)
    assert (PIPELINE.key_of("live"), alone.key_of("live")) == ("shop_live", "live")
    assert (PIPELINE.deployed_gate("live"), alone.deployed_gate("live")) == (
        "deployed_to_shop_live",
        "deployed_to_live",
    )


def test_an_environment_is_found_by_its_name() -> None:
    assert PIPELINE.environment("live") is PIPELINE.environments[1]
    assert PIPELINE.environment("nowhere") is None


@pytest.mark.parametrize(
    "cluster, name",
    [
        (Cluster(eks="prod", region="eu-west-1"), "prod"),
        (Cluster(kubeconfig_secret="edge", context="here"), "edge"),
        (Cluster(context="here"), "here"),
        (Cluster(), "local"),
    ],
    ids=["EKS", "a secret", "a context", "nothing"],
)
def test_a_cluster_is_called_by(cluster: Cluster, name: str) -> None:
    assert cluster.name == name


def test_a_promotion_comes_back_from_json_and_its_trace_travels_apart() -> None:
    written = json.loads(json.dumps(PROMOTION.to_dict()))
    assert "traceparent" not in written
    assert Promotion.from_dict(written, "00-1-2-01") == PROMOTION


def test_a_promotion_of_a_later_version_is_read() -> None:
    written = PROMOTION.to_dict()
    later = written | {"new": 1, "release": written["release"] | {"new": 1}, "cluster": written["cluster"] | {"new": 1}}
    assert Promotion.from_dict(later, "00-1-2-01") == PROMOTION


def test_a_promotion_from_before_charts_had_digests_may_install_any() -> None:
    written = PROMOTION.to_dict()
    older = {name: value for name, value in written["release"].items() if name != "digest"}
    assert Promotion.from_dict(written | {"release": older}, "00-1-2-01").release == replace(WEB, digest="")


SINCE_THE_FIRST: dict[str, Any] = {
    "action": Action.PROMOTE,
    "reason": "",
    "override": False,
    "freezes": (),
    "in_order": False,
    "rollback_together": False,
    "force_conflicts": False,
}


def test_a_promotion_of_the_first_version_is_read() -> None:
    written = {name: value for name, value in PROMOTION.to_dict().items() if name not in SINCE_THE_FIRST}
    assert Promotion.from_dict(written, "00-1-2-01") == replace(PROMOTION, **SINCE_THE_FIRST)


@pytest.mark.parametrize("missing", sorted(set(PROMOTION.to_dict()) - set(SINCE_THE_FIRST)))
def test_a_promotion_that_is_not_whole_is_refused(missing: str) -> None:
    written = PROMOTION.to_dict()
    del written[missing]
    with pytest.raises((KeyError, TypeError)):
        Promotion.from_dict(written)


ID = ("shop", "a" * 40, "staging", "web", 3)


def test_an_id_is_the_same_for_the_same() -> None:
    assert promotion_id(*ID) == promotion_id(*ID)
    assert len(promotion_id(*ID)) == 32


@pytest.mark.parametrize("place", range(5))
def test_an_id_differs_where_anything_differs(place: int) -> None:
    other = [*ID]
    other[place] = 4 if place == 4 else "another"
    assert promotion_id(*other) != promotion_id(*ID)  # type: ignore[arg-type]


def test_names_never_run_into_their_neighbours_in_an_id() -> None:
    assert promotion_id("a", "b", "c,d", "e", 1) != promotion_id("a", "b", "c", "d,e", 1)


def test_a_lock_is_one_for_every_promotion_of_a_release() -> None:
    other = replace(PROMOTION, id="2", commit="b", generation=4, environment="live", pipeline="other")
    assert other.lock == PROMOTION.lock
    assert len(PROMOTION.lock) <= 128


@pytest.mark.parametrize(
    "changed",
    [
        replace(PROMOTION, release=replace(WEB, name="worker")),
        replace(PROMOTION, release=replace(WEB, namespace="live")),
        replace(PROMOTION, cluster=Cluster(eks="other", region="eu-west-1")),
        replace(PROMOTION, cluster=Cluster(eks="prod", region="us-east-1")),
    ],
    ids=["release", "namespace", "cluster", "region"],
)
def test_a_lock_is_another_for_another(changed: Promotion) -> None:
    assert changed.lock != PROMOTION.lock
