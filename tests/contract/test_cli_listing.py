"""What the command lists, on both local DynamoDBs."""

from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from pynamodb.exceptions import PynamoDBException

from pipeline_state.cli import facts
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.table.definitions import all_definitions, load_definitions
from pipeline_state.table.listing import applications, commits, environment_items, latest_entries, newer, newest
from pipeline_state.table.models import connection
from pipeline_state.table.snapshot import EVERYTHING
from tests.contract.table_room import INDEXES, A, B, C, D, TableRoom, pipeline, seconds


def test_commits_are_listed_newest_push_first_whatever_their_order_of_arrival(room: TableRoom) -> None:
    room.push(A, B, 10)
    room.push("", A, 0)
    room.result(C)
    assert [(each.commit, each.branch) for each in commits(room.repo)] == [(B, "main"), (A, "main"), (C, "")]
    assert [each.pushed_at for each in commits(room.repo)] == [seconds(10), seconds(0), ""]


def test_commits_are_found_by_their_first_digits(room: TableRoom) -> None:
    room.push("", A, 0)
    room.push(A, B, 1)
    assert [each.commit for each in commits(room.repo, "bbbb")] == [B]
    assert commits(room.repo, "abc") == []


def test_a_hand_edit_of_a_commits_place_keeps_it_listed(room: TableRoom) -> None:
    room.push("", A, 0)
    room.push(A, B, 10)
    room.edit(A, sequence=None, branch=None, pushed_at=[])
    assert [(each.commit, each.sequence) for each in commits(room.repo)][1] == (A, -1)
    assert [(each.commit, each.sequence) for each in newest(room.repo, 10).listed][1:] == [(A, -1)]


def listed(room: TableRoom, most: int, **wanted: Any) -> list[list[str]]:
    """The commits of all parts of a list."""
    parts = [newest(room.repo, most, **wanted)]
    while end := parts[-1].end:
        parts.append(newest(room.repo, most, end, **wanted))
        assert len(parts) < 20
    return [[each.commit for each in part.listed] for part in parts]


def test_the_newest_commits_are_listed_part_by_part_and_those_that_no_push_has_told_of_at_the_end(
    room: TableRoom,
) -> None:
    room.result(D)
    room.push(A, B, 10)
    room.push("", A, 0)
    room.push(B, C, 20)
    assert listed(room, 10) == [[C, B, A, D]]
    assert listed(room, 3) == [[C, B, A], [D]]
    assert listed(room, 2) == [[C, B], [A, D]]
    assert [(each.branch, each.pushed_at) for each in newest(room.repo, 1).listed] == [("main", seconds(20))]


def test_commits_of_one_moment_are_each_in_one_part_of_a_list(room: TableRoom) -> None:
    for commit in (A, B, C, D):
        room.push("", commit, 0, branch=f"branch-{commit[0]}")
    parts = listed(room, 1)
    assert sorted(commit for part in parts for commit in part) == [A, B, C, D]


def test_a_list_of_records_that_ci_alone_has_made_goes_on_where_it_stopped(room: TableRoom) -> None:
    for commit in (A, B, C):
        room.result(commit)
    assert sorted(commit for part in listed(room, 2) for commit in part) == [A, B, C]
    assert newest(room.repo, 2, branch="main").listed == []


