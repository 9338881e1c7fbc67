"""The dashboard in a browser: it lets in whoever has its link, stays live, and what is done there is done."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from infra.local.stack import StackInfo
from pipeline_state.model.pipelines import GateDefinition, GateSource, SourceKind
from tests.e2e import browser as browsers
from tests.e2e.test_cli import COMMAND, USER
from tests.e2e.way import Way, commit

pytestmark = pytest.mark.e2e

PATIENCE = 120_000
"""Milliseconds for what comes by itself: as long as `way.PATIENCE`, for the same reason."""

LEFT = ("htmx:sendAbort", "htmx:afterRequest")
"""How htmx tells that a page was left while it asked for something."""

BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))
LEGAL = GateDefinition("legal")


@dataclass
class Visit:
    """A browser that came in by the dashboard's link, and what it asked for elsewhere or complained about."""

    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self._note(request.url, is_ours=request.url.startswith(self.home)))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._read)

    def _read(self, message: ConsoleMessage) -> None:
        self._note(message.text, is_ours=message.type != "error" or message.text.startswith(LEFT))

    def _note(self, told: str, *, is_ours: bool) -> None:
        if not is_ours:
            self.complaints.append(told)

    def open(self, path: str) -> Page:
        self.page.goto(self.home + path)
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with browsers.running() as it:
        yield it


@pytest.fixture
def way(stack: StackInfo) -> Way:
    """A repository that takes a build and a lawyer's word to get to staging, and from there to production."""
    it = Way(stack)
    staging = it.environment("staging", "build", "legal")
    live = it.release("live")
    production = replace(it.environment("production", after=("staging",)), releases=(live,))
    it.define(staging, production, gates=(BUILD, LEGAL))
    return it


@pytest.fixture
def link(stack: StackInfo) -> Iterator[str]:
    """What `gatestream dashboard` prints; it ends with the test, and is asked whether it ended well."""
    command = [str(COMMAND), "--state-dir", str(Path(stack.log).parent), "dashboard", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        assert it.stderr is not None
        try:
            yield str(json.loads(it.stdout.readline())["url"])
        finally:
            it.terminate()
        assert (it.wait(timeout=30), it.stderr.read()) == (0, "")


@pytest.fixture
def visit(browser: Browser, link: str) -> Iterator[Visit]:
    context = browser.new_context(color_scheme="light", reduced_motion="reduce")
    it = Visit(context.new_page(), link.partition("/?")[0])
    it.page.goto(link)
    yield it
    context.close()
    assert it.complaints == []


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where screenshots are kept: GATESTREAM_SCREENSHOTS, or the checkout's folder for what is made in it."""
    folder = Path(os.environ.get("GATESTREAM_SCREENSHOTS") or ".gatestream/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def place(page: Page, environment: str) -> Locator:
    return page.locator("#standing article").filter(has=page.get_by_role("heading", name=environment))


def test_a_commit_walks_across_the_board_and_goes_out_when_it_is_approved_there(visit: Visit, way: Way) -> None:
    page, sha = visit.open(f"/repo/{way.repo}"), commit()
    way.push(sha)
    row = page.locator("#grid tbody tr", has_text=sha[:12])
    expect(row).to_be_visible()
    expect(row.locator("[data-name=build]")).to_contain_text("pending")
    way.build(sha)
    expect(row.locator("[data-name=build]")).to_contain_text("passed")
    expect(row.locator("[data-name=legal]")).to_contain_text("pending")

    row.get_by_role("link").click()
    page.wait_for_url(f"**/commit/{sha}")  # and for its scripts: without them the question is a page of its own
    page.get_by_label("Open: legal").click()
    page.locator("dialog input[name=reason]").fill("contract signed")
    page.locator("dialog .confirm").click()
    expect(page.locator("#done")).to_be_visible()
    for environment in ("staging", "production"):
        expect(place(page, environment).locator("h3 .state")).to_have_text("deployed")

    gate = way.item(sha)["legal"]
    assert (gate["status"], gate["by"], gate["reason"]) == ("TRUE", USER, "contract signed")
    assert {each["name"] for each in way.helm("list")} == {"staging", "live"}
    expect(page.locator("#trace")).to_contain_text("waiting for legal")
    expect(page.locator("#events")).to_contain_text("contract signed")


def test_every_page_is_whole_at_every_width_and_can_be_used_by_everybody(
    visit: Visit, way: Way, pictures: Path
) -> None:
    first, second = commit(), commit()
    way.push(first)
    way.build(first)
    way.column(first, "legal", "TRUE")
    way.deployed(first, "production")
    way.push(second, first)
    way.build(second, "failed")
    way.recorded(second, "build")
    pages = {
        "fleet": ("/", way.repo.rpartition("/")[2]),
        "repo": (f"/repo/{way.repo}", second[:12]),
        "commit": (f"/repo/{way.repo}/commit/{first}", "What happened"),
        "delivery": (f"/delivery/{way.repo}", "Where the time goes"),
    }
    for name, (path, whole) in pages.items():
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            page = visit.open(path)
            expect(page.locator("main")).to_contain_text(whole)
            browsers.screenshots(page, f"{name}-{scheme}", pictures)
            for across, down in browsers.WIDTHS.values():
                page.set_viewport_size({"width": across, "height": down})
                assert page.evaluate("document.documentElement.scrollWidth") <= across, (name, across)
            assert browsers.serious_findings(page) == []


def test_a_link_works_once_and_nobody_else_is_let_in(browser: Browser, visit: Visit, link: str) -> None:
    for path in ("/", link.removeprefix(visit.home), "/live?topic=fleet"):
        stranger = browser.new_context()
        answer = stranger.new_page().goto(visit.home + path)
        assert answer is not None
        assert answer.status == 403
        stranger.close()
