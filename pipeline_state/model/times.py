"""Times as the record keeps them: RFC 3339, UTC, whole seconds or finer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_LAST_SECOND = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


def parse_time(text: object) -> datetime | None:
    """An RFC 3339 time as an aware UTC datetime; None for anything else.

    A time without an offset is refused rather than guessed (RFC 3339, section 4.3).
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter from the first and last day of the calendar
        return None


def format_time(moment: datetime) -> str:
    """The same instant as RFC 3339 text with "Z", milliseconds kept where there are any."""
    utc = moment.astimezone(UTC)
    spec = "milliseconds" if utc.microsecond else "seconds"
    return utc.isoformat(timespec=spec).replace("+00:00", "Z")


def later(moment: datetime, seconds: float) -> datetime:
    """So many seconds, none or more, after the moment; the end of the calendar where that is beyond it."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def from_epoch(seconds: int) -> str:
    """Epoch seconds as RFC 3339; empty for 0, and for what only people can have written."""
    return format_time(datetime.fromtimestamp(seconds, UTC)) if 0 < seconds <= _LAST_SECOND else ""
