"""Pushes and results become records: in MiniStack and in DynamoDB Local alike."""

from itertools import pairwise

import pytest

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.gates import GateStatus, read_gate
from pipeline_state.table.results import record_news, set_gate
from pipeline_state.table.retry import RepeatedError
from tests.contract.table_room import A, B, C, D, TableRoom, attempted, pipeline, seconds, together, trace

ODD = ["release/1.0", "feature.with.dots", 'it\'s "quoted", and more', "emoji-🚀", "../../etc", "a\nb", "--set x=1"]


def status(room: TableRoom, commit: str, gate: str = "build") -> str:
    return read_gate(gate, room.record(commit).gates.get(gate, ""), room.now).status


@pytest.mark.parametrize("told", ["ab bc cd", "cd bc ab", "bc ab cd", "cd ab bc"])
def test_pushes_told_in_any_sequence_leave_one_order(room: TableRoom, told: str) -> None:
    seconds_of = {"ab": 10, "bc": 10, "cd": 12}
    for pair in told.split():
        room.push(pair[0] * 40, pair[1] * 40, seconds_of[pair])
    assert room.order([A, B, C, D]) == "abcd"


def test_a_push_never_told_is_known_from_the_next_ones_before(room: TableRoom) -> None:
    room.push(A, B, 10)
    place = room.record(A).branches["main"]
    assert (place.next, place.pushed_at) == (B, None)
    assert room.item(A)["branch"] == "main"


def test_a_push_told_twice_is_told_once(room: TableRoom) -> None:
    room.push("", A, 10)
    before = room.item(A)
    with pytest.raises(RepeatedError):
        room.push("", A, 10)
    assert room.item(A) == before


def test_the_same_push_with_another_delivery_id_changes_no_place(room: TableRoom) -> None:
    room.push("", A, 10)
    before = room.item(A)["_branches"]
    room.push("", A, 10, id_="another delivery")
    assert room.item(A)["_branches"] == before
    assert len(room.told(A)) == 2


def test_a_commit_has_a_place_on_each_of_its_branches(room: TableRoom) -> None:
    room.push("", A, 10)
    room.push("", A, 99, branch="release")
    places = room.record(A).branches
    assert sorted(places) == ["main", "release"]
    assert places["main"].sequence < places["release"].sequence


@pytest.mark.parametrize("branch", ODD)
def test_a_branch_may_be_called_anything(room: TableRoom, branch: str) -> None:
    room.push(A, B, 10, branch=branch)
    assert room.order([A, B], branch) == "ab"


def test_a_first_record_has_declared_gates_empty_and_says_who_it_is(room: TableRoom) -> None:
    room.define(pipeline())
    before = room.push("", A, 10)
    item = room.item(A)
    assert before.item == {}
    assert (item["build"], item["legal"], item["branch"]) == ("", "", "main")
    assert (item["pushed_at"], item["honeycomb_trace"]) == (seconds(10), f"trace of {room.repo}@a")


def test_declared_gates_and_unknown_columns_survive_a_later_push(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 10)
    room.edit(A, build="TRUE", added={"status": "", "by": "scanner"}, numbers={1, 2})
    room.push(A, B, 20)
    item = room.item(A)
    assert (item["build"], item["added"], item["numbers"]) == ("TRUE", {"status": "", "by": "scanner"}, {1, 2})


def test_a_record_edited_into_nonsense_is_mended_by_the_next_push(room: TableRoom) -> None:
    room.push("", A, 10)
    room.edit(A, _branches="nonsense", branch=None, sequence=-1)
    assert room.record(A).problems
    room.push(C, A, 50)
    assert room.record(A).problems == ()
    assert room.item(A)["branch"] == "main"


def test_concurrent_pushes_of_one_branch_keep_the_chain(room: TableRoom) -> None:
    chain = [letter * 40 for letter in "abcde"]
    pairs = list(pairwise(chain))

    def push(index: int) -> None:
        while isinstance(attempted(lambda: room.push(*pairs[index], 10), TemporaryFault), TemporaryFault):
            pass

    together(len(pairs), push)
    assert room.order(chain) == "abcde"


def test_a_result_before_its_push_is_kept_without_a_place(room: TableRoom) -> None:
    room.define(pipeline())
    room.result(A)
    assert room.record(A).branches == {}
    assert room.decision(A) == "NotACandidate"
    room.push("", A, 10)
    assert room.decision(A) == "Promote"


def test_a_result_that_feeds_no_gate_is_journalled(room: TableRoom) -> None:
    room.result(A, id_="of a repository without a pipeline")
    assert room.told(A) == ["of a repository without a pipeline"]
    assert room.record(A).gates == {}


def test_a_result_told_twice_is_told_once(room: TableRoom) -> None:
    room.define(pipeline())
    room.result(A)
    with pytest.raises(RepeatedError):
        room.result(A)


@pytest.mark.parametrize("statuses", [("failed", "success"), ("success", "failed")], ids=lambda each: each[1])
@pytest.mark.parametrize("late", [False, True], ids=["in order", "late"])
def test_the_newest_completion_wins(room: TableRoom, statuses: tuple[str, str], late: bool) -> None:  # noqa: FBT001
    room.define(pipeline())
    told = list(zip(statuses, (60, 70), strict=True))
    for word, second in reversed(told) if late else told:
        room.result(A, word, second)
    assert status(room, A) == (GateStatus.PASSED if statuses[1] == "success" else GateStatus.FAILED)


