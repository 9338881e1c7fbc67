"""The order of pushes on a branch.

Every push says where the branch was before it, so pushes form a chain, and the chain is the order. GitHub's own time of
a push has whole seconds and is kept per repository, so it only ranks chains that do not join. The order in which
webhooks arrive never counts.

A place in the order is a number, so that "newer" is one comparison in a condition: 1,000 places to a second, a push
in the middle of its second, and a chain that needs more room simply runs on into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pipeline_state.model.times import format_time, parse_time

NO_COMMIT = "0" * 40
"""What GitHub sends as `before` of a created branch and as `after` of a deleted one."""

_PLACES_PER_SECOND = 1000

_CLOCK_SLACK = 5 * _PLACES_PER_SECOND + _PLACES_PER_SECOND // 2
"""How far GitHub's repository-wide time of a push may contradict the chain; beyond it, the branch was reset.

Five seconds, and half a second's places for commits that the chain itself has moved up meanwhile.
"""


@dataclass(frozen=True, slots=True)
class Push:
    """A branch moved from one commit to another.

    pushed_at: RFC 3339. paths: what changed; None when not wholly known.
    """

    before: str
    after: str
    pushed_at: str
    paths: tuple[str, ...] | None = None

    @property
    def earliest(self) -> int:
        """The place its time alone gives it."""
        moment = parse_time(self.pushed_at)
        seconds = int(moment.timestamp()) if moment else 0
        return seconds * _PLACES_PER_SECOND + _PLACES_PER_SECOND // 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a commit stands on one branch.

    sequence: greater is newer. before, next: its neighbours in the chain, where known.
    pushed_at: time of the push that brought it here; None while only the next push has told of it.
    paths: what that push changed; None when not wholly known, which counts as everything.
    """

    sequence: int
    before: str | None = None
    next: str | None = None
    pushed_at: str | None = None
    paths: tuple[str, ...] | None = None

    @property
    def pushed_by(self) -> str:
        """When the push that brought the commit here had happened: its time, or the latest it can turn out to be."""
        if self.pushed_at:
            return self.pushed_at
        return format_time(datetime.fromtimestamp((self.sequence + _CLOCK_SLACK) // _PLACES_PER_SECOND, UTC))

    @classmethod
    def from_dict(cls, data: object) -> Place | None:
        """The inverse of `to_dict`; None for anything else."""
        if not isinstance(data, Mapping) or not isinstance(data.get("sequence"), int | Decimal):
            return None
        paths = data.get("paths")
        return cls(
            sequence=int(data["sequence"]),
            before=_text(data.get("before")),
            next=_text(data.get("next")),
            pushed_at=_text(data.get("pushed_at")),
            paths=tuple(str(path) for path in paths) if isinstance(paths, list) else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data; what is not known is left out."""
        known = {"before": self.before, "next": self.next, "pushed_at": self.pushed_at}
        data: dict[str, Any] = {"sequence": self.sequence, **{key: value for key, value in known.items() if value}}
        return data if self.paths is None else {**data, "paths": list(self.paths)}


Known = Callable[[str], Place | None]


def place(push: Push, known: Known) -> Mapping[str, Place]:
    """The places that change by a push, by commit: its own, its `before`'s, and those it moves further along the chain.

    known: the place a commit has on this branch so far. Pushes may be told in any sequence and any number of times; the
    same pushes leave the same order. A place only ever moves up, which is what makes it so: a commit pushed again takes
    the later place, and a commit that turns out to have been a branch's tip again moves up to there.
    What can stay ambiguous is a branch that comes back to a commit by way of several others, or leaves it again, all
    within five seconds: a contradiction that short is taken for one of GitHub's clocks.
    """
    before = None if push.before == NO_COMMIT else known(push.before)
    after = known(push.after)
    if after and (after.before, after.pushed_at) == (_commit(push.before), push.pushed_at):
        return {}
    visit = push.earliest
    changed = {}
    if before and _came_back(push, before, after):
        changed[push.before] = before
    elif push.before != NO_COMMIT:
        visit = max(visit, before.sequence + 1) if before else visit
        changed[push.before] = _left(push, visit, before, known)
    changed[push.after] = _visited(push, visit, after, known)
    return _with_followers(push.after, changed, known)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _commit(sha: str) -> str | None:
    return None if sha == NO_COMMIT else sha


def _came_back(push: Push, before: Place, after: Place | None) -> bool:
    """Whether the commit a push came from was pushed again later, so that its place says nothing about this push."""
    ahead = before.sequence - push.earliest
    return ahead > _CLOCK_SLACK or (ahead >= 0 and after is not None and after.next == push.before)


def _visited(push: Push, visit: int, after: Place | None, known: Known) -> Place:
    """The place of a push's own commit: this visit's, unless a later one is known."""
    here = Place(visit, _commit(push.before), None, push.pushed_at, push.paths)
    if after is None:
        return here
    if after.pushed_at and after.sequence >= visit:
        return after
    follower = known(after.next) if after.next and after.next != push.before else None
    stays = follower and visit - follower.sequence <= _CLOCK_SLACK
    return replace(here, sequence=max(visit, after.sequence), next=after.next if stays else None)


def _left(push: Push, visit: int, before: Place | None, known: Known) -> Place:
    """The place of the commit a push came from: just before it where nothing else tells of that visit."""
    if before is None:
        return Place(visit - 1, next=push.after)
    if before.next is None:
        return replace(before, next=push.after)
    follower = known(before.next)
    if follower and follower.sequence > visit:
        return before
    return replace(before, sequence=max(before.sequence, visit - 1), next=push.after)


def _with_followers(commit: str, changed: dict[str, Place], known: Known) -> dict[str, Place]:
    """The changed places, and every follower that must move on to stay behind them in the chain."""
    last = changed[commit]
    following = last.next
    while following and following not in changed:
        step = known(following)
        if step is None or step.sequence > last.sequence:
            break
        last = changed[following] = replace(step, sequence=last.sequence + 1)
        following = last.next
    return {sha: moved for sha, moved in changed.items() if moved != known(sha)}
