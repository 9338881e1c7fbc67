"""Every call to AWS that the whole way makes goes wrong once, in every way, and in the end all is as if it had not."""

import pytest

from tests.contract import faults
from tests.contract.faults import CHAPTERS, Case, Told
from tests.contract.way_room import new_room

PARTS = 72
"""The runs are spread over so many tests, and these over the machine's cores."""


@pytest.fixture(scope="module")
def whole(ministack: str) -> Told:
    """The run in which nothing goes wrong."""
    with pytest.MonkeyPatch.context() as patch:
        return faults.run(new_room(ministack, patch))


def runs(whole: Told) -> list[dict[str, Case]]:
    """All cases of all chapters, with one of each chapter in every run as long as it has one."""
    cases = {chapter.name: whole.cases(chapter.name) for chapter in CHAPTERS}
    return [
        {name: each[number] for name, each in cases.items() if number < len(each)}
        for number in range(max(map(len, cases.values())))
    ]


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_goes_wrong_the_end_is_the_same(
    ministack: str, monkeypatch: pytest.MonkeyPatch, whole: Told, part: int
) -> None:
    for planned in runs(whole)[part::PARTS]:
        told = faults.run(new_room(ministack, monkeypatch), planned, whole)
        expected = {name: whole.calls[name][nth] for name, (_, nth) in planned.items()}
        assert {name: told.hits[name] for name in planned} == expected
        assert {*told.ends} != {*whole.ends} or told.queues == whole.queues


def test_without_faults_the_run_is_always_the_same(
    ministack: str, monkeypatch: pytest.MonkeyPatch, whole: Told
) -> None:
    again = faults.run(new_room(ministack, monkeypatch), whole=whole)
    assert (again.calls, again.queues) == (whole.calls, whole.queues)


def test_what_is_left_in_the_queues_is_the_poison_with_its_reason(whole: Told) -> None:
    no_event = "not a CloudEvent in structured JSON: JSONDecodeError"
    no_claim = (
        "the record claims promotion 99 to staging of shop-, which there never was; remove the claim from the record"
    )
    assert whole.queues == {
        "-events": 0,
        "-installs.fifo": 0,
        "-events-dead": [no_event],
        "-installs-dead.fifo": [no_event],
        "-rollouts-dead": [],
        "-changes-dead": [no_claim],
    }


def test_every_call_of_the_run_has_its_cases(whole: Told) -> None:
    planned = [(name, case) for each in runs(whole) for name, case in each.items()]
    for chapter in CHAPTERS:
        for nth, call in enumerate(whole.calls[chapter.name]):
            cases = {kind for name, (kind, number) in planned if (name, number) == (chapter.name, nth)}
            assert cases >= {"unsent", "dies before"}, (chapter.name, nth, call)
            assert cases == {*faults.KINDS} or call in faults.READS, (chapter.name, nth, call)


def test_the_run_makes_every_kind_of_call_there_is(whole: Told) -> None:
    assert {call for calls in whole.calls.values() for call in calls} == {
        "dynamodb.TransactGetItems",
        "dynamodb.TransactWriteItems",
        "dynamodb.GetItem",
        "dynamodb.BatchGetItem",
        "dynamodb.Query",
        "dynamodb.UpdateItem",
        "dynamodb.DeleteItem",
        "sns.Publish",
        "sqs.SendMessage",
        "sqs.ChangeMessageVisibility",
        "helm.upgrade",
        "helm.status",
        "helm.rollback",
    }
