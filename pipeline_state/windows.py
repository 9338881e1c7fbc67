"""Freeze windows by the clock: the one module that knows cron and time zones.

A window begins whenever the clock of its zone shows the time: twice where an hour comes twice, and at the moment the
clock goes on where an hour is skipped. Its minutes are real ones, whatever the clock does meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from pipeline_state.faults import PermanentFault
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Environment, FreezeWindow
from pipeline_state.model.times import format_time

MOST_JOINED = 200
"""Windows that are followed one into the next; who waits for the end of so many looks again then."""

_FIELDS = 5

_MINUTE = timedelta(minutes=1)

_SAMPLES = tuple(datetime(2026, month, 2 * month, 2 * month - 1, tzinfo=UTC) for month in range(1, 13))
"""Moments of every month, weekday and part of the day, the same for every check of a file."""


def current_window(windows: Sequence[FreezeWindow], now: datetime) -> tuple[datetime, FreezeWindow] | None:
    """When the freeze that `now` lies in ends, in UTC, and the window that ends last; None without a freeze.

    Windows that overlap or follow each other without a gap are one freeze. A window's begin belongs to it, its end does
    not. now: aware. Raises PermanentFault for a window whose cron or time zone does not exist.
    """
    end, last = now.astimezone(UTC), None
    for _ in range(MOST_JOINED if windows else 0):
        ends = [(until, window) for window in windows if (until := _end(window, end))]
        if not ends:
            break
        end, last = max(ends, key=lambda found: found[0])
    return (end, last) if last else None


def last_end(windows: Sequence[FreezeWindow], since: datetime, now: datetime) -> datetime:
    """When one of the windows ended last, up to `now`; `since` where none has ended after it.

    since, now: aware. Raises as `current_window`.
    """
    lengths = [(window, timedelta(minutes=window.minutes)) for window in windows]
    return max([since, *(_last_begin(each, since - lasts, now - lasts) + lasts for each, lasts in lengths)])


def freeze_by(windows: Sequence[FreezeWindow], now: datetime) -> Freeze | None:
    """The freeze that `now` lies in, as the model has it; None without one. Raises as `current_window`."""
    found = current_window(windows, now)
    return Freeze("pipelines.yaml", format_time(found[0]), found[1].reason) if found else None


def freeze_of(environment: Environment, now: datetime) -> Freeze | None:
    """The freeze of an environment's windows that `now` lies in. Raises as `current_window`."""
    return freeze_by(environment.freezes, now)


def never_end(windows: Sequence[FreezeWindow]) -> bool:
    """Whether the windows leave no time between them, days that are excluded aside. Raises as `current_window`."""
    always = [replace(window, exclude=()) for window in windows]
    return all((found := current_window(always, at)) and current_window(always, found[0]) for at in _SAMPLES)


def cron_problem(cron: str) -> str | None:
    """What is wrong with a cron expression, and the fix; None if nothing."""
    form = 'write minute, hour, day-of-month, month and day-of-week, as in "0 17 * * FRI"'
    fields = len(cron.split())
    if fields != _FIELDS:
        seconds = "; seconds have no place here" if fields > _FIELDS else ""
        return f"{cron[:80]!r} has {fields} field{'' if fields == 1 else 's'} instead of {_FIELDS}{seconds}; {form}"
    try:
        begins = any(CronSim(cron, _SAMPLES[0].replace(tzinfo=None)))
    except CronSimError as error:
        return f"{cron[:80]!r} cannot be used, there is no such {str(error).removeprefix('Bad ')}; {form}"
    return None if begins else f"{cron[:80]!r} cannot be used, such a day never comes; {form}"


def zone_names() -> list[str]:
    """The names of all time zones that a function in Lambda knows."""
    return files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()


def _end(window: FreezeWindow, moment: datetime) -> datetime | None:
    """The end of the window's last beginning up to a moment, if it is yet to come."""
    lasts = timedelta(minutes=window.minutes)
    until = _last_begin(window, moment - lasts, moment) + lasts
    return until if until > moment else None


def _last_begin(window: FreezeWindow, since: datetime, moment: datetime) -> datetime:
    """The window's last beginning up to a moment; `since` where there is none after it."""
    zone, latest = _zone(window), since
    for wall in _walls_before(window, moment.astimezone(zone)):
        begins = _instants(wall, zone)
        if wall.date().isoformat() not in window.exclude:
            latest = max([latest, *(begin for begin in begins if begin <= moment)])
        if begins[-1] <= latest:  # so is all that the clock showed before
            break
    return latest


def _walls_before(window: FreezeWindow, local: datetime) -> CronSim:
    """What the clock shows at the window's beginnings, the last one first.

    In an hour that comes for the second time, the clock has been further on already.
    """
    repeated = local.astimezone(UTC) - local.replace(fold=0).astimezone(UTC)
    try:
        # Without a zone: cronsim's own rules for skipped and repeated hours differ between forwards and backwards.
        return CronSim(window.cron, local.replace(tzinfo=None) + repeated + _MINUTE, reverse=True)
    except CronSimError as error:
        raise PermanentFault(
            f"the freeze window {window.cron!r} is no cron expression; apply pipelines.yaml again"
        ) from error


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the clock of a zone shows a time first and last; if never, when it goes on beyond."""
    first, last = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    while first > last:  # so it is in hours that are skipped (PEP 495)
        wall += _MINUTE
        first, last = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, last


def _zone(window: FreezeWindow) -> ZoneInfo:
    try:
        return ZoneInfo(window.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PermanentFault(
            f"the freeze window {window.cron!r} has a time zone that does not exist; apply pipelines.yaml again"
        ) from error
