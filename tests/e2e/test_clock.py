"""What nobody ends ends by the clock: EventBridge Scheduler wakes the sweeper, as template.yaml says."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.stack import StackInfo
from pipeline_state.model.environments import Freeze
from pipeline_state.model.times import format_time
from pipeline_state.table import holds
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.journal import Happening
from tests.e2e.way import Way, commit

pytestmark = pytest.mark.e2e

SECONDS = 180.0
"""The schedule comes every minute, and MiniStack's clock for schedules every ten seconds."""


def test_a_freeze_that_ends_by_the_clock_promotes_the_newest_of_what_waited(stack: StackInfo) -> None:
    way, older, newer = Way(stack), commit(), commit()
    way.define(way.environment("production"))
    [pipeline] = load_definitions(way.repo).pipelines
    by = Happening(
        pipeline.name, "production", "2026-01-01T00:00:00Z", "freeze", "test", "frozen", "ann", verified=True
    )
    holds.freeze(pipeline, "production", Freeze("ann", "", "stocktaking"), by)
    way.push(older)
    way.push(newer, older)
    for sha in (older, newer):
        way.looked_at(sha)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20)
    holds.freeze(pipeline, "production", Freeze("ann", format_time(until), "stocktaking"), replace(by, id="until"))
    claims = [claim for sha in (older, newer) if (claim := way.item(sha).get("_claim_production"))]
    assert all(datetime.fromisoformat(claim["at"]) >= until for claim in claims)  # if the machine stood still
    deadline = time.monotonic() + SECONDS
    while "_claim_production" not in way.item(newer):
        assert time.monotonic() < deadline, "nobody has promoted it"
        time.sleep(1)
    way.deployed(newer, "production")
    assert "_claim_production" not in way.item(older)
