"""Fleet and repositories as pages, on both local DynamoDBs."""

import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline_state.cli.dashboard import fleet, repo, server
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.security import Door
from pipeline_state.cli.stacks import Stack
from pipeline_state.model.decision import Promote
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline
from pipeline_state.model.promotion import Action
from pipeline_state.table import holds
from pipeline_state.table.claims import Order, claim
from pipeline_state.table.deployments import Deployment, deployments
from pipeline_state.table.leases import finish, take
from pipeline_state.table.listing import environments_at, newer
from pipeline_state.table.models import Tables
from tests.contract.table_room import WEB, A, B, C, D, TableRoom, pipeline, seconds
from tests.visitor import Answer, Visitor

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
PRODUCTION = Environment("production", ("legal",), ("staging",), (WEB,), Cluster(context="local"))
DEPLOYED = {"kind": "deployed", "at": seconds(120), "revision": 7, "chart": "web-1.2.3"}
FAILED = {"kind": "failed", "at": seconds(120), "reason": "<b>no</b> such image"}


@dataclass
class Dashboard:
    """The pages over a room's tables, and a browser in front of them."""

    room: TableRoom

    def __post_init__(self) -> None:
        stack = Stack("local", "us-east-1", Tables("gates"), {}, {}, lambda service: service)
        self.board = Board(stack, Door(4321), now=lambda: self.room.now)
        routes = [*fleet.routes(self.board), *repo.routes(self.board)]
        self.visitor = Visitor(server.application(self.board, routes), self.board.door).enter()

    def fleet(self, query: str = "") -> Answer:
        """The rows of this room's repository alone, counted, as a dashboard that has just begun shows them."""
        return Dashboard(self.room).visitor.get(f"/fleet/rows?count=1&find={self.room.repo}&{query}")

    def repo(self, query: str = "") -> Answer:
        return self.visitor.get(f"/repo/{self.room.repo}?{query}")

    @property
    def pipeline(self) -> Pipeline:
        return self.room.snapshot(A).definitions.pipelines[0]


@pytest.fixture
def dashboard(room: TableRoom) -> Dashboard:
    room.define(pipeline(STAGING, PRODUCTION))
    return Dashboard(room)


def row_of(answer: Answer, environment: str) -> str:
    """The text of an environment's row in the fleet."""
    rows = re.findall("<tr>.*?</tr>", answer.body, re.DOTALL)
    (row,) = [each for each in rows if f'class="environment">{environment}<' in each]
    return Answer(200, answer.headers, row).text


def deploy(
    room: TableRoom, commit: str, outcome: Mapping[str, object] = DEPLOYED, environment: str = "staging"
) -> None:
    (promotion,) = room.promote(commit, environment)
    take(promotion, "me", lambda: 0, until=60)
    finish(promotion, "me", outcome)
    status = {"deployed": "TRUE", "failed": "FALSE"}[str(outcome["kind"])]
    room.deployed(promotion, status, reason=str(outcome.get("reason", "")))


def test_the_fleet_tells_of_every_environment_what_it_has(dashboard: Dashboard) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    answer = dashboard.fleet()
    assert answer.status == 200
    staging = row_of(answer, "staging")
    assert "deployed" in staging
    assert A[:12] in staging
    assert "web-1.2.3" in staging
    assert "automatic" in staging
    assert "empty" in row_of(answer, "production")


def test_a_failure_is_told_with_its_reason_as_text(dashboard: Dashboard) -> None:
    dashboard.room.ready(A)
    deploy(dashboard.room, A, FAILED)
    answer = dashboard.fleet("show=failing")
    assert "failed <b>no</b> such image" in row_of(answer, "staging")
    assert "<b>no" not in answer.body
    assert "production" not in answer.text


