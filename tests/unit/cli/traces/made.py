"""Spans as tests want them: seconds after noon, ids from names."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline_state.cli.traces.spans import Span

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WAIT = {"gatestream.kind": "wait"}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def span(name: str, start: float, seconds: float, parent: Any = "", **fields: Any) -> Span:
    took = timedelta(seconds=seconds)
    return Span(name, "promoter", f"id of {name}", parent and f"id of {parent}", at(start), took, fields)


def wait(what: str, start: float, seconds: float, who: str = "people", **fields: Any) -> Span:
    told = {"wait.for": what, "wait.who": who, **{f"wait.{name}": value for name, value in fields.items()}}
    return span(f"waiting for {what}", start, seconds, "", **WAIT, **told)
