"""What is around everything that a function does when it is called: traces and numbers leave before it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline_state import metrics, tracing


@contextmanager
def invocation(context: object) -> Iterator[None]:
    """The whole body of a handler, given Lambda's context."""
    with metrics.invocation(str(getattr(context, "aws_request_id", ""))):
        before = tracing.lost()
        try:
            with tracing.invocation(context):
                yield
        finally:
            metrics.count(metrics.SPANS_LOST, max(0, tracing.lost() - before))
