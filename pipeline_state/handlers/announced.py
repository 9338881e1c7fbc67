"""That a promotion is announced is noted on its record; whoever is the first to note it counts it."""

from __future__ import annotations

from datetime import datetime

from pipeline_state import metrics
from pipeline_state.model.promotion import Promotion
from pipeline_state.table.claims import mark_published


def mark_and_count(first: Promotion, now: datetime) -> bool:
    """As `mark_published`: whoever has claimed it, and when, it is counted once. Raises TemporaryFault."""
    is_first = mark_published(first, now)
    if is_first:
        commit = f"{first.repo}@{first.commit}"
        metrics.count(metrics.PROMOTIONS, commits=commit, environments=first.environment)
    return is_first
