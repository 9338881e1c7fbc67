"""A gate leaves pipelines.yaml: what commits on their way have of it, with the real promoter behind the command."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline_state.cli.definitions import pipelines_commands
from pipeline_state.cli.definitions.pipelines_file import to_file
from pipeline_state.cli.happenings import tell
from pipeline_state.cli.options import Choice
from pipeline_state.cli.replay.recorded import read_history
from pipeline_state.events.deployment import read_promotion
from pipeline_state.model.history import Edited
from pipeline_state.model.pipelines import Cluster, Environment, GateDefinition, Pipeline
from pipeline_state.model.times import format_time
from pipeline_state.model.waits import waits
from pipeline_state.startup import utc_now
from pipeline_state.table import waiting
from pipeline_state.table.definitions import load_definitions, save_definitions
from pipeline_state.table.journal import history
from pipeline_state.table.past import past_of
from tests.contract.function_room import Crash, FunctionRoom, before_each_write
from tests.contract.table_room import BUILD, LEGAL, WEB, A, B, C, LocalTables, TableRoom, pipeline

LOCAL = Cluster(context="local")
REMOVED = "empty gates removed"


class Desk(Choice):
    """Where somebody sits who may apply pipelines. What is printed: `told`."""

    def open(self) -> Any:
        return SimpleNamespace(
            region="eu-west-1", secret_arns={"github": "arn:aws:secretsmanager:eu-west-1:1:s"}, identity=lambda: "zoe"
        )


@dataclass
class Shop:
    """A repository whose staging needs some gates, and a file of its pipelines."""

    functions: FunctionRoom
    file: Path
    read: Callable[[], str]

    @property
    def room(self) -> TableRoom:
        return self.functions.tables

    def pipeline(self, *gates: GateDefinition) -> Pipeline:
        names = tuple(gate.name for gate in gates)
        release = replace(WEB, namespace=f"n-{self.room.unique}")
        it = pipeline(Environment("staging", names, (), (release,), LOCAL), gates=gates)
        return replace(it, repo=self.room.repo, name=self.room.pipeline_name)

    def apply(self, *gates: GateDefinition, code: int = 0, as_json: bool = False, yes: bool = True) -> str:
        """What it tells. gates: all that are declared, each needed in staging."""
        self.file.write_text(to_file([self.pipeline(*gates)]))
        self.read()
        assert pipelines_commands.apply(Desk(as_json=as_json), self.file, yes) == code
        return self.read()

    def save(self, *pipelines: Pipeline) -> None:
        """The definitions alone, as older versions did it, and a command that dies after that."""
        repo = self.room.repo
        save_definitions(
            repo, pipelines, after=load_definitions(repo).version, by="zoe", at_time=format_time(utc_now())
        )

    def come(self, *commits: str) -> None:
        """Pushed and built, one after the other."""
        for second, (before, commit) in zip(itertools.count(0, 10), itertools.pairwise(["", *commits]), strict=False):
            self.functions.send(
                self.functions.push(before, commit, second), self.functions.build(commit, second=second + 5)
            )
            self.functions.settle()

    def promoted(self) -> list[str]:
        self.functions.settle()
        return [read_promotion(event).commit for event, _ in self.functions.waiting(self.functions.installs)]

    def removals(self, commit: str = A) -> list[dict[str, Any]]:
        return [entry for entry in history(self.room.repo, commit) if entry["kind"] == REMOVED]


@pytest.fixture(scope="module")
def own_tables(ministack: str) -> LocalTables:
    """Where no other test's pipelines are in the way."""
    return LocalTables(ministack)


