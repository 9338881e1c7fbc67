"""When the way was free at last for a commit that is promoted, by what has been read for the promotion anyway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline_state.model.decide import candidate_place
from pipeline_state.model.pipelines import Pipeline, Policy
from pipeline_state.model.promotion_lag import opened_at, ready_at
from pipeline_state.model.times import parse_time
from pipeline_state.table.leases import OUTCOME
from pipeline_state.table.models import Raw, to_plain
from pipeline_state.table.snapshot import EVERYTHING, OPENED_AT, Snapshot
from pipeline_state.windows import last_end

if TYPE_CHECKING:
    from pipeline_state.model.decision import Promote


def free_at(snapshot: Snapshot, pipeline: Pipeline, promote: Promote, now: datetime) -> datetime | None:
    """When the last of what was in the way ended: a gate, a freeze, a soak time, a hold, others' turns.

    None where that is not known: a gate does not say since when it is open. Raises PermanentFault.
    """
    environment = pipeline.environment(promote.environment)
    ready = ready_at(snapshot.record, pipeline, environment, promote) if environment else None
    if environment is None or ready is None:
        return None
    own, stop = snapshot.environments.get((pipeline.name, environment.name), {}), snapshot.environments.get(EVERYTHING)
    times = [*_opened(own), *_opened(stop or {}), parse_time(snapshot.definitions.applied_at)]
    if environment.policy is Policy.EVERY:
        times += [*_ended(own), *_others(snapshot, pipeline, promote)]
    return last_end(environment.freezes, max([ready, *(time for time in times if time and time <= now)]), now)


def _opened(raw: Raw) -> list[datetime | None]:
    """When a freeze ended by its time, and when a person ended one, or a hold."""
    item = to_plain({name: raw[name] for name in ("frozen_until", OPENED_AT) if name in raw})
    return [parse_time(time) for time in item.values()]


def _ended(raw: Raw) -> Iterator[datetime | None]:
    """When the releases of the environment were done, as far as people have left what says so as it was."""
    for text in to_plain({name: value for name, value in raw.items() if name.startswith(OUTCOME)}).values():
        with suppress(AttributeError, TypeError, ValueError):
            yield parse_time(json.loads(text).get("at"))


def _others(snapshot: Snapshot, pipeline: Pipeline, promote: Promote) -> Iterator[datetime | None]:
    """When something was last decided about the commits whose turn was before: one that is blocked lets others pass."""
    for record in snapshot.waiting:
        place = candidate_place(record, pipeline)
        if not isinstance(place, str) and place[1].sequence < promote.sequence:
            yield from (opened_at(record, gate) for gate in record.gates)
