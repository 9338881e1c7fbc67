"""The figures in the terminal."""

from io import StringIO

import pytest
from rich.console import Console

from pipeline_state.cli.delivery.delivery_view import delivery_view
from pipeline_state.cli.delivery.report import Report, Row
from tests.unit.cli.delivery.reports import PLACE, attempt, report_of


def drawn(report: Report, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    with console.capture() as shown:
        console.print(delivery_view(report))
    return shown.get()


@pytest.mark.parametrize("days", [7, 30, 90])
def test_a_course_is_one_line_in_a_terminal_of_80_columns(days: int) -> None:
    shown = drawn(report_of(attempt(1, 5, "failed"), attempt(2, 2), attempt(3, 1), days=days))
    courses = [line for line in shown.splitlines() if "highest" in line]
    assert len(courses) == 4
    assert max(map(len, shown.splitlines())) <= 80


def test_failures_are_listed_with_when_they_were_restored() -> None:
    shown = drawn(report_of(attempt(1, 5, "failed"), attempt(2, 4), attempt(3, 1, "failed")))
    assert "r@000000000000" in shown
    assert "not yet" in shown
    assert "more; --json" not in shown


def test_of_many_failures_the_others_are_counted() -> None:
    shown = drawn(report_of(*(attempt(number, 5 - number / 10, "failed") for number in range(8))))
    assert "and 3 more; --json has them all" in shown


def test_of_one_environment_no_table_repeats_the_figures() -> None:
    one = report_of(attempt(1, 1))
    assert "restored in" not in drawn(one)
    both = report_of(attempt(1, 1), rows=[*one.rows, Row(PLACE, one.before, [])])
    assert "restored in" in drawn(both)


def test_of_a_large_fleet_the_busiest_are_shown() -> None:
    one = report_of(attempt(1, 1))
    many = report_of(attempt(1, 1), repo="", rows=[Row(PLACE, one.before, [])] * 24 + [*one.rows])
    assert "and 5 more" in drawn(many)
    assert "All repositories to prod" in drawn(many)


def test_without_commits_nothing_is_said_of_where_their_time_went() -> None:
    shown = drawn(report_of())
    assert "where the time goes" not in shown
    assert "each moment" not in shown
