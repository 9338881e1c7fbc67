"""What is promoted keeps its environment until there is a verdict, since its lease is that environment's."""

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
    leases.finish(api, "me", {})
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
    leases.finish(room.claimed("staging", 1)[0], "me", {})
    applying.apply(change(room, applied, environment), "ann", NOW)
    assert load_definitions(room.repo).pipelines[0].environments == (environment,)


RENAMED = replace(STAGING, name="renamed")


@pytest.mark.parametrize("how", ["its message is on the way", "it is tried again", "its holder died"])
def test_a_release_without_a_verdict_keeps_its_environment_although_nobody_has_its_lease(
    room: TableRoom, how: str
) -> None:
    room.define(pipeline(replace(STAGING, releases=(WEB,))))
    room.ready(A)
    (web,) = room.promote(A)
    if how != "its message is on the way":
        leases.take(web, "me", NOW.timestamp, NOW.timestamp() - 1)
    if how == "it is tried again":
        leases.give_back(web, "me")
    before = load_definitions(room.repo).pipelines[0]
    with pytest.raises(CommandError) as refused:
        applying.apply(change(room, before, RENAMED), "ann", NOW)
    assert str(refused.value) == (
        f"promotion 1 to staging of {before.name} has no verdict on web yet;"
        " apply this when that has its verdict: gatestream status tells"
    )
    applying.apply(change(room, before, replace(before.environments[0], gates=())), "ann", NOW)


def test_what_is_put_aside_is_in_nobodys_way_and_it_is_told_that_it_goes_no_further(room: TableRoom) -> None:
    room.define(pipeline(STAGING))
    room.ready(A)
    for promotion in room.promote(A):
        leases.park(promotion, "event")
    before = load_definitions(room.repo).pipelines[0]
    (planned,) = applying.plan([replace(before, version=1, environments=(RENAMED,))], NOW)
    assert f"web, api: put aside in staging of {before.name}, and goes no further there" in planned.sentences
    applying.apply(planned, "ann", NOW)
    assert load_definitions(room.repo).pipelines[0].environments == (RENAMED,)


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
