"""Pages that stay open in a browser: they follow tables and clock, and leave alone what a reader is about to do."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from pipeline_state.cli.asking import happening
from pipeline_state.cli.dashboard import commit, delivery, server
from pipeline_state.cli.dashboard.board import Board
from pipeline_state.cli.dashboard.security import Door
from pipeline_state.cli.stacks import Stack
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline
from pipeline_state.table import holds
from pipeline_state.table.models import Tables
from tests.contract.delivered import Delivered
from tests.contract.table_room import START, WEB, A, B, LocalTables, TableRoom, pipeline, seconds
from tests.e2e import browser as browsers

MINUTE = 60_000
"""Milliseconds, as browsers count."""

PATIENCE = 60_000
"""Milliseconds for what comes by itself."""

WHERE = """[
    document.activeElement.getAttribute("aria-label"), scrollY, document.querySelector(".waterfall").scrollTop,
    document.querySelectorAll("main details[open]").length,
]"""
"""What has the focus, how far page and trace are scrolled, how many details are open."""

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
PRODUCTION = Environment("production", ("legal",), ("staging",), (WEB,), Cluster(context="local"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with browsers.running() as it:
        yield it


@pytest.fixture(scope="module")
def own_tables(ministack: str) -> LocalTables:
    """Where no other tests' pipelines are counted with these."""
    return LocalTables(ministack)


@dataclass
class Reader:
    """Somebody at a page, and the tables behind it. complaints: what the page said of errors."""

    room: TableRoom
    page: Page
    home: str

    def open(self, path: str) -> Page:
        self.page.goto(self.home + path)
        expect(self.page.locator("#live")).to_have_text("live")
        return self.page

    def commit(self) -> Page:
        return self.open(f"/repo/{self.room.repo}/commit/{A}")

    def wait(self, minutes: int = 1) -> None:
        """What comes of that is asked for, and there."""
        self.room.now += timedelta(minutes=minutes)
        with self.asking():
            self.page.clock.fast_forward(minutes * MINUTE)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """A block that makes the page ask for fragments; they are there after it."""
        with self.page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
            yield
        expect(self.page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)

    @contextmanager
    def without_fragments(self, why: str) -> Iterator[None]:
        """A block in which those of a commit cannot be had; they are asked for at its beginning and after its end."""
        self.page.route("**/commit/*", lambda route: route.fulfill(status=502, body=f"<p>{why}</p>"))
        self.wait()
        yield
        self.page.unroute("**/commit/*")
        self.wait()

    def see(self, *, hidden: bool) -> None:
        """As if the tab was left, or come back to."""
        self.page.evaluate(
            "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
            " document.dispatchEvent(new Event('visibilitychange')); }",
            hidden,
        )

    def freeze(self, until: str) -> None:
        told = happening((self.pipeline.name, "staging"), "frozen", "bo", self.room.now, {"environment": "staging"})
        holds.freeze(self.pipeline, "staging", Freeze("bo", until, "a demo"), told)

    @property
    def pipeline(self) -> Pipeline:
        return self.room.snapshot(A).definitions.pipelines[0]


@pytest.fixture
def reader(own_tables: LocalTables, browser: Browser, tmp_path: Path) -> Iterator[Reader]:
    room = TableRoom(own_tables)
    room.define(pipeline(STAGING, PRODUCTION))
    stack = Stack("local", "us-east-1", Tables("gates"), {}, {}, lambda service: service, traces=tmp_path / "traces")
    listening = server.listen(0)
    board = Board(stack, Door(listening.getsockname()[1]), now=lambda: room.now)
    routes = [*commit.routes(board), *delivery.routes(board)]
    serving = uvicorn.Server(uvicorn.Config(server.application(board, routes), log_level="warning"))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
    thread.start()
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.clock.install()
    page.goto(board.door.new_link())
    yield Reader(room, page, board.door.origin)
    context.close()
    serving.should_exit = True
    thread.join()


