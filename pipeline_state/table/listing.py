"""Lists for people: which commits a repository has, what the environments run, what happened lately.

As a person asks now and then, never on the way of an event. The newest commits are read from an index, which may be
behind by a moment; the rest reads whole partitions, or the whole journal.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pynamodb.constants import ITEMS, LAST_EVALUATED_KEY, SCANNED_COUNT
from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.operand import Path

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.record import BRANCHES, Record, read_record
from pipeline_state.table import summaries
from pipeline_state.table.models import (
    BySequence,
    EnvironmentItem,
    GateRecord,
    JournalEntry,
    PipelinesItem,
    Raw,
    at,
    to_plain,
    to_raw,
)
from pipeline_state.table.snapshot import EVERYTHING
from pipeline_state.table.transaction import fault

if TYPE_CHECKING:
    from pynamodb.pagination import ResultIterator


PASSED = 1000
"""Commits that are looked through for those of one branch before somebody is asked whether to go on."""


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


@dataclass(frozen=True, slots=True)
class Cursor:
    """The commit after which a list goes on. sequence: None among the records that no push has told of.

    commit: empty before the first of those.
    """

    sequence: int | None
    commit: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a list. end: after what the next part begins; None if there is none. passed: how many were read."""

    listed: Sequence[Listed]
    end: Cursor | None
    passed: int


def newest(repo: str, most: int, after: Cursor | None = None, branch: str = "") -> Slice:
    """Commits of a repository, spelled as in its records, the latest place first, those without a place at the end.

    Of one branch, or of records without a place, there can be fewer than wanted although there is more: so many are
    read at a time and no more. If none of so many is without a place, the list ends with those that have one: who looks
    for the others begins there. Raises TemporaryFault, and PermanentFault where the stack has no index yet.
    """
    if after and after.sequence is None:
        return _without_place(repo, most, after.commit)
    found = _in_order(repo, most, after, branch)
    if branch or found.end:
        return found
    left = most - len(found.listed)
    rest = _without_place(repo, left or 1)
    if found.listed and not rest.listed:
        return found
    if not left:
        return replace(found, end=Cursor(None, ""))
    return Slice([*found.listed, *rest.listed], rest.end, found.passed + rest.passed)


def newer(repo: str, than: int, most: int) -> tuple[list[Record], bool]:
    """The newest records of a repository with no more than their places, which are greater; whether these are all.

    Raises as `newest`.
    """
    later = BySequence.sequence > than
    how: dict[str, Any] = {"scan_index_forward": False, "page_size": most + 1}
    page = _page(lambda: GateRecord.by_sequence.query(repo, later, **how))
    is_all = page.end is None and len(page.items) <= most
    return [read_record(item) for item in page.items[:most]], is_all


@dataclass(frozen=True, slots=True)
class _Page:
    """One answer of DynamoDB's. end: the key that the next one begins after."""

    items: list[dict[str, Any]]
    end: dict[str, Any] | None
    passed: int


def _in_order(repo: str, most: int, after: Cursor | None, branch: str) -> Slice:
    """One more than is wanted tells whether there are others; where a branch is wanted, far more are read."""
    start = _key({"repo": repo, "commit": after.commit, "sequence": after.sequence}) if after else None
    on_branch = Path([BRANCHES, branch]).exists() if branch else None
    how: dict[str, Any] = {"scan_index_forward": False, "page_size": PASSED if branch else most + 1}
    page = _page(lambda: GateRecord.by_sequence.query(repo, None, on_branch, last_evaluated_key=start, **how))
    return _slice(page, most, lambda item: Cursor(int(item["sequence"]), str(item["commit"])))


def _without_place(repo: str, most: int, after: str = "") -> Slice:
    """Of CI alone, or of people's edits: in no order."""
    start = _key({"repo": repo, "commit": after}) if after else None
    is_placed = at("sequence").is_type("N")
    how: dict[str, Any] = {"page_size": PASSED, "attributes_to_get": ["commit", "branch", "pushed_at"]}
    page = _page(lambda: GateRecord.query(repo, None, ~is_placed, last_evaluated_key=start, **how))
    return _slice(page, most, lambda item: Cursor(None, str(item["commit"])))


def _key(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: to_raw(value) for name, value in values.items()}


def _slice(page: _Page, most: int, cursor: Callable[[Mapping[str, Any]], Cursor]) -> Slice:
    """What is wanted of a page that may have more."""
    wanted = page.items[:most]
    end = wanted[-1] if len(page.items) > most else page.end
    return Slice([*map(_listed, wanted)], cursor(end) if end else None, page.passed)


def _page(query: Callable[[], ResultIterator[GateRecord]]) -> _Page:
    try:
        page: Any = next(query().page_iter)
    except PynamoDBException as error:
        raise _with_next_step(fault(error)) from error
    end = page.get(LAST_EVALUATED_KEY)
    return _Page([to_plain(raw) for raw in page[ITEMS]], to_plain(end) if end else None, int(page[SCANNED_COUNT]))


def _with_next_step(found: TemporaryFault | PermanentFault) -> TemporaryFault | PermanentFault:
    """Of a stack from before there was an index, and of one that is being given it."""
    name = BySequence.Meta.index_name
    if not isinstance(found, PermanentFault) or name not in found.reason:
        return found
    return PermanentFault(
        f"the table {GateRecord.Meta.table_name} has no index {name} yet, by which commits are listed: "
        "update the stack (`sam build && sam deploy`; a local one: `gatestream down`, then `gatestream up`), "
        "wait for it, and try again"
    )


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