@pytest.fixture
def shop(own_tables: LocalTables, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    """Staging needs a build and legal, and A is built."""
    own_tables.connect()
    it = Shop(FunctionRoom(TableRoom(own_tables)), tmp_path / "pipelines.yaml", lambda: capsys.readouterr().out)
    it.apply(BUILD, LEGAL)
    it.come(A)
    assert (it.promoted(), it.room.item(A)["legal"]) == ([], "")
    return it


def test_a_commit_goes_on_once_the_gate_that_it_waits_for_leaves_the_definitions(shop: Shop) -> None:
    assert "• 1 commit on its way loses the gate legal, which nobody has set there" in shop.apply(BUILD)
    assert "legal" not in shop.room.item(A)
    assert shop.promoted() == [A]


def test_a_gate_that_gets_another_name_is_one_that_leaves(shop: Shop) -> None:
    shop.apply(BUILD, GateDefinition("law"))
    assert [each.sentence for each in shop.room.decisions(A)] == ["waits for law"]
    shop.room.edit(A, law="TRUE")
    assert shop.promoted() == [A]


def test_somebody_applied_it_so_the_journal_says_and_the_stream_takes_it_for_no_edit(shop: Shop) -> None:
    shop.apply(BUILD)
    shop.functions.settle()
    (entry,) = shop.removals()
    told = tell(entry)
    assert (told.by, told.verified) == ("zoe", True)
    assert told.text == "empty gates removed, for pipelines without them: legal"
    assert "edited by hand" not in [each["kind"] for each in history(shop.room.repo, A)]
    facts = read_history(shop.room.repo, [A], []).facts
    assert [fact.values for fact in facts if isinstance(fact, Edited)] == [{"legal": None}]


def test_the_wait_for_it_ends_when_it_is_applied_in_the_name_of_who_did_that(shop: Shop) -> None:
    shop.apply(BUILD)
    snapshot, entries = shop.room.snapshot(A), list(history(shop.room.repo, A))
    past = past_of(snapshot, entries, utc_now())
    (wait,) = [
        each
        for each in waits(snapshot.record, entries, snapshot.definitions.pipelines, utc_now(), past=past)
        if each.gate == "legal"
    ]
    assert (wait.end, wait.ended_by, wait.known) == (past.former[-1].until, "zoe", "verified")


@pytest.mark.parametrize("value", ["FALSE", False, {"status": "", "by": "ann"}, {"status": "FALSE"}, "perhaps"])
def test_what_somebody_has_set_stays_and_closes_and_it_is_told(shop: Shop, value: Any) -> None:
    shop.room.edit(A, legal=value)
    shop.functions.settle()
    told = shop.apply(BUILD)
    assert (shop.room.item(A)["legal"], shop.promoted()) == (value, [])
    assert (
        "• legal is not declared any more, but set on 1 commit, and not to passed: every environment needs it there;"
        f" look, and open it: gatestream gate set {shop.room.repo} {A[:12]} legal passed"
    ) in told
    assert "every environment needs it there" in shop.apply(BUILD), "as long as it is so"
    assert shop.removals() == []


def test_what_somebody_has_opened_stays_and_is_in_nobodys_way(shop: Shop) -> None:
    shop.room.push(A, B, 10)
    shop.room.edit(B, legal={"status": "TRUE", "by": "ann"})
    shop.functions.settle()
    assert "needs it there" not in shop.apply(BUILD)
    assert shop.room.item(B)["legal"] == {"status": "TRUE", "by": "ann"}


def test_a_gate_that_somebody_set_back_by_hand_stays_pending(shop: Shop) -> None:
    for value in ("TRUE", ""):
        shop.room.edit(A, legal=value, build="FALSE")
        shop.functions.settle()
    assert "but set on 1 commit, and not to passed" in shop.apply(BUILD)
    assert shop.room.item(A)["legal"] == ""


def test_a_column_that_somebody_adds_by_the_same_name_later_counts_and_stays(shop: Shop) -> None:
    shop.room.edit(A, build="FALSE")
    shop.apply(BUILD)
    shop.functions.settle()
    shop.room.edit(A, build="TRUE", legal="")
    assert shop.promoted() == []
    shop.apply(BUILD)
    shop.apply(BUILD, GateDefinition("qa"))
    shop.apply(BUILD)
    assert (shop.room.item(A)["legal"], shop.promoted()) == ("", [])
    assert [each.sentence for each in shop.room.decisions(A)] == ["waits for legal"]
    assert len([gate for entry in shop.removals() for gate in entry["what"] if gate == "legal"]) == 1


def test_a_gate_that_no_version_ever_declared_is_not_looked_at(shop: Shop) -> None:
    shop.room.edit(A, scan="", build="FALSE")
    shop.functions.settle()
    assert "scan" not in shop.apply(BUILD)
    assert shop.room.item(A)["scan"] == ""


def test_an_approval_that_comes_in_the_same_moment_stays(shop: Shop) -> None:
    approvals = iter(["TRUE"])

    def approve(operation: str, _: Any) -> None:
        if operation == "TransactWriteItems" and (value := next(approvals, None)):
            shop.room.edit(A, legal=value)

    with before_each_write(approve):
        shop.apply(BUILD)
    assert (shop.room.item(A)["legal"], shop.removals(), shop.promoted()) == ("TRUE", [], [A])


def test_what_is_only_asked_for_changes_nothing_and_tells_how_many_lose_a_gate(shop: Shop) -> None:
    shop.come(B)
    told = shop.apply(BUILD, code=1, as_json=True, yes=False)
    assert '"empty_gates": {\n      "legal": 2\n    }' in told
    assert '"closed_gates": {}' in told
    assert shop.room.item(A)["legal"] == ""
    assert load_definitions(shop.room.repo).version == 1


def test_what_an_earlier_version_left_is_removed_although_nothing_else_changes(shop: Shop) -> None:
    shop.come(A, B, C)
    shop.save(shop.pipeline(BUILD))
    assert shop.room.decision(C) == "Wait"
    assert '"changed": true' in shop.apply(BUILD, code=1, as_json=True, yes=False)
    told = shop.apply(BUILD)
    assert f"{shop.room.repo}: version 2 stays" in told
    assert "• 3 commits on their way lose the gate legal" in told
    assert (load_definitions(shop.room.repo).version, shop.promoted()) == (2, [C]), "those before it need not be"
    assert f"{shop.room.repo}: nothing to change, version 2" in shop.apply(BUILD)


def test_a_commit_that_comes_while_the_gate_leaves_is_not_left_with_it(shop: Shop) -> None:
    """The recorder has read the definitions that were, and writes once the new ones are saved."""
    late = iter([B])

    def push(_: str, params: Any) -> None:
        if '"copy_of"' in str(params).replace("'", '"') and (commit := next(late, None)):
            shop.room.ready(commit, 10, A)

    with before_each_write(push):
        shop.apply(BUILD)
    assert "legal" not in shop.room.item(B)
    assert shop.promoted()[-1] == B


@pytest.mark.parametrize("last", range(8))
def test_a_command_that_dies_anywhere_is_made_good_by_the_next_one(shop: Shop, last: int) -> None:
    shop.come(A, B)
    writes = itertools.count()

    def die(*_: Any) -> None:
        if next(writes) == last:
            raise Crash

    with before_each_write(die):
        try:
            shop.apply(BUILD)
        except Crash:
            shop.functions.settle()
    shop.apply(BUILD)
    assert [name for commit in (A, B) for name in shop.room.item(commit) if name == "legal"] == []
    assert shop.room.snapshot(B).definitions.declared == {"build"}
    assert B in [*shop.promoted(), shop.room.state().head]


def test_a_commit_that_waits_for_nothing_any_more_is_let_go_by_the_same_look(shop: Shop) -> None:
    """It was settled, and no more on the list: only the new definitions take it further."""
    shop.save(replace(shop.pipeline(BUILD), gates=(BUILD, LEGAL)))
    for each in waiting.of_repo(shop.room.repo):
        waiting.forget(each)
    shop.apply(BUILD)
    assert shop.promoted() == [A]