def test_commits_that_came_after_the_head_are_counted_and_new_ones_as_they_come(dashboard: Dashboard) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    assert row_of(dashboard.fleet(), "staging").endswith(" 0")
    room.push(A, B, 600)
    room.push(B, C, 660)
    assert row_of(dashboard.fleet(), "staging").endswith("2 behind")
    assert row_of(dashboard.fleet("show=behind"), "staging").endswith("2 behind")
    assert row_of(dashboard.fleet(), "production").split()[-1] == "3"


def test_what_is_behind_is_found_without_being_counted_first(dashboard: Dashboard) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    found = Dashboard(room).visitor.get(f"/fleet/rows?show=behind&find={room.repo}").text
    assert "staging" not in found
    room.push(A, B, 600)
    found = Dashboard(room).visitor.get(f"/fleet/rows?show=behind&find={room.repo}").text
    assert "staging" in found


def test_an_environment_that_somebody_went_back_in_is_behind(dashboard: Dashboard) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    room.ready(B, 300, A)
    deploy(room, B)
    order = Order("ann", Action.ROLLBACK, "it is slow", holds=True)
    snapshot = room.reader.read(room.repo, A, B)
    claim(snapshot, dashboard.pipeline, Promote("staging", "main", 1, ()), room.now, order)
    row = row_of(dashboard.fleet(), "staging")
    assert "under way" in row
    assert "⚑ held by ann: it is slow" in row
    assert f"deployed last: {B[:12]} " in row
    assert row.endswith(" 0"), "what it goes back from runs there still, and nothing came after that"
    assert "staging" not in dashboard.fleet("show=behind").text
    assert "ann" in row.replace("held by ann", "")
    (back,) = room.claimed("staging", 3)
    take(back, "me", lambda: 0, until=60)
    finish(back, "me", DEPLOYED)
    room.deployed(back)
    row = row_of(dashboard.fleet("show=behind"), "staging")
    assert "deployed last" not in row
    assert row.endswith("1 behind")


def test_what_runs_where_the_head_failed_or_is_on_its_way_is_told_and_counted_from(dashboard: Dashboard) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    room.ready(B, 300, A)
    room.promote(B)
    assert f"{B[:12]} deployed last: {A[:12]} " in row_of(dashboard.fleet(), "staging")
    assert row_of(dashboard.fleet(), "staging").endswith("1 behind")
    (promotion,) = room.claimed("staging", 2)
    take(promotion, "me", lambda: 0, until=60)
    finish(promotion, "me", FAILED)
    room.deployed(promotion, "FALSE", reason="no such image")
    room.push(B, C, 600)
    row = row_of(dashboard.fleet("show=behind"), "staging")
    assert "failed <b>no</b> such image" in row
    assert f"{B[:12]} deployed last: {A[:12]} 58 m ago" in row
    assert row.endswith("2 behind")
    page = dashboard.repo()
    assert f"deployed last: {A[:12]} 58 m ago" in page.text
    rows = re.findall("<tr>.*?</tr>", page.body.partition("<tbody>")[2], re.DOTALL)
    assert [">here<" in each for each in rows] == [False, False, True]


def test_where_nothing_was_ever_deployed_a_failed_head_is_counted_from(dashboard: Dashboard) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A, FAILED)
    room.push(A, B, 600)
    row = row_of(dashboard.fleet(), "staging")
    assert "deployed last" not in row
    assert row.endswith("1 behind")
    assert "deployed last" not in dashboard.repo().text


