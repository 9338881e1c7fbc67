"""An API server in trouble while Helm works: a token that runs out, a restart, slowness. Nothing gets stuck."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from infra.local import control_plane
from infra.local.control_plane.access import ApiError
from infra.local.control_plane.furnish import answers, until
from pipeline_state.deploy import Deployed
from pipeline_state.faults import TemporaryFault
from tests.contract.clusters import ClusterUnderTest, real
from tests.contract.deploy_room import Verdict, behind, opened
from tests.contract.test_deploy import COMMITS, READY, Shop, deployed
from tests.payloads.helm.faulty_api import Fault, FaultyApi, Handler, close, status

SLOW = {"annotations": {f"{READY}-after": "3s"}, "replicaCount": 1}
LONG = 120
"""Those who watch an API server try it again half a minute after a long outage only."""
REFUSED = status(401, "Unauthorized", "Unauthorized")


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    return opened(a_cluster, tmp_path)


def pending(shop: Shop) -> None:
    """Returns once Helm is amid an upgrade."""
    shop.cluster.first(f"/api/v1/namespaces/{shop.namespace}/secrets?labelSelector=status=pending-upgrade")


def upgraded_amid(shop: Shop, trouble: Callable[[], None], timeout: int = 30) -> Verdict | TemporaryFault:
    """What comes of an upgrade amid which there is trouble."""
    with ThreadPoolExecutor() as pool:
        upgrade = pool.submit(shop.install, "p2", commit=COMMITS[1], values=SLOW, timeout=timeout)
        pending(shop)
        trouble()
        try:
            return upgrade.result()
        except TemporaryFault as fault:
            return fault


def ends_well(shop: Shop) -> None:
    """The next promotion is deployed."""
    assert deployed(shop.install("p3", commit=COMMITS[2], timeout=LONG))[0] == "upgraded"
    assert shop.image() == f"registry.example.com/web:{COMMITS[2]}"
    assert shop.statuses()[-1] == "deployed"


def expired(handler: Handler) -> None:
    """A real API server says by itself what it thinks of a token that is good no longer."""
    if handler.tls is None:
        REFUSED(handler)
        return
    handler.headers.replace_header("Authorization", "Bearer k8s-aws-v1.ZXhwaXJlZA")
    handler.pass_on()


def test_a_token_that_expires_amid_an_upgrade_is_tried_again_with_a_new_one(shop: Shop) -> None:
    shop.install("p1")
    with behind(shop) as (expiring, api):
        outcome = upgraded_amid(expiring, lambda: api.faults.append(Fault(".*", "", expired)))
    assert isinstance(outcome, TemporaryFault), outcome
    assert outcome.delay_seconds == 5.0
    assert shop.statuses()[-1] == "pending-upgrade"
    verdict = shop.install("p2", commit=COMMITS[1])
    assert isinstance(verdict, Deployed), verdict
    assert "rolled back to revision 1" in verdict.healed
    assert shop.image() == f"registry.example.com/web:{COMMITS[1]}"


@pytest.fixture
def restartable(a_cluster: ClusterUnderTest, tmp_path: Path) -> Iterator[tuple[Shop, Callable[[], None]]]:
    """A shop, and what restarts its API server: a control plane of its own, which nobody else is at work with."""
    if a_cluster.plane is None:
        with behind(opened(a_cluster, tmp_path)) as (shop, api):
            yield shop, lambda: lost(api)
        return
    with control_plane.start(tmp_path / "plane") as plane:
        balanced = Fault(".*", "", lambda handler: passed_on_if_ready(handler, plane))
        with behind(opened(real(plane), tmp_path), balanced) as (shop, _):
            yield shop, lambda: restarted(plane)


def passed_on_if_ready(handler: Handler, plane: control_plane.Plane) -> None:
    """As a load balancer does: an API server that has just begun does not know yet who may do what."""
    try:
        is_ready = answers(plane.admin)
    except (ApiError, HTTPException, OSError):
        is_ready = False
    if is_ready:
        handler.pass_on()
    else:
        close(handler)


def lost(api: FaultyApi) -> None:
    """Nobody answers until Helm has noticed."""
    noticed = threading.Event()

    def refuse(handler: Handler) -> None:
        noticed.set()
        close(handler)

    api.faults.append(Fault(".*", "", refuse))
    assert noticed.wait(60)
    api.faults.clear()


def restarted(plane: control_plane.Plane) -> None:
    """The API server is killed; returns when its successor answers."""
    before = plane.pid("kube-apiserver")
    os.kill(before, signal.SIGKILL)
    until(lambda: plane.pid("kube-apiserver") != before and answers(plane.admin), "a new API server", lambda: None)


def test_an_api_server_that_restarts_amid_an_upgrade_leaves_nothing_stuck(
    restartable: tuple[Shop, Callable[[], None]],
) -> None:
    shop, restart = restartable
    shop.install("p1")
    outcome = upgraded_amid(shop, restart, LONG)
    assert isinstance(outcome, Deployed | TemporaryFault), outcome
    ends_well(shop)


def slowly(handler: Handler) -> None:
    threading.Event().wait(0.5)
    handler.pass_on()


def test_an_api_server_that_takes_half_a_second_for_each_call_is_borne_with(shop: Shop) -> None:
    began = time.monotonic()
    with behind(shop, Fault(".*", "", slowly)) as (slow, _):
        assert deployed(slow.install(budget=60, timeout=30)) == ("deployed", 1, "web-0.1.0")
    assert time.monotonic() - began < 60
    assert shop.statuses() == ["deployed"]
