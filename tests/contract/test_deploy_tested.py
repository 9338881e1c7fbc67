"""`helm test` under the shipped role, on both clusters: what passes counts, what fails goes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy import Applied, Deployed, Install, roll_back, test
from pipeline_state.model.pipelines import Verification
from pipeline_state.model.rollout import Broken, Done
from tests.contract.clusters import ClusterUnderTest
from tests.contract.deploy_room import asked, carried_out, opened, with_charts
from tests.contract.test_deploy import COMMITS, Shop

BUDGET = 60.0

test.__test__ = False  # type: ignore[attr-defined]  # pytest would take the function for one of its own


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    return with_charts(opened(a_cluster, tmp_path), tmp_path / "charts", "hooked")


def applied(shop: Shop, promotion: str, commit: str, probe: str) -> tuple[Install, Applied]:
    """A release that is ready and still to be tested; the probe is how its test behaves."""
    values = {"migration": "yes", "probe": probe}
    request = asked(shop, promotion, commit, chart="charts/hooked", test=True, values=values)
    verdict = carried_out(shop, request)
    assert isinstance(verdict, Applied), verdict
    assert verdict.is_ready
    return request, verdict


def test_a_test_that_passes_is_done(shop: Shop) -> None:
    request, _ = applied(shop, "p1", COMMITS[0], "yes")
    assert test(request, workspace=shop.workspace, budget_seconds=BUDGET) == Done()


def test_one_that_fails_names_its_pod_and_the_release_goes_back_to_what_passed(shop: Shop) -> None:
    applied(shop, "p1", COMMITS[0], "yes")
    request, second = applied(shop, "p2", COMMITS[1], "fail")
    seen = test(request, workspace=shop.workspace, budget_seconds=BUDGET)
    assert isinstance(seen, Broken), seen
    assert seen.why.startswith("helm test: ")
    assert "web-probe" in seen.why
    assert "forbidden" not in seen.why
    done = roll_back(request, second.revision, workspace=shop.workspace, budget_seconds=BUDGET)
    assert done == "rolled back to revision 1"
    assert shop.statuses() == ["superseded", "superseded", "deployed"]


def test_what_runs_without_having_been_tested_or_verified_is_not_what_is_wanted_tested_and_verified(shop: Shop) -> None:
    def seen(promotion: str, *, verified: int, **release: Any) -> tuple[str, int]:
        values = {"migration": "yes", "probe": "yes"}
        request = asked(shop, promotion, verified=verified, chart="charts/hooked", values=values, **release)
        verdict = carried_out(shop, request)
        assert isinstance(verdict, Deployed | Applied), verdict
        return f"{type(verdict).__name__} {verdict.action}", verdict.revision

    gate = Verification(gate="smoke")
    assert seen("p1", verified=0) == ("Deployed deployed", 1)
    assert seen("p2", verified=1) == ("Deployed unchanged", 1)
    assert seen("p3", verified=1, test=True) == ("Applied upgraded", 2)
    assert seen("p4", verified=2, test=True) == ("Deployed unchanged", 2)
    assert seen("p5", verified=2, test=True, verify=gate) == ("Applied upgraded", 3)
    assert seen("p6", verified=3, test=True, verify=replace(gate, within=60)) == ("Deployed unchanged", 3)