def test_a_list_ends_with_the_last_push_where_no_other_record_is_among_so_many(
    room: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.table.listing.PASSED", 2)
    for number, commit in enumerate((A, B, C)):
        room.push("", commit, 10 * number)
    assert listed(room, 5) == [[C, B, A]]
    assert listed(room, 3) == [[C, B, A]]


def test_commits_of_a_branch_are_those_that_were_ever_pushed_to_it(room: TableRoom) -> None:
    room.push("", A, 0, branch="fix/ä.1")
    room.push("", B, 10)
    room.push("", A, 20)
    assert listed(room, 10, branch="fix/ä.1") == [[A]]
    assert listed(room, 10, branch="main") == [[A, B]]
    assert listed(room, 1, branch="main")[:2] == [[A], [B]]
    assert listed(room, 10, branch="fix") == [[]]


def test_for_a_branch_no_more_than_so_many_commits_are_looked_through_at_once(
    room: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.table.listing.PASSED", 2)
    room.push("", A, 0, branch="old")
    for number, commit in enumerate((B, C, D), start=1):
        room.push("", commit, 10 * number)
    first = newest(room.repo, 5, branch="old")
    assert (first.listed, first.passed) == ([], 2)
    assert first.end
    assert [each.commit for each in newest(room.repo, 5, first.end, "old").listed] == [A]


def test_what_came_after_a_place_is_known_with_all_places_and_whether_that_is_all(room: TableRoom) -> None:
    for number, (before, commit) in enumerate([("", A), (A, B), (B, C), (C, D)]):
        room.push(before, commit, 100 * number)
    place = room.record(B).branches["main"].sequence
    found, is_all = newer(room.repo, place, 10)
    assert ([each.commit for each in found], is_all) == ([D, C], True)
    assert found[0].branches == room.record(D).branches
    assert newer(room.repo, -1, 4)[1], "as many as are looked through, and none is left"
    found, is_all = newer(room.repo, -1, 3)
    assert ([each.commit for each in found], is_all) == ([D, C, B], False)


def test_a_commit_is_listed_by_its_latest_place_whatever_is_told_of_another_branch_after_that(room: TableRoom) -> None:
    room.push("", A, 0, branch="feature")
    room.push("", B, 50)
    room.push(B, A, 100)
    room.push(A, C, 60, branch="feature")
    assert room.item(A)["sequence"] == room.record(A).branches["main"].sequence
    assert [each.commit for each in newest(room.repo, 10).listed] == [A, C, B]


def test_a_table_without_the_index_says_what_to_do(room: TableRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(INDEXES, "gates", [])
    older = TableRoom(type(room.tables)(*filter(None, [room.tables.endpoint_url])))
    older.push("", A, 0)
    with pytest.raises(PermanentFault, match=r"has no index by_sequence yet.*update the stack \(`sam build"):
        newest(older.repo, 10)
    with pytest.raises(PermanentFault, match="update the stack"):
        newer(older.repo, -1, 10)
    assert [each.commit for each in commits(older.repo)] == [A]


def test_status_of_a_record_that_people_have_edited_is_still_told(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready()
    room.edit(A, deployed_to_staging={"status": "TRUE", "releases": {"web": {"revision": "x", "at": 1}}}, odd=[1, 2])
    status = facts.status_of(room.repo, A, room.now)
    gates = {gate["name"]: gate for gate in status["gates"]}
    assert list(gates) == ["build", "legal", "odd", "deployed_to_staging"]
    assert gates["odd"]["status"] == "pending"
    assert gates["odd"]["reason"].startswith("unrecognised value")
    assert status["environments"][0]["releases"][0]["revision"] is None


def test_heads_are_those_of_the_environments_that_had_a_commit(room: TableRoom) -> None:
    room.define(pipeline())
    mine = load_definitions(room.repo).pipelines
    assert {*environment_items(mine)} <= {EVERYTHING}
    room.ready()
    room.promote(A)
    (head,) = [each for each in facts.heads(room.now) if each["repo"] == room.repo]
    assert (head["pipeline"], head["environment"], head["head"], head["branch"]) == (mine[0].name, "staging", A, "main")
    assert head["generation"] == 1


def test_an_index_that_nobody_answers_for_is_asked_again_later(
    room: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> Any:
        raise PynamoDBException("failed", ReadTimeoutError(endpoint_url="https://dynamodb"))

    monkeypatch.setattr(connection(), "dispatch", silent)
    with pytest.raises(TemporaryFault, match="ReadTimeoutError"):
        newest(room.repo, 10)


def test_pipelines_are_found_among_copies_that_are_more_than_one_answer_holds(room: TableRoom) -> None:
    alone = TableRoom(type(room.tables)(*filter(None, [room.tables.endpoint_url])))
    others = [TableRoom(alone.tables) for _ in range(5)]
    for each in others:
        each.define(pipeline())
    for version in range(4):
        alone.write("pipelines", repo=f"acme/old@{version}", copy_of="acme/old", definitions="x" * 390_000)
    assert sorted(each.repo for each in all_definitions()) == sorted(each.repo for each in others)


def test_the_last_application_of_a_repositorys_pipelines_is_known(room: TableRoom) -> None:
    room.define(pipeline())
    room.define(pipeline(branches=("trunk",)))
    assert applications()[room.repo.lower()] == ("ann", seconds(0))


def test_the_latest_entries_of_all_records_are_told_oldest_first(room: TableRoom) -> None:
    room.push("", A, 1_000_000_000)  # in the year 2058: after everything that other tests write
    room.push(A, B, 1_000_000_000.5)
    times = [datetime.fromisoformat(entry["entry"].partition("#")[0]) for entry in latest_entries(1000)]
    assert times == sorted(times)
    assert [entry["record"] for entry in latest_entries(2)] == [f"{room.repo}#{A}", f"{room.repo}#{B}"]
