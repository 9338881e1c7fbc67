"""What is being deployed keeps its environment until there is a verdict, since its lease is that environment's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.definitions import applying
from pipeline_state.cli.definitions.applying import Change
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline
from pipeline_state.table import leases
from pipeline_state.table.definitions import load_definitions
from tests.contract.table_room import WEB, A, TableRoom, pipeline

NOW, UNTIL = datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 7, 1, 14, tzinfo=UTC)
STAGING = Environment("staging", ("build",), (), (WEB, replace(WEB, name="api")), Cluster(context="local"))


@pytest.fixture
def applied(room: TableRoom) -> Pipeline:
    """A pipeline whose environment is deploying web, and no more api."""
    room.define(pipeline(STAGING))
    room.ready(A)
    web, api = room.promote(A)
    leases.take(web, "me", NOW.timestamp, UNTIL.timestamp())
    leases.take(api, "me", NOW.timestamp, UNTIL.timestamp())
    leases.give_back(api, "me")
    return load_definitions(room.repo).pipelines[0]


def change(room: TableRoom, before: Pipeline, environment: Environment) -> Change:
    return Change(load_definitions(room.repo), (replace(before, version=1, environments=(environment,)),))


@pytest.mark.parametrize(
    "environment",
    [replace(STAGING, name="renamed"), replace(STAGING, releases=STAGING.releases[1:])],
    ids=["its environment is renamed", "it goes"],
)
def test_a_release_that_is_being_deployed_keeps_its_environment(
    room: TableRoom, applied: Pipeline, environment: Environment
) -> None:
    with pytest.raises(CommandError) as refused:
        applying.apply(change(room, applied, environment), "ann", NOW)
    assert str(refused.value) == (
        f"staging of {applied.name} is deploying web, until 2026-07-01T14:00:00Z at the latest;"
        " apply this when that has its verdict: gatestream status tells"
    )
    assert load_definitions(room.repo).version == 1
    applying.apply(change(room, applied, environment), "ann", UNTIL.replace(minute=1))
    assert load_definitions(room.repo).pipelines[0].environments == (environment,)


@pytest.mark.parametrize(
    "environment",
    [replace(STAGING, releases=STAGING.releases[:1]), replace(STAGING, gates=())],
    ids=["another release goes", "its gates change"],
)
def test_what_is_not_being_deployed_may_change_meanwhile(
    room: TableRoom, applied: Pipeline, environment: Environment
) -> None:
    applying.apply(change(room, applied, environment), "ann", NOW)
    assert load_definitions(room.repo).version == 2
