"""The page of a trace in a browser: it zooms, folds and closes, works by keys and on a phone, and asks for nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from pipeline_state.cli.traces.page import page_html
from tests.e2e.browser import running, screenshots, serious_findings
from tests.unit.cli.traces.made import span, wait

pytestmark = pytest.mark.e2e

WAY = [
    span("commit", 0, 0, **{"meta.span_type": "root", "trace.trace_id": "a" * 32}),
    span("record gates", 0, 2, "commit"),
    span("write record", 0.5, 1, "record gates"),
    wait("legal", 2, 11520, ended_by="ann", known="verified"),
    span("install", 11522, 10, "commit", error="TemporaryFault", error_detail="the API server is busy"),
    span("helm upgrade", 11523, 8, "install"),
    wait("security", 11532, 7200, open=True),
]


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    file = tmp_path_factory.mktemp("trace") / "trace.html"
    file.write_text(page_html("myOrg/myApp aaaaaaaaaaaa", "a" * 32, WAY, "https://ui.honeycomb.io/a"))
    with running() as browser:
        page = browser.new_page()
        page.goto(file.as_uri())
        yield page


@pytest.fixture
def page(browser_page: Page) -> Page:
    """As it is when it is opened, with what it has asked for since and what went wrong."""
    browser_page.reload()
    return browser_page


def row(page: Page, name: str) -> Locator:
    return page.locator("tbody tr").filter(has=page.locator("summary", has_text=re.compile(f"^{name}")))


def width_of(page: Page, name: str) -> float:
    return float(str(row(page, name).locator(".wf-bar").get_attribute("width")).removesuffix("%"))


def test_it_asks_for_nothing_and_has_no_serious_finding(page: Page) -> None:
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.reload()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert serious_findings(page) == []
    assert (asked, errors) == ([page.url], [])


def test_zooming_in_widens_the_bars_and_all_takes_it_back(page: Page) -> None:
    before = width_of(page, "write record")
    page.get_by_role("button", name="Later").click()
    row(page, "write record").locator(".wf-lane").dblclick()
    assert width_of(page, "write record") > 2 * before
    page.get_by_role("button", name="All", exact=True).click()
    assert width_of(page, "write record") == pytest.approx(before, abs=0.01)


def test_keys_zoom_as_well(page: Page) -> None:
    before = width_of(page, "record gates")
    page.get_by_role("button", name="Zoom in").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert width_of(page, "record gates") == pytest.approx(2 * before, rel=0.01)
    page.keyboard.press("0")
    assert width_of(page, "record gates") == pytest.approx(before, rel=0.01)


def test_without_folds_waiting_takes_the_room_that_it_took_of_the_time(page: Page) -> None:
    page.get_by_label("fold pauses").uncheck()
    assert width_of(page, "waiting for legal") == pytest.approx(100 * 11520 / 18732, rel=0.01)


def test_what_is_under_a_span_can_be_closed(page: Page) -> None:
    page.get_by_role("button", name="Spans under install").click()
    assert not row(page, "helm upgrade").is_visible()
    assert row(page, "install").is_visible()
    page.get_by_role("button", name="Spans under commit").click()
    assert not row(page, "record gates").is_visible()
    page.get_by_role("button", name="Spans under commit").click()
    assert row(page, "record gates").is_visible()
    assert not row(page, "helm upgrade").is_visible()


def test_dragging_over_the_whole_chooses_a_part(page: Page) -> None:
    box = page.locator(".wf-overview").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 12, steps=5)
    page.mouse.up()
    assert re.search(r" of 5 h 12 min$", page.locator(".wf-window").inner_text())
    assert not row(page, "record gates").locator(".wf-bar").is_visible()


def test_a_span_tells_its_fields_and_what_went_wrong(page: Page) -> None:
    assert "the API server is busy" in row(page, "install").inner_text()
    row(page, "waiting for legal").locator("summary").click()
    assert "ann" in row(page, "waiting for legal").locator("dl").inner_text()


def test_on_a_phone_nothing_runs_over_the_edge(page: Page, tmp_path: Path) -> None:
    screenshots(page, "trace", tmp_path)
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 800})
