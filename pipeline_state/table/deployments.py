"""What an environment was given, promotion by promotion: what going back is chosen from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pynamodb.exceptions import PynamoDBException

from pipeline_state.model.promotion import AUTOMATIC, Promotion
from pipeline_state.table.models import EXPIRES_AT, EnvironmentItem, to_plain
from pipeline_state.table.transaction import fault

_KIND = "#deployment#"


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
    begins = EnvironmentItem.environment.startswith(environment + _KIND)
    try:
        for item in EnvironmentItem.query(pipeline, begins, scan_index_forward=False, limit=most, consistent_read=True):
            plain = to_plain(item.raw)
            if "promotions" in plain:
                yield Deployment(
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
    except PynamoDBException as error:
        raise fault(error) from error
