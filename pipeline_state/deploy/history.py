"""What a release's history says: is this promotion done already, and is the release stuck."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_state.model.pipelines import DIGEST

_SUCCEEDED = frozenset({"deployed", "superseded"})
_STUCK = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})


@dataclass(frozen=True, slots=True)
class Revision:
    """One line of `helm history`, oldest first.

    status as Helm says it: https://github.com/helm/helm/blob/v4.0.0/pkg/release/common/status.go
    """

    number: int
    status: str
    chart: str
    description: str

    @property
    def digest(self) -> str:
        """The chart's digest, where the description ends with it."""
        last = self.description.rpartition(" ")[2]
        return last if DIGEST.fullmatch(last) else ""


@dataclass(frozen=True, slots=True)
class RollBack:
    """The way out of a stuck release: back to the last revision that was ever ready."""

    revision: int


@dataclass(frozen=True, slots=True)
class Uninstall:
    """The way out of a stuck release that was never ready: there is nothing to go back to."""


def read_history(lines: Iterable[Mapping[str, Any]]) -> tuple[Revision, ...]:
    """The revisions of `helm history --output json`."""
    return tuple(
        Revision(int(line["revision"]), line["status"], line["chart"], line.get("description", "")) for line in lines
    )


def describe(promotion: str, digest: str = "") -> str:
    """The description of a promotion's revision: its id, and its chart's digest where that is known beforehand."""
    return f"gatestream {promotion} {digest}" if digest else f"gatestream {promotion}"


def finished(revisions: Sequence[Revision], promotion: str) -> Revision | None:
    """The revision of this promotion that became ready, if there is one.

    Superseded counts: somebody went on from there, and a late second delivery must not undo that.
    """
    mine = (each for each in revisions if each.description == describe(promotion, each.digest))
    return next((each for each in mine if each.status in _SUCCEEDED), None)


def ever_ready(revisions: Sequence[Revision]) -> bool:
    """Whether any revision was ready: the next one is an upgrade then, otherwise a first deployment."""
    return any(revision.status in _SUCCEEDED for revision in revisions)


def remedy(revisions: Sequence[Revision]) -> RollBack | Uninstall | None:
    """What frees a release that a killed Helm left behind; None when it is free.

    Helm refuses every upgrade of a pending release ("another operation (install/upgrade/rollback) is in progress"), and
    its rollback, left to itself, takes the revision before even if that one failed. A half-removed release is removed
    for good.
    """
    if not revisions or revisions[-1].status not in _STUCK:
        return None
    good = [revision.number for revision in revisions if revision.status in _SUCCEEDED]
    if good and revisions[-1].status != "uninstalling":
        return RollBack(good[-1])
    return Uninstall()
