"""`gatestream replay`: what would have been decided differently with other definitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline_state.cli.console import NO, OK, USAGE, CommandError
from pipeline_state.cli.options import Choice, common
from pipeline_state.cli.record_commands import Repo

if TYPE_CHECKING:
    from pipeline_state.cli.replay.recorded import History
    from pipeline_state.model.pipelines import Pipeline

_PLACES_PER_SECOND = 1000
_AGO = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def replay(
    choice: Choice,
    repo: Repo,
    pipelines: Annotated[Path, typer.Option("--pipelines", help="The file of changed definitions.")],
    since: Annotated[
        str, typer.Option(help="Only commits pushed since: a time (RFC 3339), a day, or how long ago (90m, 12h, 30d).")
    ] = "",
    last: Annotated[int | None, typer.Option("--last", "-n", help="Only so many of the newest commits.", min=1)] = None,
) -> int:
    """Play what has happened to a repository against a changed file, and tell what is decided differently.

    Nothing is written or installed. Exits with 1 where there are differences.
    """
    from pipeline_state.cli.replay.replay_report import Report
    from pipeline_state.model.comparison import compare, unlike
    from pipeline_state.model.replay import replay as play
    from pipeline_state.table.definitions import load_definitions
    from pipeline_state.windows import freeze_of

    now = datetime.now(UTC)
    begin = _begin(since, now) if since else None
    choice.open()
    applied = load_definitions(repo)
    changed = _changed(pipelines, applied.repo)
    commits = _commits(applied.repo, begin, last)
    history = _read(choice, applied.repo, commits, [*applied.pipelines, *changed])
    as_it_is, other = (play(each, history.facts, freeze_of, now) for each in (applied.pipelines, changed))
    report = Report(
        repo=applied.repo,
        commits=len(commits),
        environments=tuple(dict.fromkeys([*as_it_is.environments, *other.environments])),
        differences=tuple(compare(as_it_is, other)),
        otherwise=tuple(unlike(history.facts, as_it_is)),
        vague=history.vague,
    )
    choice.show(report.to_json(), report.view)
    return NO if report.differences else OK


def _changed(file: Path, repo: str) -> list[Pipeline]:
    """The repository's pipelines in a file. Raises CommandError where there are none."""
    from pipeline_state.cli.definitions import pipelines_file
    from pipeline_state.table.definitions import all_definitions

    applied = [pipeline for definitions in all_definitions() for pipeline in definitions.pipelines]
    found = pipelines_file.read(file, applied)
    mine = [pipeline for pipeline in found if pipeline.repo == repo]
    if not mine:
        names = ", ".join(sorted({pipeline.repo for pipeline in found}))
        raise CommandError(f"{file} has no pipeline of {repo}, only of {names}; add one, or name another file", USAGE)
    return mine


def _commits(repo: str, begin: datetime | None, last: int | None) -> list[str]:
    """The commits that have a place in the order of pushes, newest first. Raises CommandError where there are none."""
    from pipeline_state.table.listing import commits

    placed = [each for each in commits(repo) if each.sequence >= 0]
    if not placed:
        raise CommandError(f"{repo} has no history yet: no push has told of it, or it is spelled differently", USAGE)
    earliest = begin.timestamp() * _PLACES_PER_SECOND if begin else 0
    found = [each.commit for each in placed if each.sequence >= earliest]
    if not found:
        raise CommandError(
            f"{repo} has {len(placed)} commits, but none since then; give --since an earlier time", USAGE
        )
    return found[:last]


def _read(choice: Choice, repo: str, commits: Sequence[str], pipelines: Iterable[Pipeline]) -> History:
    from rich.progress import track

    from pipeline_state.cli.console import make_console
    from pipeline_state.cli.replay.recorded import read_history

    console = make_console(stderr=True)
    keys = dict.fromkeys((each.name, environment.name) for each in pipelines for environment in each.environments)
    seen = partial(
        track,
        description="reading the journal",
        total=len(commits),
        console=console,
        transient=True,
        disable=bool(choice.as_json) or not console.is_interactive,
    )
    return read_history(repo, commits, keys, seen)


def _begin(text: str, now: datetime) -> datetime:
    from pipeline_state.model.times import parse_time

    if match := _AGO.fullmatch(text.lower()):
        ago: dict[str, Any] = {_UNITS[match[2]]: int(match[1])}
        return now - timedelta(**ago)
    begin = parse_time(text.upper()) or parse_time(f"{text}T00:00:00Z")
    if begin is None:
        forms = "write how long ago as 90m, 12h or 30d, a day as 2026-07-01, or a time as 2026-07-01T12:00:00Z"
        raise CommandError(f"{text!r} is no time; {forms}", USAGE)
    return begin


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Pipelines and commits")(common(replay))
