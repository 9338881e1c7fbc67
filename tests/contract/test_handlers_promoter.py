"""What the promoter does with the table's stream, pumped as AWS documents its mapping: claims, crashes, hand edits."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.promoter import app as promoter_app
from pipeline_state import tracing
from pipeline_state.events.deployment import read_promotion
from pipeline_state.events.publish import Publisher
from pipeline_state.faults import PermanentFault
from pipeline_state.handlers.promotion import Promotions
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.model.times import format_time
from pipeline_state.startup import utc_now
from pipeline_state.table import waiting
from pipeline_state.table.journal import history
from pipeline_state.table.snapshot import Reader, Snapshot
from tests.contract.function_room import Crash, FunctionRoom, before_each_write
from tests.contract.pump import StreamMapping
from tests.contract.table_room import WEB, A, B, C, pipeline, seconds

LOCAL = Cluster(context="local")
STAGING = Environment("staging", ("build",), (), (WEB,), LOCAL)
QA = Environment("qa", ("build", "legal"), (), (replace(WEB, namespace="qa"),), LOCAL)
PRODUCTION = Environment("production", (), ("staging",), (replace(WEB, namespace="live"),), LOCAL)


@pytest.fixture
def shop(functions: FunctionRoom) -> FunctionRoom:
    functions.tables.define(pipeline(STAGING, PRODUCTION))
    return functions


def ready(shop: FunctionRoom, *commits: str) -> None:
    """Pushed one after the other, and built."""
    for number, (before, commit) in enumerate(zip(["", *commits], commits, strict=False)):
        shop.send(shop.push(before, commit, 10 * number), shop.build(commit, second=10 * number + 5))
    shop.recorder.drain()


def kinds(shop: FunctionRoom, commit: str) -> list[str]:
    return [entry["kind"] for entry in history(shop.repo, commit)]


def test_the_last_gate_promotes_and_the_claim_is_marked(shop: FunctionRoom) -> None:
    ready(shop, A)
    shop.promote()
    ((event, attributes),) = shop.waiting(shop.installs)
    promotion = read_promotion(event)
    assert (promotion.commit, promotion.environment, promotion.generation) == (A, "staging", 1)
    assert (event.get_id(), attributes["ce-type"]) == (promotion.id, event.get_type())
    claim = shop.tables.record(A).claims["staging"]
    assert (claim.published, claim.promotions) == (True, {"web": promotion.id})


def test_duplicate_stream_records_promote_once(shop: FunctionRoom) -> None:
    ready(shop, A)
    shop.promote(times=3)
    assert len(shop.promoted()) == 1
    assert shop.tables.environment()["generation"] == 1


def test_changes_in_any_order_promote_the_newest_that_is_ready(shop: FunctionRoom) -> None:
    ready(shop, A, B, C)
    StreamMapping(shop.promoter, batch_size=2).deliver(list(reversed(shop.changes())))
    assert shop.tables.environment()["head"] == C
    assert [read_promotion(event).commit for event, _ in shop.waiting(shop.installs)] == [C]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_publishing_is_made_good_with_the_same_id(shop: FunctionRoom, when: str) -> None:
    ready(shop, A)
    changes = shop.changes()

    def crash(_: object) -> None:
        raise Crash

    around = shop.before_publishing if when == "before" else shop.after_publishing
    with around(crash), pytest.raises(Crash):
        shop.promoter(changes)
    (claimed,) = shop.tables.record(A).claims["staging"].promotions.values()
    assert not shop.tables.record(A).claims["staging"].published
    shop.promoter = shop.new_promoter()
    StreamMapping(shop.promoter).deliver(changes)
    assert shop.promoted() == [claimed]
    assert shop.tables.record(A).claims["staging"].published
    assert shop.tables.environment()["generation"] == 1


@pytest.mark.parametrize("nth", range(3))
def test_a_crash_before_any_write_is_made_good(shop: FunctionRoom, nth: int) -> None:
    ready(shop, A)
    changes = shop.changes()
    seen: list[str] = []

    def crash(operation: str, _: object) -> None:
        seen.append(operation)
        if len(seen) == nth + 1:
            raise Crash

    with before_each_write(crash):
        try:
            shop.promoter(changes)
        except Crash:
            StreamMapping(shop.new_promoter()).deliver(changes)
    assert seen[0] == "TransactWriteItems"
    assert len(shop.promoted()) == 1
    assert shop.tables.record(A).claims["staging"].published


def test_a_claim_nobody_published_is_published_before_the_commit_goes_again(shop: FunctionRoom) -> None:
    ready(shop, A)
    shop.tables.promote(A)
    shop.send(shop.push(B, A, 30))
    shop.settle()
    assert [read_promotion(event).generation for event, _ in shop.waiting(shop.installs)] == [1, 2]


def test_while_sns_takes_nothing_the_change_is_tried_again_and_then_given_up_whole(shop: FunctionRoom) -> None:
    ready(shop, A)
    mapping = StreamMapping(shop.promoter, retries=2)
    arn, changes = shop.promotions, shop.changes()
    shop.sns.delete_topic(TopicArn=arn)
    mapping.deliver(changes)
    assert mapping.invocations == 3
    assert [record for batch in mapping.given_up for record in batch]
    shop.sns.create_topic(Name=arn.rpartition(":")[2], Attributes={"FifoTopic": "true"})
    StreamMapping(shop.promoter).deliver(changes)
    assert shop.tables.record(A).claims["staging"].published


def test_an_older_commit_that_is_ready_later_is_left(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A, 0), shop.push(A, B, 10), shop.build(B, second=20))
    shop.settle()
    shop.send(shop.build(A, second=30))
    shop.settle()
    assert [read_promotion(event).commit for event, _ in shop.waiting(shop.installs)] == [B]
    assert shop.tables.decision(A) == "Superseded"


def test_a_build_and_a_freeze_at_the_same_time_promote_nothing(shop: FunctionRoom) -> None:
    ready(shop, A)
    frozen: list[str] = []

    def freeze(operation: str, _: object) -> None:
        if operation == "TransactWriteItems" and not frozen:
            frozen.append(operation)
            shop.tables.edit_environment(frozen_by="ann")

    with before_each_write(freeze):
        shop.promote()
    assert frozen
    assert (shop.promoted(), shop.tables.decision(A)) == ([], "Frozen")


def test_an_approval_that_expires_while_another_environment_is_promoted_to_counts_no_more(shop: FunctionRoom) -> None:
    shop.tables.define(pipeline(STAGING, QA))
    ready(shop, A)
    now = utc_now()
    end = now + timedelta(minutes=1)
    shop.tables.edit(A, legal={"status": "TRUE", "by": "ann", "expires_at": format_time(end)})

    def pass_time(_: object) -> None:
        nonlocal now
        now = end

    with shop.before_publishing(pass_time):
        Promotions(Reader(), Publisher(shop.sns), shop.promotions, lambda: now).promote(shop.repo, A)
    assert now == end
    assert [*shop.tables.record(A).claims] == ["staging"]


def test_a_claim_that_there_never_was_stops_no_other_environment(shop: FunctionRoom) -> None:
    shop.tables.define(pipeline(STAGING, QA))
    ready(shop, A)
    shop.tables.edit(A, **NONSENSE["a claim nobody made"], legal="TRUE")
    with pytest.raises(PermanentFault, match="never was"):
        Promotions(Reader(), Publisher(shop.sns), shop.promotions, utc_now).promote(shop.repo, A)
    assert shop.tables.record(A).claims["qa"].published


def test_a_hand_edit_is_journalled_once_and_promotes(shop: FunctionRoom) -> None:
    shop.tables.define(pipeline(replace(STAGING, gates=("build", "legal"))))
    ready(shop, A)
    shop.promote()
    assert shop.promoted() == []
    shop.tables.edit(A, legal={"status": "TRUE", "by": "ann from legal"})
    shop.promote(times=2)
    edits = [entry for entry in history(shop.repo, A) if entry["kind"] == "edited by hand"]
    assert [(entry["by"], entry["verified"]) for entry in edits] == [("ann from legal", False)]
    assert len(shop.promoted()) == 1


def test_hand_edits_within_a_second_stay_in_their_order(shop: FunctionRoom) -> None:
    shop.tables.edit(A, legal="TRUE")
    shop.tables.edit(A, legal="FALSE")
    changes = [
        {**change, "eventID": name, "dynamodb": {**change["dynamodb"], "ApproximateCreationDateTime": 1_800_000_000}}
        for name, change in zip("ba", shop.changes(), strict=True)
    ]
    StreamMapping(shop.promoter).deliver(changes)
    assert [entry["what"] for entry in history(shop.repo, A)] == [{"legal": "TRUE"}, {"legal": "FALSE"}]


def test_our_own_writes_are_no_hand_edits(shop: FunctionRoom) -> None:
    ready(shop, A)
    shop.send(shop.build(A, "failed", 90), shop.build(A, "success", 95), shop.push(A, B, 100))
    shop.settle()
    shop.send(shop.push(B, A, 110))
    shop.settle()
    assert "edited by hand" not in kinds(shop, A) + kinds(shop, B)
    assert shop.tables.environment()["generation"] == 2, "A was pushed again, so it goes there again"


def test_an_item_that_is_put_back_whole_is_an_edit_of_what_differs(shop: FunctionRoom) -> None:
    """As the console does, or a script that does not know our own attributes and drops them."""
    ready(shop, A)
    shop.promote()
    item = {name: value for name, value in shop.tables.item(A).items() if not name.startswith(("_last", "_set"))}
    shop.tables.write("gates", **item | {"build": "FALSE"})
    shop.promote()
    assert kinds(shop, A)[-1] == "edited by hand"
    assert shop.tables.record(A).written["build"]["value"] == "FALSE"


ODD: dict[str, dict[str, Any]] = {
    "bytes": {"B": b"\x00\xff"},
    "a set of bytes": {"BS": [b"\x00"]},
    "a number": {"N": "7"},
    "nothing": {"NULL": True},
    "nested": {"M": {"status": {"M": {"status": {"L": [{"B": b"\x01"}, {"NULL": True}, {"NS": ["1"]}]}}}}},
    "long": {"S": "x" * 60_000},
}


@pytest.mark.parametrize("odd", ODD)
def test_columns_edited_into_nonsense_are_read_and_hold_up_nobody(shop: FunctionRoom, odd: str) -> None:
    ready(shop, A)
    for column in ("legal", "odd[0]", "🚀 lift-off", "deployed_to_staging", "branch"):
        shop.tables.client.update_item(
            TableName=shop.tables.tables.names["gates"],
            Key={"repo": {"S": shop.repo}, "commit": {"S": A}},
            AttributeUpdates={column: {"Action": "PUT", "Value": ODD[odd]}},
        )
    mapping = shop.promote()
    assert (mapping.given_up, shop.bodies(shop.dead_changes)) == ([], [])
    shop.send(shop.push(A, B, 30), shop.build(B, second=40))
    shop.settle()
    assert shop.tables.environment()["head"] == B


NONSENSE: dict[str, dict[str, Any]] = {
    "claims that are none": {"_claim_staging": "yes"},
    "a claim nobody made": {
        "_claim_staging": {"generation": 9, "at": seconds(0), "promotions": {}, "published": False}
    },
    "places that are none": {"_branches": {"main": "first"}},
    "no branches": {"_branches": [1]},
    "notes that are none": {"_set_build": 1, "_last_write": "now"},
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_our_own_attributes_edited_into_nonsense_cost_that_record_alone(shop: FunctionRoom, nonsense: str) -> None:
    ready(shop, A)
    shop.tables.edit(A, **NONSENSE[nonsense], legal="TRUE")
    shop.send(shop.push(A, B, 30), shop.build(B, second=40))
    shop.settle()
    assert shop.tables.environment()["head"] == B


def test_a_change_no_retry_can_help_is_a_dead_letter_with_its_reason(shop: FunctionRoom) -> None:
    ready(shop, A)
    shop.tables.edit(A, **NONSENSE["a claim nobody made"])
    mapping = shop.promote()
    assert mapping.given_up == []
    (_, attributes), *_ = shop.bodies(shop.dead_changes)
    assert "never was" in attributes["reason"]


def test_a_removed_record_is_nothing_to_decide_about(shop: FunctionRoom) -> None:
    shop.send(shop.push("", A))
    shop.recorder.drain()
    names = shop.tables.tables.names
    shop.tables.client.delete_item(TableName=names["gates"], Key={"repo": {"S": shop.repo}, "commit": {"S": A}})
    assert shop.promote().given_up == []
    assert shop.tables.item(A) == {}


@pytest.mark.usefixtures("patient_clients")
def test_the_function_answers_with_the_change_to_begin_again_at(
    shop: FunctionRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**shop.settings, "DEAD_LETTER_QUEUE_URL": shop.dead_changes}.items():
        monkeypatch.setenv(name, value)
    ready(shop, A)
    changes = shop.changes()
    broken = {**changes[0], "dynamodb": {"SequenceNumber": "1", "Keys": {}}}
    try:
        answer = promoter_app.promote({"Records": [*changes, broken]}, None)
    finally:
        promoter_app.handler.cache_clear()
        tracing.shutdown()
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(shop.promoted()) == 1


def test_columns_added_between_every_read_and_write_stay_and_are_waited_for(shop: FunctionRoom) -> None:
    added: list[str] = []

    def somebody_adds(_: str, __: object) -> None:
        added.append(f"column_{len(added)}")
        shop.tables.edit(A, **{added[-1]: ""})

    with before_each_write(somebody_adds):
        shop.send(shop.push("", A), shop.build(A), shop.build(A, "failed", 70), shop.build(A, "success", 80))
        shop.recorder.drain()
        for _ in range(3):
            shop.promote()
    item = shop.tables.item(A)
    assert len(added) > 6
    assert {name: item.get(name) for name in added} == dict.fromkeys(added, "")
    assert (shop.promoted(), shop.tables.decision(A)) == ([], "Wait")

    shop.tables.edit(A, **dict.fromkeys(added, "TRUE"))
    passed: list[str] = []

    def somebody_adds_what_is_passed(_: str, __: object) -> None:
        passed.append(f"passed_{len(passed)}")
        shop.tables.edit(A, **{passed[-1]: "TRUE"})

    with before_each_write(somebody_adds_what_is_passed):
        shop.promote()
    assert len(passed) > 2
    item = shop.tables.item(A)
    assert {name: item.get(name) for name in added + passed} == dict.fromkeys(added + passed, "TRUE")
    assert len(shop.promoted()) == 1


def refusal(code: str, *reasons: str) -> ClientError:
    """DynamoDB's answer to a write that it does not take."""
    told: Any = {
        "Error": {"Code": code, "Message": ""},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(told, "TransactWriteItems")


REFUSALS = {
    "throttling": refusal("ProvisionedThroughputExceededException"),
    "a conflict": refusal("TransactionCanceledException", "None", "TransactionConflict"),
    "a throttled part": refusal("TransactionCanceledException", "ThrottlingError", "None"),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_claim_that_dynamodb_does_not_take_at_first_is_made_later_and_once(shop: FunctionRoom, why: str) -> None:
    ready(shop, A)
    refused: list[str] = []

    def refuse(operation: str, _: object) -> None:
        if operation == "TransactWriteItems" and len(refused) < 3:
            refused.append(operation)
            raise REFUSALS[why]

    with before_each_write(refuse):
        mapping = shop.promote()
    assert (len(refused), mapping.given_up) == (3, [])
    assert len(shop.promoted()) == 1
    assert shop.tables.environment()["generation"] == 1


def test_what_dynamodb_never_takes_is_given_up_by_the_mapping_and_promoted_when_it_does(shop: FunctionRoom) -> None:
    ready(shop, A)
    changes = shop.changes()

    def refuse(*_: object) -> None:
        raise REFUSALS["throttling"]

    mapping = StreamMapping(shop.promoter, retries=2)
    with before_each_write(refuse):
        mapping.deliver(changes)
    (given_up,) = mapping.given_up
    assert (shop.promoted(), shop.bodies(shop.dead_changes)) == ([], []), "it concerns all, so it is nobody's poison"
    StreamMapping(shop.promoter).deliver(given_up)
    assert len(shop.promoted()) == 1


def test_a_claim_lost_to_another_promoter_is_looked_at_again_and_published_once(shop: FunctionRoom) -> None:
    ready(shop, A)
    changes, other = shop.changes(), shop.new_promoter()
    lost: list[str] = []

    def overtake(operation: str, _: object) -> None:
        if operation == "TransactWriteItems" and not lost:
            lost.append(operation)
            StreamMapping(other).deliver(changes)

    with before_each_write(overtake):
        StreamMapping(shop.promoter).deliver(changes)
    assert lost
    assert len(shop.promoted()) == 1
    assert shop.tables.environment()["generation"] == 1


def test_a_newer_commit_that_is_claimed_between_look_and_claim_supersedes(shop: FunctionRoom) -> None:
    ready(shop, A)
    changes, other = shop.changes(), shop.new_promoter()
    lost: list[str] = []

    def overtake(operation: str, _: object) -> None:
        if operation == "TransactWriteItems" and not lost:
            lost.append(operation)
            ready(shop, A, B)
            StreamMapping(other).deliver(shop.changes())

    with before_each_write(overtake):
        StreamMapping(shop.promoter).deliver(changes)
    assert lost
    assert [read_promotion(event).commit for event, _ in shop.waiting(shop.installs)] == [B]
    assert shop.tables.decision(A) == "Superseded"


class Stale(Reader):
    """Its first look is of the moment when it was made."""

    def __init__(self, old: Snapshot) -> None:
        super().__init__()
        self.old: list[Snapshot] = [old]

    def read(self, repo: str, commit: str, *others: str, environments: bool = True) -> Snapshot:
        return self.old.pop() if self.old else super().read(repo, commit, *others, environments=environments)


def test_a_stale_look_claims_nothing_that_has_been_closed_since(shop: FunctionRoom) -> None:
    ready(shop, A)
    reader = Stale(shop.tables.snapshot(A))
    shop.tables.edit(A, build="FALSE")
    promotions = Promotions(reader, Publisher(shop.sns), shop.promotions, utc_now)
    assert promotions.promote(shop.repo, A).counts == {}
    assert reader.old == []
    assert (shop.promoted(), shop.tables.decision(A)) == ([], "Blocked")


def test_a_request_of_a_person_has_the_promoter_look_again(shop: FunctionRoom) -> None:
    ready(shop, A)
    shop.changes()
    waiting.ask(shop.repo, [A], "ann asks")
    shop.promote()
    assert len(shop.promoted()) == 1
