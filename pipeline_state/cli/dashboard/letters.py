"""The dead letters of a commit, looked for when somebody asks, and sent back from the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_state.cli.console import CommandError, told
from pipeline_state.cli.dashboard.acts import Case, Form
from pipeline_state.cli.dashboard.offers import Offer
from pipeline_state.cli.dlq import dead_letters
from pipeline_state.cli.dlq.dead_letters import QUEUES, Letter
from pipeline_state.cli.dlq.notes import note
from pipeline_state.cli.dlq.redrive import redrive
from pipeline_state.cli.stacks import Stack
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.times import format_time


@dataclass(frozen=True, slots=True)
class LetterView:
    """A dead letter. at: RFC 3339, when it came to lie there. offer: the way back, or why there is none."""

    id: str
    queue: str
    at: str
    reason: str
    offer: Offer


def letters_view(stack: Stack, repo: str, commit: str) -> list[LetterView]:
    """The dead letters of a commit, oldest first; looking takes a second, and hides them from others meanwhile.

    Raises botocore's errors.
    """
    return [_shown(letter) for letter in _of(stack, repo, commit)]


def _shown(letter: Letter) -> LetterView:
    back = QUEUES[letter.queue]
    offer = (
        Offer("Send back", "redrive", {"letter": letter.id})
        if back
        else Offer("Send back", why="there is no way back: mend what sends it, then have the provider deliver it again")
    )
    return LetterView(letter.id, letter.queue, format_time(letter.sent_at), letter.reason, offer)


def _of(stack: Stack, repo: str, commit: str) -> Iterator[Letter]:
    for letter in dead_letters.read(stack).letters:
        about = letter.about
        if (about.get("repo", "").lower(), about.get("commit")) == (repo.lower(), commit):
            yield letter


@dataclass(frozen=True, slots=True)
class Redrive:
    """Send a dead letter of the commit back to where it came from, and journal who did."""

    case: Case

    def form(self) -> Form:
        letter = self._letter()
        return Form(
            title=f"Send it back to {QUEUES[letter.queue]}",
            confirm="Send back",
            told=(f"from {letter.queue}, where it lies because: {letter.reason}",),
            notes=("What was given up for good reason comes back with the same reason.",),
            fields=(self.case.reason_field(),),
            hidden={"letter": letter.id},
        )

    def carry_out(self) -> str:
        reason, letter = self.case.reason, self._letter()
        (outcome,) = redrive(self.case.stack, [letter])
        if outcome.reason:
            raise CommandError(f"it is still in {letter.queue}: {outcome.reason}")
        return f"sent back to {QUEUES[letter.queue]}{self._noted(letter, reason)}"

    def _noted(self, letter: Letter, reason: str) -> str:
        """What to say besides, where the journal did not take it: the letter has gone all the same."""
        try:
            note(letter, self.case.by, reason, self.case.now())
        except (PermanentFault, TemporaryFault) as error:
            line = told(error)
            return f", but the journal does not tell of it: {line[0].removeprefix(CommandError.prefix) if line else ''}"
        return ""

    def _letter(self) -> Letter:
        wanted = self.case.given.get("letter", "")
        found = next(
            (each for each in _of(self.case.stack, self.case.repo, self.case.commit) if each.id == wanted), None
        )
        if found is None:
            raise CommandError("that letter is not there any more, or somebody else is looking at it; look once more")
        return found
