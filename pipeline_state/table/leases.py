"""Leases: whoever runs Helm on a release holds one, so that there is never a second (I6) and never an older one (I3).

All of it lives in flat attributes of the environment's item, beside the generation that is the fence.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pynamodb.exceptions import DoesNotExist, PynamoDBException

from pipeline_state.faults import TemporaryFault
from pipeline_state.model.decision import Frozen, Held
from pipeline_state.model.promotion import Promotion
from pipeline_state.table import waiting
from pipeline_state.table.lease import Barred, Busy, Ended, Finished, Lease, Overtaken, Taken, Watched
from pipeline_state.table.models import EnvironmentItem, Raw, all_of, as_read, at, set_all, to_plain, to_raw
from pipeline_state.table.retry import ATTEMPTS, step_aside, until_unopposed
from pipeline_state.table.snapshot import (
    CLOSING,
    DONE,
    EVERYTHING,
    HOLDER,
    LEASED_UNTIL,
    PARKED,
    ROLLOUT,
    read_environments,
    read_state,
    with_stop,
    with_windows,
)
from pipeline_state.table.transaction import ConflictError, RefusedError, Transaction, fault, is_refusal

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action


LEASE, OUTCOME, VERIFIED = "lease:", "outcome:", "verified:"


def take(promotion: Promotion, owner: str, clock: Callable[[], float], until: float) -> Lease:
    """Take a release's lease for a promotion, if the environment is open to it; or else why not.

    Times in epoch seconds. It is looked at first, then written on condition that nobody has closed it meanwhile, nor
    claimed it, nor taken the lease. The clock is asked after the look, which may take long: a freeze may have begun. A
    call that is sent twice, since its answer got lost, takes it all the same. Raises TemporaryFault.
    """
    for _ in range(ATTEMPTS):
        try:
            if lease := _attempt(promotion, owner, clock, until):
                return lease
        except ConflictError:
            step_aside()
    raise TemporaryFault("others keep changing the environment in DynamoDB", delay_seconds=2)


def _attempt(promotion: Promotion, owner: str, clock: Callable[[], float], until: float) -> Lease | None:
    """None where somebody else changed the environment between the look and the write."""
    key, release = (promotion.pipeline, promotion.environment), promotion.release.name
    found = read_environments([key, EVERYTHING])
    raw = found.get(key, {})
    refused = _refusal(promotion, raw, found.get(EVERYTHING, {}), owner, clock())
    if refused:
        return refused
    held = {LEASE + release: owner, HOLDER + release: promotion.generation, LEASED_UNTIL + release: int(until)}
    # Its deadline, too: a watch that was over may have been prolonged since the look, in the same words.
    looked_at = ("generation", *CLOSING, DONE + release, LEASE + release, LEASED_UNTIL + release)
    unchanged = [as_read(raw, name) for name in looked_at]
    begun = [*set_all(held), at(ROLLOUT + release).remove()]  # what is left of one whose lease is over
    taken = update(promotion, begun, all_of(unchanged))
    return None if taken is None else Taken(verified_revision(taken, release))


def finish(promotion: Promotion, owner: str, outcome: Mapping[str, Any], verified: int | None = None) -> Ended | None:
    """Give the lease back with how it went. Raises TemporaryFault.

    outcome: plain JSON data, kept so that a repeated delivery can tell the same again. verified: the revision that is
    known to have become ready, from now on; None where that has not changed. A lease that has passed to somebody else
    by its deadline is left to them, with what is parked; then the answer is None. Where a newer promotion was called
    off meanwhile, its outcome stays.
    """
    release, mine = promotion.release.name, to_raw(promotion.generation)
    known = {} if verified is None else {VERIFIED + release: verified}
    done = {DONE + release: promotion.generation, OUTCOME + release: json.dumps(outcome), **known}
    is_ours, is_newer = at(LEASE + release) == to_raw(owner), at(DONE + release) > mine
    is_last = at(DONE + release).does_not_exist() | (at(DONE + release) <= mine)
    after = update_unopposed(promotion, [*set_all(done), *_freed(release)], is_ours & is_last)
    if after is None:
        after = update_unopposed(promotion, [*set_all(known), *_freed(release)], is_ours & is_newer)
    if after is None:  # lost, or done already by a call whose answer got lost
        after = read(promotion)
        if any(after.get(name) != to_raw(value) for name, value in done.items()):
            return None
    return Ended(parked_event(after, release), _outcomes(promotion, to_plain(after)))


def finished(promotion: Promotion, now: float) -> Finished | None:
    """How a promotion went, if it has been carried out. now: epoch seconds. Raises TemporaryFault."""
    refused = _refusal(promotion, read(promotion), {}, "", now)
    return refused if isinstance(refused, Finished) else None


def verified_revision(raw: Raw, release: str) -> int:
    """The last revision of a release that is known to have become ready, in an Environments item; 0 if none is."""
    found = to_plain(raw).get(VERIFIED + release)
    return int(found) if isinstance(found, Decimal) else 0


def give_back(promotion: Promotion, owner: str) -> None:
    """Give the lease back without a result, so that a retry finds it free. Raises TemporaryFault."""
    release = promotion.release.name
    update_unopposed(promotion, _freed(release), at(LEASE + release) == to_raw(owner))


def is_overtaken(promotion: Promotion, now: float) -> bool:
    """Whether a promotion never begins, since a newer one came first. now: epoch seconds. Raises TemporaryFault."""
    return isinstance(_refusal(promotion, read(promotion), {}, "", now), Overtaken)


def park(promotion: Promotion, event: str, instead_of: str = "") -> bool:
    """Keep a promotion's event until the release's lease is free; a newer one replaces it, never an older.

    Its commit is noted as waiting, so that somebody comes for it. instead_of: the event that was found parked. False
    where there is another by now, or the promotion is overtaken, or carried out. Raises TemporaryFault.
    """
    name, mine = PARKED + promotion.release.name, to_raw(promotion.generation)
    as_found = (at(name) == to_raw(instead_of)) | at(name).does_not_exist()  # it may have gone on since
    is_due = (at("generation") == mine) & (at(DONE + promotion.release.name) != mine) & as_found
    # Another mark each time: whoever looked before this does not strike the commit off after it.
    mark = f"{promotion.id}-{uuid4().hex}"

    def attempt() -> bool:
        transaction = Transaction()
        item = EnvironmentItem(promotion.pipeline, promotion.environment)
        transaction.update("environment", item, set_all({name: event}), is_due)
        waiting.note(transaction, promotion.repo, promotion.commit, mark)
        try:
            transaction.commit()
        except RefusedError:
            return False
        return True

    return until_unopposed(attempt)


def parked_event(raw: Raw, release: str) -> str:
    """The event parked for a release in an Environments item; empty when there is none."""
    return str(to_plain(raw).get(PARKED + release, ""))


def unpark(promotion: Promotion, event: str) -> None:
    """Forget a parked event once it is published again. Raises TemporaryFault."""
    name = PARKED + promotion.release.name
    update_unopposed(promotion, [at(name).remove()], at(name) == to_raw(event))


def update_unopposed(promotion: Promotion, actions: Sequence[Action], condition: Condition) -> Raw | None:
    """As `update`, again where a claim comes in the way: a lease that is not given back blocks its release."""
    return until_unopposed(lambda: update(promotion, actions, condition))


def update(promotion: Promotion, actions: Sequence[Action], condition: Condition) -> Raw | None:
    """The environment's item after a conditional update; None when the condition did not hold."""
    item = EnvironmentItem(promotion.pipeline, promotion.environment)
    try:
        item.update(list(actions), condition=condition)
    except PynamoDBException as error:
        if is_refusal(error):
            return None
        raise fault(error) from error
    return item.raw


