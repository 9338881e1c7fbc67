"""Claims, definitions and snapshots: in MiniStack and in DynamoDB Local alike."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.decide import on_request
from pipeline_state.model.decision import Promote
from pipeline_state.model.entries import PIPELINE
from pipeline_state.model.evidence import doers
from pipeline_state.model.pipelines import Cluster, Environment, GateDefinition, Pipeline, Verification
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.record import note_of
from pipeline_state.model.times import format_time
from pipeline_state.table.claims import Order, claim, claimed_promotions
from pipeline_state.table.definitions import all_definitions, load_definitions, save_definitions
from pipeline_state.table.journal import history
from pipeline_state.table.snapshot import Snapshot
from pipeline_state.table.transaction import RefusedError
from tests.contract.table_room import BUILD, LEGAL, WEB, A, B, C, D, TableRoom, attempted, pipeline, seconds, together

LOCAL = Cluster(context="local")


def test_a_claim_moves_the_head_and_is_in_the_record_and_the_journal(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready(A, 10)
    (promotion,) = room.promote(A)
    claim = room.record(A).claims["staging"]
    assert (claim.generation, claim.published, claim.pushed_at) == (1, False, seconds(10))
    assert claim.promotions == {"web": promotion.id}
    environment = room.environment()
    assert (environment["generation"], environment["head"], environment["sequence"]) == (1, A, promotion.sequence)
    assert room.told(A)[-1] == "staging-1"
    assert (promotion.repo, promotion.branch, promotion.release, promotion.generation) == (room.repo, "main", WEB, 1)


def test_each_release_of_an_environment_is_a_promotion(room: TableRoom) -> None:
    worker = replace(WEB, name="worker")
    room.define(pipeline(Environment("staging", ("build",), (), (WEB, worker), LOCAL)))
    room.ready()
    web, other = room.promote(A)
    assert web.id != other.id
    assert web.releases == other.releases == ("web", "worker")


REFUSED: dict[str, tuple[str, Any]] = {
    "a gate has changed": ("record", lambda room: room.edit(A, build="FALSE")),
    "a gate has changed its evidence": (
        "record",
        lambda room: room.edit(A, build={**room.item(A)["build"], "reason": "on second thoughts"}),
    ),
    "a gate has been removed": ("record", lambda room: room.edit(A, build=None)),
    "the commit has been pushed again": ("record", lambda room: room.push(B, A, 99)),
    "it is claimed already": ("record", lambda room: room.promote(A)),
    "the generation has moved": ("environment", lambda room: (room.ready(B, 20, A), room.promote(B))),
    "a freeze has begun": ("environment", lambda room: room.edit_environment(frozen_by="ann")),
    "a hold has begun": ("environment", lambda room: room.edit_environment(held_by="ann")),
    "the pipelines have changed": ("pipelines", lambda room: room.define(pipeline())),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_claim_is_refused_when_meanwhile(room: TableRoom, reason: str) -> None:
    label, meanwhile = REFUSED[reason]
    room.define(pipeline())
    seen = room.ready(A, 10)
    meanwhile(room)
    before = room.item(A), room.environment(), room.told(A)
    with pytest.raises(RefusedError) as refusal:
        room.promote(A, snapshot=seen)
    assert label in refusal.value.labels
    assert (room.item(A), room.environment(), room.told(A)) == before


def test_a_freeze_that_was_seen_and_is_over_refuses_nothing(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready()
    room.edit_environment(frozen_by="ann", frozen_until=seconds(60))
    assert len(room.promote(A)) == 1


def test_a_column_added_meanwhile_is_no_gate_of_what_was_read_but_of_the_next_environment(room: TableRoom) -> None:
    production = Environment("production", (), ("staging",), (replace(WEB, namespace="live"),), LOCAL)
    room.define(pipeline(Environment("staging", ("build",), (), (WEB,), LOCAL), production))
    seen = room.ready()
    room.edit(A, added="")
    (promotion,) = room.promote(A, snapshot=seen)
    room.deployed(promotion)
    assert room.decision(A, "production") == "Wait"
    room.edit(A, added="TRUE")
    assert len(room.promote(A, "production")) == 1


def test_an_older_commit_is_never_promoted_after_a_newer_one(room: TableRoom) -> None:
    room.define(pipeline())
    old, new = room.ready(A, 10), room.ready(B, 20, A)
    room.promote(B, snapshot=new)
    assert room.decision(A) == "Superseded"
    with pytest.raises(RefusedError):
        room.promote(A, snapshot=old)


def test_a_commit_pushed_again_is_promoted_again_and_not_deployed_until_then(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready(A, 10)
    (first,) = room.promote(A)
    room.deployed(first)
    room.ready(B, 20, A)
    room.promote(B)
    room.push(B, A, 30)
    assert room.decision(B) == "Promoted"
    (again,) = room.promote(A)
    assert (again.generation, again.id != first.id) == (3, True)
    assert room.item(A)["deployed_to_staging"]["status"] == ""
    room.deployed(first, second=200)
    assert room.item(A)["deployed_to_staging"]["status"] == ""
    room.deployed(again, second=201)
    assert room.item(A)["deployed_to_staging"]["status"] == "TRUE"


def test_a_commit_promoted_before_its_push_was_told_goes_again_when_pushed_again(room: TableRoom) -> None:
    room.define(pipeline())
    room.push(A, B, 10)
    room.result(A, second=20)
    room.promote(A)
    room.push("", A, 5)
    assert room.decision(A) == "Promoted", "that push was told late"
    room.push(B, A, 30)
    assert room.decision(A) == "Promoted", "its claim is published first"
    room.mark(A, "staging", 1)
    assert room.decision(A) == "Promote"


def test_a_late_push_that_moves_places_promotes_nothing_twice(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready(B, 10, A)
    room.promote(B)
    before = room.record(B).branches["main"].sequence
    room.push(D, A, 12)
    room.push(C, D, 10)
    assert room.record(B).branches["main"].sequence > before
    assert room.decision(B) == "Promoted"


def test_of_concurrent_claims_of_one_commit_one_wins(room: TableRoom) -> None:
    room.define(pipeline())
    seen = room.ready()
    answers = together(6, lambda _: attempted(lambda: room.promote(A, snapshot=seen), RefusedError, TemporaryFault))
    assert len([answer for answer in answers if isinstance(answer, list)]) == 1
    assert room.environment()["generation"] == 1


def test_concurrent_claims_of_many_commits_give_each_generation_to_one_and_never_go_back(room: TableRoom) -> None:
    room.define(pipeline())
    chain = [letter * 40 for letter in "abcdef"]
    for number, (before, commit) in enumerate(zip(["", *chain], chain, strict=False)):
        room.ready(commit, 10 * number, before)

    def claims(index: int) -> list[int]:
        """As the promoter does: read, decide, claim, and again when refused."""
        won: list[int] = []
        while room.decision(chain[index]) == "Promote":
            answer = attempted(lambda: room.promote(chain[index]), RefusedError, TemporaryFault, AssertionError)
            won += [each.generation for each in answer] if isinstance(answer, list) else []
        return won

    won = together(len(chain), claims)
    heads = [generation for (generation,) in filter(None, won)]
    assert sorted(heads) == list(range(1, int(room.environment()["generation"]) + 1))
    assert heads == sorted(heads)
    assert room.environment()["head"] == chain[-1]


def test_a_promoter_finds_what_an_earlier_one_claimed_and_marks_it_published(room: TableRoom) -> None:
    definitions = room.define(pipeline())
    room.ready()
    claimed = room.promote(A)
    room.define(pipeline(branches=("release",)))
    name = definitions.pipelines[0].name
    assert claimed_promotions(name, "staging", 1) == claimed
    room.mark(A, "staging", 1)
    assert room.record(A).claims["staging"].published


def test_a_claim_somebody_made_up_is_a_permanent_fault(room: TableRoom) -> None:
    with pytest.raises(PermanentFault, match="never was"):
        claimed_promotions(room.named("shop"), "staging", 7)


@pytest.mark.parametrize("claim", [None, "nonsense", {"generation": 2}], ids=["gone", "nonsense", "a later one"])
def test_a_mark_leaves_another_claim_alone(room: TableRoom, claim: object) -> None:
    room.define(pipeline())
    room.ready()
    room.promote(A)
    room.edit(A, _claim_staging=claim, kept="TRUE")
    before = room.item(A)
    room.mark(A, "staging", 1)
    assert room.item(A) == before


# definitions


def test_definitions_are_read_as_saved_and_every_version_stays(room: TableRoom) -> None:
    first = room.define(pipeline())
    second = room.define(pipeline(branches=("main", "release/*")))
    assert (first.version, second.version) == (1, 2)
    assert load_definitions(room.repo.upper()) == second
    assert load_definitions(room.repo, version=1) == first
    assert [each for each in all_definitions() if each.repo == room.repo] == [second]


def test_a_repository_without_definitions_has_none(room: TableRoom) -> None:
    assert load_definitions(room.repo).version == 0
    assert room.snapshot(A).definitions.pipelines == ()


def test_definitions_that_changed_meanwhile_are_not_overwritten(room: TableRoom) -> None:
    first = room.define(pipeline())
    for after in (0, 7):
        with pytest.raises(RefusedError):
            save_definitions(room.repo, [pipeline()], after=after, by="ben", at_time=seconds(1))
    assert load_definitions(room.repo) == first


@pytest.mark.parametrize("column", ["definitions", "version"])
def test_definitions_edited_into_nonsense_are_a_permanent_fault(room: TableRoom, column: str) -> None:
    room.define(pipeline())
    key = {"repo": room.repo.lower()}
    before = room.read("pipelines", **key)[column]
    room.change("pipelines", key, {column: "nonsense"})
    with pytest.raises(PermanentFault, match="pipelines apply"):
        room.snapshot(A)
    room.change("pipelines", key, {column: before})
    assert room.snapshot(A).definitions.version == 1


# snapshots


def test_a_snapshot_has_more_environments_than_one_transaction_reads(room: TableRoom) -> None:
    names = [f"environment-{number}" for number in range(120)]
    room.define(pipeline(*(Environment(name, ("build",), (), (WEB,), LOCAL) for name in names)))
    room.ready()
    room.promote(A, names[0])
    room.promote(A, names[-1])
    assert [name for name in names if room.state(name).generation] == [names[0], names[-1]]


def test_a_reader_that_remembers_old_pipelines_reads_again(room: TableRoom) -> None:
    room.define(pipeline())
    room.ready()
    room.promote(A)
    production = Environment("production", (), (), (WEB,), LOCAL)
    room.define(pipeline(production, gates=(BUILD, LEGAL)))
    room.promote(A, "production")
    assert room.state("production").generation == 1


def test_a_snapshot_of_nothing_is_a_record_without_anything(room: TableRoom) -> None:
    record = room.record(A)
    assert (record.commit, record.gates, record.branches, record.problems) == (A, {}, {}, ())


@pytest.mark.parametrize("column", ["generation", "sequence"])
def test_an_environment_edited_into_nonsense_takes_nothing_and_says_so_and_the_others_go_on(
    room: TableRoom, column: str
) -> None:
    room.define(pipeline(Environment("staging", ("build",), (), (WEB,), LOCAL), Environment("other", (), (), (WEB,))))
    room.ready()
    room.edit_environment(**{column: "nonsense"})
    [staging, other] = room.decisions(A)
    assert (staging.kind, other.kind) == ("NotACandidate", "Promote")
    assert f"{column} of staging of {room.named('shop')}: not a number; restore it" in staging.sentence


def verified_by(*gates: str) -> Pipeline:
    """One release for each gate."""
    releases = tuple(replace(WEB, name=f"web-{gate}", verify=Verification(gate=gate)) for gate in gates)
    declared = tuple(map(GateDefinition, dict.fromkeys(gates)))
    return pipeline(Environment("staging", ("build",), (), releases, LOCAL), gates=(BUILD, *declared))


def again(room: TableRoom, snapshot: Snapshot | None = None) -> list[Promotion]:
    """Somebody has A deployed once more."""
    seen = snapshot or room.snapshot(A)
    (known,) = seen.definitions.pipelines
    found = on_request(seen.record, known, known.environments[0], seen.definitions.declared, room.now)
    assert isinstance(found, Promote), found
    return claim(seen, known, found, room.now, Order("ann", Action.REDEPLOY, "once more"))


@pytest.mark.parametrize("said", ["FALSE", False, {"status": "false", "reason": "500"}], ids=repr)
def test_what_failed_the_deployment_before_does_not_fail_the_next_one(room: TableRoom, said: object) -> None:
    room.define(verified_by("smoke", "load"))
    room.ready()
    room.edit(A, load="TRUE", smoke=said)
    room.promote(A)
    assert room.item(A)["smoke"] == said, "it was said before anything was there, by whoever wants no deployment"
    again(room)
    record, now = room.record(A), format_time(room.now)
    value = {"status": "", "at": now, "by": "gatestream", "reason": "staging is deployed again"}
    assert (record.gates["smoke"], record.gates["load"]) == (value, "TRUE")
    assert note_of(value, record.written["smoke"]) == {"at": now, "by": "gatestream", "value": value}
    assert room.told(A)[-2:] == ["staging-2", "staging-2-smoke"]
    known = doers(record.gates, history(room.repo, A), room.snapshot(A).definitions.pipelines, room.now)
    assert known["smoke"] == PIPELINE


def test_what_fails_one_deployment_while_another_is_claimed_refuses_the_claim(room: TableRoom) -> None:
    room.define(verified_by("smoke"))
    room.ready()
    room.promote(A)
    seen = room.snapshot(A)
    room.edit(A, smoke="FALSE")
    with pytest.raises(RefusedError, match="record"):
        again(room, seen)
    assert (room.item(A)["smoke"], room.environment()["generation"]) == ("FALSE", 1)
    again(room)
    assert room.item(A)["smoke"]["status"] == ""


def test_a_gate_that_verifies_two_releases_is_pending_once_for_both(room: TableRoom) -> None:
    twice = verified_by("smoke", "load")
    (staging,) = twice.environments
    both = tuple(replace(each, verify=Verification(gate="smoke")) for each in staging.releases)
    room.define(replace(twice, environments=(replace(staging, releases=both),)))
    room.ready()
    room.promote(A)
    room.edit(A, smoke="FALSE")
    assert len(again(room)) == 2
    assert room.told(A)[-1] == "staging-2-smoke"
