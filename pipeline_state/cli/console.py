"""Where output goes: tables for people, JSON for programs, one line for what went wrong."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from pipeline_state.faults import PermanentFault, TemporaryFault

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

OK, NO, USAGE = 0, 1, 2
"""Exit codes: done; the answer is no, or it failed; the question or its input is wrong."""

_PIPE_WIDTH = 160
"""Columns of drawings where there is no terminal at all."""

UNLIMITED = 100_000
"""Columns of what is not to be wrapped."""


class CommandError(Exception):
    """What was asked cannot be done. The message says what is wrong and the next step, on one line."""

    prefix = "gatestream: "

    def __init__(self, message: str, code: int = NO) -> None:
        super().__init__(message)
        self.code = code


def make_console(*, stderr: bool = False) -> Console:
    """A console that keeps to the terminal's width and to NO_COLOR, and writes plain text into pipes."""
    from rich.console import Console

    watched = any(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    return Console(stderr=stderr, width=None if watched else _PIPE_WIDTH, highlight=False)


def print_json(data: object) -> None:
    """One JSON document on standard output."""
    whole = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=not whole, default=_plain) + "\n")


def unwrapped(view: RenderableType, file: IO[str]) -> str:
    """What people see, for programs: a sentence is a line however long it is, and no line ends in blanks.

    file: where it goes; lines are drawn with what its encoding has.
    """
    from rich.console import Console

    console = Console(width=UNLIMITED, file=file, color_system=None, highlight=False)
    with console.capture() as shown:
        console.print(view)
    return "".join(f"{line.rstrip()}\n" for line in shown.get().splitlines())


def said(value: object) -> str:
    """A value of somebody's column in a sentence: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_plain)


def printable(text: str) -> str:
    """Text that cannot move the cursor, change colours or read backwards: what does is shown escaped, on one line."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def told(error: Exception) -> tuple[str, int] | None:
    """The line and exit code of an error that is expected to happen; None for one that is a bug."""
    if isinstance(error, CommandError):
        return f"{error.prefix}{error}", error.code
    if isinstance(error, PermanentFault | TemporaryFault):
        denied = _is_a(error, "pipeline_state.table.transaction.DeniedError")
        next_step = f"; {_CHECK}" if denied else "; try again" if isinstance(error, TemporaryFault) else ""
        return f"{CommandError.prefix}{error.reason}{next_step}", NO
    line = next((tell(error) for name, tell in _OTHERS.items() if _is_a(error, name)), None)
    return (f"{CommandError.prefix}{line}", NO) if line else None


def _is_a(error: Exception, name: str) -> bool:
    """Whether the error's class or one it is made of has this name; the module need not be loaded to know."""
    return any(f"{each.__module__}.{each.__qualname__}" == name for each in type(error).__mro__)


def _client_error(error: Any) -> str:
    said = error.response.get("Error", {})
    return f"AWS refused {error.operation_name}: {said.get('Code')}: {said.get('Message')}; {_CHECK}"


_CHECK = "check credentials, --profile and --region"

_OTHERS: dict[str, Callable[[Exception], str]] = {
    "infra.local.stack.StackError": str,
    "botocore.exceptions.ClientError": _client_error,
    "botocore.exceptions.BotoCoreError": lambda error: f"AWS: {error}; {_CHECK}",
}


def _plain(value: object) -> object:
    """What DynamoDB has and JSON has not; bytes are base64, as in DynamoDB's own JSON."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return sorted(value, key=str) if isinstance(value, set) else str(value)
