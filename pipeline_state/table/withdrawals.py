"""Promotions that come to nothing because of a release beside theirs: those that never begin, those that go back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline_state.model.promotion import Promotion
from pipeline_state.table.lease import Busy, Finished
from pipeline_state.table.leases import LEASE, OUTCOME, read, update_unopposed
from pipeline_state.table.models import all_of, as_read, at, set_all, to_plain, to_raw
from pipeline_state.table.snapshot import DONE, HOLDER, LEASED_UNTIL


def skip(promotion: Promotion, outcome: Mapping[str, Any]) -> bool:
    """Write down how a promotion went that never begins. False where it has an outcome, or has begun after all.

    Whoever has the release's lease for an older promotion keeps it. outcome: as of `finish`. Raises TemporaryFault.
    """
    release, mine = promotion.release.name, to_raw(promotion.generation)
    done = {DONE + release: promotion.generation, OUTCOME + release: json.dumps(outcome)}
    is_ahead = at(LEASE + release).does_not_exist() | (at(HOLDER + release) != mine)
    is_open = (at("generation") == mine) & is_ahead & (at(DONE + release) != mine)
    return update_unopposed(promotion, set_all(done), is_open) is not None


def take_back(promotion: Promotion, owner: str, now: float, until: float) -> Finished | Busy | None:
    """Take the lease of a release that this promotion has deployed, to roll it back; its outcome.

    Busy where somebody has the lease; None where there is nothing to roll back: it failed, or a newer promotion has
    claimed the environment. Times in epoch seconds. Raises TemporaryFault.
    """
    raw, release = read(promotion), promotion.release.name
    item = to_plain(raw)
    if (
        int(item.get("generation", 0)) != promotion.generation
        or int(item.get(DONE + release, 0)) != promotion.generation
    ):
        return None
    outcome = json.loads(item[OUTCOME + release])
    if outcome["kind"] != "deployed":
        return None
    ends = int(item.get(LEASED_UNTIL + release, 0))
    if LEASE + release in item and item[LEASE + release] != owner and ends >= int(now):
        return Busy(ends, same=True)
    held = {LEASE + release: owner, HOLDER + release: promotion.generation, LEASED_UNTIL + release: int(until)}
    # The outcome, too: somebody may have taken the lease and given it back since the look, or kept it for longer.
    looked_at = ("generation", DONE + release, OUTCOME + release, LEASE + release, LEASED_UNTIL + release)
    unchanged = [as_read(raw, name) for name in looked_at]
    taken = update_unopposed(promotion, set_all(held), all_of(unchanged))
    return Finished(outcome, None) if taken is not None else Busy(int(now) + 1, same=True)
