"""What an environment was given, promotion by promotion: what going back is chosen from."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pynamodb.exceptions import DoesNotExist, PynamoDBException

from pipeline_state.model.promotion import AUTOMATIC, Promotion
from pipeline_state.model.results import ReleaseResult
from pipeline_state.model.times import parse_time
from pipeline_state.table.models import EXPIRES_AT, EnvironmentItem, set_all, to_plain
from pipeline_state.table.transaction import Transaction, fault

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition

    from pipeline_state.model.delivery import Outcome

PUSHED_AT = "pushed_at"
"""The attribute that says when the push had happened that the commit was claimed for."""

_KIND = "#deployment#"
_DEPLOYED_AT, _FAILED_AT = "deployed_at:", "failed_at:"
"""What the attributes begin with that say when a release came to its verdict."""

_LAST = 10**10 - 1
"""More promotions than an environment is given, in as many digits as their keys have."""

_PAGE = 50
"""Items of a page: some 100 KB."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One promotion of an environment, one `Promotion` for each of its releases.

    at: RFC 3339, of the claim. pushed_at: of the push that it was claimed for; empty in items of older versions.
    deployed, failed: by release, when it was. is_leaving: whether its item leaves by age.
    """

    generation: int
    repo: str
    commit: str
    at: str
    by: str
    action: str
    reason: str
    promotions: tuple[Promotion, ...]
    pushed_at: str = ""
    deployed: Mapping[str, datetime] = field(default_factory=dict)
    failed: Mapping[str, datetime] = field(default_factory=dict)
    is_leaving: bool = False

    @property
    def outcome(self) -> tuple[Outcome, datetime | None]:
        """How it ended, and when; nothing before that, and where nobody noted it.

        One release that failed is enough, at once; of one that was deployed and taken back, the later counts.
        """
        names = [each.release.name for each in self.promotions]
        deployed = [at for name in names if (at := self.deployed.get(name))]
        failed = [at for name in names if (at := self.failed.get(name)) and at >= self.deployed.get(name, at)]
        if failed:
            return "failed", min(failed)
        return ("deployed", max(deployed)) if names and len(deployed) == len(names) else ("", None)


def deployment_item(pipeline: str, environment: str, generation: int) -> EnvironmentItem:
    """The item of a promotion, beside the environment's own."""
    return EnvironmentItem(pipeline, f"{environment}{_KIND}{generation:010d}")


def deployments(pipeline: str, environment: str, most: int | None = None) -> Iterator[Deployment]:
    """What the environment was given, newest first. Raises TemporaryFault."""
    return _newest_first(pipeline, environment, limit=most, consistent_read=True)


def deployments_since(pipeline: str, environment: str, since: datetime) -> Iterator[Deployment]:
    """What the environment was given from a time on, newest first.

    Of the last second something may be missing, and it reads a page beyond the time at most: so it costs half of what
    a read costs that is up to date. Raises TemporaryFault.
    """
    found = _newest_first(pipeline, environment, page_size=_PAGE)
    return takewhile(lambda each: (parse_time(each.at) or since) >= since, found)


def deployments_from(pipeline: str, environment: str, generation: int, **how: Any) -> Iterator[Deployment]:
    """What the environment was given from a promotion on, oldest first; it may lag by a second.

    Raises TemporaryFault.
    """
    first = min(generation, _LAST)
    keys = (deployment_item(pipeline, environment, each).environment for each in (first, _LAST))
    return _found(pipeline, EnvironmentItem.environment.between(*keys), **{"page_size": _PAGE, **how})


def first_since(pipeline: str, environment: str, newest: int, since: datetime) -> int:
    """The number of the first promotion that is not before a time; one more than the newest one's where there is none.

    newest: the environment's number, whatever somebody has made of it. It is looked for by halves: 10 reads for 1,000
    promotions. The oldest leave by age. Raises TemporaryFault.
    """

    def is_since(generation: int) -> bool:
        found = _deployment(pipeline, environment, generation)
        return found is not None and (parse_time(found.at) or since) >= since

    return bisect_left(range(1, min(newest, _LAST) + 1), 1, key=is_since) + 1


def note_end(transaction: Transaction, pipeline: str, environment: str, result: ReleaseResult) -> None:
    """Note beside an environment how a release of a promotion ended, as part of a transaction.

    It can be noted in any order: deployed and failed have an attribute each. Nothing is noted of what is tried again.
    """
    if result.status:
        name = (_DEPLOYED_AT if result.status == "TRUE" else _FAILED_AT) + result.release
        item = deployment_item(pipeline, environment, result.generation)
        transaction.update("deployment", item, set_all({name: result.at}))


def _newest_first(pipeline: str, environment: str, **how: Any) -> Iterator[Deployment]:
    begins = EnvironmentItem.environment.startswith(environment + _KIND)
    return _found(pipeline, begins, scan_index_forward=False, **how)


def _found(pipeline: str, which: Condition, **how: Any) -> Iterator[Deployment]:
    try:
        for item in EnvironmentItem.query(pipeline, which, **how):
            if found := _read(item):
                yield found
    except PynamoDBException as error:
        raise fault(error) from error


def deployments_of(promotions: Iterable[tuple[str, str, int]]) -> dict[tuple[str, str, int], Deployment]:
    """Single promotions, by pipeline, environment and generation; those that are gone are left out.

    Raises TemporaryFault.
    """
    wanted = [deployment_item(*each) for each in dict.fromkeys(promotions)]
    keys = [(item.pipeline, item.environment) for item in wanted]
    try:
        items = list(EnvironmentItem.batch_get(keys, consistent_read=True)) if keys else []
    except PynamoDBException as error:
        raise fault(error) from error
    read = [(item.pipeline, item.environment.rpartition(_KIND)[0], _read(item)) for item in items]
    return {(pipeline, name, found.generation): found for pipeline, name, found in read if found}


def _deployment(pipeline: str, environment: str, generation: int) -> Deployment | None:
    """A single promotion; None for one that is gone."""
    item = deployment_item(pipeline, environment, generation)
    try:
        item.refresh()
        return _read(item)
    except DoesNotExist:
        return None
    except PynamoDBException as error:
        raise fault(error) from error


def _read(item: EnvironmentItem) -> Deployment | None:
    plain = to_plain(item.raw)
    if "promotions" not in plain:
        return None
    return Deployment(
        generation=int(item.environment.rpartition("#")[2]),
        repo=str(plain.get("repo", "")),
        commit=str(plain.get("commit", "")),
        at=str(plain.get("at", "")),
        by=str(plain.get("by", AUTOMATIC)),
        action=str(plain.get("action", "promote")),
        reason=str(plain.get("reason", "")),
        promotions=tuple(Promotion.from_dict(each) for each in json.loads(plain["promotions"])),
        pushed_at=str(plain.get(PUSHED_AT, "")),
        deployed=_times(plain, _DEPLOYED_AT),
        failed=_times(plain, _FAILED_AT),
        is_leaving=EXPIRES_AT in plain,
    )


def _times(plain: Mapping[str, Any], prefix: str) -> dict[str, datetime]:
    told = {name.removeprefix(prefix): parse_time(at) for name, at in plain.items() if name.startswith(prefix)}
    return {release: at for release, at in told.items() if at}
