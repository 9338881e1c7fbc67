"""Lists for people: which commits a repository has, what the environments run, what happened lately.

They read whole partitions, or the whole journal: as a person asks now and then, never on the way of an event.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pynamodb.exceptions import PynamoDBException

from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import BRANCHES, Record, read_record
from pipeline_state.table import summaries
from pipeline_state.table.models import EnvironmentItem, GateRecord, JournalEntry, PipelinesItem, Raw, at, to_plain
from pipeline_state.table.snapshot import EVERYTHING
from pipeline_state.table.transaction import fault


@dataclass(frozen=True, slots=True)
class Listed:
    """A commit in a list. branch, pushed_at: empty while no push has told of it. sequence: -1 likewise."""

    commit: str
    branch: str
    sequence: int
    pushed_at: str


def commits(repo: str, prefix: str = "") -> list[Listed]:
    """The commits of a repository, spelled as in its records, that begin so; newest first. Raises TemporaryFault."""
    begins = GateRecord.commit.startswith(prefix) if prefix else None
    wanted = ["commit", "branch", "sequence", "pushed_at"]
    try:
        found = [to_plain(item.raw) for item in GateRecord.query(repo, begins, attributes_to_get=wanted)]
    except PynamoDBException as error:
        raise fault(error) from error
    return sorted(map(_listed, found), key=lambda listed: (listed.sequence, listed.commit), reverse=True)


def places(repo: str) -> list[Record]:
    """The records of a repository, spelled as in them, with no more than their places. Raises TemporaryFault."""
    wanted = ["repo", "commit", BRANCHES]
    try:
        return [read_record(to_plain(item.raw)) for item in GateRecord.query(repo, attributes_to_get=wanted)]
    except PynamoDBException as error:
        raise fault(error) from error


def environment_items(pipelines: Iterable[Pipeline]) -> dict[tuple[str, str], Raw]:
    """The environments' raw items by pipeline and environment, and the one that stops everything.

    None where there never was a commit and nobody has closed it. Raises TemporaryFault.
    """
    keys = [(pipeline.name, environment.name) for pipeline in pipelines for environment in pipeline.environments]
    return environments_at([*keys, EVERYTHING], consistent=True)


def environments_at(keys: Iterable[tuple[str, str]], *, consistent: bool = False) -> dict[tuple[str, str], Raw]:
    """Raw items by pipeline and environment, of those that are there.

    consistent: whether they have to be those of this very moment, which costs twice as much. Raises TemporaryFault.
    """
    try:
        items = EnvironmentItem.batch_get(list(keys), consistent_read=consistent)
        return {(item.pipeline, item.environment): item.raw for item in items}
    except PynamoDBException as error:
        raise fault(error) from error


def applications() -> dict[str, tuple[str, str]]:
    """Who applied the pipelines of each repository (lower case) last, and when (RFC 3339). Raises TemporaryFault."""
    try:
        items = [to_plain(item.raw) for item in PipelinesItem.scan(at("copy_of").does_not_exist())]
    except PynamoDBException as error:
        raise fault(error) from error
    return {item["repo"]: (str(item["applied_by"]), str(item["applied_at"])) for item in items}


def latest_entries(most: int) -> list[dict[str, Any]]:
    """The last entries of the whole journal as plain values, oldest first. Raises TemporaryFault."""
    return sorted(heapq.nlargest(most, _all_entries(), key=_time), key=_time)


def in_order(time: str) -> str:
    """An RFC 3339 time in UTC as text that sorts: with its Z, a whole second would come after all its fractions."""
    return time.removesuffix("Z")


def _all_entries() -> Iterator[dict[str, Any]]:
    of_commits = ~JournalEntry.record.startswith(summaries.PARTITION)
    try:
        for entry in JournalEntry.scan(of_commits):
            yield to_plain(entry.raw)
    except PynamoDBException as error:
        raise fault(error) from error


def _time(entry: Mapping[str, Any]) -> str:
    return in_order(str(entry["entry"]).partition("#")[0])


def _listed(item: Mapping[str, Any]) -> Listed:
    try:
        sequence = int(item.get("sequence", -1))
    except (TypeError, ValueError):
        sequence = -1
    return Listed(str(item["commit"]), str(item.get("branch", "")), sequence, str(item.get("pushed_at", "")))