def test_a_commit_s_page_follows_the_clock(reader: Reader) -> None:
    room = reader.room
    room.ready(A)
    room.edit(A, legal={"status": "TRUE", "by": "ann", "at": seconds(60), "expires_at": seconds(5400)})
    reader.freeze(until=seconds(4800))
    page = reader.commit()
    legal, staging = page.locator("#gates tr", has_text="legal"), page.locator("#standing article").first
    expect(legal).to_contain_text("passed")
    expect(legal).to_contain_text("59 m ago")
    expect(staging).to_contain_text("frozen by bo")
    expect(page.get_by_role("link", name="Unfreeze: staging")).to_be_visible()
    reader.wait(40)
    expect(legal).to_contain_text("expired")
    expect(legal).to_contain_text("1 h ago")
    expect(staging).not_to_contain_text("frozen by bo")
    expect(page.get_by_role("link", name="Unfreeze: staging")).to_have_count(0)


def test_a_question_that_is_open_stays_with_what_was_typed(reader: Reader) -> None:
    reader.room.ready(A)
    page = reader.commit()
    opener, field = page.get_by_role("link", name="Open: legal"), page.locator("dialog input[name=reason]")
    opener.click()
    field.press_sequentially("the contract")
    reader.wait()
    page.keyboard.type(" is signed")
    expect(field).to_have_value("the contract is signed")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_what_a_reader_has_opened_scrolled_and_walked_to_stays_so(reader: Reader) -> None:
    past = Delivered(reader.pipeline)
    past.push("", A, START)
    past.build(A, START + timedelta(seconds=30))
    past.deploy(A, "staging", START + timedelta(seconds=60), 2)
    page = reader.commit()
    page.set_viewport_size({"width": 375, "height": 300})
    page.locator("#history summary").first.click()
    page.evaluate("document.querySelector('.waterfall').scrollTop = 60")
    page.get_by_role("link", name="Freeze: staging").focus()
    page.evaluate("scrollTo(0, 700)")
    before = page.evaluate(WHERE)
    assert before == ["Freeze: staging", 700, 60, 1]
    reader.wait()
    assert page.evaluate(WHERE) == before
    page.locator("#trace summary").first.click()
    page.get_by_role("button", name="Zoom in").focus()
    before = page.evaluate(WHERE)
    reader.wait()
    assert page.evaluate(WHERE) == before
    assert before[0] == "Zoom in"


def test_a_click_is_not_lost_to_news_that_come_while_it_is_made(reader: Reader) -> None:
    reader.room.ready(A)
    page = reader.commit()
    page.get_by_role("link", name="Open: legal").hover()
    page.mouse.down()
    with reader.asking():
        reader.freeze(until=seconds(7200))
    expect(page.locator("#standing")).not_to_contain_text("frozen by bo")
    page.mouse.up()
    expect(page.locator("dialog")).to_contain_text("legal")
    expect(page.locator("#standing")).to_contain_text("frozen by bo")


def test_what_is_opened_and_closed_while_news_come_is_so_when_they_are_shown(reader: Reader) -> None:
    reader.room.ready(A)
    page = reader.commit()
    summary, gate = page.locator("#trace summary").first, page.locator("#gates tr", has_text="legal")
    opened = page.locator("#trace details[open]")
    summary.focus()
    page.keyboard.down("Space")
    reader.wait()
    with reader.asking():
        page.keyboard.up("Space")
    expect(opened).to_have_count(1)
    summary.hover()
    page.mouse.down()
    with reader.asking():
        reader.room.edit(A, legal="TRUE")
    page.mouse.up()
    expect(gate).to_contain_text("passed")
    expect(opened).to_have_count(0)


def test_what_is_read_stays_where_it_is_below_a_span_that_is_open(reader: Reader) -> None:
    reader.room.ready(A)
    page = reader.commit()
    page.set_viewport_size({"width": 1000, "height": 700})
    assert page.locator(".waterfall").evaluate("trace => trace.scrollHeight < innerHeight * 0.6"), "it can grow"
    page.locator("#trace summary").first.click()
    page.locator("#events").evaluate("events => scrollTo(0, events.offsetTop - 20)")
    where = "[document.querySelector('#events').getBoundingClientRect().top, scrollY]"
    before = page.evaluate(where)
    for _ in range(3):
        reader.wait()
        assert page.evaluate(where) == pytest.approx(before, abs=1)
    expect(page.locator("#trace details[open]")).to_have_count(1)


