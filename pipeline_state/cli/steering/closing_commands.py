"""`gatestream freeze`, `unfreeze`, `hold`, `release`, `stop` and `start`: what closes environments, and opens them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from pipeline_state.cli.steering.closing import Closing, Said

PANEL = "Steering"
"""The heading in the list of commands."""

PipelineName = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="The pipeline, or its repository if that has just one.")
]
EnvironmentName = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="One of its environments.")]
Reason = Annotated[str, typer.Option(help="Why, for those who look later.", show_default=False)]
MaybeReason = Annotated[str, typer.Option("--reason", help="Why, for those who look later.", show_default=False)]
Until = Annotated[
    str,
    typer.Option(
        metavar="TIME", help="When it ends: 90m, 2h, 3d, or an RFC 3339 time; unless given, when somebody ends it."
    ),
]


def freeze(
    choice: Choice, pipeline: PipelineName, environment: EnvironmentName, reason: Reason, until: Until = ""
) -> None:
    """Let nothing begin to move to an environment, until a time or until it is unfrozen."""
    _tell(choice, _closing(choice, pipeline, environment).freeze(reason, until))


def unfreeze(choice: Choice, pipeline: PipelineName, environment: EnvironmentName, reason: MaybeReason = "") -> None:
    """End a freeze that somebody began. What waits is promoted."""
    _tell(choice, _closing(choice, pipeline, environment).unfreeze(reason))


def hold(choice: Choice, pipeline: PipelineName, environment: EnvironmentName, reason: Reason) -> None:
    """Pin an environment to what runs there, until it is released."""
    _tell(choice, _closing(choice, pipeline, environment).hold(reason))


def release(choice: Choice, pipeline: PipelineName, environment: EnvironmentName, reason: MaybeReason = "") -> None:
    """End a hold, also a rollback's. Commits newer than all that were there before go on."""
    _tell(choice, _closing(choice, pipeline, environment).release(reason))


def stop(choice: Choice, reason: Reason, until: Until = "") -> None:
    """Freeze everything at once: every environment of every pipeline."""
    from pipeline_state.cli.asking import given_reason, happening
    from pipeline_state.cli.steering.closures import freeze_data, read_stop, stopped_told
    from pipeline_state.cli.steering.until import read_until
    from pipeline_state.cli.views import shown
    from pipeline_state.model.environments import Freeze
    from pipeline_state.table import holds
    from pipeline_state.table.snapshot import EVERYTHING

    now, why = datetime.now(UTC), given_reason(reason)
    end = read_until(until, now) if until else ""
    by = choice.open().identity()
    new, old = Freeze(by, end, why), read_stop(now)
    holds.stop(new, happening(EVERYTHING, "stopped", by, now, {"until": end, "reason": why}))
    replaced = f"; before, {stopped_told(old)}" if old else ""
    data = {"stopped": freeze_data(new), "replaced": freeze_data(old)}
    choice.show(data, lambda: shown(f"{stopped_told(new)}{replaced}"))


def start(choice: Choice) -> None:
    """End the stop of everything. Freezes and holds of single environments stay."""
    from pipeline_state.cli.asking import happening
    from pipeline_state.cli.steering.closures import freeze_data, read_stop, stopped_told
    from pipeline_state.cli.views import shown
    from pipeline_state.table import holds
    from pipeline_state.table.snapshot import EVERYTHING
    from pipeline_state.table.transaction import RefusedError

    now, stack = datetime.now(UTC), choice.open()
    old = read_stop(now)
    if old is None:
        raise CommandError("nothing is to be started: there is no stop; `gatestream status` shows freezes and holds")
    try:
        holds.start(happening(EVERYTHING, "started", stack.identity(), now, {}))
    except RefusedError as error:
        raise CommandError("somebody else has just started everything") from error
    data = {"stopped": None, "replaced": freeze_data(old)}
    choice.show(data, lambda: shown(f"started; before, {stopped_told(old)}"))


def _closing(choice: Choice, pipeline: str, environment: str) -> Closing:
    from pipeline_state.cli.steering.closing import closing
    from pipeline_state.cli.steering.places import find_place

    stack = choice.open()
    return closing(find_place(pipeline, environment), stack.identity(), datetime.now(UTC))


def _tell(choice: Choice, said: Said) -> None:
    from pipeline_state.cli.views import shown

    choice.show(dict(said.data), lambda: shown(said.sentence))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (freeze, unfreeze, hold, release, stop, start):
        app.command(rich_help_panel=PANEL)(common(command))