def _freed(release: str) -> list[Action]:
    return [at(name + release).remove() for name in (LEASE, HOLDER, LEASED_UNTIL, ROLLOUT)]


def _outcomes(promotion: Promotion, item: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is known of the promotion's releases, this one's and those beside it."""
    names = [name for name in promotion.releases if int(item.get(DONE + name, 0)) == promotion.generation]
    return {name: json.loads(item[OUTCOME + name]) for name in names}


def watch(promotion: Promotion) -> str:
    """The owner of a lease while nobody works on the release, and somebody looks at it from time to time."""
    return f"watch of {promotion.id}"


def _refusal(promotion: Promotion, raw: Raw, stop: Raw, owner: str, now: float) -> Lease | None:
    """Why a promotion does not get its release's lease from an environment as it was read; None if it does."""
    item, release, mine = to_plain(raw), promotion.release.name, promotion.generation
    until = int(item.get(LEASED_UNTIL + release, 0))
    is_held = LEASE + release in item and until >= int(now)
    is_busy = is_held and item[LEASE + release] != owner
    is_same = int(item.get(HOLDER + release, 0)) == mine
    aside = str(item.get(PARKED + release, ""))
    parked = None if is_held else aside or None
    if int(item.get(DONE + release, 0)) == mine:
        return Finished(json.loads(item[OUTCOME + release]), parked, _outcomes(promotion, item))
    if is_held and item[LEASE + release] == watch(promotion):
        return Watched(until)
    last = int(item.get("generation", 0))
    if is_busy and (is_same or last == mine):  # what is at work may well be deployed, whatever was claimed since
        return Busy(until, same=is_same, parked=aside)
    if last != mine:
        return Overtaken(last, parked)
    if is_same and ROLLOUT + release in item:
        return Watched(until)
    barred = bar(promotion, raw, stop, datetime.fromtimestamp(now, UTC))
    return replace(barred, parked=aside) if barred else None


def bar(promotion: Promotion, raw: Raw, stop: Raw, now: datetime) -> Barred | None:
    """What closed it after the claim. What a person asked for goes where it is held, too; an override, everywhere."""
    state = with_stop(read_state(promotion.pipeline, promotion.environment, raw), stop)
    if state.held_by and not promotion.is_asked_for:
        return Barred(Held(state.name, state.held_by, state.held_reason).state)
    freeze = None if promotion.override else with_windows(state, promotion.freezes, now).freeze(now)
    return Barred(Frozen(state.name, freeze.until, freeze.by, freeze.reason).state) if freeze else None


def read(promotion: Promotion) -> Raw:
    """The environment's item as it is; empty when there is none."""
    item = EnvironmentItem(promotion.pipeline, promotion.environment)
    try:
        item.refresh(consistent_read=True)
    except DoesNotExist:
        return {}
    except PynamoDBException as error:
        raise fault(error) from error
    return item.raw
