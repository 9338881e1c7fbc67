"""`gatestream delivery`: DORA's figures, and where the time goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from pipeline_state.cli.delivery.reading import Tell

LONGEST = 366
"""Days of a period."""

Repo = Annotated[
    str, typer.Argument(metavar="[REPO]", help="The repository, owner/name; unless given, all.", show_default=False)
]
Environment = Annotated[
    str, typer.Option(help="Unless given, the last environments of each pipeline.", show_default=False)
]
Days = Annotated[int, typer.Option(help="How many days, today included.", min=1, max=LONGEST)]


def delivery(choice: Choice, repo: Repo = "", environment: Environment = "", days: Days = 30) -> None:
    """Tell how often and how fast commits get there, how many fail, how soon that is mended, and where the time goes.

    The figures are those of DORA; how each is computed stands beside it.
    """
    from pipeline_state.cli.delivery.delivery_view import delivery_view
    from pipeline_state.cli.delivery.report import Wanted, report

    choice.open()
    with _progress(choice) as tell:
        found = report(Wanted(repo, environment, days), datetime.now(UTC), tell)
    choice.show(found.to_json(), lambda: delivery_view(found))


@contextmanager
def _progress(choice: Choice) -> Iterator[Tell]:
    """Bars for what is read, in a terminal, while it takes."""
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    with Progress(console=choice.console, transient=True, disable=not choice.console.is_terminal) as progress:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total)

        yield tell


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Pipelines and commits")(common(delivery))
