"""Spans as the tree that they make."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Span = Mapping[str, Any]
"""A span's fields, as Honeycomb has them."""


def tree(spans: Sequence[Span]) -> str:
    """The names of spans, each beneath its parent's; brothers by name, with how many there are of the same kind.

    Raises AssertionError for a span that is there twice or without its parent, and unless there is one root.
    """
    ids = Counter(span["trace.span_id"] for span in spans)
    assert not [span["name"] for span in spans if ids[span["trace.span_id"]] > 1], "spans that are there twice"
    orphans = [span["name"] for span in spans if span.get("trace.parent_id") and span["trace.parent_id"] not in ids]
    assert not orphans, "spans without their parents"
    (root,) = (span for span in spans if not span.get("trace.parent_id"))
    return "\n".join(_drawn(root, spans))


def _drawn(span: Span, spans: Sequence[Span]) -> Iterator[str]:
    yield span["name"]
    below = [tuple(_drawn(each, spans)) for each in spans if each.get("trace.parent_id") == span["trace.span_id"]]
    for (first, *rest), count in sorted(Counter(below).items()):
        yield f"  {first}{f' × {count}' if count > 1 else ''}"
        yield from (f"  {line}" for line in rest)
