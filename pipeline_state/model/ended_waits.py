"""Which of a commit's waits one change of its record has ended: each is told once, by the change that ended it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from pipeline_state.model.gates import GateStatus, read_gate
from pipeline_state.model.pipelines import DEPLOYED_TO
from pipeline_state.model.record import Record
from pipeline_state.model.times import parse_time
from pipeline_state.model.waits import Wait

_EVER = datetime.min.replace(tzinfo=UTC)


def ended_waits(
    found: Iterable[Wait],
    record: Record,
    at: datetime,
    moved: Iterable[str],
    claims: Mapping[str, tuple[datetime | None, datetime]],
    applied_at: Collection[datetime] = (),
) -> tuple[Wait, ...]:
    """Those of the waits found that ended with a change made at a time.

    moved: gates that were pending or failed and are something else now. claims: by environment, when the claim before
    was made, if there was one, and the one that the change brought. applied_at: when pipelines were applied, which
    changes no record: what that ended is told with the claim. What an installation waited for after its claim is
    told with its verdict, since its beginning changes no record.
    """
    over = [wait for wait in found if wait.end]
    told: dict[Wait, None] = {}
    for gate in moved:
        nearest = _nearest([wait for wait in over if wait.gate == gate], at)
        is_left_to_claim = _is_still_closed(gate, record, at)
        told |= dict.fromkeys(wait for wait in nearest if not (is_left_to_claim and wait.end in applied_at))
        if claim := record.claims.get(gate.removeprefix(DEPLOYED_TO)) if gate.startswith(DEPLOYED_TO) else None:
            since = parse_time(claim.at) or at
            told |= dict.fromkeys(_of_environment(over, claim.environment_key, since, at))
    for environment, (before, made) in claims.items():
        told |= dict.fromkeys(_of_environment(over, environment, before or _EVER, made))
        without = [wait for wait in over if _is_still_closed(wait.gate, record, made)]
        told |= dict.fromkeys(wait for wait in without if wait.end == made)
        ours = (wait for wait in without if wait.environment == environment and wait.end in applied_at)
        told |= dict.fromkeys(wait for wait in ours if wait.end and (before or _EVER) < wait.end <= made)
    return tuple(told)


def _is_still_closed(gate: str, record: Record, at: datetime) -> bool:
    """Whether a gate is not what ended the wait for it: the pipeline did without, since its definition has changed."""
    return bool(gate) and read_gate(gate, record.gates.get(gate, ""), at).status is not GateStatus.PASSED


def _nearest(over: list[Wait], at: datetime) -> list[Wait]:
    """Of a gate's waits the one that ended then; clocks may differ, and others may have ended since."""
    return sorted(over, key=lambda wait: abs((wait.end or at) - at))[:1]


def _of_environment(over: Iterable[Wait], environment: str, since: datetime, until: datetime) -> Iterator[Wait]:
    """What was waited for in a stretch beside gates."""
    ours = (wait for wait in over if not wait.gate and wait.environment == environment)
    return (wait for wait in ours if wait.start >= since and wait.end and wait.end <= until)
