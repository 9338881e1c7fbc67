"""`gatestream freeze`, `unfreeze`, `hold`, `release`, `stop` and `start`: what closes environments, and opens them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from pipeline_state.cli.steering.closures import Closures
    from pipeline_state.cli.steering.places import Place
    from pipeline_state.table.journal import Happening

PANEL = "Steering"
"""The heading in the list of commands."""

PipelineName = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="The pipeline, or its repository if that has just one.")
]
EnvironmentName = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="One of its environments.")]
Reason = Annotated[str, typer.Option(help="Why, for those who look later.", show_default=False)]
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
    from pipeline_state.cli.asking import given_reason
    from pipeline_state.cli.steering.closures import freeze_data, frozen_told
    from pipeline_state.cli.steering.until import read_until
    from pipeline_state.model.environments import Freeze
    from pipeline_state.table import holds

    now, why = datetime.now(UTC), given_reason(reason)
    end = read_until(until, now) if until else ""
    it = _Closing(choice, pipeline, environment, now)
    new, old = Freeze(it.by, end, why), it.before.freeze
    holds.freeze(it.place.pipeline, it.place.environment.name, new, it.happening("frozen", until=end, reason=why))
    replaced = f"; before, it was {frozen_told(old)}" if old else ""
    it.tell(f"{it.place.name} is {frozen_told(new)}{replaced}", frozen=freeze_data(new), replaced=freeze_data(old))


def unfreeze(choice: Choice, pipeline: PipelineName, environment: EnvironmentName) -> None:
    """End a freeze that somebody began. What waits is promoted."""
    from pipeline_state.cli.steering.closures import freeze_data, frozen_told
    from pipeline_state.table import holds
    from pipeline_state.table.transaction import RefusedError

    it = _Closing(choice, pipeline, environment, datetime.now(UTC))
    old = it.before.freeze
    if old is None:
        raise CommandError(_not_frozen(it.before))
    try:
        holds.unfreeze(it.place.pipeline, it.place.environment.name, it.happening("unfrozen"))
    except RefusedError as error:
        raise CommandError(f"{it.place.name} has just been unfrozen by somebody else") from error
    left = replace(it.before, freeze=None)
    it.tell(_opened("unfrozen", frozen_told(old), left), frozen=None, replaced=freeze_data(old))


def hold(choice: Choice, pipeline: PipelineName, environment: EnvironmentName, reason: Reason) -> None:
    """Pin an environment to what runs there, until it is released."""
    from pipeline_state.cli.asking import given_reason
    from pipeline_state.cli.steering.closures import Hold, held_told, hold_data
    from pipeline_state.table import holds

    why = given_reason(reason)
    it = _Closing(choice, pipeline, environment, datetime.now(UTC))
    new, old = Hold(it.by, why), it.before.hold
    holds.hold(it.place.pipeline, it.place.environment.name, why, it.happening("held", reason=why))
    replaced = f"; before, it was {held_told(old)}" if old else ""
    it.tell(f"{it.place.name} is {held_told(new)}{replaced}", held=hold_data(new), replaced=hold_data(old))


def release(choice: Choice, pipeline: PipelineName, environment: EnvironmentName) -> None:
    """End a hold, also a rollback's. Commits newer than all that were there before go on."""
    from pipeline_state.cli.steering.closures import held_told, hold_data
    from pipeline_state.table import holds
    from pipeline_state.table.transaction import RefusedError

    it = _Closing(choice, pipeline, environment, datetime.now(UTC))
    old = it.before.hold
    if old is None:
        raise CommandError("; ".join([f"{it.place.name} is not held", *it.before.sentences]))
    try:
        holds.release(it.place.pipeline, it.place.environment.name, it.happening("released"))
    except RefusedError as error:
        raise CommandError(f"{it.place.name} has just been released by somebody else") from error
    it.tell(_opened("released", held_told(old), replace(it.before, hold=None)), held=None, replaced=hold_data(old))


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


class _Closing:
    """One call about one environment: who asks, and what closed it before."""

    def __init__(self, choice: Choice, pipeline: str, environment: str, now: datetime) -> None:
        from pipeline_state.cli.steering.closures import read_closures
        from pipeline_state.cli.steering.places import find_place

        stack = choice.open()
        self._choice, self._now = choice, now
        self.place: Place = find_place(pipeline, environment)
        self.before: Closures = read_closures(self.place, now)
        self.by = stack.identity()

    def happening(self, kind: str, **what: str) -> Happening:
        """What is journalled about it."""
        from pipeline_state.cli.asking import happening

        return happening(self.place.key, kind, self.by, self._now, {**self.place.to_json(), **what})

    def tell(self, sentence: str, **data: Any) -> None:
        """The answer."""
        from pipeline_state.cli.views import shown

        self._choice.show({**self.place.to_json(), **data}, lambda: shown(sentence))


def _opened(done: str, was: str, left: Closures) -> str:
    """What has ended, and what keeps it closed all the same."""
    but = f"; but {', and '.join(left.sentences)}" if left.sentences else ""
    return f"{left.place.name} is {done}; before, it was {was}{but}"


def _not_frozen(closures: Closures) -> str:
    """Why there is nothing to unfreeze, and what closes it instead."""
    name = closures.place.name
    ended = f"; its freeze ended by itself at {closures.ended.until}" if closures.ended else ""
    if closures.window:
        fix = "the definition does; see `gatestream pipelines show`, or go ahead with `gatestream override`"
        return f"nobody has frozen {name}{ended}, but until {closures.window.until} {fix}"
    if closures.stop:
        return f"{name} itself is not frozen{ended}, but {closures.sentences[-1]}; end it with `gatestream start`"
    held = f"; it is held, see `gatestream release {closures.place.arguments}`" if closures.hold else ""
    return f"{name} is not frozen{ended}{held}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (freeze, unfreeze, hold, release, stop, start):
        app.command(rich_help_panel=PANEL)(common(command))
