"""What the command lists, on both local DynamoDBs."""

from datetime import datetime

from pipeline_state.cli import facts
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.listing import applications, commits, environment_items, latest_entries
from pipeline_state.table.snapshot import EVERYTHING
from tests.contract.table_room import A, B, C, TableRoom, pipeline, seconds


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
    room.edit(A, sequence="first", branch=None, pushed_at=[])
    assert [(each.commit, each.sequence) for each in commits(room.repo)] == [(A, -1)]


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


def test_the_last_application_of_a_repositorys_pipelines_is_known(room: TableRoom) -> None:
    room.define(pipeline())
    room.define(pipeline(branches=("trunk",)))
    assert applications()[room.repo.lower()] == ("ann", seconds(0))


def test_the_latest_entries_of_all_records_are_told_oldest_first(room: TableRoom) -> None:
    room.push("", A, 10_000_000)
    room.push(A, B, 10_000_000.5)
    times = [datetime.fromisoformat(entry["entry"].partition("#")[0]) for entry in latest_entries(1000)]
    assert times == sorted(times)
    assert [entry["record"] for entry in latest_entries(2)] == [f"{room.repo}#{A}", f"{room.repo}#{B}"]
