"""Questions that a person answers before something is changed, and what is journalled in the person's name."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import typer

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.model.times import format_time
from pipeline_state.table.journal import Happening

SOURCE = "/gatestream/command"
"""Where the journal's entries of commands come from."""


def agreed(question: str) -> bool:
    """Whether the person at the terminal says yes. Raises CommandError where nobody is there."""
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to be asked; look at the changes and add --yes", USAGE)
    return typer.confirm(question)


def happening(key: tuple[str, str], kind: str, by: str, now: datetime, what: Mapping[str, Any]) -> Happening:
    """What somebody does by a command, as the journal keeps it.

    key: repository and commit, or pipeline and environment. by: who the stack says it is. what: small plain data.
    """
    moment = format_time(now)
    return Happening(
        repo=key[0],
        commit=key[1],
        time=moment,
        id=str(uuid.uuid4()),
        source=SOURCE,
        kind=kind,
        by=by,
        verified=True,
        written_at=moment,
        what=what,
    )


def given_reason(reason: str) -> str:
    """A reason without blanks around it. Raises CommandError for none."""
    if not reason.strip():
        raise CommandError("--reason is empty; say why, for those who look later", USAGE)
    return reason.strip()
