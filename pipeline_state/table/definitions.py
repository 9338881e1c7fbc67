"""Pipeline definitions in their table: one item a repository, and a copy beside it of every version there has been."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from pynamodb.constants import ITEMS, LAST_EVALUATED_KEY
from pynamodb.exceptions import DoesNotExist, PynamoDBException

from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.succession import inherited, predecessors
from pipeline_state.table import journal
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import SCHEMA, EnvironmentItem, PipelinesItem, Raw, as_read, at, set_all, to_raw
from pipeline_state.table.snapshot import Definitions, read_definitions, read_environments, read_state
from pipeline_state.table.transaction import Transaction, fault

ENVIRONMENT = "environment"
"""The label of what a save says of the Environments table."""

_PARTS = 8

_MOST_PLACES = 90
"""Of 100 writes in one transaction, which is the most that DynamoDB takes, with room for the definitions' own."""


def load_definitions(repo: str, version: int | None = None) -> Definitions:
    """A repository's pipelines, as they are or as a version had them; maybe none. Raises TemporaryFault."""
    key = repo.lower() if version is None else f"{repo.lower()}@{version}"
    try:
        return read_definitions(repo, PipelinesItem.get(key, consistent_read=True).raw)
    except DoesNotExist:
        return read_definitions(repo, None)
    except PynamoDBException as error:
        raise fault(error) from error


def all_definitions() -> Iterator[Definitions]:
    """The pipelines of every repository, as they are. Raises TemporaryFault, PermanentFault."""
    return (read_definitions(repo, raw) for repo, raw in _items())


def readable_definitions() -> tuple[list[Definitions], list[str]]:
    """The same, and why those that are left out cannot be read, one sentence each. Raises TemporaryFault."""
    found, problems = [], []
    for repo, raw in _items():
        try:
            found.append(read_definitions(repo, raw))
        except PermanentFault as error:
            problems.append(error.reason)
    return found, problems


def _items() -> Iterator[tuple[str, Raw]]:
    try:
        for raw in _current():
            yield str(raw["repo"]["S"]), raw
    except PynamoDBException as error:
        raise fault(error) from error


def _current() -> list[Raw]:
    """All but the copies, which are read over: where one answer is not enough for that, in parts, several at once."""
    page: Any = next(PipelinesItem.scan(at("copy_of").does_not_exist()).page_iter)
    if LAST_EVALUATED_KEY not in page:
        return list(page[ITEMS])
    with ThreadPoolExecutor(_PARTS) as threads:
        return [raw for part in threads.map(_part, range(_PARTS)) for raw in part]


def _part(number: int) -> list[Raw]:
    found = PipelinesItem.scan(at("copy_of").does_not_exist(), segment=number, total_segments=_PARTS)
    return [item.raw for item in found]


def save_definitions(
    repo: str,
    pipelines: Sequence[Pipeline],
    *,
    after: int,
    by: str,
    at_time: str,
    happening: Happening | None = None,
) -> Definitions:
    """Replace a repository's pipelines by their next version; `after` is the version that was read, 0 for none.

    by: who does it. at_time: RFC 3339. happening: for the journal. The pipelines' own `version` is set here.
    Environments that take over releases of others take over how far those were (I3). Raises RefusedError when somebody
    else changed the pipelines meanwhile, or something was promoted to one of those environments (ENVIRONMENT is the
    label), TemporaryFault, PermanentFault.
    """
    version = after + 1
    saved = Definitions(repo, version, tuple(replace(pipeline, version=version) for pipeline in pipelines))
    values = {
        "_schema": SCHEMA,
        "name": repo,
        "version": version,
        "definitions": json.dumps([pipeline.to_dict() for pipeline in saved.pipelines]),
        "applied_by": by,
        "applied_at": at_time,
    }
    unchanged = at("version") == to_raw(after) if after else at("version").does_not_exist()
    key = repo.lower()
    transaction = Transaction()
    transaction.update("pipelines", PipelinesItem(key), set_all(values), unchanged)
    copy = set_all({**values, "copy_of": key})
    transaction.update("copy", PipelinesItem(f"{key}@{version}"), copy, at("version").does_not_exist())
    _take_over(transaction, repo, load_definitions(repo).pipelines if after else (), saved.pipelines)
    if happening:
        journal.append(transaction, happening)
    transaction.commit()
    return saved


def _take_over(transaction: Transaction, repo: str, before: Sequence[Pipeline], after: Sequence[Pipeline]) -> None:
    """Have environments begin where those were whose releases they take over, as long as nothing is claimed there."""
    followed = predecessors(before, after)
    places = sorted({*followed, *(each for others in followed.values() for each in others)})
    if len(places) > _MOST_PLACES:
        raise PermanentFault(f"releases move between {len(places)} environments; apply it in parts of {_MOST_PLACES}")
    raws = read_environments(places) if places else {}
    states = {place: read_state(*place, raws.get(place, {})) for place in places}
    for place in places:
        found = inherited(states[place], [states[each] for each in followed.get(place, ())])
        same = as_read(raws.get(place, {}), "generation")
        if found:
            begun = set_all({"_schema": SCHEMA, "repo": repo, "sequence": found[0], "newest": found[1]})
            transaction.update(ENVIRONMENT, EnvironmentItem(*place), begun, same)
        else:
            transaction.check(ENVIRONMENT, EnvironmentItem, place, same)
