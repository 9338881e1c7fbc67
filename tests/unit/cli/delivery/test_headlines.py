"""DORA's four as people read them."""

from datetime import timedelta

import pytest

from pipeline_state.cli.delivery.headlines import Headline, frequency, headlines, told
from pipeline_state.cli.delivery.report import Report
from pipeline_state.model.delivery import Figures
from tests.unit.cli.delivery.reports import HOUR, MINUTE, attempt, report_of


def by_key(report: Report) -> dict[str, Headline]:
    return {each.key: each for each in headlines(report)}


def test_a_period_is_told_beside_the_one_before() -> None:
    found = by_key(
        report_of(
            attempt(1, 9, lead=HOUR),
            attempt(2, 8.5, "failed"),
            attempt(3, 2, lead=2 * HOUR),
            attempt(4, 1, lead=3 * HOUR),
        )
    )
    assert [each.value for each in found.values()] == ["2", "2 h 30 m", "0 %", "–"]
    assert found["deployments"].trend == "▲ more than before (1)"
    assert found["lead_time"].trend == "▲ longer than before (1 h)"
    assert found["failure_rate"].trend == "▼ lower than before (50 %)"
    assert found["recovery"].trend == ""
    assert [each.tone for each in found.values()] == ["good", "bad", "good", "none"]
    assert found["lead_time"].detail == "median; 9 of 10 within 3 h"


def test_what_has_hardly_changed_is_as_before() -> None:
    found = by_key(report_of(attempt(1, 9), attempt(2, 1)))
    assert (found["lead_time"].trend, found["lead_time"].tone) == ("as before (1 h)", "none")


def test_without_a_period_before_there_is_nothing_to_compare_with() -> None:
    found = by_key(report_of(attempt(1, 1)))
    assert found["lead_time"].trend == "nothing to compare with"
    assert (found["deployments"].trend, found["deployments"].tone) == ("▲ more than before (0)", "good")


def test_nothing_at_all_is_told_as_such() -> None:
    found = by_key(report_of())
    assert [each.value for each in found.values()] == ["0", "–", "–", "–"]
    assert [each.detail for each in found.values()] == [
        "0 in 30 days",
        "nothing deployed",
        "nothing promoted",
        "no failure",
    ]
    assert {each.tone for each in found.values()} == {"none"}
    assert found["lead_time"].highest == "–"


def test_failures_are_told_with_those_that_nothing_has_restored_yet() -> None:
    found = by_key(report_of(attempt(1, 3, "failed"), attempt(2, 2), attempt(3, 1, "failed")))
    assert (found["recovery"].value, found["recovery"].detail) == ("1 d", "median of 1, 1 not restored yet")
    assert found["failure_rate"].detail == "2 of 3"
    assert by_key(report_of(attempt(1, 1, "failed")))["recovery"].detail == "1 not restored yet"


def test_a_course_has_a_point_a_day_and_none_where_there_was_nothing_to_measure() -> None:
    found = by_key(report_of(attempt(1, 1, lead=5 * MINUTE), attempt(2, 0.1)))
    assert [point.value for point in found["deployments"].course] == [0, 0, 0, 0, 0, 1, 1]
    assert [point.text for point in found["lead_time"].course] == ["–"] * 5 + ["5 m", "1 h"]
    assert (found["lead_time"].highest, found["lead_time"].step) == ("1 h", "by day")
    assert by_key(report_of(days=90))["lead_time"].step == "by week"


@pytest.mark.parametrize(
    "per_day, text",
    [
        (16.71, "16.7 a day"),
        (1, "1 a day"),
        (0.5, "3.5 a week"),
        (1 / 7, "1 a week"),
        (0.1, "3 in 30 days"),
        (0, "0 in 30 days"),
    ],
)
def test_a_frequency_is_told_in_the_unit_in_which_it_is_at_least_one(per_day: float, text: str) -> None:
    assert frequency(per_day) == text


def test_figures_by_themselves_are_told_in_the_same_words() -> None:
    figures = Figures(7, 3, (HOUR,), 4, 1, (timedelta(seconds=90),), 0)
    assert told(figures) == {"deployments": "3", "lead_time": "1 h", "failure_rate": "25 %", "recovery": "1 m 30 s"}
