"""What the figures are made of, read as cheaply as can be: 8 calls at once, and of the journals only the newest.

An environment without a promotion in the time costs a share of a BatchGetItem, one with some a Query of them: each has
its push and its end beside it. Of those that an older version made, the commits' records tell, and their journals.
Where the time went is told by journals alone, and so of the newest commits only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
"""Of commits: the newest. Of environments and for older versions' promotions, as many again."""

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

    def __init__(self, most: int = 2 * MOST_JOURNALS) -> None:
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


class Records:
    """Records of commits, as plain values: each is read once."""

    def __init__(self) -> None:
        self._read: dict[Key, Item] = {}

    def read(self, keys: Iterable[Key], tell: Tell) -> None:
        """Read what has not been read. Raises TemporaryFault."""
        new = [each for each in dict.fromkeys(keys) if each not in self._read]
        batches = [new[start : start + MOST_KEYS] for start in range(0, len(new), MOST_KEYS)]
        for found in in_parallel(batches, items_of, tell, "records"):
            self._read |= found

    def get(self, key: Key) -> Item | None:
        """One of them; None where it is not there any more."""
        return self._read.get(key)


@dataclass(frozen=True, slots=True)
class Reading:
    """What environments were given, by pipeline and environment.

    is_cut: whether some environment was given more than is read.
    """

    attempts: Mapping[Key, Sequence[Attempt]]
    records: Records
    journals: Journals
    is_cut: bool

    def is_there(self, commit: Key) -> bool:
        """Whether a commit's record and journal have been read."""
        return self.records.get(commit) is not None and self.journals.get(commit) is not None


def read(places: Iterable[Place], since: datetime, tell: Tell, most: int = MOST_PROMOTIONS) -> Reading:
    """What environments were given from a time on, and what came of it. Raises TemporaryFault."""
    busy = _given_something(list(places), since)
    listed = in_parallel(
        busy, lambda place: list(islice(deployments_since(*place.key, since), most)), tell, "environments"
    )
    every = [each for those in listed for each in those]
    records, journals = Records(), Journals()
    records.read((_commit(each) for each in every if not (each.pushed_at and each.outcome[0])), tell)
    journals.read((_commit(each) for each in every if _is_untold(each, records)), tell)
    attempts = {
        place.key: [_attempt(each, records, journals) for each in those]
        for place, those in zip(busy, listed, strict=True)
    }
    return Reading(attempts, records, journals, any(len(those) == most for those in listed))


def in_parallel(
    given: Sequence[Given], work: Callable[[Given], Found], tell: Tell = lambda *_: None, what: str = ""
) -> list[Found]:
    """What the work on each comes to, in their order: several at a time, as it waits for DynamoDB most of the time.

    Raises what the work raises.
    """
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


def _is_untold(deployment: Deployment, records: Records) -> bool:
    """Whether what came of a promotion is told by neither itself nor the deployed gate of a commit that is there."""
    record = records.get(_commit(deployment))
    return record is not None and not _outcome(deployment, record)[0]


def _commit(deployment: Deployment) -> Key:
    return deployment.repo, deployment.commit


def _attempt(deployment: Deployment, records: Records, journals: Journals) -> Attempt:
    record, entries = records.get(_commit(deployment)) or {}, journals.get(_commit(deployment)) or ()
    outcome, ended_at = _outcome(deployment, record, entries)
    first = deployment.promotions[0]
    return Attempt(
        repo=deployment.repo,
        pipeline=first.pipeline,
        environment=first.environment,
        commit=deployment.commit,
        generation=deployment.generation,
        action=Action(deployment.action) if deployment.action in {*Action} else Action.PROMOTE,
        claimed_at=parse_time(deployment.at) or _NEVER,
        outcome=outcome,
        ended_at=ended_at,
        pushed_at=parse_time(deployment.pushed_at) or _pushed_at(deployment, record),
    )


def _outcome(deployment: Deployment, record: Item, entries: Sequence[Item] = ()) -> tuple[Outcome, datetime | None]:
    """Of a promotion that older versions carried out, the commit's deployed gate or its journal tells."""
    if deployment.outcome[0]:
        return deployment.outcome
    by_gate = outcome_of_gate(deployment, record)
    told = by_gate if by_gate and by_gate[0] else outcome_of_journal(deployment, entries)
    ended_at = parse_time(told[2]) if told else None
    return (cast("Outcome", told[0]), ended_at) if told and ended_at else ("", None)


def _pushed_at(deployment: Deployment, item: Item) -> datetime | None:
    """Of the push that brought the commit; one that was pushed again has its place by the last one."""
    place = read_record(item).branches.get(deployment.promotions[0].branch) if item else None
    return parse_time(place.pushed_by) if place else None
