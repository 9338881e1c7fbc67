"""How long something took, for people."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_UNITS = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m"), (1, "s"))


def took(seconds: float) -> str:
    """The two largest units that count: "0.4 s", "42 s", "3 m 20 s", "1 h 12 m", "2 d". Halves are rounded to even."""
    if seconds < 1:
        return f"{max(seconds, 0):.1f} s"
    left, parts = _rounded(seconds), []
    for size, unit in _UNITS:
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2])


def seconds_in(value: object) -> float:
    """Seconds in a value that anybody may have written; 0 where there are none."""
    if not isinstance(value, str | int | float | Decimal) or isinstance(value, bool):
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        return 0.0
    return seconds if isfinite(seconds) and seconds > 0 else 0.0


def _rounded(seconds: float) -> int:
    """To whole minutes from an hour on, and to whole hours from a day on, so that no third unit counts."""
    whole = round(seconds)
    step = _HOUR if whole >= _DAY else _MINUTE if whole >= _HOUR else 1
    return round(whole / step) * step
