"""Reading a webhook's payload by dotted paths, without ever trusting its shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pipeline_state.faults import PermanentFault
from pipeline_state.model.times import format_time, parse_time

_LONGEST_TEXT = 2048
T = TypeVar("T")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class UnprocessableError(PermanentFault):
    """A field we cannot do without is not there, or something else is. field: its dotted path, or the header's name."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Payload:
    """A webhook's JSON object. A path ("check_run.head_sha") names a field; of several, the first that fits counts."""

    content: Mapping[str, Any]

    @classmethod
    def of(cls, content: object) -> Payload:
        """Raises UnprocessableError when the JSON is not an object."""
        if not isinstance(content, Mapping):
            raise UnprocessableError("payload", f"a JSON object, got {type(content).__name__}")
        return cls(content)

    def value(self, path: str) -> Any:
        """Whatever is there, or None."""
        found: Any = self.content
        for name in path.split("."):
            if not isinstance(found, Mapping):
                return None
            found = found.get(name)
        return found

    def text(self, *paths: str) -> str | None:
        """The first of the fields that holds text fit to travel: not empty, Unicode, at most 2,048 characters."""
        return next((text for text in map(self.value, paths) if is_text(text)), None)

    def label(self, *paths: str) -> str | None:
        """As `text`, with whole numbers written out, since GitHub's ids are numbers."""
        found = (self.value(path) for path in paths)
        written = (str(value) if isinstance(value, int) and not isinstance(value, bool) else value for value in found)
        return next((value for value in written if is_text(value)), None)

    def commit(self, *paths: str) -> str | None:
        """The first of the fields that holds a commit: 40 hex."""
        return next((text for text in map(self.text, paths) if text and _COMMIT.fullmatch(text)), None)

    def moment(self, *paths: str) -> datetime | None:
        """The first of the fields that holds a time: RFC 3339, or seconds since 1970."""
        return next((moment for moment in map(_moment, map(self.value, paths)) if moment), None)

    def needed_text(self, *paths: str) -> str:
        """As `text`. Raises UnprocessableError that names the first path."""
        return _needed(self.text(*paths), paths[0], f"text of 1 to {_LONGEST_TEXT} characters")

    def needed_commit(self, *paths: str) -> str:
        """As `commit`. Raises UnprocessableError that names the first path."""
        return _needed(self.commit(*paths), paths[0], "a commit of 40 hexadecimal digits")

    def needed_time(self, *paths: str) -> str:
        """As `moment`, written as RFC 3339. Raises UnprocessableError that names the first path."""
        return format_time(_needed(self.moment(*paths), paths[0], "a time (RFC 3339, or seconds since 1970)"))

    def time(self, *paths: str) -> str | None:
        """As `moment`, written as RFC 3339."""
        moment = self.moment(*paths)
        return format_time(moment) if moment else None


def present(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data without the keys that have no value; False is one."""
    return {key: value for key, value in data.items() if value not in (None, "", [])}


def is_text(value: object) -> bool:
    """Whether it is text fit to travel.

    A lone surrogate is legal in a JSON escape and in no encoding, so neither a queue nor a table would take it.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _needed(found: T | None, field: str, expected: str) -> T:
    if found is None:
        raise UnprocessableError(field, expected)
    return found


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        return parse_time(value)
    except (OverflowError, ValueError, OSError):
        return None
