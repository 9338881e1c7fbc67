"""The pump itself: what the documentation of event source mappings says, sentence by sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.contract.pump import Record, StreamMapping


def records(count: int) -> list[dict[str, Any]]:
    return [{"dynamodb": {"SequenceNumber": str(100 + number)}} for number in range(count)]


def numbers(batch: Sequence[Record]) -> list[int]:
    return [int(record["dynamodb"]["SequenceNumber"]) - 100 for record in batch]


class Function:
    """Notes what it is given and answers as told, poison with a report or an error."""

    def __init__(self, *poison: int, answer: Callable[[list[int]], Any] | None = None, raises: bool = False) -> None:
        self.poison, self.answer, self.raises = poison, answer, raises
        self.batches: list[list[int]] = []

    def __call__(self, batch: Sequence[Record]) -> Any:
        given = numbers(batch)
        self.batches.append(given)
        bad = [number for number in given if number in self.poison]
        if bad and self.raises:
            raise ValueError
        return self.answer(given) if self.answer else {"batchItemFailures": [named(number) for number in bad]}


def named(number: int) -> dict[str, str]:
    return {"itemIdentifier": str(100 + number)}


def test_batches_come_in_order_and_once_when_nothing_fails() -> None:
    function = Function()
    StreamMapping(function, batch_size=2).deliver(records(5))
    assert function.batches == [[0, 1], [2, 3], [4]]


def test_a_reported_failure_is_begun_again_at_the_lowest() -> None:
    answers = iter([[3, 2], []])
    function = Function(answer=lambda _: {"batchItemFailures": [named(number) for number in next(answers)]})
    StreamMapping(function).deliver(records(4))
    assert function.batches == [[0, 1, 2, 3], [2, 3]]


def test_poison_is_retried_so_often_and_given_up_with_what_follows_in_its_batch() -> None:
    function = Function(1)
    mapping = StreamMapping(function, batch_size=3, retries=2)
    mapping.deliver(records(4))
    assert function.batches == [[0, 1, 2], [1, 2], [1, 2], [3]]
    assert [numbers(batch) for batch in mapping.given_up] == [[1, 2]]


def test_an_error_halves_the_batch_until_poison_is_alone() -> None:
    function = Function(2, raises=True)
    mapping = StreamMapping(function, retries=1)
    mapping.deliver(records(4))
    assert function.batches == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [2], [3]]
    assert [numbers(batch) for batch in mapping.given_up] == [[2]]


def test_without_bisect_an_error_costs_the_whole_batch() -> None:
    mapping = StreamMapping(Function(2, raises=True), retries=1, bisect=False)
    mapping.deliver(records(4))
    assert [numbers(batch) for batch in mapping.given_up] == [[0, 1, 2, 3]]


@pytest.mark.parametrize("answer", [{"batchItemFailures": [named(9)]}, {"batchItemFailures": [{"itemIdentifier": ""}]}])
def test_an_answer_that_names_no_record_of_the_batch_fails_it_whole(answer: Any) -> None:
    mapping = StreamMapping(Function(answer=lambda _: answer), retries=0, bisect=False)
    mapping.deliver(records(2))
    assert [numbers(batch) for batch in mapping.given_up] == [[0, 1]]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_an_empty_answer_is_success(answer: Any) -> None:
    function = Function(answer=lambda _: answer)
    StreamMapping(function).deliver(records(2))
    assert function.batches == [[0, 1]]