def test_what_is_read_stays_where_it_is_when_something_above_it_grows(reader: Reader) -> None:
    reader.room.ready(A)
    page = reader.commit()
    page.set_viewport_size({"width": 375, "height": 300})
    page.locator("#events").evaluate("events => scrollTo(0, events.offsetTop + 20)")
    where = "document.querySelector('#events').getBoundingClientRect().top"
    before = page.evaluate(where)
    reader.freeze(until=seconds(7200))
    expect(page.locator("#standing")).to_contain_text("frozen by bo")
    assert page.evaluate(where) == pytest.approx(before, abs=1)


def test_what_changed_and_changed_back_while_the_page_was_not_seen_is_not_shown_any_more(reader: Reader) -> None:
    reader.room.ready(A)
    page = reader.commit()
    legal = page.locator("#gates tr", has_text="legal").locator(".state")
    reader.room.edit(A, legal="TRUE")
    expect(legal).to_have_text("passed")
    reader.see(hidden=True)
    reader.room.edit(A, legal="")
    reader.see(hidden=False)
    expect(legal).to_have_text("pending")


def test_that_something_could_not_be_had_is_told_until_it_is(reader: Reader) -> None:
    reader.room.ready(A)
    page = reader.commit()
    trouble = page.locator("#trouble")
    with reader.without_fragments("throttled; try again"):
        expect(trouble).to_have_text("throttled; try again")
    expect(trouble).to_have_text("")


def test_what_is_told_of_the_tables_is_not_forgotten_with_what_is_told_of_a_fragment(reader: Reader) -> None:
    reader.room.ready(A)
    page, events = reader.page, "retry: 3600000\nevent: trouble\ndata: the tables do not answer\n\n"
    page.route("**/live?*", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    page.goto(f"{reader.home}/repo/{reader.room.repo}/commit/{A}")
    trouble = page.locator("#trouble")
    expect(trouble).to_have_text("the tables do not answer")
    with reader.without_fragments("throttled; try again"):
        expect(trouble).to_have_text("throttled; try again")
    expect(trouble).to_have_text("the tables do not answer")


def test_delivery_counts_again_once_something_was_deployed_and_lets_a_choice_be_made(reader: Reader) -> None:
    past = Delivered(reader.pipeline)
    past.push("", A, START)
    past.build(A, START + timedelta(seconds=30))
    past.deploy(A, "staging", START + timedelta(seconds=60), 2)
    page = reader.open(f"/delivery/{reader.room.repo}?environment=staging")
    deployed = page.locator(".card").first
    expect(deployed).to_contain_text("1 in 30 days")
    deployed.locator("summary").click()
    page.get_by_label("Environment").select_option("production")
    past.push(A, B, START + timedelta(seconds=300))
    past.build(B, START + timedelta(seconds=330))
    past.deploy(B, "staging", START + timedelta(seconds=360), 2)
    expect(deployed).to_contain_text("2 in 30 days")
    expect(deployed.locator("details")).to_have_attribute("open", "")
    expect(page.get_by_label("Environment")).to_have_value("production")
    expect(page.locator("#period")).to_contain_text("13:00 UTC")
    reader.wait(5)
    expect(page.locator("#period")).to_contain_text("13:05 UTC")
    expect(page.get_by_label("Environment")).to_have_value("production")


def test_delivery_tells_that_an_environment_is_there_no_more_until_it_is_again(reader: Reader) -> None:
    page = reader.open(f"/delivery/{reader.room.repo}?environment=staging")
    expect(page.locator("#counted")).to_be_visible()
    reader.room.define(pipeline(replace(STAGING, name="stage")))
    expect(page.locator("#figures")).to_have_text(re.compile("There is no environment 'staging'"))
    expect(page.get_by_role("link", name="All environments")).to_be_visible()
    reader.room.define(pipeline(STAGING))
    expect(page.locator("#counted")).to_be_visible()


def test_delivery_of_all_repositories_goes_by_the_minute(reader: Reader) -> None:
    page = reader.page
    page.goto(f"{reader.home}/delivery")
    expect(page.locator("#period")).to_contain_text("13:00 UTC")
    reader.wait()
    expect(page.locator("#period")).to_contain_text("13:01 UTC")
