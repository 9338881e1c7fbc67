"""Times in pipelines.yaml: durations, days, time zones and cron, checked, and as a JSON Schema from one source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StrictStr
from pydantic.json_schema import WithJsonSchema

from pipeline_state.cli.definitions.yaml_lines import quoted
from pipeline_state.model.pipelines import FreezeWindow
from pipeline_state.windows import cron_problem, zone_names

LONGEST_SOAK_DAYS, LONGEST_FREEZE_DAYS = 30, 90
"""Beyond, somebody has rather mistaken the unit."""

LONGEST_TIMEOUT_HOURS = 24
"""For a release to be ready: its lease is held so long, and nothing else goes to its environment."""

_SOAK, _DURATION = r"([0-9]{1,7})([smhd])", r"([0-9]{1,6})([mhd])"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_UNITS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def _soak(value: object) -> int:
    """Seconds from 1800, 1800s or 30m."""
    seconds = _span(value, _SOAK) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int):  # pydantic collects ValueErrors only
        raise ValueError(f"{quoted(value)} cannot be used; write whole seconds, or text as 90s, 30m, 2h or 1d")  # noqa: TRY004
    if not 0 <= seconds <= LONGEST_SOAK_DAYS * _UNITS["d"]:
        raise ValueError(f"{quoted(value)} cannot be used; {LONGEST_SOAK_DAYS}d is the longest")
    return seconds


def _timeout(value: object) -> int:
    """Seconds from 300, 90s, 5m or 2h."""
    seconds = _span(value, _SOAK) if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise ValueError(f"{quoted(value)} cannot be used; write whole seconds, or text as 90s, 5m or 2h")  # noqa: TRY004
    if not 0 < seconds <= LONGEST_TIMEOUT_HOURS * _UNITS["h"]:
        raise ValueError(f"{quoted(value)} cannot be used; 1s is the shortest and {LONGEST_TIMEOUT_HOURS}h the longest")
    return seconds


def _duration(value: object) -> int:
    """Minutes from 90m, 12h or 2d. A number alone could be minutes as well as seconds."""
    seconds = _span(value, _DURATION) if isinstance(value, str) else None
    if seconds is None:
        raise ValueError(f"{quoted(value)} cannot be used; write how long it lasts as 30m, 12h or 2d")
    if not 0 < seconds <= LONGEST_FREEZE_DAYS * _UNITS["d"]:
        raise ValueError(f"{quoted(value)} cannot be used; 1m is the shortest and {LONGEST_FREEZE_DAYS}d the longest")
    return seconds // _UNITS["m"]


def _span(text: str, pattern: str) -> int | None:
    match = re.fullmatch(pattern, text, re.ASCII)
    return int(match[1]) * _UNITS[match[2]] if match else None


def spelled(seconds: int) -> str:
    """A duration with the largest unit that leaves no rest: 90s, 30m, 2h, 1d."""
    unit, size = next((unit, size) for unit, size in reversed(_UNITS.items()) if seconds % size == 0)
    return f"{seconds // size}{unit}"


def freeze_told(window: FreezeWindow) -> str:
    """A window in words: at "0 17 * * FRI" (Europe/Berlin) for 63h, not on 2026-12-25."""
    excluded = f", not on {', '.join(window.exclude)}" if window.exclude else ""
    return f'at "{window.cron}" ({window.timezone}) for {spelled(window.minutes * 60)}{excluded}'


def _cron(value: str) -> str:
    problem = cron_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _zone(value: str) -> str:
    names = zone_names()
    if value in names:
        return value
    raise ValueError(f"{value[:80]!r} is no time zone; {_near_zone(value, names)}")


def _near_zone(value: str, names: Sequence[str]) -> str:
    """The hint for a name that is misspelled, or a city's alone; abbreviations such as CEST are near to wrong ones."""
    places = [name for name in names if "/" in name and not name.startswith("Etc/")]
    known = {name.rpartition("/")[2].lower(): name for name in places} | {name.lower(): name for name in places}
    near = get_close_matches(value.lower().replace(" ", "_"), known, n=1, cutoff=0.8)
    return f"did you mean {known[near[0]]}?" if near else "write an IANA name such as Europe/Berlin"


def _day(value: object) -> str:
    try:
        if isinstance(value, str) and re.fullmatch(_DAY, value, re.ASCII):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise ValueError(f"{quoted(value)} is no day of the calendar; write it as 2026-12-24")


Soak = Annotated[
    int,
    BeforeValidator(_soak),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": LONGEST_SOAK_DAYS * _UNITS["d"]},
                {"type": "string", "pattern": f"^{_SOAK}$"},
            ]
        }
    ),
]
Timeout = Annotated[
    int,
    BeforeValidator(_timeout),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LONGEST_TIMEOUT_HOURS * _UNITS["h"]},
                {"type": "string", "pattern": f"^(?!0+.$){_SOAK}$"},
            ]
        }
    ),
]
Duration = Annotated[
    int, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": f"^(?!0+.$){_DURATION}$"})
]
Cron = Annotated[
    StrictStr, AfterValidator(_cron), WithJsonSchema({"type": "string", "pattern": r"^\s*(?:\S+\s+){4}\S+\s*$"})
]
Zone = Annotated[StrictStr, AfterValidator(_zone)]
Day = Annotated[
    str, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_DAY}$"})
]
