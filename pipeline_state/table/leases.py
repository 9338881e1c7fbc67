"""Leases: whoever runs Helm on a release holds one, so that there is never a second (I6) and never an older one (I3).

All of it lives in flat attributes of the environment's item, beside the generation that is the fence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pynamodb.exceptions import DoesNotExist, PynamoDBException

from pipeline_state.model.promotion import Promotion
from pipeline_state.table.models import EnvironmentItem, Raw, at, set_all, to_plain, to_raw
from pipeline_state.table.transaction import fault

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action


_LEASE, _HOLDER, _DEADLINE = "lease:", "lease_generation:", "lease_until:"
_DONE, _OUTCOME, _PARKED = "done:", "outcome:", "parked:"


@dataclass(frozen=True, slots=True)
class Taken:
    """The lease is ours until its deadline."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A newer promotion has claimed the environment: this one is not to be installed.

    generation: the newer one's. parked: the event that waits for the lease, if one does and nobody holds it.
    """

    generation: int
    parked: str | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The promotion was carried out before. outcome: what `finish` was given. parked: as above."""

    outcome: Mapping[str, Any]
    parked: str | None


@dataclass(frozen=True, slots=True)
class Busy:
    """Another invocation holds the lease until a time (epoch seconds).

    same: for this very promotion. Its message then comes back by itself; it may also be one that died, with nobody left
    to publish what is parked.
    """

    until: int
    same: bool


Lease = Taken | Overtaken | Finished | Busy


def take(promotion: Promotion, owner: str, now: float, until: float) -> Lease:
    """Take a release's lease for a promotion, in one conditional write; on refusal, why. Times in epoch seconds.

    Raises TemporaryFault. A call that is sent twice, since its answer got lost, takes it all the same.
    """
    release = promotion.release.name
    free = at(_LEASE + release).does_not_exist() | (at(_DEADLINE + release) < to_raw(int(now)))
    mine = at(_LEASE + release) == to_raw(owner)
    unfinished = at(_DONE + release).does_not_exist() | (at(_DONE + release) < to_raw(promotion.generation))
    newest = at("generation") == to_raw(promotion.generation)
    held = {_LEASE + release: owner, _HOLDER + release: promotion.generation, _DEADLINE + release: int(until)}
    taken = _update(promotion, set_all(held), newest & unfinished & (free | mine))
    return _refusal(promotion, now) if taken is None else Taken()


def finish(promotion: Promotion, owner: str, outcome: Mapping[str, Any]) -> str | None:
    """Give the lease back with how it went; the event parked meanwhile, or "". Raises TemporaryFault.

    outcome: plain JSON data, kept so that a repeated delivery can tell the same again. A lease that has passed to
    somebody else by its deadline is left to them, with what is parked; then the answer is None.
    """
    release = promotion.release.name
    done = {_DONE + release: promotion.generation, _OUTCOME + release: json.dumps(outcome)}
    after = _update(promotion, [*set_all(done), *_freed(release)], at(_LEASE + release) == to_raw(owner))
    if after is None:  # lost, or done already by a call whose answer got lost
        after = _read(promotion)
        if any(after.get(name) != to_raw(value) for name, value in done.items()):
            return None
    return str(to_plain(after).get(_PARKED + release, ""))


def give_back(promotion: Promotion, owner: str) -> None:
    """Give the lease back without a result, so that a retry finds it free. Raises TemporaryFault."""
    release = promotion.release.name
    _update(promotion, _freed(release), at(_LEASE + release) == to_raw(owner))


def park(promotion: Promotion, event: str) -> None:
    """Keep a promotion's event until the release's lease is free; a newer one replaces it, never an older.

    Raises TemporaryFault.
    """
    newest = at("generation") == to_raw(promotion.generation)
    _update(promotion, set_all({_PARKED + promotion.release.name: event}), newest)


def unpark(promotion: Promotion, event: str) -> None:
    """Forget a parked event once it is published again. Raises TemporaryFault."""
    name = _PARKED + promotion.release.name
    _update(promotion, [at(name).remove()], at(name) == to_raw(event))


def _update(promotion: Promotion, actions: Sequence[Action], condition: Condition) -> Raw | None:
    """The environment's item after a conditional update; None when the condition did not hold."""
    item = EnvironmentItem(promotion.pipeline, promotion.environment)
    try:
        item.update(list(actions), condition=condition)
    except PynamoDBException as error:
        if error.cause_response_code == "ConditionalCheckFailedException":
            return None
        raise fault(error) from error
    return item.raw


def _freed(release: str) -> list[Action]:
    return [at(name + release).remove() for name in (_LEASE, _HOLDER, _DEADLINE)]


def _refusal(promotion: Promotion, now: float) -> Lease:
    """Why a lease was refused, read after the fact."""
    state, release, mine = to_plain(_read(promotion)), promotion.release.name, promotion.generation
    until = int(state.get(_DEADLINE + release, 0))
    parked = None if _LEASE + release in state and until >= int(now) else state.get(_PARKED + release)
    if int(state.get(_DONE + release, 0)) == mine:
        return Finished(json.loads(state[_OUTCOME + release]), parked)
    if int(state.get("generation", 0)) != mine:
        return Overtaken(int(state.get("generation", 0)), parked)
    return Busy(until, same=int(state.get(_HOLDER + release, 0)) == mine)


def _read(promotion: Promotion) -> Raw:
    """The environment's item as it is; empty when there is none."""
    item = EnvironmentItem(promotion.pipeline, promotion.environment)
    try:
        item.refresh(consistent_read=True)
    except DoesNotExist:
        return {}
    except PynamoDBException as error:
        raise fault(error) from error
    return item.raw
