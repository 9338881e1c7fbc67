"""What leaves by age, and what never does: heads, commits on their way, and what an environment can go back to.

Records and journal are written with an age to leave at. A commit that is promoted is kept, with its whole journal; when
its promotions have fallen out of the last ones of every environment, it is let go again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from pynamodb.exceptions import PynamoDBException

from pipeline_state.table.deployments import Deployment, deployment_item, deployments
from pipeline_state.table.models import EXPIRES_AT, GateRecord, JournalEntry, Raw, at, expiring, set_all
from pipeline_state.table.transaction import fault, is_refusal

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

KEPT = 20
"""How many promotions of an environment are kept for good."""

_LOOKED_AT = KEPT + 20
"""How many of them are looked at, so that what one look misses is found by the next."""


def is_leaving(item: Raw, moment: datetime) -> bool:
    """Whether a record is past the half of the time that it is kept for."""
    limit = expiring(moment).get(EXPIRES_AT)
    leaves = item.get(EXPIRES_AT, {}).get("N")
    if limit is None or leaves is None:
        return False
    return float(leaves) - moment.timestamp() < (limit - moment.timestamp()) / 2


def keep(repo: str, commit: str) -> None:
    """A record and its journal are not to leave. Raises TemporaryFault."""
    _change(repo, commit, [at(EXPIRES_AT).remove()], at(EXPIRES_AT).exists())


def let_go(repo: str, commit: str, moment: datetime) -> None:
    """A record and its journal are to leave, so long after a moment as records are kept. Raises TemporaryFault."""
    if expires := expiring(moment):
        _change(repo, commit, set_all(expires))


def let_old_promotions_go(places: Iterable[tuple[str, str]], heads: Iterable[str], moment: datetime) -> int:
    """Let go what the environments of a repository can do without; how many promotions it was.

    places: pipeline and environment of each. heads: the commits they have. Raises TemporaryFault.
    """
    if not expiring(moment):
        return 0
    found = {place: list(deployments(*place, most=_LOOKED_AT)) for place in places}
    needed = {*heads, *(each.commit for listed in found.values() for each in listed[:KEPT])}
    old = [(place, each) for place, listed in found.items() for each in listed[KEPT:] if not each.is_leaving]
    for place, each in old:
        if each.commit not in needed:
            let_go(each.repo, each.commit, moment)
        _let_promotion_go(place, each, moment)
    return len(old)


def _let_promotion_go(place: tuple[str, str], deployment: Deployment, moment: datetime) -> None:
    item = deployment_item(*place, deployment.generation)
    try:
        item.update(set_all(expiring(moment)), condition=at("promotions").exists())
    except PynamoDBException as error:
        raise fault(error) from error


def _change(repo: str, commit: str, actions: list[Action], which: Condition | None = None) -> None:
    """Change a record and its journal, or those of them that a condition holds for.

    The journal first: whoever dies in between finds the record as it was, and does it all again.
    """
    entries = JournalEntry.query(
        f"{repo}#{commit}", filter_condition=which, attributes_to_get=["record", "entry"], consistent_read=True
    )
    try:
        for entry in entries:
            _update(entry, actions, at("kind").exists())
        _update(GateRecord(repo, commit), actions, at("repo").exists())
    except PynamoDBException as error:
        raise fault(error) from error


def _update(item: JournalEntry | GateRecord, actions: list[Action], is_there: Condition) -> None:
    try:
        item.update(list(actions), condition=is_there)
    except PynamoDBException as error:
        if not is_refusal(error):  # it has left already
            raise
