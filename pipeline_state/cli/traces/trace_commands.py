"""`gatestream trace`: a commit's whole way as a waterfall, in the terminal or as a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice, common
from pipeline_state.cli.record_commands import Commit, Repo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from pipeline_state.cli.stacks import Stack
    from pipeline_state.cli.traces.spans import Span

_WHOLE = re.compile(r"[0-9a-fA-F]{40}")

Open = Annotated[bool, typer.Option("--open", help="Open it in the browser, as a page that needs nothing else.")]
Page = Annotated[Path | None, typer.Option(metavar="FILE", help="Write that page to a file.", show_default=False)]


def trace(choice: Choice, repo: Repo, commit: Commit, in_browser: Open = False, page: Page = None) -> None:
    """Draw a commit's trace: every hop from the webhook to Helm, every wait and who ended it, and how long it took."""
    from pipeline_state import tracing
    from pipeline_state.cli.browser import opened
    from pipeline_state.cli.traces.honeycomb import honeycomb_hint, honeycomb_link
    from pipeline_state.cli.traces.spans import spans_of

    stack = choice.open()
    spelled, sha = _find(stack, repo, commit)
    trace_id = tracing.trace_of(spelled, sha).trace_id
    spans = spans_of(stack, spelled, sha)
    if not spans:
        raise CommandError(_nothing(stack, trace_id))
    link = honeycomb_link(stack.parameters, spans)
    if in_browser or page:
        written = _write_page(page, spelled, sha, spans, link)
        choice.show({"page": str(written)}, lambda: f"The trace is in {written}")
        if in_browser:
            opened(written)
        return
    beside = link or honeycomb_hint(stack.parameters)
    choice.show(tracing.to_otlp_json(span.to_item() for span in spans), lambda: _view(spans, beside))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Pipelines and commits")(common(trace))


def _find(stack: Stack, repo: str, commit: str) -> tuple[str, str]:
    """The commit; also one that has no record any more, where its whole hash is given: the trace may outlive it."""
    from pipeline_state.cli import facts

    try:
        return facts.find_commit(repo, commit)
    except CommandError:
        if stack.traces is None or not _WHOLE.fullmatch(commit):
            raise
        return repo, commit.lower()


def _nothing(stack: Stack, trace_id: str) -> str:
    """Why there is nothing to draw, and what to do."""
    if stack.traces:
        return f"{stack.traces} has no spans of trace {trace_id}; send a webhook about the commit, then look again"
    return f"the journal has no summaries of trace {trace_id}; deploy the stack with SpanSummaries=true to have them"


def _view(spans: Sequence[Span], beside: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from pipeline_state.cli.traces.waterfall import draw

    return Group(draw(spans), *([Text(beside)] if beside else []))


def _write_page(page: Path | None, repo: str, commit: str, spans: Sequence[Span], link: str) -> Path:
    """Raises CommandError where it cannot be written."""
    import tempfile

    from pipeline_state.cli.traces.page import page_html
    from pipeline_state.tracing import trace_of

    short = commit[:12]
    written = page or Path(tempfile.mkdtemp(prefix="gatestream-")) / f"trace-{short}.html"
    html = page_html(f"{repo} {short}", trace_of(repo, commit).trace_id, spans, link)
    try:
        written.write_text(html, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"the page cannot be written: {written}: {error.strerror}") from error
    return written.absolute()
