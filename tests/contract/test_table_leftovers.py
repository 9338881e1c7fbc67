"""What is left of gates that were declared once: found, and removed as far as nobody has set it, on both DynamoDBs."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_state.model.pipelines import GateDefinition
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.journal import Happening, history
from pipeline_state.table.leftovers import Leftover, leftovers, remove_empty
from pipeline_state.table.models import PipelinesItem
from pipeline_state.table.past import once_declared
from tests.contract.function_room import before_each_write
from tests.contract.table_room import BUILD, LEGAL, A, B, C, TableRoom, pipeline

QA = GateDefinition("qa")


def define(room: TableRoom, *gates: GateDefinition) -> None:
    room.define(replace(pipeline(), gates=gates))


def told(room: TableRoom, commit: str = A) -> Happening:
    return replace(room.happening("zoe applies", commit, 100), kind="empty gates removed")


def found(room: TableRoom, *commits: str) -> list[Leftover]:
    definitions = load_definitions(room.repo)
    return leftovers(definitions, definitions.declared, commits, room.now)


def test_what_is_left_is_found_in_the_order_of_the_commits_that_have_any(room: TableRoom) -> None:
    define(room, BUILD, LEGAL, QA)
    for second, commit in enumerate((A, B)):
        room.push("", commit, second)
    define(room, BUILD)
    room.push("", C, 10)
    room.edit(A, legal={"status": "FALSE"}, added="", deployed_to_staging="", qa="TRUE")
    assert found(room, C, B, A, "d" * 40) == [Leftover(B, ("legal", "qa"), ()), Leftover(A, (), ("legal",))]
    define(room, BUILD, QA)
    assert found(room, A, B) == [Leftover(A, (), ("legal",)), Leftover(B, ("legal",), ())]
    assert found(room) == []


def test_a_column_that_somebody_added_empty_bears_a_note_and_is_not_the_recorders(room: TableRoom) -> None:
    define(room, BUILD, LEGAL)
    define(room, BUILD)
    room.push("", A, 0)
    room.edit(A, legal="")
    room.note(A, 5, legal="")
    assert found(room, A) == [Leftover(A, (), ("legal",))]
    assert remove_empty(["legal"], told(room)) == ()
    assert room.item(A)["legal"] == ""


def test_only_what_is_empty_is_removed_and_its_entry_is_in_the_same_transaction(room: TableRoom) -> None:
    define(room, BUILD, LEGAL, QA)
    room.push("", A, 0)
    room.edit(A, qa="FALSE")
    assert remove_empty(["legal", "qa", "nothing"], told(room)) == ("legal",)
    assert {"legal", "qa"} & {*room.item(A)} == {"qa"}
    (entry,) = [each for each in history(room.repo, A) if each["kind"] == "empty gates removed"]
    assert (entry["what"], entry["by"], entry["verified"]) == ({"legal": None}, "ci", True)
    assert room.item(A)["_last_write"] == {"event": "zoe applies", "at": entry["written_at"]}
    assert remove_empty(["legal"], replace(told(room), id="again")) == ()
    assert "again" not in room.told(A)


@pytest.mark.parametrize("change", [{"legal": "TRUE"}, {"_set_legal": {"at": "x", "value": ""}}, {"legal": None}])
def test_whoever_comes_between_the_look_and_the_write_goes_before(room: TableRoom, change: dict[str, Any]) -> None:
    define(room, BUILD, LEGAL, QA)
    room.push("", A, 0)
    changes = iter([change])

    def come(operation: str, _: Any) -> None:
        if operation == "TransactWriteItems" and (columns := next(changes, None)):
            room.edit(A, **columns)

    with before_each_write(come):
        assert remove_empty(["legal", "qa"], told(room)) == ("qa",)
    assert room.item(A).get("legal", None) == change.get("legal", "")


def test_no_record_is_made_for_a_commit_that_has_left(room: TableRoom) -> None:
    define(room, BUILD, LEGAL)
    assert remove_empty(["legal"], told(room)) == ()
    assert (room.item(A), room.told(A)) == ({}, [])


def test_more_gates_than_one_transaction_takes_go_one_part_after_the_other(room: TableRoom) -> None:
    names = [f"a-rather-long-name-of-a-gate-{number:03}" for number in range(60)]
    define(room, *map(GateDefinition, names))
    room.push("", A, 0)
    assert remove_empty(names, told(room)) == tuple(names[:50])
    assert remove_empty(names, replace(told(room), id="the rest")) == tuple(names[50:])


def test_versions_are_read_only_as_far_as_gates_are_looked_for(
    room: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gates in ([QA], *([[LEGAL]] * 9), [BUILD]):
        define(room, *gates)
    definitions, calls = load_definitions(room.repo), list[int]()
    read = PipelinesItem.batch_get

    def counted(keys: list[str], **how: Any) -> Any:
        calls.append(len(keys))
        return read(keys, **how)

    monkeypatch.setattr(PipelinesItem, "batch_get", counted)
    assert once_declared(definitions, {"build"}) == {"build"}
    assert calls == []
    assert once_declared(definitions, {"build", "legal"}) == {"build", "legal"}
    assert calls == [2]
    assert once_declared(definitions, {"qa", "never"}) == {"qa"}
    assert sum(calls[1:]) == definitions.version