@pytest.mark.parametrize("told", [("pending", "success"), ("success", "pending")], ids=lambda each: each[0])
def test_a_verdict_counts_over_none_of_the_same_second(room: TableRoom, told: tuple[str, str]) -> None:
    room.define(pipeline())
    for word in told:
        room.result(A, word, 60)
    assert status(room, A) == GateStatus.PASSED


def test_a_result_waits_while_it_is_not_known_when_a_hand_set_the_gate(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 0)
    room.edit(A, build="FALSE")
    with pytest.raises(TemporaryFault, match="build was set by hand"):
        room.result(A, second=60)
    room.note(A, 50, build="FALSE")
    room.result(A, second=60)
    assert status(room, A) == GateStatus.PASSED


def test_a_hand_set_value_holds_until_a_result_completed_later(room: TableRoom) -> None:
    room.define(pipeline())
    room.result(A, second=10)
    room.edit(A, build="FALSE")
    room.note(A, 50, build="FALSE")
    room.result(A, second=50)
    assert status(room, A) == GateStatus.FAILED
    room.result(A, second=51)
    assert status(room, A) == GateStatus.PASSED


def test_a_removed_gate_is_pending_until_the_next_result(room: TableRoom) -> None:
    room.define(pipeline())
    room.result(A, second=10)
    room.edit(A, build=None)
    room.note(A, 50, build=None)
    assert status(room, A) == GateStatus.PENDING
    room.result(A, second=20)
    assert status(room, A) == GateStatus.PASSED


def test_a_gate_that_was_removed_and_added_again_empty_takes_the_next_result(room: TableRoom) -> None:
    room.define(pipeline())
    room.result(A, second=10)
    room.edit(A, build=None)
    room.push("", A, 0)
    assert room.item(A)["build"] == ""
    room.note(A, 50, build=None)
    room.result(A, second=60)
    assert status(room, A) == GateStatus.PASSED


def test_an_edit_is_journalled_once_and_also_when_it_was_changed_again(room: TableRoom) -> None:
    room.push("", A, 0)
    room.edit(A, legal="FALSE")
    room.note(A, 40, legal="TRUE")
    assert "_set_legal" not in room.item(A)
    room.note(A, 50, legal="FALSE")
    with pytest.raises(RepeatedError):
        room.note(A, 50, legal="FALSE")
    assert room.told(A)[1:] == ["edit 40", "edit 50"]
    assert room.record(A).written["legal"]["at"] == seconds(50)


@pytest.mark.parametrize("name", ["odd[0]", "odd[name]", "with space", "emoji🚀", "_"])
def test_an_edit_of_a_column_that_no_gate_can_be_called_is_journalled(room: TableRoom, name: str) -> None:
    room.push("", A, 0)
    room.note(A, 50, **{name: "TRUE", "legal": "TRUE"})
    assert "edit 50" in room.told(A)


def test_a_gate_is_set_in_somebodys_name(room: TableRoom) -> None:
    room.define(pipeline())
    value = {"status": "TRUE", "by": "ann", "at": seconds(90), "reason": "read it"}
    set_gate(room.reader, "legal", value, room.happening("by hand", A, 90), trace)
    gate = read_gate("legal", room.item(A)["legal"], room.now)
    assert (gate.status, gate.by, gate.reason) == (GateStatus.PASSED, "ann", "read it")
    room.edit(A, legal="FALSE")
    set_gate(room.reader, "legal", value, room.happening("again", A, 95), trace)
    assert status(room, A, "legal") == GateStatus.PASSED


@pytest.mark.parametrize("gate", ["sca.n/v1:x", "Approval-Of_Legal", "9", "a" * 200])
def test_gates_have_dots_and_slashes_in_their_names(room: TableRoom, gate: str) -> None:
    value = {"status": "FALSE", "by": "ann", "at": seconds(90)}
    set_gate(room.reader, gate, value, room.happening("by hand", A, 90), trace)
    assert room.item(A)[gate] == value


def test_news_are_journalled_once_and_change_nothing(room: TableRoom) -> None:
    record_news(room.happening("started", A, 10))
    with pytest.raises(RepeatedError):
        record_news(room.happening("started", A, 10))
    assert (room.told(A), room.item(A)) == (["started"], {})


def test_a_record_too_large_to_take_more_is_a_permanent_fault(room: TableRoom) -> None:
    room.define(pipeline())
    room.write("gates", repo=room.repo, commit=A, notes="x" * (400 * 1024 - 120))
    with pytest.raises(PermanentFault, match="record"):
        room.result(A)
    room.result(B)
    assert status(room, B) == GateStatus.PASSED
    assert room.told(A) == []


def test_a_repository_is_one_in_any_casing(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 0)
    canonical, room.repo = room.repo, room.repo.upper()
    room.result(A)
    assert room.item(A) == {}
    assert room.snapshot(A).repo == canonical
    assert room.decision(A) == "Promote"


def test_concurrent_results_of_one_commit_leave_the_newest(room: TableRoom) -> None:
    room.define(pipeline())

    def result(index: int) -> None:
        word = "success" if index == 5 else "failed"
        while isinstance(attempted(lambda: room.result(A, word, 60 + index), TemporaryFault), TemporaryFault):
            pass

    together(6, result)
    assert status(room, A) == GateStatus.PASSED
    assert len(room.told(A)) == 6
