"""Freeze windows on the calendar, clock changes included."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import FreezeWindow
from pipeline_state.windows import MOST_JOINED, cron_problem, current_window, last_end, never_end, zone_names

WEEKEND = FreezeWindow("0 17 * * FRI", 63 * 60, "Europe/Berlin")
NIGHTS = FreezeWindow("0 22 * * *", 8 * 60, "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def end_of(window: FreezeWindow, now: str) -> datetime | None:
    found = current_window([window], at(now))
    return found[0] if found else None


def test_without_windows_nothing_is_frozen() -> None:
    assert current_window([], at("2026-06-05T17:00:00+02:00")) is None


@pytest.mark.parametrize(
    "now, frozen",
    [
        ("2026-06-05T16:59:59.999999+02:00", False),
        ("2026-06-05T17:00:00+02:00", True),
        ("2026-06-05T15:00:00Z", True),
        ("2026-06-07T12:00:00+02:00", True),
        ("2026-06-08T07:59:59.999999+02:00", True),
        ("2026-06-08T08:00:00+02:00", False),
        ("2026-06-03T12:00:00+02:00", False),
    ],
)
def test_a_begin_belongs_to_its_window_and_an_end_does_not(now: str, frozen: bool) -> None:  # noqa: FBT001 - a column
    assert end_of(WEEKEND, now) == (at("2026-06-08T06:00:00Z") if frozen else None)


def test_an_end_is_told_in_utc() -> None:
    found = current_window([WEEKEND], at("2026-06-06T09:00:00+09:00"))
    assert found == (at("2026-06-08T06:00:00Z"), WEEKEND)
    assert found[0].tzinfo is UTC


@pytest.mark.parametrize(
    "excluded, frozen",
    [("2026-06-05", False), ("2026-06-06", True), ("2026-05-29", True)],
    ids=["the day it begins", "a day it lasts into", "the week before"],
)
def test_an_excluded_day_is_one_on_which_a_window_does_not_begin(
    excluded: str,
    frozen: bool,  # noqa: FBT001 - a column
) -> None:
    window = replace(WEEKEND, exclude=(excluded,))
    assert (end_of(window, "2026-06-06T12:00:00Z") is not None) is frozen


def test_the_excluded_day_is_that_of_the_windows_own_zone() -> None:
    window = FreezeWindow("30 0 * * *", 60, "Europe/Berlin", exclude=("2026-06-05",))
    assert end_of(window, "2026-06-04T22:45:00Z") is None
    assert end_of(window, "2026-06-05T22:45:00Z") == at("2026-06-05T23:30:00Z")


def test_a_window_of_days_before_the_excluded_one_still_holds() -> None:
    window = FreezeWindow("0 0 * * MON,TUE", 36 * 60, exclude=("2026-06-02",))
    assert end_of(window, "2026-06-02T09:00:00Z") == at("2026-06-02T12:00:00Z")
    assert end_of(window, "2026-06-02T12:00:00Z") is None


def test_windows_without_a_gap_are_one_freeze_named_by_the_last() -> None:
    found = current_window([WEEKEND, NIGHTS], at("2026-06-05T18:00:00+02:00"))
    assert found == (at("2026-06-08T06:00:00Z"), WEEKEND)
    office = FreezeWindow("0 8 * * MON", 90, "Europe/Berlin")
    assert current_window([office, WEEKEND], at("2026-06-05T18:00:00+02:00")) == (at("2026-06-08T07:30:00Z"), office)


def test_a_gap_of_a_minute_ends_a_freeze() -> None:
    office = FreezeWindow("1 8 * * MON", 90, "Europe/Berlin")
    assert current_window([office, WEEKEND], at("2026-06-05T18:00:00+02:00")) == (at("2026-06-08T06:00:00Z"), WEEKEND)


@pytest.mark.parametrize(
    "since, now, ended",
    [
        ("2026-06-05T00:00:00Z", "2026-06-08T05:59:59Z", "2026-06-08T04:00:00Z"),
        ("2026-06-05T00:00:00Z", "2026-06-08T06:00:00Z", "2026-06-08T06:00:00Z"),
        ("2026-06-05T00:00:00Z", "2026-06-08T09:00:00Z", "2026-06-08T06:00:00Z"),
        ("2026-06-08T07:00:00Z", "2026-06-08T09:00:00Z", "2026-06-08T07:00:00Z"),
    ],
    ids=["another one's end", "at the end", "after it", "all else was later"],
)
def test_the_last_end_of_windows_counts_unless_something_was_later(since: str, now: str, ended: str) -> None:
    assert last_end([WEEKEND, NIGHTS], at(since), at(now)) == at(ended)
    assert last_end([], at(since), at(now)) == at(since)


def test_a_freeze_without_end_is_followed_so_far_only() -> None:
    always = FreezeWindow("* * * * *", 1)
    start = at("2026-06-05T12:00:00Z")
    assert current_window([always], start) == (start + MOST_JOINED * timedelta(minutes=1), always)


@pytest.mark.parametrize(
    "now, end",
    [
        ("2026-03-29T00:59:00Z", None),
        ("2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z"),
        ("2026-03-29T01:20:00Z", None),
        ("2026-03-29T01:30:00Z", None),
    ],
)
def test_a_begin_in_an_hour_that_is_skipped_is_when_the_clock_goes_on(now: str, end: str | None) -> None:
    window = FreezeWindow("30 2 * * *", 20, "Europe/Berlin")
    assert end_of(window, now) == (at(end) if end else None)


@pytest.mark.parametrize(
    "now, end",
    [
        ("2026-10-25T00:29:00Z", None),
        ("2026-10-25T00:30:00Z", "2026-10-25T00:50:00Z"),
        ("2026-10-25T00:50:00Z", None),
        ("2026-10-25T01:30:00Z", "2026-10-25T01:50:00Z"),
        ("2026-10-25T01:50:00Z", None),
    ],
)
def test_a_begin_in_an_hour_that_comes_twice_is_twice(now: str, end: str | None) -> None:
    window = FreezeWindow("30 2 * * *", 20, "Europe/Berlin")
    assert end_of(window, now) == (at(end) if end else None)


def test_a_begin_by_a_clock_that_was_put_back_since_still_counts() -> None:
    window = FreezeWindow("50 2 * * *", 40, "Europe/Berlin")
    assert end_of(window, "2026-10-25T01:20:00Z") == at("2026-10-25T01:30:00Z")
    assert end_of(window, "2026-10-25T01:30:00Z") is None


def test_the_later_of_two_beginnings_counts_though_the_clock_showed_less() -> None:
    window = FreezeWindow("10,50 2 * * *", 40, "Europe/Berlin")
    assert end_of(window, "2026-10-25T01:20:00Z") == at("2026-10-25T02:30:00Z")


def test_minutes_are_real_ones_whatever_the_clock_does() -> None:
    assert end_of(WEEKEND, "2026-03-28T12:00:00Z") == at("2026-03-30T09:00:00+02:00")
    assert end_of(WEEKEND, "2026-10-24T12:00:00Z") == at("2026-10-26T07:00:00+01:00")


@pytest.mark.parametrize(
    "window, told",
    [
        (replace(WEEKEND, timezone="Mars/Phobos"), "has a time zone that does not exist"),
        (replace(WEEKEND, timezone="../UTC"), "has a time zone that does not exist"),
        (replace(WEEKEND, timezone="Europe"), "has a time zone that does not exist"),
        (replace(WEEKEND, cron="0 17 ? * FRI"), "is no cron expression"),
        (replace(WEEKEND, cron=""), "is no cron expression"),
    ],
)
def test_a_window_that_nobody_checked_is_a_permanent_fault(window: FreezeWindow, told: str) -> None:
    with pytest.raises(PermanentFault, match=told):
        current_window([window], at("2026-06-05T12:00:00Z"))


@pytest.mark.parametrize(
    "cron", ["0 17 * * FRI", "*/15 8-17 * jan-mar 1-5", "0 0 L * *", "0 0 29 2 *", " 0 0 * * 1#2 "]
)
def test_a_cron_that_begins_some_day_has_no_problem(cron: str) -> None:
    assert cron_problem(cron) is None


@pytest.mark.parametrize(
    "cron, field",
    [
        ("60 * * * *", "minute"),
        ("0 x * * *", "hour"),
        ("0 0 32 * *", "day-of-month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * FRI-MON", "day-of-week"),
    ],
)
def test_the_field_of_a_cron_that_is_wrong_is_named(cron: str, field: str) -> None:
    assert (cron_problem(cron) or "").startswith(f"{cron!r} cannot be used, there is no such {field}; write minute")


@pytest.mark.parametrize(
    "windows, never",
    [
        ([WEEKEND], False),
        ([replace(WEEKEND, minutes=7 * 24 * 60 - 1)], False),
        ([replace(WEEKEND, minutes=7 * 24 * 60, timezone="UTC")], True),
        ([replace(WEEKEND, minutes=7 * 24 * 60, timezone="UTC", exclude=("2026-06-05",))], True),
        ([FreezeWindow("0 0 * * *", 25 * 60)], True),
        ([FreezeWindow("0 0 * 12 *", 25 * 60)], False),
        ([FreezeWindow("* 1-23 * * *", 1)], False),
        ([FreezeWindow("0 0 * * 1-5", 24 * 60), FreezeWindow("0 0 * * 0,6", 24 * 60)], True),
        ([FreezeWindow("0 0 * * 1-5", 24 * 60), FreezeWindow("0 0 * * 0", 24 * 60)], False),
        ([], False),
    ],
)
def test_windows_that_leave_no_time_never_end(
    windows: list[FreezeWindow],
    never: bool,  # noqa: FBT001 - a column
) -> None:
    assert never_end(windows) is never


def test_the_zones_of_lambda_are_known_by_name() -> None:
    names = zone_names()
    assert {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "US/Pacific"} <= set(names)
    assert "localtime" not in names
