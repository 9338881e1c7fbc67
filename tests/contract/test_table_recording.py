"""What recording reads and writes beside the gate or place it is about, and what comes between."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipeline_state.model.order import Push
from pipeline_state.model.results import ReleaseResult
from pipeline_state.table import models, retention, waiting
from pipeline_state.table.journal import history
from pipeline_state.table.models import connection
from pipeline_state.table.pushes import record_push
from pipeline_state.table.results import record_deployment, set_gate
from pipeline_state.table.snapshot import Reader, Snapshot
from tests.contract.table_room import A, B, C, TableRoom, pipeline, seconds, trace

VALUE = {"status": "TRUE", "at": seconds(60), "by": "ann"}
EXPIRES = "_expires_at"


@pytest.fixture
def shop(room: TableRoom) -> TableRoom:
    room.define(pipeline())
    return room


class Interrupted(Reader):
    """Something happens after its next look."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act: Callable[[], object] | None = act

    def read(self, repo: str, commit: str, *others: str, environments: bool = True) -> Snapshot:
        found = super().read(repo, commit, *others, environments=environments)
        act, self._act = self._act, None
        if act:
            act()
        return found


def waits(room: TableRoom) -> str:
    return "".join(each.commit[0] for each in waiting.of_repo(room.repo))


def forget_all(room: TableRoom) -> None:
    for each in waiting.of_repo(room.repo):
        waiting.forget(each)


def legal(room: TableRoom, commit: str = A, id_: str = "set", reader: Reader | None = None) -> None:
    set_gate(reader or room.reader, "legal", VALUE, room.happening(id_, commit, 60), trace)


def deployed(room: TableRoom, reader: Reader | None = None) -> None:
    ended = ReleaseResult("deployed_to_staging", "web", ("web",), 1, "TRUE", seconds(60))
    place = (room.pipeline_name, "staging")
    record_deployment(reader or room.reader, ended, place, room.happening("deployed", A, 60), trace)


def pushed(room: TableRoom, before: str, after: str, second: float, reader: Reader) -> None:
    told = room.happening(f"push {after[:1]} {second}", after, second)
    record_push(reader, "main", Push(before, after, seconds(second)), told, trace)


def test_a_place_that_another_branch_gives_meanwhile_is_kept(shop: TableRoom) -> None:
    pushed(shop, B, A, 10, Interrupted(lambda: shop.push("", A, 20, branch="release")))
    assert sorted(shop.record(A).branches) == ["main", "release"]


def test_a_gate_that_another_sets_meanwhile_is_looked_at_again(shop: TableRoom) -> None:
    shop.push("", A, 0)
    newer = {**VALUE, "at": seconds(99), "generation": 2, "releases": {}}
    deployed(shop, Interrupted(lambda: shop.edit(A, deployed_to_staging=newer)))
    assert shop.item(A)["deployed_to_staging"]["at"] == seconds(99)


RECORDED: dict[str, Callable[[TableRoom], object]] = {
    "a push": lambda room: room.push(A, B, 20),
    "a push after one that nobody knows": lambda room: room.push(C, B, 20),
    "the first push of a branch": lambda room: room.push("", B, 20),
    "a result": lambda room: room.result(A),
    "a deployment": deployed,
    "a person's gate": legal,
}


