"""What is promoted keeps its environment until there is a verdict, since its lease is that environment's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.definitions import applying
from pipeline_state.cli.definitions.applying import Change
from pipeline_state.faults import PermanentFault
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline
from pipeline_state.table import definitions, leases, snapshot
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.models import Raw
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


def test_an_environment_by_another_name_begins_where_it_was_and_it_is_told(room: TableRoom, applied: Pipeline) -> None:
    leases.finish(room.claimed("staging", 1)[0], "me", {})
    was = room.environment()
    it = change(room, applied, RENAMED)
    who = f"renamed of {applied.name} installs what staging of {applied.name} did"
    assert f"{who}: nothing older than what was promoted there goes to it" in it.sentences
    applying.apply(it, "ann", NOW)
    begun = room.environment("renamed")
    assert (begun["sequence"], begun["newest"], begun["repo"]) == (was["sequence"] - 1, A, room.repo)
    assert "head" not in begun
    (again, _) = room.promote(A, "renamed")
    assert (again.sequence, room.environment() == was) == (was["sequence"], True)


def test_more_renames_than_fit_into_a_transaction_are_refused(room: TableRoom) -> None:
    numbers = range(46)
    before, after = (
        tuple(replace(STAGING, name=f"{name}{it}", releases=(replace(WEB, name=f"web{it}"),)) for it in numbers)
        for name in ("a", "b")
    )
    room.define(pipeline(*before))
    it = load_definitions(room.repo)
    with pytest.raises(PermanentFault, match="between 92 environments; apply it in parts of 90"):
        applying.apply(Change(it, (replace(it.pipelines[0], environments=after),)), "ann", NOW)
    assert load_definitions(room.repo).version == 1


@pytest.mark.parametrize("name", ["staging", "renamed"])
def test_what_is_promoted_to_either_meanwhile_refuses_it(
    room: TableRoom, applied: Pipeline, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases.finish(room.claimed("staging", 1)[0], "me", {})

    def then_promoted(keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Raw]:
        found = snapshot.read_environments(keys)
        room.edit_environment(name, generation=2)
        return found

    monkeypatch.setattr(definitions, "read_environments", then_promoted)
    with pytest.raises(CommandError) as refused:
        applying.apply(change(room, applied, RENAMED), "ann", NOW)
    told = "something has just been promoted where releases move from or to; look again, then apply again"
    assert (str(refused.value), load_definitions(room.repo).version) == (told, 1)
