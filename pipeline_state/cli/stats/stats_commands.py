"""`gatestream stats`: what the stack counts and times about itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline_state.cli.console import NO, OK
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from pipeline_state.cli.stacks import Stack
    from pipeline_state.cli.stats.readings import Source

Hours = Annotated[int, typer.Option(help="How many hours; as many before them stand beside.", min=1, max=720)]


def stats(choice: Choice, hours: Hours = 24) -> int:
    """Tell what was received, rejected, promoted and deployed, how long it took, and what is failing.

    Exit code 0: nothing is failing; 1: something is, and what to do about it is told.
    """
    from pipeline_state.cli.dlq.dead_letters import depths
    from pipeline_state.cli.stats.figures import figures
    from pipeline_state.cli.stats.readings import Window
    from pipeline_state.cli.stats.stats_view import stats_view

    stack = choice.open()
    window = Window.of(hours, datetime.now(UTC))
    found = figures(window, source_of(stack).read(window), depths(stack))
    choice.show(found.to_json(), lambda: stats_view(found))
    return NO if found.problems else OK


def source_of(stack: Stack) -> Source:
    """Who keeps what a stack's functions count: CloudWatch, or on the local stack their logs."""
    from pipeline_state.cli.stats.cloudwatch_source import CloudWatchSource
    from pipeline_state.cli.stats.lines_source import LinesSource

    namespace = f"Gatestream/{stack.name}"
    if stack.traces is None:
        return CloudWatchSource(stack.client("cloudwatch"), namespace)
    functions = stack.client("lambda")
    told = [functions.get_function_configuration(FunctionName=name) for name in stack.functions.values()]
    return LinesSource(stack.client("logs"), tuple(each["LoggingConfig"]["LogGroup"] for each in told), namespace)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Pipelines and commits")(common(stats))
