"""A freeze is what somebody with a clock on the wall and a list of the windows would see, minute by minute."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_state.model.pipelines import FreezeWindow
from pipeline_state.windows import MOST_JOINED, current_window, last_end

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LONGEST = 2 * DAY
WATCHED = 6 * DAY

CHANGES = [
    ("UTC", date(2026, 2, 27)),
    ("Asia/Kolkata", date(2028, 2, 28)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # by half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Antarctica/Troll", date(2026, 3, 29)),  # by two hours
    ("Antarctica/Troll", date(2026, 10, 25)),
    ("Africa/Cairo", date(2026, 4, 24)),  # at midnight, forwards
    ("America/Havana", date(2025, 11, 2)),  # from one o'clock to midnight
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
]
"""Zones, and days on which their clocks change (or do not)."""


@dataclass(frozen=True)
class Plan:
    """A window with its cron as sets, so that no cron is needed to follow it."""

    window: FreezeWindow
    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int]

    def begins_at(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.isoweekday() % 7 in self.weekdays
            and wall.date().isoformat() not in self.window.exclude
        )


def field(values: frozenset[int], every: int) -> str:
    return "*" if len(values) == every else ",".join(map(str, sorted(values)))


@st.composite
def plans(draw: st.DrawFn, zone: str, around: date) -> Plan:
    minutes = draw(st.frozensets(st.sampled_from([0, 1, 10, 30, 45, 59]), min_size=1, max_size=3))
    hours = draw(st.frozensets(st.sampled_from([0, 1, 2, 3, 12, 23]), min_size=1, max_size=4) | ALL_HOURS)
    weekdays = draw(ALL_DAYS | st.frozensets(st.integers(0, 6), min_size=1, max_size=3))
    days = draw(st.just([]) | st.lists(st.integers(-2, 2), max_size=2, unique=True))
    window = FreezeWindow(
        cron=f"{field(minutes, 60)} {field(hours, 24)} * * {field(weekdays, 7)}",
        minutes=draw(st.sampled_from([1, 29, 30, 60, 75, 600]) | st.integers(1, LONGEST // MINUTE)),
        timezone=zone,
        exclude=tuple((around + day * DAY).isoformat() for day in days),
    )
    return Plan(window, minutes, hours, weekdays)


ALL_HOURS = st.just(frozenset(range(24)))
ALL_DAYS = st.just(frozenset(range(7)))


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Plan], datetime]:
    """Windows of one or several zones, and the first moment that is watched."""
    zone, around = draw(st.sampled_from(CHANGES))
    zones = st.just(zone) | st.sampled_from([name for name, _ in CHANGES])
    made = [draw(plans(draw(zones), around)) for _ in range(draw(st.integers(1, 3)))]
    return made, datetime(around.year, around.month, around.day, tzinfo=UTC) - LONGEST - DAY


@cache
def walls(zone: ZoneInfo, start: datetime) -> list[list[datetime]]:
    """What the clock on the wall shows in each minute after the start, with what it has just jumped over."""
    shown = [(start + at * MINUTE).astimezone(zone).replace(tzinfo=None) for at in range(-1, WATCHED // MINUTE)]
    return [
        [now, *(now - back * MINUTE for back in range(1, (now - before) // MINUTE))] for before, now in pairwise(shown)
    ]


def begins(plan: Plan, start: datetime) -> list[int]:
    """The minutes after the start in which the window begins."""
    shown = walls(ZoneInfo(plan.window.timezone), start)
    return [at for at, times in enumerate(shown) if any(map(plan.begins_at, times))]


@settings(max_examples=50, deadline=None)
@given(scenes(), st.data())
def test_a_freeze_is_what_a_watch_minute_by_minute_sees(
    scene: tuple[list[Plan], datetime], data: st.DataObject
) -> None:
    made, start = scene
    until: dict[int, set[FreezeWindow]] = {}
    begun: list[int] = []
    frozen = bytearray((WATCHED + LONGEST) // MINUTE)
    for plan in made:
        for at in begins(plan, start):
            begun.append(at)
            end = at + plan.window.minutes
            frozen[at:end] = b"\1" * plan.window.minutes
            until.setdefault(end, set()).add(plan.window)
    first, last = LONGEST // MINUTE, WATCHED // MINUTE  # before them and after them are windows that nobody watched
    edges = [at for at in range(first, last) if frozen[at] != frozen[at - 1]]
    others = data.draw(st.lists(st.integers(first, last - 1), max_size=20))
    for at in {*edges, *(at - 1 for at in edges if at > first), *others}:
        seconds = data.draw(st.sampled_from([0, 59.999999])) if at in others else 0
        found = current_window([plan.window for plan in made], start + at * MINUTE + timedelta(seconds=seconds))
        if not frozen[at]:
            assert found is None
            continue
        assert found is not None
        end = (found[0] - start) // MINUTE
        assert start + end * MINUTE == found[0]
        assert all(frozen[at : min(end, last)])
        if end < last:
            assert found[1] in until[end]
            assert not frozen[end] or sum(at < begin <= end for begin in begun) >= MOST_JOINED - 1


@settings(max_examples=50, deadline=None)
@given(scenes(), st.data())
def test_the_last_end_is_the_latest_that_a_watch_minute_by_minute_sees(
    scene: tuple[list[Plan], datetime], data: st.DataObject
) -> None:
    made, start = scene
    ends = {at + plan.window.minutes for plan in made for at in begins(plan, start)}
    first, last = LONGEST // MINUTE, WATCHED // MINUTE  # as above
    edges = [each for each in sorted(ends) if first < each < last] or [first]
    for _ in range(10):
        near = data.draw(st.sampled_from(edges)) + data.draw(st.integers(-1, 1))
        now = min(max(near, first), last - 1)
        since = data.draw(st.integers(first, now))
        expected = max([since, *(each for each in ends if since < each <= now)])
        found = last_end([plan.window for plan in made], start + since * MINUTE, start + now * MINUTE)
        assert found == start + expected * MINUTE
