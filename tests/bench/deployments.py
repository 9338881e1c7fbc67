"""Commits that go the whole way on a local stack of their own, as far as the figures need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local import stack
from infra.local.process import ROOT
from infra.local.stack import StackInfo, StackOptions
from pipeline_state.model.pipelines import GateDefinition, GateSource, SourceKind
from pipeline_state.tracing import trace_of
from pipeline_state.tracing.store import read
from tests.e2e.way import Way, commit, eventually

CHARTS = ROOT / "infra" / "local" / "example" / "charts"
ENVIRONMENT = "production"
BUILD = "circle_ci_build_done"


@contextmanager
def warm_stack() -> Iterator[StackInfo]:
    """A stack for the length of the block."""
    with (
        TemporaryDirectory() as folder,
        stack.running(Path(folder) / "stack", options=StackOptions(charts_dir=CHARTS)) as info,
    ):
        yield info


def way_to_one_environment(info: StackInfo, *gates: str) -> Way:
    """A repository whose one environment needs its build and these gates, which people open."""
    way = Way(info)
    build = GateDefinition(BUILD, GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))
    manual = (GateDefinition(name) for name in gates)
    way.define(way.environment(ENVIRONMENT, BUILD, *gates), gates=(build, *manual))
    return way


def next_commit(way: Way, before: str) -> str:
    """A push that is on record."""
    sha = commit()
    way.push(sha, before)
    way.recorded(sha)
    return sha


def spans_until(way: Way, sha: str, name: str) -> list[dict[str, Any]]:
    """The commit's spans as the functions wrote them, with their `time`, once one of that name is among them.

    Only a file is looked at, which takes nothing from what is being measured.
    """
    trace_id = trace_of(way.repo, sha).trace_id

    def look() -> list[dict[str, Any]] | None:
        spans = read(Path(way.stack.traces), trace_id)
        return spans if any(span["data"]["name"] == name for span in spans) else None

    return eventually(look, f"span {name!r} of {sha}")
