"""Leases of releases, and what goes wrong with single calls: in MiniStack and in DynamoDB Local alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.promotion import Promotion
from pipeline_state.table import leases, waiting
from pipeline_state.table.lease import Busy, Ended, Finished, Lease, Overtaken, Taken
from pipeline_state.table.models import connection
from tests.contract.table_room import A, B, TableRoom, pipeline, together

NOW, UNTIL, LATER = 1000.0, 1900.0, 1901.0
OUTCOME = {"kind": "deployed", "revision": 3}


@pytest.fixture
def promotion(room: TableRoom) -> Promotion:
    """The first, of A to staging."""
    room.define(pipeline())
    room.ready(A, 10)
    (first,) = room.promote(A)
    return first


def newer(room: TableRoom) -> Promotion:
    room.ready(B, 20, A)
    (second,) = room.promote(B)
    return second


def take(promotion: Promotion, owner: str = "me", now: float = NOW) -> Lease:
    return leases.take(promotion, owner, lambda: now, now + 900)


def test_a_lease_is_taken_and_given_back_with_the_outcome(room: TableRoom, promotion: Promotion) -> None:
    assert take(promotion) == Taken()
    assert leases.finish(promotion, "me", OUTCOME) == Ended("")
    assert take(promotion, "another") == Finished(OUTCOME, None)
    assert not [name for name in room.environment() if name.startswith("lease")]


def test_a_lease_of_this_promotion_is_busy_for_others_until_its_deadline(promotion: Promotion) -> None:
    take(promotion)
    assert take(promotion, "another") == Busy(int(UNTIL), same=True)
    assert take(promotion, "another", UNTIL) == Busy(int(UNTIL), same=True)
    assert take(promotion, "another", LATER) == Taken()


def test_a_lease_of_an_older_promotion_is_busy_until_its_deadline(room: TableRoom, promotion: Promotion) -> None:
    take(promotion)
    second = newer(room)
    assert take(second, "another") == Busy(int(UNTIL), same=False)
    assert take(second, "another", LATER) == Taken()


def test_taking_twice_since_the_answer_got_lost_is_taking_once(promotion: Promotion) -> None:
    assert [take(promotion), take(promotion)] == [Taken(), Taken()]


def test_a_newer_promotion_overtakes_one_that_has_not_begun(room: TableRoom, promotion: Promotion) -> None:
    newer(room)
    assert take(promotion) == Overtaken(2, None)


def test_a_promotion_to_an_environment_that_is_gone_is_overtaken(room: TableRoom, promotion: Promotion) -> None:
    room.change("environments", {"pipeline": promotion.pipeline, "environment": "staging"}, {"generation": None})
    assert take(promotion) == Overtaken(0, None)


def test_of_many_at_once_one_takes_the_lease(promotion: Promotion) -> None:
    answers = together(8, lambda index: take(promotion, f"owner {index}"))
    assert answers.count(Taken()) == 1
    assert answers.count(Busy(int(UNTIL), same=True)) == 7


def test_a_lease_given_back_without_a_result_is_free(promotion: Promotion) -> None:
    take(promotion)
    leases.give_back(promotion, "me")
    assert take(promotion, "another") == Taken()


def test_only_its_owner_gives_a_lease_back(promotion: Promotion) -> None:
    take(promotion)
    leases.give_back(promotion, "another")
    assert take(promotion, "another") == Busy(int(UNTIL), same=True)


def test_who_lost_the_lease_by_its_deadline_finishes_nothing(promotion: Promotion) -> None:
    take(promotion, "slow")
    take(promotion, "next", LATER)
    assert leases.finish(promotion, "slow", OUTCOME) is None
    assert leases.finish(promotion, "next", {"kind": "failed"}) == Ended("")
    assert leases.finish(promotion, "slow", OUTCOME) is None
    assert take(promotion) == Finished({"kind": "failed"}, None)


def test_finishing_twice_since_the_answer_got_lost_is_finishing_once(room: TableRoom, promotion: Promotion) -> None:
    take(promotion)
    leases.park(newer(room), "the newer event")
    answers = [leases.finish(promotion, "me", OUTCOME), leases.finish(promotion, "me", OUTCOME)]
    assert answers == [Ended("the newer event"), Ended("the newer event")]


def test_what_is_parked_is_told_to_who_finishes_and_kept_until_unparked(room: TableRoom, promotion: Promotion) -> None:
    take(promotion)
    second = newer(room)
    leases.park(second, "its event")
    assert take(promotion, "a duplicate") == Busy(int(UNTIL), same=True), "its holder will publish it"
    assert leases.finish(promotion, "me", OUTCOME) == Ended("its event")
    assert take(promotion, "a retry") == Finished(OUTCOME, "its event")
    leases.unpark(second, "another event")
    assert take(promotion, "a retry") == Finished(OUTCOME, "its event")
    leases.unpark(second, "its event")
    assert take(promotion, "a retry") == Finished(OUTCOME, None)


def test_what_is_parked_behind_a_dead_holder_is_told_to_its_successor(room: TableRoom, promotion: Promotion) -> None:
    take(promotion)
    leases.park(newer(room), "its event")
    assert take(promotion, "the same message again", LATER) == Overtaken(2, "its event")


def test_an_older_promotion_never_replaces_what_is_parked(room: TableRoom, promotion: Promotion) -> None:
    take(promotion)
    leases.park(newer(room), "the newer event")
    leases.park(promotion, "a duplicate of the older one")
    assert not leases.park(promotion, "a duplicate of the older one", "the newer event")
    assert leases.finish(promotion, "me", OUTCOME) == Ended("the newer event")


def test_only_what_was_found_parked_is_replaced(room: TableRoom, promotion: Promotion) -> None:
    assert leases.park(promotion, "its event")
    second = newer(room)
    assert not leases.park(second, "the newer event")
    assert not leases.park(second, "the newer event", "another one")
    assert leases.park(second, "the newer event", "its event")
    assert leases.parked_event(leases.read(second), "web") == "the newer event"


def test_what_is_carried_out_is_parked_no_more(promotion: Promotion) -> None:
    take(promotion)
    leases.finish(promotion, "me", OUTCOME)
    assert not leases.park(promotion, "its event")
    assert leases.parked_event(leases.read(promotion), "web") == ""


def test_a_commit_of_which_something_is_parked_is_not_struck_off_by_who_looked_before(
    room: TableRoom, promotion: Promotion
) -> None:
    for parked in ("", "its event"):
        (seen,) = waiting.of_repo(room.repo)
        assert leases.park(promotion, "its event", parked)
        waiting.forget(seen)
        assert [each.commit for each in waiting.of_repo(room.repo)] == [A]
    waiting.forget(waiting.of_repo(room.repo)[0])
    assert leases.park(promotion, "its event", "its event")
    assert [each.commit for each in waiting.of_repo(room.repo)] == [A]


def test_a_promotion_is_overtaken_unless_it_has_begun_or_is_done(room: TableRoom, promotion: Promotion) -> None:
    assert not leases.is_overtaken(promotion, NOW)
    take(promotion)
    newer(room)
    assert not leases.is_overtaken(promotion, NOW)
    leases.give_back(promotion, "me")
    assert leases.is_overtaken(promotion, NOW)


# what never happens locally


class DynamoDBAnswer(AWSResponse):
    """An error as DynamoDB sends it over HTTP."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__("http://dynamodb", status, HTTPHeaders(), raw=None)
        self._content = body.encode()


