"""Delivery as a page: what is asked for, what is kept for a minute, what is shown."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dashboard import delivery, server
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.delivery import Asked, Reports
from pipeline_state.cli.dashboard.delivery_rows import PAGE, listed
from pipeline_state.cli.dashboard.security import Door
from pipeline_state.cli.delivery.report import Report, Row, Wanted
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.steering.places import Place
from pipeline_state.model.delivery import Figures
from pipeline_state.table.models import Tables
from tests.unit.cli.delivery.reports import HOUR, NOW, PLACE, SHOP, attempt, report_of
from tests.visitor import Visitor


class Counting:
    """Makes reports, and counts them. error: is raised instead. state: what the repositories' deployments come to.

    looks: how often that was looked at.
    """

    def __init__(self) -> None:
        self.made: list[Wanted] = []
        self.error: Exception | None = None
        self.state, self.looks = "1", 0

    def __call__(self, wanted: Wanted, _: datetime) -> Report:
        self.made.append(wanted)
        if self.error:
            raise self.error
        made = report_of(attempt(1, 5, "failed"), attempt(2, 2), days=wanted.days, repo=wanted.repo)
        return replace(made, wanted=wanted)

    def look(self, _: str) -> str:
        self.looks += 1
        return self.state

    def reports(self, now: Callable[[], datetime] = lambda: NOW) -> Reports:
        return Reports(now, self, self.look)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def visitor(counting: Counting) -> Visitor:
    stack = Stack("local", "us-east-1", Tables("gates"), {}, {}, lambda service: service)
    board = Board(stack, Door(4321), now=lambda: NOW)
    return Visitor(server.application(board, delivery.routes(board, counting.reports())), board.door).enter()


def test_the_page_is_there_at_once_and_the_figures_come_by_themselves(visitor: Visitor, counting: Counting) -> None:
    page = visitor.get("/delivery/o/r?days=7&order=name")
    assert 'hx-get="/delivery/o/r/figures?days=7&amp;order=name"' in page.body
    assert counting.made == []
    figures = visitor.get("/delivery/o/r/figures?days=7&order=name")
    assert "Lead time for changes" in figures.text
    assert counting.made == [Wanted("o/r", "", 7)]
    assert "Lead time for changes" in visitor.get("/delivery/o/r?days=7").text


def test_the_figures_have_names_a_table_each_and_the_failures(visitor: Visitor) -> None:
    figures = visitor.get("/delivery/o/r/figures?days=7")
    assert figures.body.count("<summary>") == 4
    assert figures.body.count("<title id=") == figures.body.count("<desc id=") == 4
    assert "restored after" in figures.text
    assert f'href="/repo/o/r/commit/{1:040x}"' in figures.body
    assert "style=" not in figures.body


@pytest.mark.parametrize("query", ["", "?days=7", "?days=30", "?days=8", "?days=x", "?days=-7", "?days=99999999999999"])
def test_only_periods_that_can_be_chosen_are_counted(visitor: Visitor, counting: Counting, query: str) -> None:
    visitor.get(f"/delivery/figures{query}")
    assert counting.made[0].days in {7, 30}


def test_a_page_takes_one_look_at_what_was_deployed(visitor: Visitor, counting: Counting) -> None:
    assert "seen=1" in visitor.get("/delivery/o/r").body
    assert counting.looks == 1


def test_what_does_not_exist_is_told_in_place_of_the_figures(visitor: Visitor, counting: Counting) -> None:
    counting.error = CommandError("there are no pipelines of o/x")
    answer = visitor.get("/delivery/o/x/figures")
    assert 'id="figures"' in answer.body
    assert "There are no pipelines of o/x" in answer.text
    assert answer.headers["hx-retarget"] == answer.headers["hx-reselect"] == "#figures", "though a part was asked for"


def test_what_people_have_named_is_shown_as_text(visitor: Visitor) -> None:
    assert "<script>alert" not in visitor.get("/delivery/figures?environment=<script>alert(1)</script>").body


def test_a_report_is_made_once_until_open_pages_ask_again_after_a_minute() -> None:
    counting, now = Counting(), [NOW]
    reports = counting.reports(lambda: now[0])
    first = reports.get(Wanted("o/r"))
    made = replace(first, period=replace(first.period, now=now[0]))
    assert reports.get(Wanted("o/r")) == made
    now[0] += timedelta(seconds=49)
    assert reports.known(Wanted("o/r"), counting.state) == made
    now[0] += timedelta(seconds=1)
    assert reports.known(Wanted("o/r"), counting.state) is None
    reports.get(Wanted("o/r"))
    assert len(counting.made) == 2
    assert reports.known(Wanted("o/other"), counting.state) is None


def test_once_something_was_deployed_a_repository_s_report_is_made_anew_and_the_fleet_s_when_it_is_due() -> None:
    counting = Counting()
    reports = counting.reports()
    for wanted in (Wanted("o/r"), Wanted()):
        reports.get(wanted)
    counting.state = "2"
    assert reports.known(Wanted("o/r"), counting.state) is None
    for wanted in (Wanted("o/r"), Wanted(), Wanted("o/r")):
        reports.get(wanted)
    assert counting.made == [Wanted("o/r"), Wanted(), Wanted("o/r")]


def test_a_report_that_could_not_be_made_is_made_the_next_time() -> None:
    counting = Counting()
    reports, counting.error = counting.reports(), CommandError("no")
    with pytest.raises(CommandError):
        reports.get(Wanted())
    counting.error = None
    assert reports.get(Wanted()).wanted == Wanted()


def test_no_more_reports_are_kept_than_are_of_use() -> None:
    counting = Counting()
    reports = counting.reports()
    for number in range(60):
        reports.get(Wanted(f"o/{number}"))
    assert len([number for number in range(60) if reports.known(Wanted(f"o/{number}"), counting.state)]) <= 40


def test_a_repository_s_page_hears_of_deployments_and_the_fleet_s_goes_by_the_clock(visitor: Visitor) -> None:
    assert 'data-live="/live?topic=delivery&amp;about=o%2Fr&amp;seen=1"' in visitor.get("/delivery/o/r").body
    assert "data-live" not in visitor.get("/delivery").body
    for path in ("/delivery/o/r/figures", "/delivery/figures"):
        assert 'hx-trigger="news from:body, minute from:body"' in visitor.get(path).body


@pytest.mark.parametrize(
    "changes, url",
    [
        ({}, "/delivery/o/a%20b?environment=prod&days=7"),
        ({"days": 30}, "/delivery/o/a%20b?environment=prod"),
        ({"environment": "", "order": "name"}, "/delivery/o/a%20b?days=7&order=name"),
        ({"page": 2}, "/delivery/o/a%20b?environment=prod&days=7&page=2"),
    ],
)
def test_links_keep_what_is_chosen_and_leave_out_what_is_usual(changes: Mapping[str, Any], url: str) -> None:
    asked = Asked(Wanted("o/a b", "prod", 7), "deployments", 3)
    assert asked.url(**changes) == url
    assert asked.figures_url == "/delivery/o/a%20b/figures?environment=prod&days=7&page=3"
    assert asked.of_repo("") == "/delivery?environment=prod&days=7"
    assert Asked(Wanted(), "deployments", 1).figures_url == "/delivery/figures"


def rows(*figures: Figures) -> list[Row]:
    names = [replace(SHOP, name=f"shop-{number}") for number in range(len(figures))]
    return [Row(Place(pipeline, PLACE.environment), each, []) for pipeline, each in zip(names, figures, strict=True)]


def order(name: str) -> list[str]:
    found = rows(
        Figures(7, 1, (HOUR,), 4, 1),
        Figures(7, 3, (2 * HOUR,), 4, 0, (HOUR,)),
        Figures(7, 2, (), 0, 0, (2 * HOUR,)),
    )
    return [re.sub("shop-", "", each.row.place.pipeline.name) for each in listed(found, name, 1).rows]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("name", "012"),
        ("deployments", "120"),
        ("lead_time", "102"),
        ("failure_rate", "012"),
        ("recovery", "210"),
        ("nonsense", "120"),
    ],
)
def test_environments_are_ordered_by_what_there_is_to_look_at(name: str, expected: str) -> None:
    assert "".join(order(name)) == expected


@pytest.mark.parametrize("page, first, shown", [(1, 0, PAGE), (3, 2 * PAGE, 1), (9, 2 * PAGE, 1), (0, 0, PAGE)])
def test_many_environments_are_shown_page_by_page(page: int, first: int, shown: int) -> None:
    many = [Figures(7, 1000 - number) for number in range(2 * PAGE + 1)]
    found = listed(rows(*many), "deployments", page)
    assert (found.pages, found.count, len(found.rows)) == (3, 2 * PAGE + 1, shown)
    assert found.rows[0].row.figures.deployed == 1000 - first
