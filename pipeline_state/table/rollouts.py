"""Rollouts without a verdict yet: the lease stays taken while nobody works on the release, from apply to verdict (I6).

They are attributes of the environment's item, like the leases themselves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pipeline_state.model.promotion import Promotion
from pipeline_state.model.rollout import Rollout
from pipeline_state.table.leases import LEASE, VERIFIED, read, update_unopposed, verified_revision, watch
from pipeline_state.table.models import at, set_all, to_plain, to_raw
from pipeline_state.table.snapshot import HOLDER, LEASED_UNTIL, ROLLOUT


@dataclass(frozen=True, slots=True)
class Watching:
    """A rollout as it stands. is_idle: whether nobody works on it. until: of whoever does, epoch seconds.

    verified: the last revision known to have become ready; 0 if none is. text: the rollout as it is kept.
    """

    rollout: Rollout
    is_idle: bool
    until: int
    verified: int
    text: str


def hand_over(promotion: Promotion, owner: str, rollout: Rollout, until: float) -> bool:
    """Leave a release to be looked at from time to time, the lease taken until a time (epoch seconds).

    False where the lease has passed to somebody else by its deadline. Where there is nothing to go back to, the release
    is new, or was uninstalled: no revision is known to have become ready any more. Raises TemporaryFault.
    """
    release = promotion.release.name
    held = {LEASE + release: watch(promotion), LEASED_UNTIL + release: int(until), ROLLOUT + release: _text(rollout)}
    kept = held | ({} if rollout.previous else {VERIFIED + release: 0})
    done = update_unopposed(promotion, set_all(kept), at(LEASE + release) == to_raw(owner))
    return done is not None or all(read(promotion).get(name) == to_raw(value) for name, value in kept.items())


def keep(promotion: Promotion, owner: str, rollout: Rollout) -> bool:
    """Write down how a rollout stands, under its lease; False where that has passed to somebody else.

    Raises TemporaryFault.
    """
    release = promotion.release.name
    kept = set_all({ROLLOUT + release: _text(rollout)})
    return update_unopposed(promotion, kept, at(LEASE + release) == to_raw(owner)) is not None


def find(promotion: Promotion, now: float) -> Watching | None:
    """A promotion's rollout; None when it has a verdict, or somebody else has gone on from it. Raises TemporaryFault.

    now: epoch seconds.
    """
    raw, release = read(promotion), promotion.release.name
    item = to_plain(raw)
    until = int(item.get(LEASED_UNTIL + release, 0))
    if (
        LEASE + release not in item
        or ROLLOUT + release not in item
        or int(item[HOLDER + release]) != promotion.generation
    ):
        return None
    is_idle = item[LEASE + release] == watch(promotion) or until < int(now)
    text = item[ROLLOUT + release]
    return Watching(Rollout.from_dict(json.loads(text)), is_idle, until, verified_revision(raw, release), text)


def take_over(promotion: Promotion, found: Watching, owner: str, now: float, until: float) -> bool:
    """Take the lease to act on what was seen; False where somebody else does, or has done so since it was found.

    Times in epoch seconds. Raises TemporaryFault.
    """
    release = promotion.release.name
    lease, ends = at(LEASE + release), at(LEASED_UNTIL + release)
    is_ours = at(HOLDER + release) == to_raw(promotion.generation)
    is_free = (lease == to_raw(watch(promotion))) | (lease == to_raw(owner)) | (ends < to_raw(int(now)))
    taken = set_all({LEASE + release: owner, LEASED_UNTIL + release: int(until)})
    is_same = at(ROLLOUT + release) == to_raw(found.text)
    return update_unopposed(promotion, taken, is_ours & is_same & is_free) is not None


def _text(rollout: Rollout) -> str:
    return json.dumps(rollout.to_dict())