def test_what_was_deployed_last_is_read_for_no_environment_that_has_its_head(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def read(pipeline: str, environment: str, most: int) -> Iterator[Deployment]:
        asked.append((pipeline, environment))
        return deployments(pipeline, environment, most)

    monkeypatch.setattr("pipeline_state.cli.dashboard.fleet_running.deployments", read)
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    url = f"/fleet/rows?count=1&find={room.repo}"
    dashboard.visitor.get(url)
    dashboard.repo()
    assert asked == []
    room.ready(B, 300, A)
    room.promote(B)
    dashboard.visitor.get(url)
    dashboard.board.live.looks["fleet"]()
    for _ in range(3):
        dashboard.visitor.get(url)
    assert asked == [(room.named("shop"), "staging")], "once, and then it is known"


def test_nobody_waits_for_another_look_at_the_fleet_to_see_it_as_it_was(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, find = dashboard.room, f"find={dashboard.room.repo}"
    room.ready(A)
    dashboard.visitor.get(f"/fleet/rows?count=1&{find}")
    begun, go_on = threading.Event(), threading.Event()

    def slow(keys: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return environments_at(keys)

    monkeypatch.setattr("pipeline_state.cli.dashboard.fleet_memory.environments_at", slow)
    look = dashboard.board.live.looks["fleet"]
    room.promote(A)
    with ThreadPoolExecutor() as threads:
        other = threads.submit(look)
        try:
            assert begun.wait(20)
            before = dashboard.visitor.get(f"/?{find}")
            assert "empty" in row_of(before, "staging")
        finally:
            go_on.set()
        assert f"seen={other.result()}" not in before.body, "so it hears of what has changed"
    assert "under way" in row_of(dashboard.visitor.get(f"/?{find}"), "staging")


def test_of_a_repository_with_very_many_commits_as_many_are_behind_at_least_as_were_looked_through(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.cli.dashboard.fleet_behind.MOST", 2)
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    for number, (before, after) in enumerate([(A, B), (B, C), (C, D)]):
        room.push(before, after, 600 + 10 * number)
    assert row_of(dashboard.fleet(), "staging").endswith("2+ behind")
    assert "at least 2 commits came after it; only the newest were looked through" in dashboard.fleet().body
    assert row_of(dashboard.fleet("show=behind"), "staging").endswith("2+ behind")


def test_what_the_index_does_not_have_yet_is_counted_since_it_waits(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    room.push(A, B, 600)
    room.push(B, C, 660)

    def lags(*asked: Any) -> Any:
        found, is_all = newer(*asked)
        return [record for record in found if record.commit != C], is_all

    monkeypatch.setattr("pipeline_state.table.listing.newer", lags)
    assert row_of(dashboard.fleet(), "staging").endswith("2 behind")


def test_nobody_waits_for_a_count_to_see_what_is_known(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    room.push(A, B, 600)
    begun, go_on, find = threading.Event(), threading.Event(), f"find={room.repo}"

    def slow(*asked: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return newer(*asked)

    monkeypatch.setattr("pipeline_state.table.listing.newer", slow)
    with ThreadPoolExecutor() as threads:
        counted = threads.submit(dashboard.visitor.get, f"/fleet/rows?count=1&{find}")
        try:
            assert begun.wait(20)
            assert "…" in row_of(dashboard.visitor.get(f"/fleet/rows?{find}"), "staging")
            assert dashboard.visitor.get(f"/?{find}").status == 200
            assert dashboard.board.live.looks["fleet"]()
        finally:
            go_on.set()
        assert row_of(counted.result(), "staging").endswith("1 behind")


def test_what_is_closed_is_told_with_by_whom_until_when_and_why(dashboard: Dashboard) -> None:
    room = dashboard.room
    until = seconds(7200)
    holds.freeze(dashboard.pipeline, "staging", Freeze("bo", until, "a demo"), room.happening("f", A))
    row = row_of(dashboard.fleet("show=closed"), "staging")
    assert "❄ frozen by bo until 2026-07-01 14:00:00 UTC : a demo" in row


def test_a_freeze_that_is_over_by_itself_is_told_no_more(dashboard: Dashboard) -> None:
    room = dashboard.room
    holds.freeze(dashboard.pipeline, "staging", Freeze("bo", seconds(7200)), room.happening("f", A))
    assert "❄" in dashboard.fleet().text
    room.now = room.now.replace(day=room.now.day + 1)
    assert "❄" not in dashboard.fleet().text


def test_the_page_names_its_events_and_a_change_makes_them_come(dashboard: Dashboard) -> None:
    room = dashboard.room
    page = dashboard.visitor.get("/")
    assert re.search(r'data-live="/live\?topic=fleet&amp;seen=[0-9.]+"', page.body)
    room.ready(A)
    dashboard.visitor.get(f"/fleet/rows?count=1&find={room.repo}")  # what somebody sees is looked at each time
    before = dashboard.board.live.looks["fleet"]()
    assert dashboard.board.live.looks["fleet"]() == before
    room.promote(A)
    assert dashboard.board.live.looks["fleet"]() != before


def test_the_first_paint_goes_without_counts_and_asks_for_them(dashboard: Dashboard) -> None:
    first = dashboard.visitor.get("/").body
    asked = re.search(r'hx-get="(/fleet/rows\?count=1)" hx-trigger="load"', first)
    assert asked
    assert 'class="count"' not in first
    counted = dashboard.visitor.get(asked[1]).body
    assert 'class="count"' in counted
    assert 'hx-trigger="load"' not in counted


def test_a_search_keeps_the_address_of_the_page(dashboard: Dashboard) -> None:
    answer = dashboard.visitor.get("/fleet/rows?find=a+%22&show=failing&count=1")
    assert answer.headers["hx-replace-url"] == "/?find=a+%22&show=failing"
    assert 'No environment is failing that fits “a "”' in answer.text


def test_a_repository_is_shown_with_its_gates_and_why_each_commit_is_where_it_is(dashboard: Dashboard) -> None:
    room = dashboard.room
    room.ready(A)
    deploy(room, A)
    room.push(A, B, 600)
    room.edit(B, legal={"status": "FALSE", "by": "legal", "reason": "no licence"})
    answer = dashboard.repo()
    assert answer.status == 200
    newer, older = re.findall("<tr>.*?</tr>", answer.body.partition("<tbody>")[2], re.DOTALL)
    assert "waits for build" in newer
    assert "blocked: legal (no licence) failed" in newer
    assert 'title="failed · legal · no licence"' in newer
    assert "here" not in Answer(200, answer.headers, newer).text
    assert "deployed here" in Answer(200, answer.headers, older).text
    assert "waits for legal" in older
    assert f'href="/repo/{room.repo}/commit/{B}"' in newer


def test_commits_of_one_branch_are_shown_alone_and_fifty_a_page(dashboard: Dashboard) -> None:
    room, commits = dashboard.room, [f"{number:040x}" for number in range(1, 56)]
    for number, (before, after) in enumerate(zip(["", *commits], commits, strict=False)):
        room.push(before, after, 10 * number)
    room.push("", D, 5000, branch="fix/ä")
    page = dashboard.repo()
    assert page.text.count("waits for build") == 49  # D is on no branch that the pipeline takes
    assert "newest" not in page.text
    last = dashboard.repo(older(page))
    assert last.text.count("waits for build") == 6
    assert "← newest" in last.text
    assert 'rel="next"' not in last.body
    assert ">fix/ä</a>" in page.body
    branch = dashboard.repo("branch=fix%2F%C3%A4")
    assert D[:12] in branch.text
    assert commits[-1][:12] not in branch.text
    assert "No commit of none is recorded" in dashboard.repo("branch=none").text
    assert "No commit before those is recorded" in dashboard.repo(f"after=1-{A}").text


def older(page: Answer) -> str:
    """The query of the link that goes on."""
    found = re.search(r'rel="next" href="[^"?]*\?([^"]*)"', page.body)
    assert found
    return found[1].replace("&amp;", "&")


def test_of_a_branch_that_was_not_found_so_far_it_is_said_how_far_that_was(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.table.listing.PASSED", 2)
    dashboard.room.push("", A, 0, branch="old")
    for number, commit in enumerate((B, C, D), start=1):
        dashboard.room.push("", commit, 10 * number)
    page = dashboard.repo("branch=old")
    assert "2 commits were looked through here, none of them of old look further" in page.text
    assert "is recorded" not in page.text
    assert A[:12] in dashboard.repo(older(page)).text


def test_where_those_with_a_push_end_nobody_is_sent_to_look_for_others_among_them(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.table.listing.PASSED", 2)
    for number, commit in enumerate((B, C, D)):
        dashboard.room.push("", commit, 10 * number)
    page = dashboard.repo()
    assert re.findall(r'id="to-(\w)', page.body) == ["d", "c", "b"]
    assert 'rel="next"' not in page.body
    dashboard.room.result(A)
    page = dashboard.repo()
    assert re.findall(r'id="to-(\w)', page.body) == ["d", "c", "b", "a"]
    assert "looked through" not in page.text, "since most of these have a push"
    assert "2 commits were looked through here, none of them without a push" in dashboard.repo(older(page)).text


def test_commits_of_which_ci_alone_has_told_are_shown_before_github_tells_of_any(dashboard: Dashboard) -> None:
    dashboard.room.result(A)
    page = dashboard.repo()
    assert A[:12] in page.text
    assert "no push yet" in page.text
    dashboard.room.push("", B, 0)
    assert re.findall(r'id="to-(\w)', dashboard.repo().body) == ["b", "a"]
    apart = re.search(r'href="[^"?]*\?([^"]*)"[^>]*>without a push</a>', page.body)
    assert apart
    assert re.findall(r'id="to-(\w)', dashboard.repo(apart[1]).body) == ["a"]


def test_a_page_after_the_newest_is_asked_for_again_where_it_is(dashboard: Dashboard) -> None:
    for number, commit in enumerate((A, B, C)):
        dashboard.room.push("", commit, 10 * number)
    place = dashboard.room.record(B).branches["main"].sequence
    page = dashboard.repo(f"after={place}-{B}")
    assert f'hx-get="/repo/{dashboard.room.repo}/grid?after={place}-{B}"' in page.body
    assert re.findall(r'id="to-(\w)', page.body) == ["a"]


def test_a_repository_without_a_pipeline_and_one_that_nobody_knows(room: TableRoom) -> None:
    dashboard = Dashboard(room)
    assert dashboard.repo().status == 404
    assert "no webhook has told of it" in dashboard.repo().text
    room.push("", A, 0)
    assert "It has no pipeline yet" in dashboard.repo().text
    assert A[:12] in dashboard.repo().text


def test_a_repository_of_which_ci_alone_has_told_is_known_whatever_branch_is_asked_for(room: TableRoom) -> None:
    room.result(A)
    page = Dashboard(room).repo("branch=fix")
    assert page.status == 200
    assert "No commit of fix is recorded" in page.text


def test_a_repository_s_page_hears_of_pushes_gates_and_heads(dashboard: Dashboard) -> None:
    room, look = dashboard.room, dashboard.board.live.looks["repo"]
    seen = [look(room.repo)]
    room.push("", A, 0)
    seen.append(look(room.repo))
    room.result(A)
    seen.append(look(room.repo))
    room.promote(A)
    seen.append(look(room.repo.upper()))
    assert len({*seen}) == 4
    assert look(room.repo) == seen[-1]


@pytest.fixture
def unreadable(dashboard: Dashboard) -> Iterator[Dashboard]:
    """One whose repository's pipelines somebody has edited; the tables are others' as well."""
    room, key = dashboard.room, {"repo": dashboard.room.repo.lower()}
    room.change("pipelines", key, {"definitions": "{"})
    yield dashboard
    room.change("pipelines", key, {"definitions": "[]"})


def test_pipelines_that_nobody_can_read_are_told_of_and_hide_no_others(unreadable: Dashboard) -> None:
    room, other = unreadable.room, TableRoom(unreadable.room.tables)
    other.define(pipeline(STAGING))
    fleet_ = Dashboard(other).visitor.get(f"/fleet/rows?find={other.repo}")
    assert f"the pipelines of {room.repo.lower()} cannot be read" in fleet_.text
    assert "empty" in row_of(fleet_, "staging")


def test_what_cannot_be_shown_is_a_page_with_a_sentence(unreadable: Dashboard) -> None:
    answer = unreadable.repo()
    assert answer.status == 502
    assert "cannot be read" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
