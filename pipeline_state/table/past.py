"""What a commit's waits depend on beside its record and journals: read where there is anything to read.

A repository's pipelines were others while a version before was in force, of each of which there is a copy with who
applied it, and when. Who overtook a commit is told by what the environment was given.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pynamodb.exceptions import PynamoDBException

from pipeline_state.model.decide import candidate_place, declared_gates
from pipeline_state.model.decision import Superseded
from pipeline_state.model.entries import Doer, doer_of, read_entry
from pipeline_state.model.past import Former, Overtaking, Past
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.times import parse_time
from pipeline_state.table.deployments import Deployment, deployments_from, first_since
from pipeline_state.table.models import PipelinesItem, Raw, to_plain
from pipeline_state.table.snapshot import Definitions, Snapshot
from pipeline_state.table.transaction import fault

_AT_FIRST, _MOST = 2, 100
"""Copies of one read: as many as are needed as a rule, and a BatchGetItem's limit by the API reference."""


def past_of(snapshot: Snapshot, entries: Iterable[Mapping[str, Any]], now: datetime) -> Past:
    """The past of a snapshot's commit. entries: its journal. Raises TemporaryFault."""
    return Past(former_of(snapshot.definitions, entries), overtakings(snapshot, now))


def former_of(definitions: Definitions, entries: Iterable[Mapping[str, Any]]) -> tuple[Former, ...]:
    """What the pipelines were since a commit's journal begins, if it has. Raises TemporaryFault."""
    since = min((entry.at for entry in map(read_entry, entries) if entry), default=None)
    return former_pipelines(definitions, since) if since else ()


def former_pipelines(definitions: Definitions, since: datetime) -> tuple[Former, ...]:
    """What the pipelines of a repository were from a time on, oldest first; nothing is read if they were the same.

    What was before a copy that is gone is not known; the version after it counts for that time as well. Raises
    TemporaryFault.
    """
    if not is_changed(definitions, since):
        return ()
    found: list[Former] = []
    copies = _copies(definitions)
    after = next(copies, None)
    while after and after.at > since and (before := next(copies, None)):
        found.append(Former(before.pipelines, after.at, after.doer))
        after = before
    return tuple(reversed(found))


def is_changed(definitions: Definitions, since: datetime) -> bool:
    """Whether other pipelines have been applied in a repository since a time."""
    applied_at = parse_time(definitions.applied_at)
    return applied_at is not None and applied_at > since


def once_declared(definitions: Definitions, names: Collection[str]) -> frozenset[str]:
    """Those of the names that pipelines of the repository declare or declared as gates, by the copies that are there.

    Versions are read backwards, and only as far as it takes to find all. Raises TemporaryFault.
    """
    left, copies = {*names} - definitions.declared, _copies(definitions)
    while left and (copy := next(copies, None)):
        left -= declared_gates(copy.pipelines)
    return frozenset(names) - left


def overtakings(snapshot: Snapshot, now: datetime) -> dict[str, Overtaking]:
    """Who overtook the snapshot's commit, by the key of each environment where it is superseded.

    Raises TemporaryFault.
    """
    found: dict[str, Overtaking] = {}
    for pipeline in snapshot.definitions.pipelines:
        superseded = [each for each in snapshot.decisions(pipeline, now) if isinstance(each, Superseded)]
        places = dict.fromkeys(each.at or each.environment for each in superseded)
        known = {name: _overtaking(snapshot, pipeline, name, now) for name in places}
        found |= {pipeline.key_of(each.environment): known[each.at or each.environment] for each in superseded}
    return found


def _overtaking(snapshot: Snapshot, pipeline: Pipeline, environment: str, now: datetime) -> Overtaking:
    """By the first promotion after its own; of a commit that has none for its latest push, by the first newer one."""
    raw = to_plain(snapshot.environments.get((pipeline.name, environment), {}))
    by = next(_later(snapshot, pipeline, environment, int(raw.get("generation", 0))), None)
    if by and (at := parse_time(by.at)):
        return Overtaking(at, doer_of(by.by, verified=True))
    return Overtaking(parse_time(raw.get("promoted_at")) or now, Doer("", "unknown"))  # it has left: then at the latest


def _later(snapshot: Snapshot, pipeline: Pipeline, environment: str, newest: int) -> Iterator[Deployment]:
    record, place = snapshot.record, candidate_place(snapshot.record, pipeline)
    claim = record.claims.get(pipeline.key_of(environment))
    pushed_at = None if isinstance(place, str) else parse_time(place[1].pushed_by)
    claimed_at = parse_time(claim.at) if claim else None
    if claim and not (claimed_at and pushed_at and claimed_at < pushed_at):
        return deployments_from(pipeline.name, environment, claim.generation + 1)
    if isinstance(place, str) or pushed_at is None:
        return iter(())
    first = first_since(pipeline.name, environment, newest, pushed_at)
    found = deployments_from(pipeline.name, environment, first)
    return (each for each in found if any(it.sequence > place[1].sequence for it in each.promotions))


@dataclass(frozen=True, slots=True)
class _Copy:
    """A version of a repository's pipelines. at: since when it was in force."""

    pipelines: tuple[Pipeline, ...]
    at: datetime
    doer: Doer


_NONE_YET = _Copy((), datetime.min.replace(tzinfo=UTC), Doer())
"""Before the first version."""


def _copies(definitions: Definitions) -> Iterator[_Copy]:
    """The version that is in force and those before it, newest first, as far as they are there."""
    last, size = definitions.version, _AT_FIRST
    while last > 0:
        versions = range(last, max(last - size, 0), -1)
        items = _items(f"{definitions.repo.lower()}@{version}" for version in versions)
        for version in versions:
            copy = _copy(items.get(f"{definitions.repo.lower()}@{version}"))
            if copy is None:
                return
            yield copy
        last, size = versions[-1] - 1, min(4 * size, _MOST)
    yield _NONE_YET


def _copy(raw: Raw | None) -> _Copy | None:
    """None for one that is gone, or that somebody has made unreadable."""
    plain = to_plain(raw or {})
    at = parse_time(plain.get("applied_at"))
    try:
        pipelines = tuple(Pipeline.from_dict(each) for each in json.loads(plain["definitions"]))
    except (KeyError, TypeError, ValueError):
        return None
    return _Copy(pipelines, at, doer_of(str(plain.get("applied_by") or ""), verified=True)) if at else None


def _items(keys: Iterable[str]) -> dict[str, Raw]:
    """Up to date, since a copy is often looked at right after it was made."""
    try:
        return {item.repo: item.raw for item in PipelinesItem.batch_get(list(keys), consistent_read=True)}
    except PynamoDBException as error:
        raise fault(error) from error
