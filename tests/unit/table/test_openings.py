"""When the way was free for a commit that is promoted, by what was read for that."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline_state.model.decision import Promote
from pipeline_state.model.pipelines import Environment, FreezeWindow, Pipeline, Policy
from pipeline_state.model.record import read_record
from pipeline_state.model.times import format_time
from pipeline_state.table.models import to_raw
from pipeline_state.table.openings import free_at
from pipeline_state.table.snapshot import EVERYTHING, Definitions, Snapshot

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
REPO, COMMIT, OTHER = "myOrg/myApp", "a" * 40, "b" * 40
STAGING = Environment("staging", ("build",))
HOLD_UNTIL_11_50 = FreezeWindow("50 10 * * *", 60)


def ago(seconds: float) -> str:
    return format_time(NOW - timedelta(seconds=seconds))


def item(values: dict[str, Any]) -> dict[str, Any]:
    return {name: to_raw(value) for name, value in values.items()}


def commit(sha: str = COMMIT, sequence: int = 1, **columns: Any) -> dict[str, Any]:
    return {
        "repo": REPO,
        "commit": sha,
        "_branches": {"main": {"sequence": sequence, "pushed_at": ago(9000)}},
        "build": {"status": "TRUE", "at": ago(5000)},
        **columns,
    }


def free(
    environment: Environment = STAGING, *others: dict[str, Any], own: dict[str, Any] | None = None, **more: Any
) -> float | None:
    """For how many seconds the way had been free. others: commits that wait beside it. own: the environment's item."""
    pipeline = Pipeline("shop", REPO, environments=(environment,))
    snapshot = Snapshot(
        REPO,
        COMMIT,
        {COMMIT: item(more.get("record", commit()))},
        Definitions(REPO, 1, (pipeline,), more.get("applied_at", "")),
        {("shop", "staging"): item(own or {}), EVERYTHING: item(more.get("stop", {}))},
        tuple(read_record(each) for each in others),
    )
    found = free_at(snapshot, pipeline, Promote("staging", "main", 1, ("build",)), NOW)
    return None if found is None else (NOW - found).total_seconds()


def test_without_anything_in_the_way_it_is_since_the_gate() -> None:
    assert free() == 5000
    assert free(own={"generation": 3, "head": OTHER}) == 5000


@pytest.mark.parametrize(
    "more, seconds",
    [
        ({"own": {"frozen_by": "ann", "frozen_until": ago(30)}}, 30),
        ({"own": {"frozen_by": "ann", "frozen_until": "one day"}}, 5000),
        ({"own": {"opened_at": ago(20)}}, 20),
        ({"own": {"opened_at": ago(20), "frozen_by": "ann", "frozen_until": ago(10)}}, 10),
        ({"stop": {"opened_at": ago(15)}}, 15),
        ({"stop": {"frozen_by": "ann", "frozen_until": ago(5)}}, 5),
        ({"applied_at": ago(40)}, 40),
        ({"own": {"opened_at": ago(6000)}}, 5000),
    ],
    ids=["a freeze's time", "no time", "by a person", "the later one", "the stop", "its time", "definitions", "before"],
)
def test_it_is_since_the_end_of_what_kept_the_environment_closed(more: dict[str, Any], seconds: float) -> None:
    assert free(**more) == seconds


def test_it_is_since_the_end_of_a_window() -> None:
    assert free(replace(STAGING, freezes=(HOLD_UNTIL_11_50,))) == 600
    assert free(replace(STAGING, freezes=(HOLD_UNTIL_11_50,)), own={"opened_at": ago(20)}) == 20


def test_a_time_that_is_yet_to_come_has_opened_nothing() -> None:
    assert free(own={"opened_at": ago(-60)}) == 5000


def test_it_is_not_known_where_a_gate_does_not_say_since_when() -> None:
    assert free(record=commit(build="TRUE"), own={"opened_at": ago(20)}) is None


OUTCOME = json.dumps({"kind": "deployed", "at": ago(25)})
TURNS = replace(STAGING, policy=Policy.EVERY)


def test_where_each_commit_has_its_turn_it_is_since_the_one_before_was_done() -> None:
    assert free(TURNS, own={"outcome:web": OUTCOME, "outcome:api": json.dumps({"at": ago(400)})}) == 25
    assert free(STAGING, own={"outcome:web": OUTCOME}) == 5000


@pytest.mark.parametrize("text", ["", "[]", "{", {"at": ago(3)}])
def test_what_people_have_made_of_an_outcome_tells_nothing(text: object) -> None:
    assert free(TURNS, own={"outcome:web": text}) == 5000


def test_where_each_commit_has_its_turn_it_is_since_one_before_let_it_pass() -> None:
    blocked = commit(OTHER, 0, legal={"status": "FALSE", "at": ago(35)})
    assert free(TURNS, blocked) == 35
    assert free(STAGING, blocked) == 5000
    assert free(TURNS, commit(OTHER, 2, legal={"status": "FALSE", "at": ago(35)})) == 5000
    assert free(TURNS, {**blocked, "_branches": "nonsense"}) == 5000
