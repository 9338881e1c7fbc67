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


_LEASE, _DEADLINE, _DONE, _OUTCOME, _PARKED = "lease:", "lease_until:", "done:", "outcome:", "parked:"


@dataclass(frozen=True, slots=True)
class Taken:
    """The lease is ours until its deadline."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A newer promotion has claimed the environment: this one is not to be installed.

    generation: the newer one's. parked: the event that waits for the lease, if one does.
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
    """Somebody else holds the lease until a time (epoch seconds)."""

    until: int


Lease = Taken | Overtaken | Finished | Busy


def take(promotion: Promotion, owner: str, now: float, until: float) -> Lease:
    """Take a release's lease for a promotion, in one conditional write; on refusal, why. Times in epoch seconds.

    Raises TemporaryFault.
    """
    release = promotion.release.name
    free = at(_LEASE + release).does_not_exist() | (at(_DEADLINE + release) < to_raw(int(now)))
    unfinished = at(_DONE + release).does_not_exist() | (at(_DONE + release) < to_raw(promotion.generation))
    newest = at("generation") == to_raw(promotion.generation)
    held = {_LEASE + release: owner, _DEADLINE + release: int(until)}
    taken = _update(promotion, set_all(held), newest & unfinished & free)
    return _refusal(promotion) if taken is None else Taken()


def finish(promotion: Promotion, owner: str, outcome: Mapping[str, Any]) -> str | None:
    """Give the lease back with how it went; the event parked meanwhile, or "". Raises TemporaryFault.

    outcome: plain JSON data, kept so that a repeated delivery can tell the same again. A lease that has passed to
    somebody else by its deadline is left to them, with what is parked; then the answer is None.
    """
    release = promotion.release.name
    done = {_DONE + release: promotion.generation, _OUTCOME + release: json.dumps(outcome)}
    actions = [*set_all(done), at(_LEASE + release).remove(), at(_DEADLINE + release).remove()]
    after = _update(promotion, actions, at(_LEASE + release) == to_raw(owner))
    return None if after is None else str(to_plain(after).get(_PARKED + release, ""))


def give_back(promotion: Promotion, owner: str) -> None:
    """Give the lease back without a result, so that a retry finds it free. Raises TemporaryFault."""
    release = promotion.release.name
    actions = [at(_LEASE + release).remove(), at(_DEADLINE + release).remove()]
    _update(promotion, actions, at(_LEASE + release) == to_raw(owner))


def park(promotion: Promotion, event: str) -> None:
    """Keep a promotion's event until the release's lease is free; a newer one replaces it. Raises TemporaryFault."""
    _update(promotion, set_all({_PARKED + promotion.release.name: event}), at("pipeline").exists())


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


def _refusal(promotion: Promotion) -> Lease:
    """Why a lease was refused, read after the fact."""
    item = EnvironmentItem(promotion.pipeline, promotion.environment)
    try:
        item.refresh(consistent_read=True)
    except DoesNotExist:
        return Overtaken(0, None)
    except PynamoDBException as error:
        raise fault(error) from error
    state, release = to_plain(item.raw), promotion.release.name
    if int(state.get(_DONE + release, 0)) == promotion.generation:
        return Finished(json.loads(state[_OUTCOME + release]), state.get(_PARKED + release))
    if int(state.get("generation", 0)) != promotion.generation:
        return Overtaken(int(state.get("generation", 0)), state.get(_PARKED + release))
    return Busy(int(state.get(_DEADLINE + release, 0)))
