"""Spans in place of those that nobody told of, so that what hangs under them has its place.

Webhooks leave no summaries in the Journal: they do not depend on DynamoDB. A function that has not ended yet may have
sent children of spans that are still open. And spans get lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from pipeline_state.cli.traces.spans import Span

_WEBHOOKS = {"com.github.": "github", "com.circleci.": "circleci"}
_UNKNOWN = "not told of"


def with_stand_ins(spans: Sequence[Span]) -> list[Span]:
    """The spans, and one without duration for each parent that is not among them, at the start of its first child.

    It hangs under the root.
    """
    ids = {span.id for span in spans}
    root = next((span.id for span in spans if span.is_root), "")
    orphans: dict[str, list[Span]] = {}
    for span in spans:
        if span.parent and span.parent not in ids:
            orphans.setdefault(span.parent, []).append(span)
    found = [_stand_in(parent, root, children) for parent, children in orphans.items()]
    return sorted([*spans, *found], key=lambda span: span.start)


def _stand_in(span_id: str, root: str, children: Sequence[Span]) -> Span:
    provider = _provider(children)
    name, service = (f"webhook {provider}", f"{provider}_webhook") if provider else (_UNKNOWN, "")
    ids = {"trace.trace_id": children[0].trace_id, "trace.span_id": span_id, "trace.parent_id": root}
    fields = {**ids, "name": name, "service.name": service, "duration_ms": 0, "stands_in": True}
    return Span(name, service, span_id, root, min(child.start for child in children), timedelta(0), fields)


def _provider(children: Iterable[Span]) -> str:
    """Whose webhook the parent was, by the event that its children are about."""
    types = [str(child.fields.get("cloudevents.event_type") or "") for child in children]
    return next((name for prefix, name in _WEBHOOKS.items() if any(each.startswith(prefix) for each in types)), "")
