"""Where Honeycomb shows a trace that a deployed stack sends there, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from urllib.parse import urlencode

from pipeline_state.cli.traces.spans import Span


def honeycomb_link(parameters: Mapping[str, str], spans: Sequence[Span]) -> str:
    """A link to the trace of these spans; empty where there are none, or the stack does not know Honeycomb's page.

    The times belong to it: without them Honeycomb looks at the last two hours only.
    https://docs.honeycomb.io/investigate/collaborate/share-trace/ (direct trace links)
    """
    page = parameters.get("HoneycombPage", "").rstrip("/")
    if not page or not spans:
        return ""
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    times = {"trace_start_ts": floor(start.timestamp()), "trace_end_ts": ceil(end.timestamp())}
    return f"{page}/trace?{urlencode({'trace_id': spans[0].trace_id, **times})}"


def honeycomb_hint(parameters: Mapping[str, str]) -> str:
    """What to do for such a link, where the spans go to Honeycomb; otherwise empty."""
    if not parameters.get("HoneycombKeySecret") or parameters.get("HoneycombPage"):
        return ""
    return "Honeycomb has it, too; deploy the stack with HoneycombPage to have a link to it here."
