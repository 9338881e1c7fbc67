"""When a freeze is to end."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.cli.steering.until import read_until
from pipeline_state.model.times import parse_time

NOW = datetime(2026, 7, 1, 12, 0, 0, 250_000, tzinfo=UTC)
BERLIN = timedelta(hours=2)


@pytest.mark.parametrize(
    "text, until",
    [
        ("90m", "2026-07-01T13:30:01Z"),
        ("2h", "2026-07-01T14:00:01Z"),
        (" 3D ", "2026-07-04T12:00:01Z"),
        ("2026-07-01T18:00:00Z", "2026-07-01T18:00:00Z"),
        ("2026-07-01t18:00:00z", "2026-07-01T18:00:00Z"),
        ("2026-07-01T18:00+02:00", "2026-07-01T16:00:00Z"),
    ],
)
def test_a_freeze_ends_after_a_duration_or_at_a_time(text: str, until: str) -> None:
    assert read_until(text, NOW) == until


@pytest.mark.parametrize(
    "text, told",
    [
        ("2026-07-01T14:00:00+02:00", "2026-07-01T14:00:00+02:00 is past, it is 2026-07-01T12:00:00Z now; write a"),
        ("0m", "0m is past, it is 2026-07-01T12:00:00Z now; write a duration from now such as 90m, 2h or 3d, or a"),
        ("tomorrow", "'tomorrow' is no time; write a duration from now such as 90m, 2h or 3d, or a time such as 2026"),
        ("90", "'90' is no time; write"),
        ("1h30m", "'1h30m' is no time; write"),
        ("-2h", "'-2h' is no time; write"),
        ("٢h", "'٢h' is no time; write"),
    ],
)
def test_what_is_no_time_to_come_is_refused_with_what_to_write(text: str, told: str) -> None:
    with pytest.raises(CommandError) as refusal:
        read_until(text, NOW)
    assert str(refusal.value).startswith(told)
    assert refusal.value.code == USAGE


@pytest.mark.parametrize(
    "zone, fix",
    [
        (BERLIN, "write 2026-07-01T18:00:00Z for UTC, or 2026-07-01T18:00:00+02:00 as clocks are here"),
        (timedelta(hours=-9, minutes=-30), "write 2026-07-01T18:00:00Z for UTC, or 2026-07-01T18:00:00-09:30 as clo"),
        (timedelta(0), "write 2026-07-01T18:00:00Z"),
    ],
)
def test_a_time_without_an_offset_is_refused_with_both_that_it_could_be(zone: timedelta, fix: str) -> None:
    with pytest.raises(CommandError) as refusal:
        read_until("2026-07-01 18:00", NOW, zone)
    assert str(refusal.value).startswith(f"2026-07-01 18:00 could be meant in any time zone; {fix}")


@given(st.integers(1, 999_999), st.sampled_from(["m", "h", "d"]))
def test_a_duration_never_ends_before_it_is_over_nor_a_second_later(number: int, unit: str) -> None:
    lasts = number * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[unit]
    end = parse_time(read_until(f"{number}{unit}", NOW))
    assert end is not None
    assert timedelta(0) <= end - (NOW + lasts) < timedelta(seconds=1)


@given(st.text(max_size=12))
def test_any_text_is_a_time_to_come_or_refused_as_wrong_usage(text: str) -> None:
    with suppress(CommandError):
        end = parse_time(read_until(text, NOW, BERLIN))
        assert end
        assert end > NOW
