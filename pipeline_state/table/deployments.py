"""What an environment was given, promotion by promotion: what going back is chosen from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from pynamodb.exceptions import PynamoDBException

from pipeline_state.model.promotion import AUTOMATIC, Promotion
from pipeline_state.model.times import parse_time
from pipeline_state.table.models import EXPIRES_AT, EnvironmentItem, to_plain
from pipeline_state.table.transaction import fault

_KIND = "#deployment#"

_PAGE = 25
"""Items of a page: some 50 KB."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One promotion of an environment, one `Promotion` for each of its releases.

    at: RFC 3339, of the claim. is_leaving: whether its item leaves by age.
    """

    generation: int
    repo: str
    commit: str
    at: str
    by: str
    action: str
    reason: str
    promotions: tuple[Promotion, ...]
    is_leaving: bool = False


def deployment_item(pipeline: str, environment: str, generation: int) -> EnvironmentItem:
    """The item of a promotion, beside the environment's own."""
    return EnvironmentItem(pipeline, f"{environment}{_KIND}{generation:010d}")


def deployments(pipeline: str, environment: str, most: int | None = None) -> Iterator[Deployment]:
    """What the environment was given, newest first. Raises TemporaryFault."""
    return _found(pipeline, environment, limit=most, consistent_read=True)


def deployments_since(pipeline: str, environment: str, since: datetime) -> Iterator[Deployment]:
    """What the environment was given from a time on, newest first.

    Of the last second something may be missing, and it reads a page beyond the time at most: so it costs half of what
    a read costs that is up to date. Raises TemporaryFault.
    """
    found = _found(pipeline, environment, page_size=_PAGE)
    return takewhile(lambda each: (parse_time(each.at) or since) >= since, found)


def _found(pipeline: str, environment: str, **how: Any) -> Iterator[Deployment]:
    begins = EnvironmentItem.environment.startswith(environment + _KIND)
    try:
        for item in EnvironmentItem.query(pipeline, begins, scan_index_forward=False, **how):
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
        is_leaving=EXPIRES_AT in plain,
    )
