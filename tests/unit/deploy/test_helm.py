"""How long each of Helm's processes may take, so that all of them are over when the budget is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy import Workspace, process
from pipeline_state.deploy.clusters import Access
from pipeline_state.deploy.dialect import Wish
from pipeline_state.deploy.helm import Helm
from pipeline_state.deploy.history import RollBack, Uninstall
from pipeline_state.model.pipelines import Release

BUDGET = 900.0
WEB = Release("web", "shop", "charts/web", timeout=600)


@dataclass
class Played:
    """A Helm that has so much of its budget left, and what its last process was given; words: its arguments."""

    helm: Helm
    left: float = BUDGET
    words: Sequence[str] = ()
    seconds: float = 0.0
    grace: float = 0.0

    async def run(self, command: Sequence[str], *, seconds: float, grace: float, **_: Any) -> process.Ended:
        self.words, self.seconds, self.grace = command, max(0.0, seconds), grace
        return process.Ended(0, b"{}", b"", stopped=False)

    @property
    def timeout(self) -> int:
        """What Helm itself is told of it, in seconds."""
        return int(self.words[self.words.index("--timeout") + 1].removesuffix("s"))


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    access = Access(tmp_path / "kubeconfig", None)
    played = Played(Helm(Workspace(tmp_path, tmp_path), access, budget_seconds=BUDGET))
    monkeypatch.setattr(process, "run", played.run)
    monkeypatch.setattr(Helm, "_left", lambda _: played.left)
    return played


@pytest.mark.parametrize("way", [RollBack(3), Uninstall()], ids=["roll back", "uninstall"])
@pytest.mark.parametrize("left,seconds", [(900, 870), (60, 30), (29, 14), (10, 5), (1, 1)])
def test_the_way_back_has_all_that_is_left_of_the_budget_but_for_ending_it(
    played: Played, way: RollBack | Uninstall, left: float, seconds: int
) -> None:
    played.left = left
    asyncio.run(played.helm.go(way, WEB))
    assert played.timeout == seconds
    assert played.seconds == pytest.approx(seconds, abs=0.5)


def test_an_upgrade_leaves_a_minute_of_the_budget_for_its_rollback(played: Played) -> None:
    played.left = 300
    asyncio.run(played.helm.upgrade(WEB, "web", {}, "gatestream p1", Wish(waits=True)))
    assert (played.timeout, played.seconds, played.grace) == (240, 270, 30)


@pytest.mark.parametrize("left", [900, 61, 60, 29, 1, 0, -5])
def test_no_process_of_helm_outlasts_the_budget(played: Played, left: float) -> None:
    for ask in (
        lambda: played.helm.go(RollBack(3), WEB),
        lambda: played.helm.upgrade(WEB, "web", {}, "gatestream p1", Wish()),
        lambda: played.helm.test(WEB),
        lambda: played.helm.history("web"),
    ):
        played.left = left
        asyncio.run(ask())
        assert played.seconds + played.grace <= max(0, left)