@pytest.mark.parametrize("what", RECORDED)
def test_recording_looks_once_and_only_at_the_commits_it_is_about(
    shop: TableRoom, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    shop.push("", A, 0)
    looks: list[set[str]] = []
    real = connection().dispatch

    def dispatch(operation: str, request: Mapping[str, Any]) -> Any:
        if operation == "TransactGetItems":
            keys = [each["Get"]["Key"] for each in request["TransactItems"]]
            looks.append({str(next(reversed(key.values()))["S"]) for key in keys})
        return real(operation, dict(request))

    monkeypatch.setattr(connection(), "dispatch", dispatch)
    RECORDED[what](shop)
    before = {"a push": A, "a push after one that nobody knows": C}.get(what)
    about = {B, *filter(None, [before])} if "push" in what else {A}
    assert looks == [{shop.repo.lower(), *about}]


def test_a_repository_is_spelled_as_its_definition_does(shop: TableRoom) -> None:
    told = replace(shop.happening("shouted", A), repo=shop.repo.upper())
    record_push(shop.reader, "main", Push("0" * 40, A, seconds(0)), told, trace)
    set_gate(shop.reader, "legal", VALUE, replace(told, id="set"), trace)
    assert sorted(shop.told(A)) == ["set", "shouted"]
    assert shop.item(A)["honeycomb_trace"] == trace(shop.repo, A)


def test_a_record_that_a_gate_alone_makes_belongs_to_its_commits_trace(shop: TableRoom) -> None:
    legal(shop)
    assert shop.item(A)["honeycomb_trace"] == trace(shop.repo, A)
    assert shop.item(A)["_schema"] == 1


def test_several_gates_that_one_result_feeds_are_all_written_with_their_notes(room: TableRoom) -> None:
    first = pipeline().gates[0]
    room.define(pipeline(gates=(first, replace(first, name="other"), *pipeline().gates[1:])))
    room.result(A)
    item = room.item(A)
    assert item["build"] == item["other"]
    assert item["_set_build"] == item["_set_other"]


def test_what_is_written_of_a_promoted_commit_stays_with_it(shop: TableRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_retention", [90])
    shop.ready()
    shop.promote(A)
    retention.keep(shop.repo, A)
    shop.push(B, A, 100, id_="again")
    legal(shop)
    assert EXPIRES not in shop.item(A)
    kept = {entry["entry"].split("#")[1]: EXPIRES not in entry for entry in history(shop.repo, A)}
    assert (kept["again"], kept["set"]) == (True, True)


def test_the_last_write_says_which_and_when(shop: TableRoom) -> None:
    shop.push("", A, 0, id_="delivery")
    assert shop.item(A)["_last_write"] == {"event": "delivery", "at": seconds(3600)}
    assert shop.item(A)["_schema"] == 1


def test_a_commit_that_only_learns_who_follows_does_not_wait_again(shop: TableRoom) -> None:
    shop.push("", A, 0)
    forget_all(shop)
    shop.push(A, B, 10)
    assert (shop.record(A).branches["main"].next, waits(shop)) == (B, "b")


def test_a_commit_that_is_pushed_again_waits_again(shop: TableRoom) -> None:
    shop.push("", A, 0)
    shop.push(A, B, 10)
    forget_all(shop)
    shop.push(B, A, 20)
    assert waits(shop) == "a"


def test_a_commit_whose_record_cannot_be_read_does_not_wait(shop: TableRoom) -> None:
    shop.edit(A, _claim_staging="nonsense")
    shop.push("", A, 0)
    assert waits(shop) == ""


def test_the_columns_of_a_record_tell_of_the_branch_it_was_pushed_to(shop: TableRoom) -> None:
    shop.push("", A, 0)
    before = {name: shop.item(A)[name] for name in ("branch", "pushed_at")}
    shop.push(A, B, 500, branch="feature")
    assert {name: shop.item(A)[name] for name in before} == before
    assert sorted(shop.record(A).branches) == ["feature", "main"]
    assert shop.item(A)["sequence"] == shop.record(A).branches["feature"].sequence
    shop.push(B, A, 900, branch="feature")
    item = shop.item(A)
    assert (item["branch"], item["pushed_at"]) == ("feature", seconds(900))
    assert item["sequence"] == shop.record(A).branches["feature"].sequence


def test_the_columns_of_a_record_move_with_its_place_on_the_same_branch(shop: TableRoom) -> None:
    shop.push(A, B, 10)
    assert "pushed_at" not in shop.item(A)
    shop.push(A, C, 500)
    place = shop.record(A).branches["main"]
    assert (place.next, shop.item(A)["sequence"]) == (C, place.sequence)
    assert "pushed_at" not in shop.item(A)


def test_a_result_is_its_own_pipelines_also_once_another_has_its_gate(shop: TableRoom) -> None:
    shop.ready()
    (promotion,) = shop.promote(A)
    shop.define(pipeline(name="store"))
    shop.deployed(promotion)
    key = "staging#deployment#0000000001"
    assert shop.environment(key)["deployed_at:web"] == seconds(120)
    assert shop.environment(key, "store") == {}
    assert shop.item(A)["deployed_to_staging"]["status"] == "TRUE"
