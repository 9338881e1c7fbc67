"""The list of commits on their way, in either DynamoDB: who comes on it, who is struck off, and who stays."""

import pytest

from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.table import waiting
from pipeline_state.table.retry import RepeatedError
from pipeline_state.table.waiting import Waiting
from tests.contract.table_room import WEB, A, B, C, LocalTables, TableRoom, pipeline

DOCS = Environment("docs", ("build",), (), (WEB,), Cluster(context="local"))


@pytest.fixture(scope="module", params=["ministack", "dynamodb_local"])
def own_tables(request: pytest.FixtureRequest) -> LocalTables:
    """Where no other test's commits wait."""
    return LocalTables(request.getfixturevalue(request.param))


@pytest.fixture
def room(own_tables: LocalTables) -> TableRoom:
    own_tables.connect()
    for each in list(waiting.everywhere()):
        waiting.forget(each)
    return TableRoom(own_tables)


def listed(room: TableRoom) -> dict[str, str]:
    """The marks of what waits in the room's repository, by the first letter of the commit."""
    found = waiting.of_repo(room.repo)
    assert {each.repo for each in found} <= {room.repo}
    return {each.commit[0]: each.mark for each in found}


def test_a_push_that_makes_a_candidate_puts_it_on_the_list(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 0, id_="the push")
    assert listed(room) == {"a": "the push"}


def test_a_commit_that_only_the_next_push_tells_of_is_on_the_list_too(room: TableRoom) -> None:
    room.define(pipeline())
    room.push(A, B, 0, id_="the push")
    assert listed(room) == {"a": "the push", "b": "the push"}


def test_no_pipeline_no_branch_that_is_taken_and_no_push_is_no_candidate(room: TableRoom) -> None:
    room.push("", A, 0)
    room.define(pipeline())
    room.push("", B, 10, branch="try")
    room.result(C)
    assert listed(room) == {}


def test_one_of_several_pipelines_is_enough(room: TableRoom) -> None:
    room.define(pipeline(), pipeline(DOCS, name="docs", branches=("try",)))
    room.push("", A, 0, branch="try", id_="the push")
    assert listed(room) == {"a": "the push"}


def test_a_repeated_push_notes_nothing_again(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 0, id_="the push")
    (noted,) = waiting.of_repo(room.repo)
    waiting.forget(noted)
    with pytest.raises(RepeatedError):
        room.push("", A, 0, id_="the push")
    assert listed(room) == {}


def test_a_later_push_of_the_same_commit_notes_it_again(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 0)
    room.push(A, B, 10)
    room.push(B, A, 20, id_="back again")
    assert listed(room)["a"] == "back again"


def test_a_commit_of_which_the_next_push_told_first_is_noted_again_by_its_own(room: TableRoom) -> None:
    """Only now is it known when that was: one that has been promoted before can go once more."""
    room.define(pipeline(branches=("main", "release")))
    room.ready(A)
    room.promote(A)
    room.mark(A, "staging", 1)
    room.push(A, B, 60, branch="release")
    for each in waiting.of_repo(room.repo):
        waiting.forget(each)
    assert room.decision(A) == "Promoted"
    room.push("", A, 58, branch="release", id_="its own")
    assert room.decision(A) == "Promote"
    assert listed(room) == {"a": "its own"}


def test_every_claim_notes_its_commit_in_the_same_transaction(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready()
    for each in waiting.of_repo(room.repo):
        waiting.forget(each)
    room.promote(A)
    assert listed(room) == {"a": "staging-1"}


def test_what_was_noted_again_meanwhile_is_not_struck_off(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready()
    (seen,) = waiting.of_repo(room.repo)
    room.promote(A)
    waiting.forget(seen)
    assert listed(room) == {"a": "staging-1"}
    waiting.forget(Waiting(room.repo, A, "staging-1"))
    assert listed(room) == {}


def test_striking_off_what_is_not_there_is_no_fault(room: TableRoom) -> None:
    waiting.forget(Waiting(room.repo, A, "gone"))
    assert listed(room) == {}


def test_a_request_puts_commits_on_the_list_and_changes_the_mark_of_those_that_are(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 0)
    (seen,) = waiting.of_repo(room.repo)
    assert waiting.ask(room.repo, [A, B], "ann asks") == 2
    waiting.forget(seen)
    assert listed(room) == {"a": "ann asks", "b": "ann asks"}
    assert waiting.ask(room.repo, [], "nobody") == 0


def test_a_repository_sees_its_own_and_not_one_whose_name_begins_alike(room: TableRoom) -> None:
    waiting.ask(room.repo, [A], "mine")
    waiting.ask(f"{room.repo}2", [B], "longer")
    waiting.ask(room.repo[:-1], [C], "shorter")
    assert listed(room) == {"a": "mine"}


def test_everywhere_is_every_repository_one_after_the_other(room: TableRoom) -> None:
    repos = [f"{room.repo}/{name}" for name in ("b", "a", "c")]
    for commit in (B, A):
        for repo in repos:
            waiting.ask(repo, [commit], "1")
    assert [(each.repo[-1], each.commit[0]) for each in waiting.everywhere()] == [
        (repo, commit) for repo in "abc" for commit in "ab"
    ]


def test_records_of_many_commits_come_together_and_missing_ones_are_left_out(room: TableRoom) -> None:
    commits = [f"{number:040x}" for number in range(130)]
    for commit in commits[:120]:
        room.write("gates", repo=room.repo, commit=commit, mark=commit[-2:])
    found = waiting.records(room.repo, commits)
    assert sorted(found) == commits[:120]
    assert found[commits[7]]["mark"] == {"S": "07"}
    assert waiting.records(room.repo, []) == {}


def test_more_than_a_page_of_waiting_commits_is_listed_whole(room: TableRoom) -> None:
    marks = {f"{number:040x}": f"{number}{'x' * 60_000}" for number in range(20)}  # a page is 1 MB
    for commit, mark in marks.items():
        waiting.ask(room.repo, [commit], mark)
    assert {each.commit: each.mark for each in waiting.of_repo(room.repo)} == marks
