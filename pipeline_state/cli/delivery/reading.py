"""What the figures are made of, read as cheaply as can be: 8 calls at once, and of the journals only the newest.

An environment without a promotion in the time costs a share of a BatchGetItem. One with some costs a Query of them, a
share of a BatchGetItem for each of their commits, whose deployed gate tells what came of the last promotion, and, up to
a limit, a Query of the commit's journal, which tells what came of the ones before, and where the time went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar, cast

from pipeline_state.cli.steering.places import Place
from pipeline_state.cli.steering.promotions import outcome_of_gate, outcome_of_journal
from pipeline_state.model.delivery import Attempt, Outcome
from pipeline_state.model.promotion import Action
from pipeline_state.model.record import read_record
from pipeline_state.model.times import parse_time
from pipeline_state.table.delivered import MOST_KEYS, entries_of, items_of
from pipeline_state.table.deployments import Deployment, deployments_since
from pipeline_state.table.listing import environment_items
from pipeline_state.table.models import to_plain

MOST_PROMOTIONS = 500
"""Of one environment: the newest."""

MOST_JOURNALS = 500
"""How many commits' journals are read."""

_AT_ONCE = 8

_NEVER = datetime.max.replace(tzinfo=UTC)

Key = tuple[str, str]
"""Repository and commit, or pipeline and environment: what a journal is of."""

Item = Mapping[str, Any]
"""A record, or an entry of a journal, as plain values."""

Tell = Callable[[str, int, int], None]
"""Is told what is being read, and how many of how many are."""

Given = TypeVar("Given")
Found = TypeVar("Found")


class Journals:
    """Each is read once, and no more of them than a limit."""

    def __init__(self, most: int = MOST_JOURNALS) -> None:
        self._left = most
        self._read: dict[Key, Sequence[Item]] = {}

    def read(self, keys: Iterable[Key], tell: Tell) -> None:
        """Read what has not been read, as far as the limit goes. Raises TemporaryFault."""
        new = list(islice((each for each in dict.fromkeys(keys) if each not in self._read), self._left))
        self._left -= len(new)
        self._read |= dict(zip(new, in_parallel(new, lambda key: entries_of(*key), tell, "journals"), strict=True))

    def get(self, key: Key) -> Sequence[Item] | None:
        """One of them, oldest entry first; None where it was not read."""
        return self._read.get(key)


@dataclass(frozen=True, slots=True)
class Reading:
    """What environments were given, by pipeline and environment. items: the commits' records that are still there.

    is_cut: whether some environment was given more than is read.
    """

    attempts: Mapping[Key, Sequence[Attempt]]
    items: Mapping[Key, Item]
    journals: Journals
    is_cut: bool


def read(places: Iterable[Place], since: datetime, tell: Tell, most: int = MOST_PROMOTIONS) -> Reading:
    """What environments were given from a time on, and what came of it. Raises TemporaryFault."""
    busy = _given_something(list(places), since)
    listed = in_parallel(
        busy, lambda place: list(islice(deployments_since(*place.key, since), most)), tell, "environments"
    )
    commits = list(dict.fromkeys(_commit(each) for those in listed for each in those))
    batches = [commits[start : start + MOST_KEYS] for start in range(0, len(commits), MOST_KEYS)]
    items = {key: item for some in in_parallel(batches, items_of, tell, "records") for key, item in some.items()}
    journals = Journals()
    journals.read(_untold(listed, items), tell)
    attempts = {
        place.key: [_attempt(each, items.get(_commit(each), {}), journals.get(_commit(each)) or ()) for each in those]
        for place, those in zip(busy, listed, strict=True)
    }
    return Reading(attempts, items, journals, any(len(those) == most for those in listed))


def in_parallel(given: Sequence[Given], work: Callable[[Given], Found], tell: Tell, what: str) -> list[Found]:
    """The work on each, several at a time, in their order."""
    found: list[Found] = []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for each in threads.map(work, given):
            found.append(each)
            tell(what, len(found), len(given))
    return found


def _given_something(places: Sequence[Place], since: datetime) -> list[Place]:
    """Those whose last promotion is not before the time."""
    items = environment_items({place.pipeline.name: place.pipeline for place in places}.values())
    last = {key: parse_time(to_plain(raw).get("promoted_at")) for key, raw in items.items()}
    return [place for place in places if (at := last.get(place.key)) and at >= since]


def _untold(listed: Iterable[Sequence[Deployment]], items: Mapping[Key, Item]) -> Iterator[Key]:
    """The commits whose deployed gate does not tell of all their promotions, of those that are still there."""
    for those in listed:
        for each in those:
            key = _commit(each)
            if key in items and not _told_by_gate(each, items[key]):
                yield key


def _commit(deployment: Deployment) -> Key:
    return deployment.repo, deployment.commit


def _told_by_gate(deployment: Deployment, item: Item) -> tuple[str, str, str] | None:
    told = outcome_of_gate(deployment, item)
    return told if told and told[0] else None


def _attempt(deployment: Deployment, item: Item, entries: Sequence[Item]) -> Attempt:
    told = _told_by_gate(deployment, item) or outcome_of_journal(deployment, entries) or ("", "", "")
    ended_at = parse_time(told[2])
    first = deployment.promotions[0]
    return Attempt(
        repo=deployment.repo,
        pipeline=first.pipeline,
        environment=first.environment,
        commit=deployment.commit,
        generation=deployment.generation,
        action=Action(deployment.action) if deployment.action in {*Action} else Action.PROMOTE,
        claimed_at=parse_time(deployment.at) or _NEVER,
        outcome=cast("Outcome", told[0]) if ended_at else "",
        ended_at=ended_at,
        pushed_at=_pushed_at(deployment, item),
    )


def _pushed_at(deployment: Deployment, item: Item) -> datetime | None:
    """Of the push that the commit was promoted for; a commit that was pushed again has its place by the last one."""
    if not item:
        return None
    promotion, record = deployment.promotions[0], read_record(item)
    claim = record.claims.get(promotion.environment_key)
    if claim and claim.generation == deployment.generation and claim.pushed_at:
        return parse_time(claim.pushed_at)
    place = record.branches.get(promotion.branch)
    return parse_time(place.pushed_by) if place else None
