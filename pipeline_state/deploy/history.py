"""What a release's history says: is this promotion done already, and is the release stuck."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SUCCEEDED = frozenset({"deployed", "superseded"})
_STUCK = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})

_OURS = re.compile(
    r"gatestream (?P<promotion>.*?)(?P<unverified> unverified)?"
    r"(?: (?P<digest>sha256:[0-9a-f]{64}))?(?: values:(?P<values>[0-9a-f]{32}))?",
    re.DOTALL,
)
_ROLLED_BACK = re.compile(r"Rollback to (\d+)")
_ROLLBACK_FAILED = re.compile(r'Rollback "[^"]*" failed: .*', re.DOTALL)
"""What Helm itself writes about a rollback: https://github.com/helm/helm/blob/v4.0.0/pkg/action/rollback.go"""

_NOT_CARRIED_OUT = re.compile(
    r'(?:Release|Upgrade|Rollback) "[^"]*" failed: .*|Initial install underway|Preparing upgrade', re.DOTALL
)
"""What Helm writes, instead of a description that it was given, until it is done, and for good where it fails."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What the description of one of our revisions says.

    unverified: whether more was to be seen than what Helm waited for, so that its status is not the last word.
    digest: the chart's; values: `values.fingerprint` of what it was given, and of what else was to be seen of it; each
    empty where it was not known before.
    """

    promotion: str
    unverified: bool = False
    digest: str = ""
    values: str = ""


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
    def marks(self) -> Marks | None:
        """What we wrote into its description; None where somebody else made it."""
        ours = _OURS.fullmatch(self.description)
        if ours is None:
            return None
        return Marks(ours["promotion"], bool(ours["unverified"]), ours["digest"] or "", ours["values"] or "")

    @property
    def digest(self) -> str:
        """The chart's digest, where the description tells it."""
        return self.marks.digest if self.marks else ""

    @property
    def back_to(self) -> int:
        """The revision that this one is a rollback to; 0 for any other."""
        match = _ROLLED_BACK.fullmatch(self.description)
        return int(match[1]) if match else 0

    @property
    def is_rollback(self) -> bool:
        """Whether it is one, or was to be: of one that failed Helm does not say where it led to."""
        return bool(self.back_to or _ROLLBACK_FAILED.fullmatch(self.description))

    @property
    def has_succeeded(self) -> bool:
        """Whether Helm has carried it out.

        Where a rollback fails, Helm calls the revision that it was to lead away from superseded, even if that had
        failed itself.
        """
        return self.status in _SUCCEEDED and not _NOT_CARRIED_OUT.fullmatch(self.description)


@dataclass(frozen=True, slots=True)
class RollBack:
    """The way back: to a revision that was ready."""

    revision: int


@dataclass(frozen=True, slots=True)
class Uninstall:
    """The way back of a release that was never ready: there is nothing to go back to."""


WayBack = RollBack | Uninstall


def read_history(lines: Iterable[Mapping[str, Any]]) -> tuple[Revision, ...]:
    """The revisions of `helm history --output json`."""
    return tuple(
        Revision(int(line["revision"]), line["status"], line["chart"], line.get("description", "")) for line in lines
    )


def describe(marks: Marks) -> str:
    """The description of a promotion's revision."""
    unverified = " unverified" if marks.unverified else ""
    digest, values = f" {marks.digest}" if marks.digest else "", f" values:{marks.values}" if marks.values else ""
    return f"gatestream {marks.promotion}{unverified}{digest}{values}"


def finished(revisions: Sequence[Revision], promotion: str) -> Revision | None:
    """The revision of this promotion that became ready while Helm waited for it, if there is one.

    Superseded counts: somebody went on from there, and a late second delivery must not undo that.
    """
    mine = (each for each in revisions if _is_of(each, promotion, unverified=False))
    return next((each for each in mine if each.has_succeeded), None)


