"""`gatestream diff`, `rollback`, `redeploy`, `override` and `history`: promotions by name, coming and past."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline_state.cli.console import NO, OK, CommandError
from pipeline_state.cli.options import Choice, common
from pipeline_state.cli.steering.closing_commands import PANEL, EnvironmentName, PipelineName, Reason
from pipeline_state.cli.steering.diff_commands import diff

if TYPE_CHECKING:
    from pipeline_state.cli.steering.wishes import Wish
    from pipeline_state.model.promotion import Action

Override = Annotated[bool, typer.Option("--override", help="Go ahead although the environment is frozen.")]
Current = Annotated[
    bool, typer.Option("--current-definition", help="By today's definition instead of that of back then.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def rollback(  # noqa: PLR0913, PLR0917 - an option each
    choice: Choice,
    pipeline: PipelineName,
    environment: EnvironmentName,
    reason: Reason,
    to: Annotated[str, typer.Option(metavar="COMMIT", help="Unless given, the last older one that was deployed.")] = "",
    current_definition: Current = False,
    override: Override = False,
    yes: Yes = False,
) -> int:
    """Go back to a commit that was deployed there, as it was then, and hold the environment.

    Its gates have to be open still. Nothing else goes there by itself until `gatestream release`. With --json, nothing
    is asked: without --yes it tells what would be done, and exits with 1.
    """
    from pipeline_state.model.promotion import Action

    wish = _wish(choice, Action.ROLLBACK, (pipeline, environment), reason, commit=to)
    return _promote(choice, replace(wish, is_current=current_definition, override=override), yes)


def redeploy(
    choice: Choice,
    pipeline: PipelineName,
    environment: EnvironmentName,
    reason: Reason,
    current_definition: Current = False,
    override: Override = False,
    yes: Yes = False,
) -> int:
    """Install what an environment has once more, as a new promotion; also after it failed."""
    from pipeline_state.model.promotion import Action

    wish = _wish(choice, Action.REDEPLOY, (pipeline, environment), reason)
    return _promote(choice, replace(wish, is_current=current_definition, override=override), yes)


def override(
    choice: Choice,
    pipeline: PipelineName,
    environment: EnvironmentName,
    commit: Annotated[str, typer.Argument(help="A commit's hash, or enough of its first digits.")],
    reason: Reason,
    yes: Yes = False,
) -> int:
    """In an emergency, promote a commit although the environment is frozen, held or stopped.

    Its gates have to be open. It is recorded with your name and reason.
    """
    from pipeline_state.model.promotion import Action

    wish = _wish(choice, Action.OVERRIDE, (pipeline, environment), reason, commit=commit)
    return _promote(choice, replace(wish, override=True), yes)


def history(
    choice: Choice,
    pipeline: PipelineName,
    environment: EnvironmentName,
    last: Annotated[int, typer.Option("--last", "-n", help="How many, counted from the newest.", min=1)] = 10,
) -> None:
    """Tell what an environment was given, newest first: by whom, why, what came of it, and who opened the gates.

    Of each release it tells the Helm revision, the chart with its digest, the image, how long it took and what had to
    be put right first; --json has digests and hashes whole.
    """
    from pipeline_state.cli.steering import history_view, promotions
    from pipeline_state.cli.steering.places import find_place

    choice.open()
    place, now = find_place(pipeline, environment), _now()
    found = promotions.latest(place, last)
    if not found and not choice.as_json:
        raise CommandError(f"nothing has ever been promoted to {place.name}")
    choice.show([past.to_json(now) for past in found], lambda: history_view.history_table(found, now))


def _wish(choice: Choice, action: Action, names: tuple[str, str], reason: str, commit: str = "") -> Wish:
    from pipeline_state.cli.asking import given_reason
    from pipeline_state.cli.steering.places import find_place
    from pipeline_state.cli.steering.wishes import Wish

    why = given_reason(reason)
    stack = choice.open()
    return Wish(action, find_place(*names), stack.identity(), why, commit)


def _promote(choice: Choice, wish: Wish, yes: bool) -> int:
    """Show it, ask, and do it. With --json, nothing is asked: without --yes it tells what would be done."""
    from pipeline_state.cli.asking import agreed
    from pipeline_state.cli.steering import moving, moving_view

    plan = moving.plan(wish, _now)
    if not yes and (told := plan.under_way(_now())):
        raise CommandError(f"{told}; wait for the result, or add --yes to begin again all the same")
    if not choice.as_json:
        choice.say(moving_view.plan_view(plan))
    is_agreed = yes or (not choice.as_json and agreed(moving_view.question(plan)))
    promotions = moving.carry_out(plan, _now) if is_agreed else []
    generation = promotions[0].generation if promotions else None
    if choice.as_json:
        choice.show({**plan.to_json(_now()), "promoted": is_agreed, "generation": generation}, str)
    elif is_agreed:
        follow = f"`gatestream why {plan.snapshot.repo} {plan.commit[:12]}` tells how it goes"
        choice.say(f"Promoted, number {generation}; {follow}.")
    else:
        choice.say("Nothing was changed.")
    return OK if is_agreed else NO


def _now() -> datetime:
    return datetime.now(UTC)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (diff, rollback, redeploy, override, history):
        app.command(rich_help_panel=PANEL)(common(command))
