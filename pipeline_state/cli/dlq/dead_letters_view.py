"""Dead letters and what became of them, for people. All of it was written by others and is shown escaped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipeline_state.cli.dlq.dead_letters import QUEUES, Letter
from pipeline_state.cli.dlq.redrive import Outcome
from pipeline_state.cli.views import SHORT, moment, plain_table, shown
from pipeline_state.model.times import format_time

ID = 8
"""Digits of an id that tell it apart, as a rule."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def letters_view(letters: Sequence[Letter], now: datetime) -> Table | Text:
    """Oldest first."""
    if not letters:
        return Text("no dead letters", "green")
    table = plain_table("queue", "repo", "commit", "age", "id", "reason", folding=2)
    for letter in letters:
        repo, commit = _place(letter)
        table.add_row(letter.queue, repo, commit, age(letter.sent_at, now), letter.id[:ID], letter.reason)
    return table


def letter_view(letter: Letter, changes: Sequence[Any] | None) -> Group:
    """All of one. changes: those of the object that it names."""
    back = QUEUES[letter.queue]
    facts = {
        "queue": letter.queue,
        "id": letter.id,
        **letter.about,
        "sent": f"{moment(format_time(letter.sent_at))} UTC",
        "received": f"{letter.received} times",
        "reason": letter.reason,
        "goes to": back or "nowhere: mend what sends it, then have the provider deliver it once more",
    }
    attributes = {name: text for name, text in sorted(letter.texts.items()) if name not in facts}
    kept = [Text(), Text("changes in the object", "bold"), *_lines(changes)] if changes is not None else []
    return Group(
        *_pairs(facts), Text(), *_pairs(attributes), *([Text()] if attributes else []), *_lines(letter.content), *kept
    )


def outcomes_view(outcomes: Sequence[Outcome]) -> Group:
    """How many went where, and which did not, and why."""
    went = Counter(QUEUES[outcome.letter.queue] for outcome in outcomes if not outcome.reason)
    lines = [Text(f"{number} sent back to {where}", "green") for where, number in went.items()]
    stayed = [outcome for outcome in outcomes if outcome.reason]
    table = plain_table("queue", "repo", "commit", "id", "still there because", folding=2)
    for outcome in stayed:
        table.add_row(outcome.letter.queue, *_place(outcome.letter), outcome.letter.id[:ID], outcome.reason)
    return Group(*lines, *([table] if stayed else [])) if outcomes else Group(Text("no dead letters", "green"))


def age(then: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that counts one."""
    seconds = max(int((now - then).total_seconds()), 0)
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def _place(letter: Letter) -> tuple[str, str]:
    """Repository and commit; of a change of an environment, its pipeline and itself."""
    told = letter.about
    return told.get("repo") or told.get("pipeline", ""), told.get("commit", "")[:SHORT] or told.get("environment", "")


def _pairs(facts: Mapping[str, str]) -> list[Text]:
    width = max(map(len, facts), default=0) + 2
    return [Text.assemble(shown(f"{name:<{width}}", "bold"), shown(text)) for name, text in facts.items()]


def _lines(content: object) -> list[Text]:
    whole = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)
    return [shown(line) for line in whole.split("\n")]
