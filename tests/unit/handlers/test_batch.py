"""One bad record never fails its batch, and what is said about it quotes nobody's payload."""

import logging
from typing import Any

import pytest

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers.batch import Batch, Record, backing_off

SECRET = "in the payload"


class Letters:
    """A dead-letter queue that keeps what it is given, or takes nothing."""

    def __init__(self, *, takes: bool = True) -> None:
        self.takes, self.sent, self.ids = takes, list[dict[str, Any]](), list[str]()

    def send(self, body: str, attributes: Any = None, deduplication_id: str = "") -> None:
        if not self.takes:
            raise TemporaryFault("SQS did not take it")
        self.sent.append({"body": body, "reason": attributes["reason"]["StringValue"]})
        self.ids.append(deduplication_id)


def batch(letters: Letters) -> Batch:
    return Batch(work, letters)  # type: ignore[arg-type]


def work(record: Record) -> None:
    match record.get("body") or record["dynamodb"]["Keys"]:
        case "permanent":
            raise PermanentFault("it is not an event\x00; mend it")
        case "temporary":
            raise TemporaryFault("it is throttled")
        case "bug":
            raise ValueError(SECRET)


def messages(*bodies: str) -> list[dict[str, Any]]:
    return [{"messageId": f"{number} {body}", "body": body} for number, body in enumerate(bodies)]


def changes(*keys: str) -> list[dict[str, Any]]:
    return [{"dynamodb": {"SequenceNumber": f"{number} {key}", "Keys": key}} for number, key in enumerate(keys)]


def failed(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_messages_that_may_be_retried_are_named_and_no_others() -> None:
    answer = batch(Letters()).messages(messages("fine", "temporary", "permanent", "bug", "fine"))
    assert failed(answer) == ["1 temporary", "3 bug"]


def test_changes_that_may_be_retried_are_named_and_those_behind_are_worked_on_all_the_same() -> None:
    letters = Letters()
    answer = batch(letters).changes(changes("temporary", "permanent", "bug"))
    assert failed(answer) == ["0 temporary", "2 bug"]
    assert len(letters.sent) == 1


def test_what_no_retry_can_help_is_kept_whole_with_a_reason_that_sqs_takes() -> None:
    letters = Letters()
    batch(letters).messages(messages("permanent"))
    assert letters.sent == [{"body": "permanent", "reason": "it is not an event\ufffd; mend it"}]


def test_while_the_dead_letter_queue_takes_nothing_the_message_stays() -> None:
    assert failed(batch(Letters(takes=False)).messages(messages("permanent"))) == ["0 permanent"]


def test_a_message_is_buried_once_for_each_time_it_was_sent() -> None:
    letters = Letters()
    batch(letters).messages(messages("fine", "permanent"))
    assert letters.ids == ["1 permanent"]


def test_a_change_that_keeps_meeting_a_bug_is_given_up_soon_so_that_those_behind_it_can_go_on() -> None:
    letters = Letters()
    told = batch(letters)
    poison = changes("fine", "bug", "temporary")
    assert [failed(told.changes(poison)) for _ in range(2)] == [["1 bug", "2 temporary"]] * 2
    assert letters.sent == []
    assert failed(told.changes(poison)) == ["2 temporary"]
    assert [sent["reason"] for sent in letters.sent] == [
        "given up after 3 attempts: unexpected ValueError; the function's log says where"
    ]


def test_a_bug_that_is_gone_the_next_time_leaves_all_attempts_to_the_next_one() -> None:
    letters, answers = Letters(), iter(["bug", "bug", "fine", "bug", "bug"])

    def sometimes(_: Record) -> None:
        work({"body": next(answers)})

    told = Batch(sometimes, letters)  # type: ignore[arg-type]
    tries = [failed(told.changes(changes("x"))) for _ in range(5)]
    assert tries == [["0 x"], ["0 x"], [], ["0 x"], ["0 x"]]
    assert letters.sent == []


def test_a_change_that_cannot_be_given_up_stays() -> None:
    told = batch(Letters(takes=False))
    assert [failed(told.changes(changes("bug"))) for _ in range(4)] == [["0 bug"]] * 4


def test_a_bug_is_logged_by_its_place_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    batch(Letters()).messages(messages("bug"))
    assert "ValueError" in caplog.text
    assert "in work" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("body, reason", [
    ("temporary", "given up after 3 attempts: it is throttled"),
    ("bug", "given up after 3 attempts: unexpected ValueError; the function's log says where"),
])  # fmt: skip
def test_the_last_attempt_ends_in_the_dead_letters_with_what_went_wrong(body: str, reason: str) -> None:
    letters = Letters()
    told = Batch(work, letters, attempts=3)  # type: ignore[arg-type]
    tries = [{**messages(body)[0], "attributes": {"ApproximateReceiveCount": str(number)}} for number in (2, 3)]
    assert failed(told.messages(tries[:1])) == ["0 " + body]
    assert letters.sent == []
    assert failed(told.messages(tries[1:])) == []
    assert letters.sent == [{"body": body, "reason": reason}]


def test_the_last_attempt_is_left_to_the_queue_when_the_dead_letters_take_nothing() -> None:
    told = Batch(work, Letters(takes=False), attempts=1)  # type: ignore[arg-type]
    last = {**messages("temporary")[0], "attributes": {"ApproximateReceiveCount": "1"}}
    assert failed(told.messages([last])) == ["0 temporary"]


@pytest.mark.parametrize(
    "attempt, asked, longest, hidden",
    [(1, 2.0, 900, 4), (3, 0.0, 900, 8), (12, 5.0, 900, 900), (3, 10.0, 120, 80), (4, 10.0, 120, 120)],
)
def test_a_message_to_be_tried_again_is_hidden_longer_every_time_up_to_a_bound(
    attempt: int, asked: float, longest: int, hidden: int
) -> None:
    calls: list[dict[str, Any]] = []

    class Sqs:
        def change_message_visibility(self, **call: Any) -> None:
            calls.append(call)

    def throttled(_: Record) -> None:
        raise TemporaryFault("it is throttled", asked)

    told = {"receiptHandle": "handle", "attributes": {"ApproximateReceiveCount": str(attempt)}}
    with pytest.raises(TemporaryFault):
        backing_off(throttled, Sqs, "queue", longest)(told)  # type: ignore[arg-type]
    assert calls == [{"QueueUrl": "queue", "ReceiptHandle": "handle", "VisibilityTimeout": hidden}]


def test_an_empty_batch_has_no_failures() -> None:
    assert batch(Letters()).messages([]) == {"batchItemFailures": []}
