"""Spans as a tree: each under its parent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline_state.cli.traces.spans import Span


def tree(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """The spans with their depth, children under their parent in the order of their start.

    One whose parent is not among them stands at the left. Those that are each other's parents come last.
    """
    ids = {span.id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.start, -span.duration)):
        children.setdefault(span.parent if span.parent in ids and span.parent != span.id else "", []).append(span)
    waiting = [(0, span) for span in reversed(children.pop("", []))]
    while waiting or children:
        if not waiting:
            waiting = [(0, span) for span in reversed(children.pop(next(iter(children))))]
        depth, span = waiting.pop()
        yield depth, span
        waiting += [(depth + 1, child) for child in reversed(children.pop(span.id, []))]