def applied(revisions: Sequence[Revision], promotion: str) -> Revision | None:
    """The revision of this promotion that Helm has applied and that has no verdict yet, while it is the latest one."""
    if revisions and _is_of(revisions[-1], promotion, unverified=True) and revisions[-1].has_succeeded:
        return revisions[-1]
    return None


def running(revisions: Sequence[Revision], verified: int) -> Marks | None:
    """What the release runs, where that is one of ours that is known to have become ready; verified: as of `good`."""
    last = revisions[-1] if revisions else None
    if last is None or last.status != "deployed" or not _is_good(last, revisions, verified):
        return None
    return _origin(last, revisions).marks


def is_there(revisions: Sequence[Revision]) -> bool:
    """Whether Helm upgrades the release; what was uninstalled with --keep-history it installs anew."""
    return bool(revisions) and revisions[-1].status != "uninstalled"


def ever_ready(revisions: Sequence[Revision]) -> bool:
    """Whether any revision was carried out: the next one is an upgrade then, otherwise a first deployment."""
    return any(revision.has_succeeded for revision in revisions)


def good(revisions: Sequence[Revision], verified: int = 0) -> Revision | None:
    """The latest revision that is known to have become ready, if there is one.

    verified: the last one of which our own records say so; 0 when they say nothing. Helm calls a revision deployed that
    it did not wait for; such a one counts by those records alone. So does whatever somebody else has made, unless they
    say nothing.
    """
    return next((each for each in reversed(revisions) if _is_good(each, revisions, verified)), None)


def way_back(revisions: Sequence[Revision], verified: int = 0, *, left: int = 0) -> WayBack:
    """Where to go back to; left: the revision that failed. verified: as of `good`.

    One that nobody knows to have been ready, for want of records, is still better than nothing at all. So is one that
    Helm did not carry out, where all others have left the history: it may be a way back that failed, again and again.
    """
    others = [each for each in revisions if each.number != left]
    known = [each for each in others if each.has_succeeded] or [each for each in others if each.status in _SUCCEEDED]
    target = good(others, verified) or (known[-1] if known else None)
    return RollBack(target.number) if target else Uninstall()


def remedy(revisions: Sequence[Revision], verified: int = 0) -> WayBack | None:
    """What frees a release that a killed Helm left behind; None when it is free. verified: as of `good`.

    Helm refuses every upgrade of a pending release ("another operation (install/upgrade/rollback) is in progress"), and
    its rollback, left to itself, takes the revision before even if that one failed. A half-removed release is removed
    for good.
    """
    if not revisions or revisions[-1].status not in _STUCK:
        return None
    return Uninstall() if revisions[-1].status == "uninstalling" else way_back(revisions, verified)


def helm_goes_back_well(revisions: Sequence[Revision], verified: int = 0) -> bool:
    """Whether Helm's own rollback on failure leads to where `way_back` does.

    It takes the latest that it calls deployed or superseded, be it one that it never carried out.
    """
    latest = next((each for each in reversed(revisions) if each.status in _SUCCEEDED), None)
    return latest is None or _is_good(latest, revisions, verified)


def _is_good(revision: Revision, revisions: Sequence[Revision], verified: int) -> bool:
    if not revision.has_succeeded:
        return False
    origin = _origin(revision, revisions)
    if origin.back_to:  # to one that has left the history since, and was good then
        return True
    if origin.marks is None:  # whatever its number: that may be of a history before an uninstallation, or elsewhere
        return not verified
    return not origin.marks.unverified or verified in {revision.number, origin.number}


def _origin(revision: Revision, revisions: Sequence[Revision]) -> Revision:
    """The revision that a rollback goes back to in the end; any other one is its own."""
    before = next((each for each in revisions if each.number == revision.back_to), None)
    return _origin(before, revisions) if before and before.number < revision.number else revision


def _is_of(revision: Revision, promotion: str, *, unverified: bool) -> bool:
    marks = revision.marks
    return marks is not None and (marks.promotion, marks.unverified) == (promotion, unverified)
