"""What the stack's own numbers come to: windows, totals, what is typical, what is failing, and how it is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline_state import metrics
from pipeline_state.cli.bars import bars
from pipeline_state.cli.stats.figures import Figures, figures
from pipeline_state.cli.stats.readings import MOST_HOURS, Durations, Readings, Window
from pipeline_state.cli.stats.stats_view import stats_view
from pipeline_state.metrics import ALL, Metric

NOW = datetime(2026, 7, 1, 10, 17, 23, tzinfo=UTC)
DAY = Window.of(24, NOW)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see timezones


def readings(
    counts: Mapping[Metric, Mapping[int, int]] | None = None,
    durations: Mapping[Metric, Mapping[int, Durations]] | None = None,
    window: Window = DAY,
) -> Readings:
    """Values by stretch, of which -1 is the last one; all others are nothing."""
    found: dict[Metric, list[int]] = {each: [0] * 2 * window.number for each in ALL if each.unit == "Count"}
    nothing: list[Durations | None] = [None for _ in range(2 * window.number)]
    timed = {each: [*nothing] for each in ALL if each not in found}
    for metric, values in (counts or {}).items():
        for place, value in values.items():
            found[metric][place] = value
    for metric, times in (durations or {}).items():
        for place, time in times.items():
            timed[metric][place] = time
    return Readings(found, timed)


def of(
    counts: Mapping[Metric, Mapping[int, int]] | None = None,
    durations: Mapping[Metric, Mapping[int, Durations]] | None = None,
    dead_letters: Mapping[str, int] | None = None,
) -> Figures:
    return figures(DAY, readings(counts, durations), dead_letters or {"InstallsDeadLetters": 0})


def shown(found: Figures, width: int = 80) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as text:
        console.print(stats_view(found))
    return [line.rstrip() for line in text.get().splitlines()]


@pytest.mark.parametrize(
    "hours, stretch, number",
    [(1, 300, 12), (3, 900, 12), (24, 3600, 24), (168, 21_600, 28), (720, 86_400, 30)],
)
def test_hours_are_cut_into_stretches_that_fit_into_a_line(hours: int, stretch: int, number: int) -> None:
    window = Window.of(hours, NOW)
    assert (window.stretch, window.number) == (stretch, number)


@given(hours=st.integers(1, MOST_HOURS), now=moments)
def test_a_window_has_the_hours_until_now_and_as_many_before(hours: int, now: datetime) -> None:
    window = Window.of(hours, now)
    assert window.place(now) in (2 * window.number - 1, None)  # None at the very end of a stretch
    assert window.end >= now > window.end - timedelta(seconds=window.stretch)
    assert window.end - window.middle == window.middle - window.start >= timedelta(hours=hours)
    assert window.number <= 30
    assert window.start.timestamp() % window.stretch == 0


@given(moment=moments)
def test_a_moment_is_in_one_stretch_or_outside_of_the_window(moment: datetime) -> None:
    place = DAY.place(moment)
    inside = DAY.start <= moment < DAY.end
    assert (place is not None) == inside
    if place is not None:
        begins = DAY.start + timedelta(seconds=place * DAY.stretch)
        assert begins <= moment < begins + timedelta(seconds=DAY.stretch)


def test_counts_are_added_up_now_and_before() -> None:
    count = of({metrics.PROMOTIONS: {0: 1, 23: 2, 24: 4, -1: 8}}).counts[metrics.PROMOTIONS]
    assert (count.now, count.before) == (12, 3)
    assert (count.course[0], count.course[-1], len(count.course)) == (4, 8, 24)


def test_what_is_typical_counts_each_stretch_as_often_as_it_has_durations() -> None:
    times = {-3: Durations(1, 50, 60), -2: Durations(9, 2, 3), -1: Durations(2, 9, 900), 2: Durations(1, 7, 8)}
    timing = of(durations={metrics.HELM_DURATION: times}).timings[metrics.HELM_DURATION]
    assert (timing.number, timing.typical, timing.longest) == (12, 2, 900)
    assert (timing.typical_before, timing.longest_before) == (7, 8)
    assert timing.course[-3:] == (50, 2, 9)


def test_what_did_not_happen_has_no_duration() -> None:
    timing = of().timings[metrics.PROMOTION_LAG]
    assert (timing.number, timing.typical, timing.longest, timing.typical_before) == (0, None, None, None)


@given(values=st.lists(st.lists(st.floats(0, 1e6), min_size=1), min_size=1, max_size=24))
def test_what_is_typical_is_the_median_of_one_of_the_stretches(values: list[list[float]]) -> None:
    times = {24 + at: Durations(len(each), median(each), max(each)) for at, each in enumerate(values)}
    timing = of(durations={metrics.HELM_DURATION: times}).timings[metrics.HELM_DURATION]
    assert timing.typical in [median(each) for each in values]
    assert timing.longest == max(map(max, values))
    assert timing.number == sum(map(len, values))


def test_nothing_is_failing_while_nothing_failed() -> None:
    assert of({metrics.EVENTS_RECEIVED: {-1: 9}, metrics.RETRIES: {-1: 3}}).problems == []


def test_what_failed_in_the_time_before_is_not_failing() -> None:
    assert of({metrics.DEPLOYMENTS_FAILED: {0: 1}, metrics.NOT_TAKEN: {0: 1}}).problems == []


UNSIGNED = {metrics.EVENTS_RECEIVED: {-1: 2}, metrics.REJECTED_UNSIGNED: {-1: 2}}


@pytest.mark.parametrize("counts, dead_letters, what, then", [
    ({}, {"InstallsDeadLetters": 3}, "3 messages in InstallsDeadLetters", "dlq list --queue InstallsDeadLetters"),
    ({metrics.DEPLOYMENTS_FAILED: {-1: 1}}, {}, "1 deployment failed", "gatestream status"),
    ({metrics.NOT_TAKEN: {-1: 2}}, {}, "2 webhooks not taken: AWS was out of reach", "functions' logs"),
    (UNSIGNED, {}, "none of 2 webhooks was signed rightly", "Secrets Manager"),
])  # fmt: skip
def test_what_is_failing_is_told_with_the_next_step(
    counts: Mapping[Metric, Mapping[int, int]], dead_letters: Mapping[str, int], what: str, then: str
) -> None:
    (problem,) = of(counts, dead_letters=dead_letters).problems
    assert problem.what == what
    assert then in problem.then


def test_single_forgeries_are_nobodys_problem() -> None:
    assert of({metrics.EVENTS_RECEIVED: {-1: 3}, metrics.REJECTED_UNSIGNED: {-1: 2}}).problems == []


def test_the_data_are_plain_and_complete() -> None:
    data = json.loads(
        json.dumps(of({metrics.PROMOTIONS: {-1: 2}}, dead_letters={"GateEventsDeadLetters": 1}).to_json())
    )
    assert (data["start"], data["end"]) == ("2026-06-30T11:00:00Z", "2026-07-01T11:00:00Z")
    assert {*data["counts"], *data["durations"]} == {metric.name for metric in ALL}
    assert data["counts"]["Promotions"] == {"now": 2, "before": 0, "by_stretch": [0] * 23 + [2]}
    assert data["dead_letters"] == {"GateEventsDeadLetters": 1}
    assert [each["what"] for each in data["problems"]] == ["1 message in GateEventsDeadLetters"]


def test_numbers_stand_beside_those_of_the_time_before() -> None:
    lines = shown(of({metrics.PROMOTIONS: {0: 5, -2: 4, -1: 8}}, {metrics.HELM_DURATION: {-1: Durations(3, 42, 200)}}))
    (promotions,) = [line for line in lines if line.startswith("promotions")]
    assert promotions.split() == ["promotions", "12", "5", "+7", "·" * 22 + "▅█"]
    (helm,) = [line for line in lines if line.startswith("Helm")]
    assert helm.split() == ["Helm", "duration", "42", "s", "3", "m", "20", "s", "–", "·" * 23 + "█"]
    assert lines[-1] == "nothing is failing"


def test_reasons_of_rejections_are_shown_where_there_are_any() -> None:
    assert not [line for line in shown(of()) if "rejected" in line]
    assert [line for line in shown(of({metrics.REJECTED_UNSIGNED: {-1: 2}})) if "signature" in line]


def test_problems_come_last_with_what_to_do() -> None:
    found = of({metrics.DEPLOYMENTS_FAILED: {-1: 2}}, dead_letters={"InstallsDeadLetters": 1})
    assert shown(found, 200)[-2:] == [
        "✗ 1 message in InstallsDeadLetters: see `gatestream dlq list --queue InstallsDeadLetters`",
        "✗ 2 deployments failed: see `gatestream status`",
    ]


@pytest.mark.parametrize("hours", [1, 24, 168, 720])
def test_it_fits_80_columns(hours: int) -> None:
    window = Window.of(hours, NOW)
    counts = {metric: {-1: 123_456} for metric in ALL if metric.unit == "Count"}
    times = {
        metric: {-1: Durations(9, 11_999, 11_999), 0: Durations(9, 71, 71)} for metric in ALL if metric not in counts
    }
    found = figures(window, readings(counts, times, window), {"InstallsDeadLetters": 1})
    table = [line for line in shown(found) if not line.startswith(("✗", " "))]
    assert max(map(len, table)) <= 80
    assert next(line for line in table if line.startswith("Helm")).endswith("█")


@pytest.mark.parametrize("values, drawn", [
    ([], ""),
    ([None, None], "··"),
    ([1, None, 2, 8], "▂·▃█"),
    ([0, 0], "▁▁"),
])  # fmt: skip
def test_a_course_is_drawn_as_high_as_its_values(values: Sequence[float | None], drawn: str) -> None:
    assert bars(values) == drawn
