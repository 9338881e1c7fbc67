"""How long a span took, for people: finer than what commands say of waits, since hops take milliseconds."""

from __future__ import annotations

from datetime import timedelta


def duration_text(duration: timedelta) -> str:
    """A duration in the units a person would use: 0.4 ms, 132 ms, 1.24 s, 2 min 5 s, 3 h 20 min, 5 d 2 h."""
    seconds = duration.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"  # noqa: PLR2004
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    units = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
    at = next(at for at, (length, _) in enumerate(units) if seconds >= length)
    (large, name), (small, other) = units[at], units[at + 1]
    count, rest = divmod(int(seconds), large)
    return f"{count} {name} {rest // small} {other}" if rest // small else f"{count} {name}"
