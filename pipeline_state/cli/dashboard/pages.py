"""Templates and the files that they load, and how values are shown in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline_state.cli.spans import took
from pipeline_state.cli.traces.page import STATIC as WATERFALL
from pipeline_state.cli.views import SHORT, who
from pipeline_state.model.times import format_time, parse_time

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
FOLDERS = (STATIC, WATERFALL)
"""Where files are that browsers load as they are; the waterfall brings its own, found at the same place."""


def templates(now: Callable[[], datetime]) -> Environment:
    """The templates, with filters for commits (short), times (ago, age, when), seconds, people and sentences."""
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "told": told,
        "short": short,
        "ago": partial(ago, now=now),
        "age": partial(age, now=now),
        "breakable": breakable,
        "when": when,
        "took": took,
        "who": who,
    }
    found.globals |= {"asset": asset, "repo_url": repo_url, "commit_url": commit_url}
    return found


def files(folder: Path) -> list[Path]:
    """All files below a folder, always in the same order."""
    return sorted(each for each in folder.rglob("*") if each.is_file())


@cache
def digest() -> str:
    """Of all files that browsers load: where they are found, so that they can be kept for good."""
    told = hashlib.sha256()
    for folder in FOLDERS:
        for path in files(folder):
            told.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]


def asset(name: str) -> str:
    """The URL of a file under static/."""
    return f"/static/{digest()}/{name}"


def repo_url(repo: str) -> str:
    """Where the page of a repository is."""
    return f"/repo/{quote(repo)}"


def commit_url(repo: str, commit: str) -> str:
    """Where the page of a commit is."""
    return f"{repo_url(repo)}/commit/{quote(commit)}"


def short(commit: str) -> str:
    """The digits of a commit that tell it apart."""
    return commit[:SHORT]


def ago(time: str | None, *, now: Callable[[], datetime]) -> Markup:
    """How long ago an RFC 3339 time was, or how long it still takes to come; the time itself on hovering."""
    moment = parse_time(time)
    if moment is None:
        return Markup("")
    seconds = (now() - moment).total_seconds()
    told = f"{rounded(seconds)} ago" if seconds >= 0 else f"in {rounded(-seconds)}"
    exact = format_time(moment)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, exact, told)


def age(time: str | None, *, now: Callable[[], datetime]) -> Markup:
    """The same of what lasts since then: "3 h"."""
    moment = parse_time(time)
    if moment is None:
        return Markup("")
    exact, seconds = format_time(moment), max(0.0, (now() - moment).total_seconds())
    return Markup('<time datetime="{}" title="since {}">{}</time>').format(exact, exact, rounded(seconds))


def breakable(name: str) -> Markup:
    """A name that may be broken where its words end."""
    return Markup("_<wbr>").join(name.split("_"))


def rounded(seconds: float) -> str:
    """One unit, which is what a glance needs: "0 s", "40 s", "3 m", "2 h", "5 d"."""
    return " ".join(took(seconds).split()[:2]) if seconds >= 1 else "0 s"


def when(time: str | None) -> Markup:
    """A time in UTC to the second."""
    moment = parse_time(time)
    if moment is None:
        return Markup("")
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M:%S} UTC</time>').format(format_time(moment), moment)


_IN_SENTENCES = re.compile(
    r"(?P<time>\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"
    r"|`(?P<command>[^`\n]+)`"
    r"|(?P<commit>(?<![\w:/@.-])(?=\d*[a-f])[0-9a-f]{12}(?![\w:/@-]|\.\w))"
)
"""A commit stands by itself and is no mere number, as the accounts in ARNs are."""


def told(sentence: str, repo: str = "") -> Markup:
    """A sentence with times to the second, commands as code, and, where it is told whose they are, commits as links."""

    def shown(found: re.Match[str]) -> Markup | str:
        if time := found["time"]:
            return when(time)
        if command := found["command"]:
            return Markup("<code>{}</code>").format(command)
        commit = found["commit"]
        return Markup('<a class="mono" href="{}">{}</a>').format(commit_url(repo, commit), commit) if repo else commit

    parts, end = [], 0
    for found in _IN_SENTENCES.finditer(sentence):
        parts += [escape(sentence[end : found.start()]), shown(found)]
        end = found.end()
    return Markup("").join([*parts, sentence[end:]])
