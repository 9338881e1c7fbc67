"""A way back that fails, as Helm notes it: it is gone again, and to nothing that never was ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_state.deploy import Applied, look, roll_back
from pipeline_state.faults import TemporaryFault
from pipeline_state.model.rollout import Broken
from tests.contract.clusters import ClusterUnderTest
from tests.contract.deploy_room import NEVER, asked, behind, carried_out, opened
from tests.contract.test_deploy import COMMITS, Shop, reason
from tests.payloads.helm.faulty_api import Fault, status

AWAY = 'Internal error occurred: failed calling webhook "a.example.com": dial tcp 10.0.0.1:443: connection refused'
WEBHOOK_AWAY = Fault("PATCH|PUT", "/deployments", status(500, "InternalError", AWAY))


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    return opened(a_cluster, tmp_path)


def test_what_failed_with_the_way_back_from_it_is_not_what_the_next_failure_goes_back_to(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    with behind(shop, WEBHOOK_AWAY) as (refused, _), pytest.raises(TemporaryFault, match="failed calling webhook"):
        refused.install("p2", commit=COMMITS[1])
    assert shop.statuses() == ["deployed", "superseded", "failed"], "that is what Helm makes of an upgrade that failed"
    assert "rolled back to revision 1" in reason(shop.install("p3", commit=COMMITS[2], values=NEVER))
    assert shop.image() == f"registry.example.com/web:{COMMITS[0]}"
    assert shop.statuses()[-2:] == ["failed", "deployed"]


@pytest.mark.parametrize("times,target", [(1, 1), (10, 11)], ids=["once", "until the history has nothing else"])
def test_a_way_back_that_the_cluster_refuses_for_a_while_is_gone_when_it_does_so_no_longer(
    shop: Shop, times: int, target: int
) -> None:
    shop.install("p1", commit=COMMITS[0])
    request = asked(shop, "p2", COMMITS[1], timeout=3600)
    assert isinstance(carried_out(shop, request), Applied)
    with behind(shop, WEBHOOK_AWAY) as (refused, _):
        for _ in range(times):
            with pytest.raises(TemporaryFault, match="failed calling webhook"):
                roll_back(request, 2, workspace=refused.workspace, budget_seconds=60)
    assert roll_back(request, 2, workspace=shop.workspace, budget_seconds=60) == f"rolled back to revision {target}"
    assert shop.image() == f"registry.example.com/web:{COMMITS[0]}"
    done = roll_back(request, 2, workspace=shop.workspace, budget_seconds=60)
    assert done == f"rolled back to revision {target} already"


def test_what_somebody_has_uninstalled_and_kept_the_history_of_has_failed_and_stays_so(shop: Shop) -> None:
    shop.install("p1", commit=COMMITS[0])
    request = asked(shop, "p2", COMMITS[1], timeout=3600)
    assert isinstance(carried_out(shop, request), Applied)
    shop.run("helm", "uninstall", "web", "--keep-history")
    seen = look(request, 2, workspace=shop.workspace, budget_seconds=60)
    assert seen == Broken("it was uninstalled meanwhile, by somebody else")
    assert roll_back(request, 2, workspace=shop.workspace, budget_seconds=60) == "uninstalled already"
    assert (shop.deployments(), shop.statuses()) == ([], ["superseded", "uninstalled"])
