"""Many at once: two promotions of one release, which take turns, and twenty releases, which do not have to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from functions.helm_installer import app as installer_app
from infra.local.control_plane.furnish import until
from pipeline_state import tracing
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline
from tests.contract import shop as shops
from tests.contract.clusters import ClusterUnderTest
from tests.contract.deploy_room import asked, carried_out, opened
from tests.contract.function_room import FunctionRoom
from tests.contract.shop import CHARTS
from tests.contract.table_room import WEB, A, B, pipeline, together
from tests.contract.test_deploy import READY, deployed

CHANGES = ("upgrade", "rollback", "uninstall")
"""What two Helms must never do at once; that others look meanwhile is no matter."""


class Shop(shops.Shop):
    """One whose cluster may be any, and whose rollouts take a while."""

    cluster: ClusterUnderTest

    def pipeline(self, **release: Any) -> Pipeline:
        values = {"annotations": {f"{READY}-after": "700ms"}, "replicaCount": 1}
        web = replace(WEB, namespace=self.namespace, timeout=30, values=values, **release)
        return pipeline(Environment("staging", ("build",), (), (web,), Cluster()))


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each Helm that changes something says that it begins, and that it has ended."""
    log, folder = tmp_path / "turns", tmp_path / "bin"
    log.touch()
    folder.mkdir()
    script = folder / "helm"
    helm, held = shutil.which("helm"), held_of(log)
    told = f"""echo "begins $1" >> '{log}'; '{helm}' "$@"; code=$?; while [ -e '{held}' ]; do sleep 0.02; done"""
    script.write_text(
        f"""#!/bin/sh
        case $1 in {"|".join(CHANGES)}) {told}; echo "ends $1" >> '{log}'; exit $code;; esac
        exec '{helm}' "$@"
        """
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return log


@pytest.fixture
def shop(
    functions: FunctionRoom, a_cluster: ClusterUnderTest, turns: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    assert turns.exists()
    more = {
        "DEAD_LETTER_QUEUE_URL": functions.dead_installs,
        "LOCAL_KUBECONFIG": str(a_cluster.kubeconfig),
        "CHARTS_DIR": str(CHARTS),
        "INSTALL_ATTEMPTS": "3",
    }
    for name, value in {**functions.settings, **more}.items():
        monkeypatch.setenv(name, value)
    shop = Shop(functions, a_cluster.kubeconfig)
    shop.cluster, shop.namespace = a_cluster, a_cluster.new_namespace()
    shop.define()
    yield shop
    installer_app.handler.cache_clear()
    tracing.shutdown()


def held_of(log: Path) -> Path:
    """As long as there is this file, no Helm ends that has changed something."""
    return log.with_name("held")


def in_turn(log: Path) -> int:
    """How many Helms changed something, each after the end of the one before."""
    lines = log.read_text().splitlines()
    for begun, ended in zip(lines[::2], lines[1::2], strict=True):
        assert (begun.split()[0], ended) == ("begins", f"ends {begun.split()[1]}"), lines
    return len(lines) // 2


def test_a_promotion_that_comes_amid_an_install_waits_for_its_end(shop: Shop, turns: Path) -> None:
    shop.promote(A)
    first, held = shop.receive_and_acknowledge(), held_of(turns)
    held.touch()
    with ThreadPoolExecutor() as pool, ExitStack() as in_the_end:
        in_the_end.callback(held.unlink, missing_ok=True)
        installing = pool.submit(shop.invoke, [first])
        until(lambda: "begins" in turns.read_text(), "Helm, that it begins", lambda: None)
        shop.promote(B, A, 100)
        second = shop.receive_and_acknowledge()
        assert shop.invoke([second]) == {"batchItemFailures": []}
        assert not installing.done()
        assert [name for name in shop.functions.tables.environment() if name.startswith("parked:")]
        held.unlink()
        assert installing.result() == {"batchItemFailures": []}
    shop.install()
    assert (shop.gate(A)["status"], shop.gate(B)["status"]) == ("TRUE", "TRUE")
    assert (shop.statuses(), shop.image("web")) == (["superseded", "deployed"], B)
    assert in_turn(turns) == 2


def test_two_promotions_that_begin_at_one_moment_take_turns(shop: Shop, turns: Path) -> None:
    shop.promote(A)
    first = shop.receive_and_acknowledge()
    shop.promote(B, A, 100)
    second = shop.receive_and_acknowledge()
    answers = together(4, lambda index: shop.invoke([(first, second)[index % 2]]))
    assert not answers[0]["batchItemFailures"]
    shop.mapping.show_again([first, second])
    shop.install()
    assert shop.gate(B)["status"] == "TRUE"
    assert (shop.statuses()[-1], shop.image("web")) == ("deployed", B)
    assert in_turn(turns) == shop.revisions()
    assert not [name for name in shop.functions.tables.environment() if name.startswith(("parked:", "lease"))]


def test_twenty_releases_are_installed_in_parallel(a_cluster: ClusterUnderTest, tmp_path: Path) -> None:
    shop = opened(a_cluster, tmp_path)
    names = [f"web-{number}" for number in range(20)]

    def one(index: int) -> tuple[str, int, str]:
        request = asked(shop, f"p{index}", f"{index:040d}", name=names[index], timeout=60)
        return deployed(carried_out(shop, request, budget=150))

    assert together(20, one) == [("deployed", 1, "web-0.1.0")] * 20
    assert sorted(shop.deployments()) == sorted(names)
    for index in range(20):
        assert shop.image(names[index]).endswith(f"{index:040d}")
