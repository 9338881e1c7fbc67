"""A result that comes after its commit has been struck off, since a newer one had taken its place meanwhile."""

from dataclasses import replace

from pipeline_state.table import waiting
from tests.contract.table_room import A, B, TableRoom, pipeline


def test_a_commit_whose_deployment_is_told_late_is_on_its_way_again(room: TableRoom) -> None:
    staging = pipeline().environments[0]
    room.define(pipeline(staging, replace(staging, name="production", after=("staging",))))
    room.ready(A, 10)
    (first,) = room.promote(A)
    room.ready(B, 20, A)
    room.promote(B)
    assert room.decision(A, "production") == "Superseded"
    for each in waiting.of_repo(room.repo):
        waiting.forget(each)
    room.deployed(first)
    assert room.decision(A, "production") == "Promote"
    assert [each.commit for each in waiting.of_repo(room.repo)] == [A]


def test_so_is_one_that_somebody_says_is_deployed(room: TableRoom) -> None:
    room.define(pipeline())
    room.edit(A, deployed_to_staging="TRUE", build="TRUE")
    room.note(A, 50, build="TRUE")
    assert waiting.of_repo(room.repo) == []
    room.note(A, 51, deployed_to_staging="TRUE")
    assert [each.commit for each in waiting.of_repo(room.repo)] == [A]


def test_a_commit_whose_deployment_failed_is_not(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready(A, 10)
    (first,) = room.promote(A)
    for each in waiting.of_repo(room.repo):
        waiting.forget(each)
    room.deployed(first, "FALSE")
    assert waiting.of_repo(room.repo) == []
