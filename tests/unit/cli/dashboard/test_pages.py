"""How values are shown, and what a page may hold."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.cli.dashboard import pages
from pipeline_state.cli.dashboard.pages import STATIC
from pipeline_state.cli.traces.page import STATIC as TRACES

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HERE = Path(pages.__file__).parent
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
OURS = [path for path in sorted(STATIC.iterdir()) if path.suffix in {".css", ".js", ".svg"}]


def shown(template: str, **values: Any) -> str:
    return pages.templates(lambda: NOW).from_string(template).render(**values)


@pytest.mark.parametrize(
    "time, ago, age",
    [
        ("2026-07-01T12:00:00Z", "0 s ago", "0 s"),
        ("2026-07-01T11:59:20Z", "40 s ago", "40 s"),
        ("2026-07-01T10:40:00Z", "1 h ago", "1 h"),
        ("2026-06-20T12:00:00Z", "11 d ago", "11 d"),
        ("2026-07-01T12:03:20Z", "in 3 m", "0 s"),
        ("2026-07-01T14:00:00+02:00", "0 s ago", "0 s"),
    ],
)
def test_times_are_told_as_a_glance_needs_them(time: str, ago: str, age: str) -> None:
    assert f">{ago}</time>" in shown("{{ time|ago }}", time=time)
    assert f">{age}</time>" in shown("{{ time|age }}", time=time)


@pytest.mark.parametrize("filter_", ["ago", "age", "when"])
@pytest.mark.parametrize("nothing", [None, "", "yesterday", "2026-07-01T12:00:00"])
def test_what_is_no_time_is_shown_as_nothing(filter_: str, nothing: str | None) -> None:
    assert not shown("{{ time|" + filter_ + " }}", time=nothing)


def test_what_people_wrote_is_text() -> None:
    assert shown("{{ name }}{{ name|breakable }}", name="<b>_") == "&lt;b&gt;_&lt;b&gt;_<wbr>"


SENTENCE = "<b> ran at 2026-07-01T12:00:00.5Z, followed by 0a0a0a0a0a0a"


def test_a_sentence_has_its_times_to_the_second_and_its_commits_as_links() -> None:
    time = '<time datetime="2026-07-01T12:00:00.500Z">2026-07-01 12:00:00 UTC</time>'
    link = '<a class="mono" href="/repo/a/b/commit/0a0a0a0a0a0a">0a0a0a0a0a0a</a>'
    assert shown("{{ text|told('a/b') }}", text=SENTENCE) == f"&lt;b&gt; ran at {time}, followed by {link}"
    assert shown("{{ text|told }}", text=SENTENCE) == f"&lt;b&gt; ran at {time}, followed by 0a0a0a0a0a0a"


def test_a_command_in_a_sentence_is_code() -> None:
    told = shown("{{ text|told }}", text="run `gatestream redeploy <b>`, or `wait")
    assert told == "run <code>gatestream redeploy &lt;b&gt;</code>, or `wait"


@pytest.mark.parametrize(
    "text", ["arn:aws:iam::123456789012:user/ann", "shop-0a0a0a0a0a0a", "0a0a0a0a0a0a.example.com", "0a0a0a0a0a0a0"]
)
def test_what_only_looks_like_a_commit_is_no_link(text: str) -> None:
    assert shown("{{ text|told('a/b') }}", text=text) == text


def test_urls_of_repositories_and_commits_are_whole_whatever_their_names() -> None:
    assert pages.commit_url("a/b c?", "x#") == "/repo/a/b%20c%3F/commit/x%23"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_what_the_content_security_policy_forbids(path: Path) -> None:
    html = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|hx-on|javascript:|\|safe", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    assert not re.search(r"""(?:src|href)=["']\s*(?:https?:)?//""", html)


def test_what_a_page_has_anew_with_every_change_it_has_anew_every_minute_as_well() -> None:
    triggers = {path.stem: re.findall(r'hx-trigger="([^"]*news[^"]*)"', path.read_text("utf-8")) for path in TEMPLATES}
    live = {name for name, found in triggers.items() if found == ["news from:body, minute from:body"]}
    assert live == {"commit", "delivery_figures", "delivery_none", "fleet_rows", "repo_grid"}
    assert {name for name, found in triggers.items() if found} == {*live, "delivery"}  # which asks for its figures


def test_no_fragment_that_comes_anew_has_a_field_that_somebody_may_be_typing_in() -> None:
    html = {path.stem: path.read_text("utf-8") for path in (*TEMPLATES, TRACES.parent / "templates/waterfall.html")}
    anew = {name: html[name] for name in ("fleet_rows", "repo_grid", "commit", "commit_parts", "waterfall")}
    _, found, anew["counted"] = html["delivery_figures"].partition('<div id="counted"')
    assert found
    for name, part in anew.items():
        assert not re.search(r"""<(input(?! type="checkbox")|select|textarea)""", part), name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_changes_something_brings_its_page_s_token(path: Path) -> None:
    html = path.read_text(encoding="utf-8")
    for form in re.findall(r"<form.*?</form>", html, re.DOTALL):
        assert "csrf" in form or not re.search(r"method=.post|hx-post", form, re.IGNORECASE)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_no_file_of_ours_asks_another_server_for_anything(path: Path) -> None:
    found = re.findall(r"https?://[^\s\"')]+", path.read_text(encoding="utf-8"))
    assert {*found} <= {"http://www.w3.org/2000/svg"}


def test_vendored_files_are_those_that_the_notice_tells_of_with_their_licences() -> None:
    notice = (STATIC / "vendor" / "NOTICE").read_text(encoding="utf-8")
    scripts = {path.name for path in (STATIC / "vendor").glob("*.js")}
    assert scripts == {*re.findall(r"^(\S+\.js) ", notice, re.MULTILINE)}
    assert notice.count("THE SOFTWARE IS PROVIDED") == len(scripts)


def test_both_schemes_have_every_colour_and_text_is_legible_in_both() -> None:
    css = (STATIC / "board.css").read_text(encoding="utf-8")
    found = dict(re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", css))
    for scheme in (0, 1):
        colours = {name: pair.split(", ")[scheme] for name, pair in found.items()}
        for text in ("ink", "dim", "link", "good", "bad", "wait", "closed"):
            grounds = ["ground", "raised", *([f"{text}-tint"] if f"{text}-tint" in colours else [])]
            for ground in grounds:
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, scheme)


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
