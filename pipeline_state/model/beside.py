"""Several releases of one promotion: which one comes next, which never begins, and which are taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_state.model.promotion import Promotion

Outcomes = Mapping[str, Mapping[str, Any]]
"""By release, of those that have one; `kind` is "deployed" or "failed"."""


def next_release(promotion: Promotion, outcomes: Outcomes) -> str | None:
    """The release that begins now that this one is deployed, where each waits for the one before it."""
    after = _after(promotion)
    begins = promotion.in_order and after and _is(outcomes, promotion.release.name, "deployed")
    return after[0] if begins and after[0] not in outcomes else None


def never_begun(promotion: Promotion, outcomes: Outcomes) -> tuple[str, ...]:
    """The releases that would have come after this one, which has failed."""
    if not promotion.in_order or not _is(outcomes, promotion.release.name, "failed"):
        return ()
    return tuple(name for name in _after(promotion) if name not in outcomes)


def taken_back(promotion: Promotion, outcomes: Outcomes) -> tuple[str, ...]:
    """The releases that are deployed and go back because another one failed, where they stand or fall together.

    The last that were deployed go back first.
    """
    if not promotion.rollback_together or failed(promotion, outcomes) is None:
        return ()
    return tuple(name for name in reversed(promotion.releases) if _is(outcomes, name, "deployed"))


def failed(promotion: Promotion, outcomes: Outcomes) -> str | None:
    """The first release of the promotion that failed, if one did."""
    return next((name for name in promotion.releases if _is(outcomes, name, "failed")), None)


def _after(promotion: Promotion) -> tuple[str, ...]:
    names = promotion.releases
    return names[names.index(promotion.release.name) + 1 :]


def _is(outcomes: Outcomes, release: str, kind: str) -> bool:
    return release in outcomes and outcomes[release].get("kind") == kind