CANCELLED = (
    '{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"cancelled",'
    '"CancellationReasons":[%s]}'
)
FAULTS = {
    "throttled": (400, '{"__type":"#ProvisionedThroughputExceededException","message":"slow down"}', TemporaryFault),
    "too many requests": (400, '{"__type":"#ThrottlingException","message":"slow down"}', TemporaryFault),
    "broken": (500, '{"__type":"#InternalServerError","message":"sorry"}', TemporaryFault),
    "expired": (400, '{"__type":"#ExpiredTokenException","message":"token"}', TemporaryFault),
    "in conflict": (400, '{"__type":"#TransactionConflictException","message":"conflict"}', TemporaryFault),
    "hopeless": (400, '{"__type":"#ValidationException","message":"no"}', PermanentFault),
    "unreadable": (400, '{"__type":"com.amazon.coral.service#SerializationException"}', PermanentFault),
}
REASONS = {
    "another transaction": ('{"Code":"None"},{"Code":"TransactionConflict","Message":"conflict"}', TemporaryFault),
    "throttling": ('{"Code":"ThrottlingError","Message":"slow down"},{"Code":"None"}', TemporaryFault),
    "an item that grew too large": ('{"Code":"None"},{"Code":"ValidationError","Message":"400 KB"}', PermanentFault),
}


