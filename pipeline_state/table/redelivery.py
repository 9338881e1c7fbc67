"""When GitHub was last asked for missed deliveries: one item beside the environments, so that one asks at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pynamodb.exceptions import PynamoDBException

from pipeline_state.model.times import format_time, parse_time
from pipeline_state.table.models import EnvironmentItem, Raw, at, set_all, to_plain, to_raw
from pipeline_state.table.transaction import fault, is_refusal

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

PIPELINE, ENVIRONMENT = "#github", "redelivery"
"""The item's key; no pipeline and no environment can be called so."""

_LOOKED, _BEGUN, _CURSOR, _DUE, _OWNER = "looked_at", "begun_at", "cursor", "due_at", "owner"


@dataclass(frozen=True, slots=True)
class Look:
    """The right to look. owner: who has it.

    looked_at: what was delivered before then has been looked at; None at first. cursor: where an earlier look
    had to stop, "" to begin with the newest delivery. begun_at: when that began, or this.
    """

    owner: str
    looked_at: datetime | None
    cursor: str
    begun_at: datetime


def claim(owner: str, now: datetime, interval: timedelta) -> Look | None:
    """The right to look now, if it is time and nobody else has it; the next look is then due an interval later.

    Raises TemporaryFault. A call that is sent twice, since its answer got lost, gets it all the same.
    """
    is_due = at(_DUE).does_not_exist() | (at(_DUE) <= to_raw(_whole(now))) | (at(_OWNER) == to_raw(owner))
    item = _update(set_all({_OWNER: owner, _DUE: _whole(now + interval)}), is_due)
    if item is None:
        return None
    state = to_plain(item)
    looked, begun = parse_time(state.get(_LOOKED)), parse_time(state.get(_BEGUN))
    return Look(owner, looked, str(state.get(_CURSOR, "")), begun or now)


def finish(look: Look) -> None:
    """All that was delivered before the look began has been looked at. Raises TemporaryFault."""
    done = [*set_all({_LOOKED: _whole(look.begun_at)}), at(_BEGUN).remove(), at(_CURSOR).remove(), at(_OWNER).remove()]
    _update(done, at(_OWNER) == to_raw(look.owner))


def give_back(look: Look, due: datetime, cursor: str = "") -> None:
    """The look is to be gone on with at a time, from a cursor, or from the beginning. Raises TemporaryFault."""
    kept = set_all({_BEGUN: _whole(look.begun_at), _CURSOR: cursor}) if cursor else []
    gone = [at(name).remove() for name in ((_OWNER,) if cursor else (_OWNER, _BEGUN, _CURSOR))]
    _update([*set_all({_DUE: _whole(due)}), *kept, *gone], at(_OWNER) == to_raw(look.owner))


def _update(actions: Sequence[Action], condition: Condition) -> Raw | None:
    """The item after a conditional update; None when the condition did not hold."""
    item: Any = EnvironmentItem(PIPELINE, ENVIRONMENT)
    try:
        item.update(list(actions), condition=condition)
    except PynamoDBException as error:
        if is_refusal(error):
            return None
        raise fault(error) from error
    raw: Raw = item.raw
    return raw


def _whole(moment: datetime) -> str:
    """A time in whole seconds: so written, times sort as text."""
    return format_time(moment.replace(microsecond=0))
