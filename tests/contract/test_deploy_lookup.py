"""The look-up of a release without Helm: it tells what Helm tells, and leaves to Helm what it cannot read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.control_plane.access import write_config
from pipeline_state.deploy import Deployed, stored
from pipeline_state.deploy.clusters import Access
from pipeline_state.deploy.history import read_history
from pipeline_state.faults import TemporaryFault
from pipeline_state.model.pipelines import Release
from tests.contract.clusters import ClusterUnderTest
from tests.contract.deploy_room import FAILS, NEVER, as_user, behind, opened
from tests.contract.test_deploy import COMMITS, Shop
from tests.payloads.helm.faulty_api import Answer, Fault, close, cut, plain, reset, status

SECRETS = r"/secrets\?"


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    return opened(a_cluster, tmp_path)


def stored_in(shop: Shop, kubeconfig: Path | None = None, name: str = "web") -> stored.Stored | None:
    access = Access(kubeconfig or shop.cluster.kubeconfig, None)
    return stored.read(access, Release(name, shop.namespace, "charts/web"), seconds=60.0)


def test_it_tells_what_helm_tells(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0], values={"text": "\U0001f680"})
    shop.install("p2", commit=COMMITS[1], values=FAILS)
    shop.install("p3 ü", commit=COMMITS[2])
    shop.install("p4", commit=COMMITS[3], values=NEVER)
    found = stored_in(shop)
    assert found
    assert found.revisions == read_history(json.loads(shop.run("helm", "history", "web", "--output", "json")))
    assert [revision.status for revision in found.revisions] == [
        *("superseded", "failed", "superseded", "superseded", "failed", "deployed")
    ]
    assert found.live == 6
    manifest = shop.run("helm", "get", "manifest", "web")
    assert found.manifest.strip() == manifest.strip()
    assert COMMITS[2] in manifest


def test_a_release_and_a_namespace_that_are_not_there_have_no_revisions(shop: Shop) -> None:
    shop.install()
    assert stored_in(shop, name="we") == stored.Stored(())
    assert stored_in(replace(shop, namespace="nowhere"), shop.cluster.admin_kubeconfig) == stored.Stored(())


def test_a_client_certificate_is_shown(shop: Shop) -> None:
    shop.install()
    found = stored_in(shop, shop.cluster.admin_kubeconfig)
    assert found
    assert len(found.revisions) == 1


def test_a_server_that_the_kubeconfig_does_not_vouch_for_is_told_nothing(shop: Shop, tmp_path: Path) -> None:
    with behind(shop) as (vouched, api):
        config = json.loads(Path(vouched.workspace.local_kubeconfig).read_text())
        user = config["users"][0]["user"]
        stranger = write_config(tmp_path / "stranger", {"server": api.url}, user)
        assert stored_in(shop, Path(vouched.workspace.local_kubeconfig)) == stored.Stored(())
        assert stored_in(shop, stranger) is None


ANSWERS: dict[str, Answer] = {
    "a token that is no good": status(401, "Unauthorized", "Unauthorized"),
    "a right that is missing": status(403, "Forbidden", "secrets is forbidden"),
    "throttled": status(429, "TooManyRequests", "too many requests"),
    "shutting down": status(503, "ServiceUnavailable", "apiserver is shutting down"),
    "no JSON": plain(200, "text"),
    "no list": plain(200, "[]"),
    "a Secret without a release": plain(200, '{"items": [{"data": {}}]}'),
    "a release that is not packed": plain(200, '{"items": [{"data": {"release": "aGVsbG8="}}]}'),
    "close": close,
    "reset": reset,
    "cut": cut,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_else_the_api_answers_is_left_to_helm(shop: Shop, name: str) -> None:
    with behind(shop, Fault("GET", SECRETS, ANSWERS[name])) as (faulty, _):
        assert stored_in(shop, Path(faulty.workspace.local_kubeconfig)) is None


def test_what_is_in_the_way_is_told_in_helms_words(shop: Shop) -> None:
    refused = status(401, "Unauthorized", "Unauthorized")
    with behind(shop, Fault("GET", SECRETS, refused)) as (faulty, _), pytest.raises(TemporaryFault) as caught:
        faulty.install()
    assert caught.value.reason.startswith("query: failed to query with labels: Unauthorized")
    assert shop.verbs() == ["history"]


def test_an_install_by_a_kubeconfig_that_only_helm_understands_is_the_same(shop: Shop, tmp_path: Path) -> None:
    path, token = tmp_path / "kubeconfig", tmp_path / "token"
    shutil.copy(shop.cluster.kubeconfig, path)
    config: dict[str, Any] = json.loads(path.read_text())
    token.write_text(shop.cluster.token)
    write_config(path, config["clusters"][0]["cluster"], {"tokenFile": str(token)})
    with_file = as_user(shop, path)
    assert isinstance(with_file.install("p1", commit=COMMITS[0]), Deployed)
    done = with_file.install("p2", commit=COMMITS[1])
    assert isinstance(done, Deployed)
    assert (done.action, done.previous, done.changes["names"]) == ("upgraded", 1, ["~ Deployment/web"])
    assert sorted(shop.verbs()) == ["get", "history", "history", "upgrade", "upgrade"]


def test_revisions_that_helm_keeps_elsewhere_are_left_to_helm(shop: Shop) -> None:
    elsewhere = replace(shop, workspace=replace(shop.workspace, environment={"HELM_DRIVER": "configmap"}))
    assert isinstance(elsewhere.install("p1", commit=COMMITS[0]), Deployed)
    done = elsewhere.install("p1", commit=COMMITS[0])
    assert isinstance(done, Deployed)
    assert done.action == "unchanged"
    assert shop.statuses() == []