@contextmanager
def answering(status: int, body: str, times: int = 1_000) -> Iterator[list[str]]:
    """DynamoDB answers so many calls so; the operations that were called."""
    called: list[str] = []

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        called.append(request.headers["X-Amz-Target"].decode().partition(".")[2])
        return DynamoDBAnswer(status, body) if len(called) <= times else None

    events: Any = connection().client.meta.events
    events.register("before-send.dynamodb.*", answer)
    try:
        yield called
    finally:
        events.unregister("before-send.dynamodb.*", answer)


CALLS: dict[str, Callable[[TableRoom, Promotion], object]] = {
    "read": lambda room, _: room.snapshot(A),
    "write": lambda room, _: room.push("", A, 99),
    "take": lambda _, promotion: take(promotion),
    "finish": lambda _, promotion: leases.finish(promotion, "me", OUTCOME),
    "park": lambda _, promotion: leases.park(promotion, "event"),
}


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own retries without the waits between them."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setattr("botocore.retries.standard.time.sleep", lambda _: None)
    monkeypatch.setattr("pipeline_state.table.retry.time.sleep", lambda _: None)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("reason", FAULTS)
@pytest.mark.usefixtures("unhurried")
def test_a_call_that_fails_says_whether_to_try_again(
    room: TableRoom, promotion: Promotion, reason: str, call: str
) -> None:
    status, body, expected = FAULTS[reason]
    with answering(status, body) as called, pytest.raises(expected, match="DynamoDB"):
        CALLS[call](room, promotion)
    assert called


@pytest.mark.usefixtures("unhurried")
def test_another_transaction_that_comes_in_between_is_let_by(room: TableRoom) -> None:
    reasons, _ = REASONS["another transaction"]
    with answering(400, CANCELLED % reasons, times=3):
        room.push("", B, 30)
    assert room.snapshot(B).record.branches


@pytest.mark.usefixtures("unhurried")
def test_a_lease_is_given_back_although_a_claim_comes_in_between(room: TableRoom, promotion: Promotion) -> None:
    take(promotion)
    status, body, _ = FAULTS["in conflict"]
    with answering(status, body, times=3):
        assert leases.finish(promotion, "me", OUTCOME) == Ended("")
    assert take(promotion, "another") == Finished(OUTCOME, None)
    assert not [name for name in room.environment() if name.startswith("lease")]


@pytest.mark.usefixtures("unhurried")
def test_what_has_to_wait_is_parked_although_a_claim_comes_in_between(promotion: Promotion) -> None:
    reasons, _ = REASONS["another transaction"]
    with answering(400, CANCELLED % reasons, times=3):
        assert leases.park(promotion, "its event")
    assert leases.parked_event(leases.read(promotion), "web") == "its event"


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.usefixtures("unhurried")
def test_a_transaction_cancelled_by(room: TableRoom, promotion: Promotion, reason: str) -> None:
    reasons, expected = REASONS[reason]
    second = room.ready(B, 20, A)
    with answering(400, CANCELLED % reasons), pytest.raises(expected, match="DynamoDB"):
        room.promote(B, snapshot=second)
    assert room.environment()["generation"] == promotion.generation
