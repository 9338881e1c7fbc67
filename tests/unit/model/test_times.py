"""Times: RFC 3339 in, RFC 3339 out, anything else refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline_state.model.times import format_time, later, parse_time

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-07-01T12:00:00Z", "2026-07-01T12:00:00+00:00", "2026-07-01T14:00:00+02:00", "2026-07-01T12:00:00.000Z"],
)
def test_a_time_is_the_same_instant_in_any_offset(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-07-01T12:00:00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", None, 7, ["2026-07-01"]],
    ids=repr,
)
def test_what_is_no_time_or_says_no_offset_is_refused(text: object) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    "moment, text",
    [
        (NOON, "2026-07-01T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=2))), "2026-07-01T12:00:00Z"),
        (NOON + timedelta(milliseconds=25), "2026-07-01T12:00:00.025Z"),
    ],
    ids=["whole seconds", "another offset", "milliseconds"],
)
def test_a_time_is_written_in_utc(moment: datetime, text: str) -> None:
    assert format_time(moment) == text
    assert parse_time(text) == moment


def test_what_comes_after_the_end_of_the_calendar_comes_at_its_end() -> None:
    assert later(NOON, 90) == NOON + timedelta(seconds=90)
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert last < later(last, 1) == later(NOON, 1e18)
