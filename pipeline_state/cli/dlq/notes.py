"""What is journalled of a dead letter that somebody sends back, where it is about a commit."""

from __future__ import annotations

from datetime import datetime

from pipeline_state.cli.asking import happening
from pipeline_state.cli.dlq.dead_letters import QUEUES, Letter
from pipeline_state.cli.happenings import REDRIVEN
from pipeline_state.table.results import record_news


def note(letter: Letter, by: str, reason: str, now: datetime) -> None:
    """Journal that the letter was sent back. by: who the stack says it is. Raises TemporaryFault and PermanentFault."""
    repo, commit = (letter.about.get(name) for name in ("repo", "commit"))
    if repo and commit:
        what = {"queue": letter.queue, "to": QUEUES[letter.queue], "letter": letter.id, "reason": reason}
        record_news(happening((repo, commit), REDRIVEN, by, now, {name: text for name, text in what.items() if text}))
