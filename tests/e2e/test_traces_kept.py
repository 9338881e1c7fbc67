"""Traces of the local stack outlive it: the next one in the same folder goes on with them."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import stack as local_stack
from infra.local.stack import StackInfo, StackOptions
from pipeline_state.tracing import trace_of
from tests.e2e.watch import eventually
from tests.e2e.way import Way, commit

pytestmark = pytest.mark.e2e

GATESTREAM = Path(sys.executable).with_name("gatestream")


def names(way: Way, sha: str) -> set[str]:
    return {span["name"] for span in way.spans(trace_of(way.repo, sha).trace_id)}


def told(info: StackInfo, sha: str) -> Way:
    """A push whose spans are in the store."""
    way = Way(info)
    way.push(sha)
    eventually(info, lambda: {"record gates", "check for promotion"} <= names(way, sha))
    return way


def test_traces_survive_the_end_and_the_next_start_of_their_stack(tmp_path: Path) -> None:
    before, after = commit(), commit()
    with local_stack.running(tmp_path) as info:
        first = told(info, before)
        kept = names(first, before)
    with local_stack.running(tmp_path) as info:
        second = told(info, after)
        assert names(first, before) == kept
        assert "record gates" in names(second, after)
        # The record went with the tables; whoever has the whole hash still finds the trace.
        command = [str(GATESTREAM), "--state-dir", str(tmp_path), "trace", first.repo, before]
        assert "record gates" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_stack_may_begin_without_the_traces_of_the_last_one(tmp_path: Path) -> None:
    sha = commit()
    with local_stack.running(tmp_path) as info:
        way = told(info, sha)
    with local_stack.running(tmp_path, options=StackOptions(keeps_traces=False)):
        assert names(way, sha) == set()
