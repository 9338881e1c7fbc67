"""Looks at a release that was applied, and its way back: only what was seen is a verdict, whatever hides the rest."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipeline_state.deploy import Applied, Deployed, Install, look, roll_back, test
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Cluster
from pipeline_state.model.rollout import Broken, Done, Pending
from tests.contract.clusters import ClusterUnderTest
from tests.contract.deploy_room import asked, behind, carried_out, eventually, opened
from tests.contract.test_deploy import COMMITS, Shop, time_is_up
from tests.contract.test_deploy_troubles import pending
from tests.payloads.helm.faulty_api import Answer, Fault, Handler, close, hang, plain, status

FORBIDDEN = status(403, "Forbidden", 'secrets is forbidden: User "me" cannot list resource "secrets"')
NO_ANSWER = "the cluster did not answer Helm in time"

test.__test__ = False  # type: ignore[attr-defined]  # pytest would take the function for one of its own


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    return opened(a_cluster, tmp_path)


def applied(shop: Shop, promotion: str = "p1", commit: str = COMMITS[0]) -> tuple[Install, int]:
    """A release that is given an hour to be ready, and its revision."""
    request = asked(shop, promotion, commit, timeout=3600)
    verdict = carried_out(shop, request)
    assert isinstance(verdict, Applied), verdict
    return request, verdict.revision


@pytest.mark.parametrize(
    "answer,said,budget",
    [(hang, NO_ANSWER, 3), (FORBIDDEN, "secrets is forbidden", 30), (plain(418, ""), "status code 418", 30)],
    ids=["no answer", "a right that is gone for the moment", "an answer that nobody foresaw"],
)
def test_what_could_not_be_looked_at_has_not_failed(shop: Shop, answer: Answer, said: str, budget: int) -> None:
    request, revision = applied(shop)
    with (
        behind(shop, Fault("GET", "/secrets", answer)) as (hidden, _),
        pytest.raises(TemporaryFault, match=said) as caught,
    ):
        look(request, revision, workspace=hidden.workspace, budget_seconds=budget)
    assert caught.value.delay_seconds > 0
    eventually(shop, f"/apis/apps/v1/namespaces/{shop.namespace}/deployments/web", lambda web: web["status"])
    assert isinstance(look(request, revision, workspace=shop.workspace, budget_seconds=60), Done | Pending)


def test_what_somebody_else_has_uninstalled_or_gone_on_from_has_failed(shop: Shop) -> None:
    request, revision = applied(shop)
    shop.install("p2", commit=COMMITS[1])
    seen = look(request, revision, workspace=shop.workspace, budget_seconds=60)
    assert seen == Broken("revision 2 was made meanwhile, by somebody else")
    shop.run("helm", "uninstall", "web")
    seen = look(request, revision, workspace=shop.workspace, budget_seconds=60)
    assert seen == Broken("it was uninstalled meanwhile, by somebody else")
    assert roll_back(request, revision, workspace=shop.workspace, budget_seconds=60) == "uninstalled already"


def test_a_way_to_the_cluster_that_is_barred_just_now_is_no_verdict_of_the_release(shop: Shop) -> None:
    def gone(name: str) -> str:
        raise PermanentFault(f"the secret {name!r} cannot be read: AccessDenied")

    request, revision = applied(shop)
    request = replace(request, cluster=Cluster(kubeconfig_secret="prod"))
    workspace = replace(shop.workspace, fetch_secret=gone)
    for seen in (partial(look, request, revision), partial(test, request), partial(roll_back, request, revision)):
        with pytest.raises(TemporaryFault, match="AccessDenied"):
            seen(workspace=workspace, budget_seconds=60)


def hang_for_helm(handler: Handler) -> None:
    """Our own look-up comes to an end, so that Helm is asked for the same."""
    (close if handler.headers["User-Agent"] == "gatestream" else hang)(handler)


@pytest.mark.parametrize(
    "fault,timeout",
    [(Fault("GET", "", hang_for_helm), 30), (Fault("PATCH|PUT", "/deployments", hang), 3600)],
    ids=["looked up", "half done, to what is not known to have been ready"],
)
def test_a_way_back_that_the_cluster_does_not_answer_is_gone_later(
    shop: Shop, fault: Fault, timeout: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.install("p0", commit=COMMITS[1], timeout=timeout)
    request, revision = applied(shop)
    with behind(shop, fault) as (hidden, api):
        time_is_up(monkeypatch, api.reached.is_set, grace=2)
        with pytest.raises(TemporaryFault, match=NO_ANSWER):
            roll_back(request, revision, workspace=hidden.workspace, budget_seconds=60)
    assert api.reached.is_set()
    assert roll_back(request, revision, workspace=shop.workspace, budget_seconds=60) == "rolled back to revision 1"
    assert shop.image() == f"registry.example.com/web:{COMMITS[1]}"
    assert shop.statuses()[-1] == "deployed"
    done = roll_back(request, revision, workspace=shop.workspace, budget_seconds=60)
    assert done == "rolled back to revision 1 already"


def test_a_helm_that_has_gone_on_from_it_is_left_at_its_work(shop: Shop) -> None:
    shop.install("p0", commit=COMMITS[1])
    request, revision = applied(shop)
    go_on = threading.Event()

    def held(handler: Handler) -> None:
        go_on.wait()
        handler.pass_on()

    at_its_end = Fault("PUT", "/secrets/", held)
    with behind(shop, at_its_end) as (slow, _), ThreadPoolExecutor() as pool, ExitStack() as in_the_end:
        in_the_end.callback(go_on.set)
        upgrade = pool.submit(slow.install, "p2", commit=COMMITS[2])
        pending(shop)
        done = roll_back(request, revision, workspace=shop.workspace, budget_seconds=60)
        assert shop.statuses()[-1] == "pending-upgrade"
        assert done == "left as somebody else made it"
        go_on.set()
        assert isinstance(upgrade.result(), Deployed)
    assert shop.image() == f"registry.example.com/web:{COMMITS[2]}"
