"""Looks at a release that was applied, and its way back, by what Helm says of it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline_state.deploy import Install, Workspace, look, session
from pipeline_state.deploy.helm import Helm
from pipeline_state.deploy.history import Revision, RollBack, WayBack
from pipeline_state.deploy.rollouts import _roll_back
from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.model.rollout import Broken, Done, Seen

REQUEST = Install(Release("web", "shop", "charts/web"), Cluster(), "a" * 40, "p2", verified=1)
READY = Revision(1, "superseded", "web-1.0.0", "gatestream p1")
FAILED = 'Rollback "web" failed: cannot patch "web": connection refused'


@dataclass
class Played:
    """Helm with a history. says: its status. gone: the ways it was sent."""

    history: tuple[Revision, ...] = ()
    says: dict[str, Any] = field(default_factory=dict)
    gone: list[WayBack] = field(default_factory=list)

    async def revisions(self, _: Release) -> tuple[Revision, ...]:
        return self.history

    async def status(self, _: str, **__: Any) -> dict[str, Any]:
        return self.says

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


def test_what_is_uninstalled_is_left_so_although_its_history_was_kept() -> None:
    assert gone_back(("uninstalled", "Uninstallation complete")) == ("uninstalled already", [])


@pytest.mark.parametrize(
    "version,status,seen",
    [
        (2, "deployed", Done()),
        (3, "deployed", Broken("revision 3 was made meanwhile, by somebody else")),
        (2, "uninstalled", Broken("it was uninstalled meanwhile, by somebody else")),
        (2, "uninstalling", Broken("it is uninstalling meanwhile, by somebody else")),
    ],
)
def test_objects_that_are_not_there_are_ready_only_while_the_revision_is_deployed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: int, status: str, seen: Seen
) -> None:
    helm = Played(says={"version": version, "info": {"status": status}})
    monkeypatch.setattr(session, "helm", lambda *_: nullcontext(helm))
    assert look(REQUEST, 2, workspace=Workspace(tmp_path, tmp_path), budget_seconds=1) == seen
