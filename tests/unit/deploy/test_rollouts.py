"""The way back of a release that was applied, by what its history says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pipeline_state.deploy import Install
from pipeline_state.deploy.helm import Helm
from pipeline_state.deploy.history import Revision, RollBack, WayBack
from pipeline_state.deploy.rollouts import _roll_back
from pipeline_state.model.pipelines import Cluster, Release

REQUEST = Install(Release("web", "shop", "charts/web"), Cluster(), "a" * 40, "p2", verified=1)
READY = Revision(1, "superseded", "web-1.0.0", "gatestream p1")
FAILED = 'Rollback "web" failed: cannot patch "web": connection refused'


@dataclass
class Played:
    """Helm with a history. gone: the ways it was sent."""

    history: tuple[Revision, ...]
    gone: list[WayBack] = field(default_factory=list)

    async def revisions(self, _: Release) -> tuple[Revision, ...]:
        return self.history

    async def go(self, way: WayBack, _: Release, **__: Any) -> str:
        self.gone.append(way)
        return "gone back"


def gone_back(*since: tuple[str, str]) -> tuple[str, list[WayBack]]:
    """What becomes of revision 2, with these statuses and descriptions after it."""
    applied = Revision(2, "superseded" if since else "deployed", "web-1.0.0", "gatestream p2 unverified")
    newer = (Revision(number, status, "web-1.0.0", told) for number, (status, told) in enumerate(since, 3))
    helm = Played((READY, applied, *newer))
    done = asyncio.run(_roll_back(cast("Helm", helm), REQUEST, 2))
    return done, helm.gone


@pytest.mark.parametrize(
    "since",
    [
        (),
        (("failed", FAILED),),
        (("superseded", FAILED), ("failed", FAILED)),
        (("pending-rollback", "Rollback to 1"),),
        (("failed", FAILED), ("pending-rollback", "Rollback to 1")),
    ],
)
def test_a_way_back_that_failed_or_was_cut_short_is_gone_again(since: tuple[tuple[str, str], ...]) -> None:
    assert gone_back(*since) == ("gone back", [RollBack(1)])


def test_one_that_was_gone_is_not_gone_again() -> None:
    since = ("failed", FAILED), ("deployed", "Rollback to 1")
    assert gone_back(*since) == ("rolled back to revision 1 already", [])


@pytest.mark.parametrize("told", ['Upgrade "web" failed: connection refused', "Upgrade complete", "gatestream p3"])
def test_what_else_came_since_is_left_alone(told: str) -> None:
    assert gone_back(("failed", told)) == ("left as somebody else made it", [])
    assert gone_back(("failed", told), ("failed", FAILED)) == ("left as somebody else made it", [])
