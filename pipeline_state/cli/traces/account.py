"""Where the time of a trace went: waiting, for whom; in Helm; and what no span explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipeline_state.cli.traces.intervals import NOTHING, covered, gaps
from pipeline_state.cli.traces.spans import Span

WHO = {"ci": "CI", "people": "people", "pipeline": "the pipeline"}
"""Whom a commit waits for, as people say it."""

_HELM = "helm "
"""Begins the names of the spans of Helm's processes."""


@dataclass(frozen=True, slots=True)
class Account:
    """All durations are of time that at least one span covers: two waits side by side count once for each of WHO.

    waited: by whom it was for. unexplained: the longest stretch that is in no span, and since when it was.
    """

    total: timedelta
    waited: Mapping[str, timedelta]
    helm: timedelta
    unexplained: timedelta
    unexplained_since: datetime | None

    def to_json(self) -> dict[str, Any]:
        """In seconds."""
        waited = {f"waiting_for_{who}_seconds": each.total_seconds() for who, each in self.waited.items()}
        return {
            "total_seconds": self.total.total_seconds(),
            **waited,
            "helm_seconds": self.helm.total_seconds(),
            "unexplained_seconds": self.unexplained.total_seconds(),
            "unexplained_since": self.unexplained_since.isoformat() if self.unexplained_since else None,
        }


def account_of(spans: Sequence[Span]) -> Account:
    """Where the time of these spans went."""
    seconds, since = unexplained(spans)
    waits = {who: [span for span in spans if span.is_wait and span.fields.get("wait.who") == who] for who in WHO}
    return Account(
        total=max(span.end for span in spans) - min(span.start for span in spans) if spans else NOTHING,
        waited={who: _covered(own) for who, own in waits.items()},
        helm=_covered(span for span in spans if span.name.startswith(_HELM)),
        unexplained=timedelta(seconds=seconds),
        unexplained_since=since,
    )


def unexplained(spans: Iterable[Span]) -> tuple[float, datetime | None]:
    """The longest stretch within a trace that no span explains, in seconds, and its start; 0 where there is none.

    Waits and hops between functions explain as well as work does. The root does not: all else hangs under it.
    """
    between = gaps((span.start, span.end) for span in spans if not span.is_root or not span.duration)
    if not between:
        return 0.0, None
    start, end = max(between, key=lambda gap: gap[1] - gap[0])
    return (end - start).total_seconds(), start


def _covered(spans: Iterable[Span]) -> timedelta:
    return covered((span.start, span.end) for span in spans)
