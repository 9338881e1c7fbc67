"""What a commit's waits depend on beside its journal: pipelines of back then, and who overtook it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pipeline_state.model.entries import Doer
from pipeline_state.model.past import Former, Overtaking, Past
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.table.definitions import load_definitions, save_definitions
from pipeline_state.table.deployments import deployment_item, first_since
from pipeline_state.table.journal import history
from pipeline_state.table.models import PipelinesItem
from pipeline_state.table.past import former_pipelines, once_declared, overtakings, past_of
from tests.contract.table_room import START, WEB, A, B, C, D, TableRoom, pipeline, seconds

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
PRODUCTION = Environment("production", ("legal",), ("staging",), (WEB,), Cluster(context="local"))
BY_US = Doer("gatestream", "verified")


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def apply(room: TableRoom, second: float, *gates: str, by: str = "ann") -> None:
    """The next version: a pipeline whose staging needs such gates."""
    shop = replace(pipeline(replace(STAGING, gates=gates)), repo=room.repo, name=room.pipeline_name)
    after = load_definitions(room.repo).version
    save_definitions(room.repo, [shop], after=after, by=by, at_time=seconds(second))


def needs(former: tuple[Former, ...]) -> list[tuple[tuple[str, ...], datetime, str, str]]:
    """What staging needed, until when, and who changed that."""
    return [
        (each.pipelines[0].environments[0].gates if each.pipelines else (), each.until, each.doer.by, each.doer.known)
        for each in former
    ]


def test_pipelines_are_known_as_they_were_at_any_time(room: TableRoom) -> None:
    for second, by, gates in ((0, "ann", ["build"]), (500, "bea", ["legal"]), (900, "cleo", ["build", "legal"])):
        apply(room, second, *gates, by=by)
    definitions = load_definitions(room.repo)
    last, middle = (("legal",), at(900), "cleo", "verified"), (("build",), at(500), "bea", "verified")
    assert needs(former_pipelines(definitions, at(600))) == [last]
    assert needs(former_pipelines(definitions, at(100))) == [middle, last]
    assert needs(former_pipelines(definitions, at(-1))) == [((), at(0), "ann", "verified"), middle, last]
    assert former_pipelines(load_definitions("o/nothing"), at(0)) == ()


def test_nothing_is_read_where_nothing_has_been_applied_since(room: TableRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(room, 500, "build")
    monkeypatch.setattr(PipelinesItem, "batch_get", None)
    assert former_pipelines(load_definitions(room.repo), at(500)) == ()


def test_many_versions_are_read_in_a_few_calls(room: TableRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(13):
        apply(room, number, "build", *(["legal"] if number % 2 else []))
    read, calls = PipelinesItem.batch_get, list[int]()

    def counted(keys: list[str], **how: Any) -> Any:
        calls.append(len(keys))
        return read(keys, **how)

    monkeypatch.setattr(PipelinesItem, "batch_get", counted)
    assert [each.until for each in former_pipelines(load_definitions(room.repo), at(0))] == [
        at(n) for n in range(1, 13)
    ]
    assert calls == [2, 8, 3]


def test_a_copy_that_was_made_just_now_is_known_although_a_replica_lacks_it(
    room: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, gates in enumerate((["build", "legal"], ["build"])):
        apply(room, number, *gates)
    read = PipelinesItem.batch_get

    def lagging(keys: list[str], *, consistent_read: bool = False) -> Any:
        found = read(keys, consistent_read=consistent_read)
        return [item for item in found if consistent_read or not item.repo.endswith("@2")]

    monkeypatch.setattr(PipelinesItem, "batch_get", lagging)
    definitions = load_definitions(room.repo)
    assert once_declared(definitions, {"legal", "qa"}) == {"legal"}
    assert needs(former_pipelines(definitions, at(0))) == [(("build", "legal"), at(1), "ann", "verified")]


@pytest.mark.parametrize("broken", [{"definitions": "{"}, {"applied_at": "?"}, {"definitions": None}])
def test_what_was_before_a_copy_that_is_gone_is_not_known(room: TableRoom, broken: dict[str, str | None]) -> None:
    for number in range(4):
        apply(room, number, "build")
    room.change("pipelines", {"repo": f"{room.repo.lower()}@2"}, broken)
    assert [each.until for each in former_pipelines(load_definitions(room.repo), at(-5))] == [at(3)]


def promote(room: TableRoom, commit: str, second: float) -> None:
    room.now = at(second)
    for promotion in room.promote(commit):
        room.deployed(promotion, second=second + 1)


def leave(room: TableRoom, generation: int) -> None:
    """What DynamoDB does by age."""
    item = deployment_item(room.pipeline_name, "staging", generation)
    key = {"pipeline": {"S": item.pipeline}, "environment": {"S": item.environment}}
    room.client.delete_item(TableName=room.tables.names["environments"], Key=key)


def test_a_commit_is_overtaken_by_the_first_newer_one_that_is_promoted(room: TableRoom) -> None:
    room.define(pipeline(STAGING, PRODUCTION))
    room.push("", D, 0)
    room.push(D, A, 100)
    room.ready(B, 200, A)
    room.ready(C, 300, B)
    assert overtakings(room.snapshot(A), at(350)) == {}
    promote(room, B, 400)
    promote(room, C, 500)
    assert overtakings(room.snapshot(A), at(600)) == {
        "staging": Overtaking(at(400), BY_US),
        "production": Overtaking(at(400), BY_US),
    }
    assert overtakings(room.snapshot(B), at(600)) == {}
    assert past_of(room.snapshot(A), history(room.repo, A), at(600)) == Past(
        overtaken=overtakings(room.snapshot(A), at(600))
    )


def test_a_promotion_without_a_verdict_is_overtaken_by_the_next_one(room: TableRoom) -> None:
    room.define(pipeline(STAGING, PRODUCTION))
    room.ready(A, 0)
    room.ready(B, 10, A)
    promote(room, A, 100)
    room.now = at(300)
    room.promote(B)
    room.ready(C, 350, B)
    promote(room, C, 400)
    assert overtakings(room.snapshot(A), at(600)) == {}
    assert set(overtakings(room.snapshot(B), at(600)).values()) == {Overtaking(at(400), BY_US)}


def test_a_commit_that_is_pushed_again_is_overtaken_after_that(room: TableRoom) -> None:
    room.define(pipeline(STAGING))
    room.ready(A, 0)
    room.now = at(100)
    room.promote(A)
    room.mark(A, "staging", 1)
    room.ready(B, 200, A)
    promote(room, B, 300)
    room.push(B, A, 400)
    assert overtakings(room.snapshot(A), at(450)) == {}
    room.ready(C, 500, A)
    promote(room, C, 600)
    assert overtakings(room.snapshot(A), at(900)) == {"staging": Overtaking(at(600), BY_US)}


def test_who_overtook_it_is_looked_for_among_those_since_its_push_alone(room: TableRoom) -> None:
    room.define(pipeline(STAGING))
    commits = [f"{number:040x}" for number in range(1, 10)]
    for number, commit in enumerate(commits):
        room.ready(commit, 100 * number, commits[number - 1] if number else "")
        if number != 4:
            promote(room, commit, 100 * number + 50)
    for number in (1, 2):
        leave(room, number)
    assert overtakings(room.snapshot(commits[4]), at(2000)) == {"staging": Overtaking(at(550), BY_US)}
    found = {second: first_since(room.pipeline_name, "staging", 8, at(second)) for second in (0, 250, 251, 850, 851)}
    assert found == {0: 3, 250: 3, 251: 4, 850: 8, 851: 9}
    assert first_since(room.pipeline_name, "elsewhere", 0, at(0)) == 1


def test_of_an_overtaking_that_has_left_by_age_only_the_latest_time_is_known(room: TableRoom) -> None:
    room.define(pipeline(STAGING))
    room.push("", A, 0)
    room.ready(B, 200, A)
    promote(room, B, 400)
    leave(room, 1)
    assert overtakings(room.snapshot(A), at(600)) == {"staging": Overtaking(at(400), Doer("", "unknown"))}


def test_numbers_that_somebody_has_made_absurd_keep_nobody_from_looking(room: TableRoom) -> None:
    room.define(pipeline(STAGING))
    room.push("", A, 0)
    room.ready(B, 200, A)
    promote(room, B, 400)
    room.edit_environment(generation=10**37)
    seen = {"staging": Overtaking(at(400), Doer("", "unknown"))}
    assert overtakings(room.snapshot(A), at(600)) == seen
    room.edit(A, _claim_staging={"generation": 10**37 - 2, "at": seconds(300), "promotions": {}})
    assert overtakings(room.snapshot(A), at(600)) == seen
