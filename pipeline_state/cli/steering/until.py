"""When a freeze is to end, as people give it: an RFC 3339 time, or how long it is until then."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.model.times import format_time, parse_time

_DURATION = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_FORMS = "write a duration from now such as 90m, 2h or 3d, or a time such as 2026-12-24T18:00:00Z"


def read_until(text: str, now: datetime, zone: timedelta | None = None) -> str:
    """The time as RFC 3339 text in UTC.

    now: aware. zone: what clocks are ahead of UTC where the person is; unless given, this machine's are asked. Raises
    CommandError for what is no time, for one that leaves open which, and for one that is past.
    """
    end = _end(text.strip(), now, zone)
    if end <= now:
        raise CommandError(f"{text} is past, it is {format_time(now.replace(microsecond=0))} now; {_FORMS}", USAGE)
    return format_time(end.replace(microsecond=0) + timedelta(seconds=1) if end.microsecond else end)


def _end(text: str, now: datetime, zone: timedelta | None) -> datetime:
    if match := _DURATION.fullmatch(text.lower()):
        return now.astimezone(UTC) + int(match[1]) * _UNITS[match[2]]
    if end := parse_time(text.upper()):
        return end
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time; {_FORMS}", USAGE) from None
    raise CommandError(f"{text} could be meant in any time zone; write {_spellings(wall, zone)}", USAGE)


def _spellings(wall: datetime, zone: timedelta | None) -> str:
    """The time as it is meant in UTC, and where the person is."""
    utc = wall.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    try:
        here = wall.astimezone().isoformat() if zone is None else f"{wall.isoformat()}{_offset(zone)}"
    except (OverflowError, OSError):  # from the first and last day of the calendar
        return utc
    return utc if here.endswith("+00:00") else f"{utc} for UTC, or {here} as clocks are here"


def _offset(zone: timedelta) -> str:
    minutes = int(zone.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
