"""A trace as HTML says all that the terminal says, escapes what others wrote, and asks for nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser

from pipeline_state.cli.traces.page import page_html, waterfall_html
from pipeline_state.cli.traces.spans import Span
from tests.unit.cli.traces.made import span, wait

WAY = [
    span("commit", 0, 0, **{"meta.span_type": "root", "trace.trace_id": "a" * 32}),
    span("record gates", 0, 1, "commit"),
    wait("legal", 1, 3600, ended_by="ann", known="verified"),
    span("helm upgrade", 3601, 10, "commit", error="TemporaryFault", error_detail="the API server is <busy>"),
]


class Page(HTMLParser):
    """Its rows, by the attributes of each, and every attribute that could load or run something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[dict[str, str | None]] = []
        self.bars: list[dict[str, str | None]] = []
        self.suspicious: list[tuple[str, str | None]] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.rows += [found] if tag == "tr" and "data-start" in found else []
        self.bars += [found] if found.get("class") == "wf-bar" and "x" in found else []
        self.suspicious += [each for each in attrs if each[0] in {"style", "src", "srcset"} or each[0].startswith("on")]


def test_every_span_has_a_row_with_its_bar() -> None:
    page = Page(waterfall_html(WAY))
    assert [row["data-depth"] for row in page.rows] == ["0", "1", "1", "0"]
    assert [row["data-end"] for row in page.rows][-1] == "3601000.0"
    assert len(page.bars) == 4
    assert all(0 <= float(str(bar["x"])[:-1]) <= 100 and float(str(bar["width"])[:-1]) > 0 for bar in page.bars)


def test_the_script_learns_where_moments_are_drawn() -> None:
    found = re.search(r'data-points="([^"]*)"', waterfall_html(WAY))
    assert found
    told = json.loads(found[1].replace("&#34;", '"'))
    assert told["points"][0] == [0, 0]
    assert told["points"][-1] == [3611000, 100]


def test_waits_and_errors_are_told_apart_by_more_than_their_colour() -> None:
    html = waterfall_html(WAY)
    assert 'class="wf-wait' in html
    assert "by ann, verified" in html
    assert "wf-error" in html
    assert "the API server is &lt;busy&gt;" in html


def test_what_others_wrote_is_text() -> None:
    evil = '"><script>alert(1)</script>'
    named: Span = wait(evil, 0, 1, ended_by=evil, known="claimed")
    assert "script" not in Page(waterfall_html([named])).tags


def test_the_fragment_has_no_inline_style_or_script() -> None:
    page = Page(waterfall_html(WAY))
    assert page.suspicious == []
    assert not {"style", "script"} & page.tags


def test_the_page_of_its_own_asks_for_nothing() -> None:
    html = page_html("myOrg/myApp@aaaa", "a" * 32, WAY, "https://ui.honeycomb.io/trace?a=1&b=2")
    assert Page(html).suspicious == []
    assert not {"link", "img", "iframe"} & Page(html).tags
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert 'href="https://ui.honeycomb.io/trace?a=1&amp;b=2"' in html


def test_without_spans_nothing_is_drawn() -> None:
    assert waterfall_html([]) == "<p>No spans.</p>"
