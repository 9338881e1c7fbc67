"""`gatestream dlq list`, `show` and `redrive`: dead letters, and the way back for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import NO, OK, USAGE, CommandError
from pipeline_state.cli.options import Choice, common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline_state.cli.dlq.dead_letters import Found, Letter
    from pipeline_state.cli.dlq.redrive import Outcome
    from pipeline_state.cli.stacks import Stack

Queue = Annotated[str, typer.Option("--queue", help="One queue only, by its name in template.yaml.", metavar="NAME")]


def list_(choice: Choice, queue: Queue = "") -> int:
    """Show what was given up, where and why; it stays there. Exit code 0: nothing lies there; 1: something does."""
    from pipeline_state.cli.dlq import dead_letters_view

    found = _read(choice, choice.open(), queue)
    data = [letter.to_json() for letter in found.letters]
    choice.show(data, lambda: dead_letters_view.letters_view(found.letters, datetime.now(UTC)))
    return NO if found.letters or found.hidden else OK


def show(
    choice: Choice,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or enough of its first digits.")],
) -> None:
    """Show all of a dead letter: the reason, its attributes and its body, which may hold a payload."""
    from pipeline_state.cli.dlq import dead_letters, dead_letters_view

    stack = choice.open()
    letter = dead_letters.pick(dead_letters.read(stack).letters, letter_id)
    changes = _changes(choice, stack, letter)
    data: dict[str, Any] = letter.to_json() | {
        "to": dead_letters.QUEUES[letter.queue] or None,
        "received": letter.received,
        "attributes": letter.texts,
        "body": letter.content,
        "changes": changes,
    }
    choice.show(data, lambda: dead_letters_view.letter_view(letter, changes))


def redrive(
    choice: Choice,
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Their ids, or enough of the first digits.")
    ] = None,
    queue: Queue = "",
    everything: Annotated[bool, typer.Option("--all", help="All of them, in every queue.")] = False,
    reason: Annotated[str, typer.Option(help="Why, for those who look later.", show_default=False)] = "",
) -> int:
    """Send dead letters back to where they came from; each is deleted once it is there.

    The commit's journal tells who did. What was given up for good reason comes back with the same reason. Exit code 0:
    all went; 1: some did not.
    """
    from pipeline_state.cli.dlq import dead_letters, dead_letters_view

    if bool(letter_ids) == everything and (everything or not queue):
        raise CommandError("say which: ids, --queue NAME or --all; `gatestream dlq list` shows what there is", USAGE)
    stack = choice.open()
    found = _read(choice, stack, queue)
    chosen = found.letters
    if letter_ids:
        chosen = tuple({each.id: each for each in (dead_letters.pick(chosen, one) for one in letter_ids)}.values())
    by = stack.identity() if chosen else ""  # before they go: whoever AWS does not know sends nothing
    outcomes = _redrive(choice, stack, chosen)
    _note(choice, by, outcomes, reason)
    data = [outcome.to_json() for outcome in outcomes]
    choice.show(data, lambda: dead_letters_view.outcomes_view(outcomes))
    return OK if all(outcome.reason == "" for outcome in outcomes) else NO


def _read(choice: Choice, stack: Stack, queue: str) -> Found:
    """What lies there; people are told of what cannot be seen."""
    from pipeline_state.cli.dlq import dead_letters
    from pipeline_state.cli.views import shown

    if queue and queue not in dead_letters.QUEUES:
        raise CommandError(f"{queue!r} is no queue of dead letters; there are {', '.join(dead_letters.QUEUES)}", USAGE)
    queues = [queue] if queue else list(dead_letters.QUEUES)
    unknown = [each for each in queues if each not in stack.queues]
    if unknown:
        names = ", ".join(unknown)
        choice.say(shown(f"{stack.name} does not tell where {names} is; deploy the current template.yaml", "yellow"))
    found = dead_letters.read(stack, queues)
    for name, number in found.hidden.items():
        hint = "somebody is looking at them, or they wait behind ten of their group"
        choice.say(shown(f"{name} has about {number} more that cannot be seen now: {hint}", "yellow"))
    return found


def _changes(choice: Choice, stack: Stack, letter: Letter) -> list[Any] | None:
    """What lies in the object that the letter names; None where it names none, or one that cannot be read."""
    from pipeline_state.cli.dlq import dead_letters, redrive
    from pipeline_state.cli.views import shown

    if dead_letters.object_of(letter.content) is None:
        return None
    try:
        return redrive.changes_in(stack, letter)
    except CommandError as problem:
        choice.say(shown(str(problem), "yellow"))
        return None


def _redrive(choice: Choice, stack: Stack, letters: Sequence[Letter]) -> list[Outcome]:
    from rich.progress import track

    from pipeline_state.cli.dlq.redrive import redrive as send_back

    quiet = not choice.console.is_interactive or len(letters) < 2  # noqa: PLR2004 - one is no progress
    told = track(
        send_back(stack, letters),
        "sending back",
        total=len(letters),
        console=choice.console,
        transient=True,
        disable=quiet,
    )
    return list(told)


def _note(choice: Choice, by: str, outcomes: Sequence[Outcome], reason: str) -> None:
    """Journal who sent them back; where that cannot be written, they have gone all the same."""
    from pipeline_state.cli.console import told
    from pipeline_state.cli.dlq.notes import note
    from pipeline_state.cli.views import shown
    from pipeline_state.faults import PermanentFault, TemporaryFault

    gone = [outcome.letter for outcome in outcomes if not outcome.reason]
    try:
        for letter in gone:
            note(letter, by, reason, datetime.now(UTC))
    except (PermanentFault, TemporaryFault) as error:
        line = told(error)
        choice.say(shown(f"the journal does not tell of all of it: {line[0] if line else error}", "yellow"))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Dead letters: what was given up, and the way back.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("list")(common(list_))
    group.command()(common(show))
    group.command()(common(redrive))
    app.add_typer(group, name="dlq", rich_help_panel="Pipelines and commits")
