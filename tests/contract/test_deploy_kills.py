"""Helm killed with SIGKILL at any moment of an upgrade: whatever it leaves behind, the next install ends well."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import secrets
import select
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Lock

import pytest

from pipeline_state.deploy import Applied, Deployed, Install
from pipeline_state.faults import TemporaryFault
from tests.contract.clusters import ClusterUnderTest
from tests.contract.deploy_room import asked, behind, carried_out, opened
from tests.contract.test_deploy import READY, Shop
from tests.payloads.helm.faulty_api import Fault, Handler, hang

_log = logging.getLogger(__name__)

MOMENTS = 10
HOURS = 2 * 3600
"""A release's timeout that no invocation waits for."""
SLOW = {"annotations": {f"{READY}-after": "300ms"}, "replicaCount": 1}


@dataclass
class Asked:
    """Answers as many requests of Helm's as it may; those that come later hang."""

    most: float = math.inf
    count: int = 0
    lock: Lock = field(default_factory=Lock)

    def __call__(self, handler: Handler) -> None:
        if handler.headers["User-Agent"] == "gatestream" or self._is_one_more():
            handler.pass_on()
        else:
            hang(handler)

    def _is_one_more(self) -> bool:
        with self.lock:
            is_answered = self.count < self.most
            self.count += is_answered
            return is_answered


@dataclass
class Scene:
    """A shop, and a Helm whose upgrades say in a pipe when they begin.

    asks: how many requests an upgrade takes. verified: as of `Install`.
    """

    shop: Shop
    mortal: Shop
    pipe: int
    timeout: int
    asks: int = 0
    verified: int = 0

    def request(self, number: int) -> Install:
        """The promotion of that number, of a commit of its own."""
        given = f"p{number}", commit_of(number)
        return asked(self.shop, *given, verified=self.verified, timeout=self.timeout, values=SLOW)

    def upgraded(self, number: int) -> None:
        """One that nobody disturbs."""
        counted = Asked()
        with behind(self.shop, Fault(".*", "", counted)) as (watched, _):
            verdict = carried_out(watched, self.request(number))
        assert isinstance(verdict, Deployed | Applied), verdict
        self.asks, self.verified = counted.count, verdict.revision

    def killed(self, request: Install, asks: int) -> None:
        """Helm's upgrade dies after so many requests, unless it has ended by then.

        All of them are answered: a server may carry out what it was sent after whoever sent it has died.
        """
        self._killed(request, Fault(".*", "", Asked(asks)))

    def killed_before_its_end(self, request: Install) -> None:
        """Helm's upgrade dies when all is done but for noting that."""
        assert self._killed(request, Fault("PUT", "/secrets/", hang))

    def _killed(self, request: Install, fault: Fault) -> bool:
        """Helm's upgrade dies once a request of it hangs; whether one did."""
        with behind(self.mortal, fault) as (mortal, api), ThreadPoolExecutor() as pool:
            outcome = pool.submit(carried_out, mortal, request)
            with suppress(ProcessLookupError), self._process() as handle:
                while not (api.reached.is_set() or select.select([handle], [], [], 0.01)[0]):
                    pass
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            self._check(outcome.exception())
            return api.reached.is_set()

    def _check(self, fault: BaseException | None) -> None:
        assert fault is None or (isinstance(fault, TemporaryFault) and "signal 9" in fault.reason), fault

    @contextmanager
    def _process(self) -> Iterator[int]:
        assert select.select([self.pipe], [], [], 240)[0], "no upgrade has begun"
        handle = os.pidfd_open(int(os.read(self.pipe, 32)))
        try:
            yield handle
        finally:
            os.close(handle)

    def last_status(self) -> str:
        return self.shop.statuses()[-1]

    def commit_at(self, revision: int) -> str:
        """The commit that a revision was made with."""
        told = self.shop.run("helm", "get", "values", "web", "--output", "json", "--revision", str(revision))
        return str(json.loads(told)["image"]["tag"])


def commit_of(number: int) -> str:
    return f"{number:040d}"


@pytest.fixture
def shop(a_cluster: ClusterUnderTest, tmp_path: Path) -> Shop:
    return opened(a_cluster, tmp_path)


@pytest.fixture(params=[30, HOURS], ids=["awaited", "unwatched"])
def scene(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Scene]:
    path = shop.log.with_name("pipe")
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR)
    mortal = shop.with_helm(f"""[ $1 != upgrade ] || echo $$ > "{path}"; exec "$HELM" "$@" """)
    yield Scene(shop, mortal, pipe, request.param)
    os.close(pipe)


def test_helm_killed_at_any_moment_of_an_upgrade_is_healed_by_the_next_install(scene: Scene) -> None:
    """By the same promotion once more, or by another; where Helm does not wait, each third one is never verified."""
    seed = secrets.randbelow(1 << 32)
    random = Random(seed)  # noqa: S311 - moments, no secrets
    scene.upgraded(0)
    scene.upgraded(1)
    good = 1
    for number in range(2, 2 + MOMENTS):
        asks = int(scene.asks * (number - 2 + random.random()) / MOMENTS)
        _log.warning("seed %d: killed after %d of %d requests", seed, asks, scene.asks)
        scene.killed(scene.request(number), asks)
        was_stuck = scene.last_status().startswith("pending")
        healing = number + random.choice((0, 100))
        revision = healed(scene, healing, good if was_stuck else None)
        if number % 3 or scene.timeout < HOURS:
            scene.verified, good = revision, healing
    scene.killed_before_its_end(scene.request(99))
    assert scene.last_status() == "pending-upgrade"
    healed(scene, 100, good)


def healed(scene: Scene, number: int, good: int | None) -> int:
    """The revision of an install that ends well. good: what had to be gone back to first; None for nothing."""
    verdict = carried_out(scene.shop, scene.request(number))
    assert isinstance(verdict, Applied if scene.timeout == HOURS else Deployed), verdict
    target = re.search(r"rolled back to revision (\d+)", verdict.healed)
    assert (target and scene.commit_at(int(target[1]))) == (None if good is None else commit_of(good)), verdict.healed
    assert scene.shop.image().endswith(commit_of(number))
    assert scene.last_status() == "deployed"
    return verdict.revision


def test_what_was_healed_is_told_also_where_the_upgrade_then_comes_to_nothing(scene: Scene) -> None:
    scene.upgraded(0)
    scene.killed_before_its_end(scene.request(1))
    away = scene.shop.with_helm("""[ $1 != upgrade ] || { echo 'Error: connection refused' >&2; exit 1; }
        exec "$HELM" "$@" """)
    with pytest.raises(TemporaryFault) as caught:
        carried_out(away, scene.request(1))
    healed = "it was left pending-upgrade by a Helm that was killed; rolled back to revision 1"
    assert caught.value.reason.startswith("connection refused; ")
    assert caught.value.reason.endswith(f"; before that: {healed}")
    assert caught.value.delay_seconds == 30
    verdict = carried_out(scene.shop, scene.request(1))
    assert isinstance(verdict, Deployed | Applied), verdict
    assert verdict.healed == ""
