"""`gatestream trace`: a commit's whole way as a waterfall, or where Honeycomb shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice, common
from pipeline_state.cli.record_commands import Commit, Repo

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAGES = {"https://api.eu1.honeycomb.io": "https://ui.eu1.honeycomb.io"}
_PAGE = "https://ui.honeycomb.io"


def trace(choice: Choice, repo: Repo, commit: Commit) -> None:
    """Draw a commit's trace: every hop from the webhook to Helm, and how long it took."""
    from pipeline_state import tracing
    from pipeline_state.cli import facts
    from pipeline_state.cli.traces import waterfall
    from pipeline_state.cli.traces.spans import spans_of

    stack = choice.open()
    spelled, sha = facts.find_commit(repo, commit)
    trace_id = tracing.trace_of(spelled, sha).trace_id
    if stack.traces is None:
        place = honeycomb_place(stack.parameters, trace_id)
        choice.show(place, lambda: f"Trace {trace_id} is in Honeycomb:\n{place['url']}")
        return
    spans = spans_of(stack, spelled, sha)
    if not spans:
        raise CommandError(f"{stack.traces} has no spans of trace {trace_id}; the stack was started anew since")
    choice.show({"trace_id": trace_id, "spans": [span.to_json() for span in spans]}, lambda: waterfall.draw(spans))


def honeycomb_place(parameters: Mapping[str, str], trace_id: str) -> dict[str, str]:
    """Where Honeycomb shows a trace of the stack with these parameters. Raises CommandError when it sends none.

    https://docs.honeycomb.io/investigate/collaborate/share-trace/ (direct trace links)
    """
    if not parameters.get("HoneycombKeySecret"):
        raise CommandError("this stack sends no spans; deploy it with HoneycombKeySecret to have traces")
    dataset = parameters.get("HoneycombDataset") or "gatestream"
    page = _PAGES.get(parameters.get("HoneycombApiHost", ""), _PAGE)
    url = f"{page}/<your team>/environments/<your environment>/datasets/{dataset}/trace?trace_id={trace_id}"
    return {"trace_id": trace_id, "dataset": dataset, "url": url}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Pipelines and commits")(common(trace))
