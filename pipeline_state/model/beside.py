"""Several releases of one promotion: which one comes next, which never begins, and which are taken back."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from pipeline_state.model.promotion import Promotion

Outcomes = Mapping[str, Mapping[str, Any]]
"""By release, of those that have one; `kind` is "deployed" or "failed"."""


def next_release(promotion: Promotion, outcomes: Outcomes) -> str | None:
    """The release that begins now that this one is deployed, where each waits for the one before it.

    It need not be the next one: what follows from an outcome may be done again long after it, and be needed then.
    """
    if not promotion.in_order or not _is(outcomes, promotion.release.name, "deployed"):
        return None
    done = tuple(takewhile(lambda name: _is(outcomes, name, "deployed"), promotion.releases))
    following = promotion.releases[len(done) :][:1]
    return next((name for name in following if name not in outcomes), None)


def never_begun(promotion: Promotion, outcomes: Outcomes) -> tuple[str, ...]:
    """The releases that would have come after one that has failed; also those that are known by now to never begin.

    Their outcome says so, with `begun`: whoever wrote it may have died before telling anybody.
    """
    culprit = failed(promotion, outcomes)
    if not promotion.in_order or culprit is None:
        return ()
    after = promotion.releases[promotion.releases.index(culprit) + 1 :]
    return tuple(name for name in after if name not in outcomes or outcomes[name].get("begun") is False)


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


def _is(outcomes: Outcomes, release: str, kind: str) -> bool:
    return release in outcomes and outcomes[release].get("kind") == kind
