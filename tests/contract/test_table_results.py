"""What a gate says of the result that opened or closed it, and what is noted of an edit."""

from typing import Any

import pytest

from pipeline_state.faults import TemporaryFault
from pipeline_state.model.pipelines import SourceKind
from pipeline_state.model.results import Result
from pipeline_state.table import models
from pipeline_state.table.journal import history
from pipeline_state.table.results import record_result, set_gate
from pipeline_state.table.transaction import RefusedError
from tests.contract.table_room import A, TableRoom, pipeline, seconds, trace

LONGEST = 16_384
"""Characters of a value that is still noted."""


@pytest.fixture
def shop(room: TableRoom) -> TableRoom:
    room.define(pipeline())
    room.push("", A, 0)
    return room


def report(room: TableRoom, status: str, **more: str) -> dict[str, Any]:
    """The gate after a result."""
    given = {"app": "circleci", **more}
    result = Result(SourceKind.CIRCLECI_WORKFLOW, "build-test", status=status, completed_at=seconds(60), **given)
    record_result(room.reader, result, room.happening(status, A, 60), trace)
    return dict(room.item(A)["build"])


def test_a_result_that_passes_says_when_and_by_whom(shop: TableRoom) -> None:
    told = {"status": "TRUE", "at": seconds(60), "by": "circleci"}
    assert report(shop, "success") == told
    note = {"at": seconds(60), "by": "circleci", "value": told, "result": True}
    assert shop.item(A)["_set_build"] == note


@pytest.mark.parametrize("status, gate", [("failure", "FALSE"), ("cancelled", "")])
def test_a_result_that_does_not_pass_says_why(shop: TableRoom, status: str, gate: str) -> None:
    reason = f"build-test: {status}"
    assert report(shop, status) == {"status": gate, "at": seconds(60), "by": "circleci", "reason": reason}


def test_a_result_says_where_to_look_and_whose_it_was(shop: TableRoom) -> None:
    told = report(shop, "success", url="https://example.com/1", who="octocat")
    assert (told["url"], told["who"]) == ("https://example.com/1", "octocat")


def test_a_result_of_no_app_is_of_its_kind(shop: TableRoom) -> None:
    assert report(shop, "success", app="")["by"] == "circleci_workflow"


def test_an_edit_is_noted_with_when_and_by_whom(shop: TableRoom) -> None:
    shop.edit(A, build="TRUE")
    shop.note(A, 70, build="TRUE")
    assert shop.item(A)["_set_build"] == {"at": seconds(70), "by": "ci", "value": "TRUE"}


@pytest.mark.parametrize("length, is_noted", [(LONGEST, True), (LONGEST + 1, False)])
def test_what_is_longer_than_a_gate_needs_is_journalled_only(shop: TableRoom, length: int, *, is_noted: bool) -> None:
    value = "x" * (length - len(str({"S": ""})))
    shop.edit(A, build=value)
    shop.note(A, 70, build=value)
    assert ("_set_build" in shop.item(A)) is is_noted
    assert "edit 70" in shop.told(A)


def test_an_edit_that_is_another_by_now_is_journalled_only(shop: TableRoom) -> None:
    shop.edit(A, build="FALSE")
    shop.note(A, 70, build="TRUE")
    assert "_set_build" not in shop.item(A)
    assert "edit 70" in shop.told(A)


def test_a_result_waits_until_it_is_known_when_somebody_edited_its_gate(shop: TableRoom) -> None:
    shop.edit(A, build="FALSE")
    with pytest.raises(TemporaryFault) as fault:
        report(shop, "success")
    assert fault.value.reason == "build was set by hand a moment ago, it is not known yet when"
    assert fault.value.delay_seconds == 2
    assert shop.item(A)["build"] == "FALSE"


def test_a_gate_that_a_known_person_sets_is_noted_as_ours(shop: TableRoom) -> None:
    value = {"status": "TRUE", "at": seconds(60), "by": "ann", "reason": "LEGAL-1"}
    set_gate(shop.reader, "legal", value, shop.happening("set", A, 60, gate="legal"), trace)
    item = shop.item(A)
    assert (item["legal"], item["_set_legal"]["value"], item["_set_legal"]["by"]) == (value, value, "ann")
    assert item["_last_write"]["event"] == "set"


def test_a_claim_stays_in_the_journal_when_everything_else_leaves(
    shop: TableRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_retention", [90])
    report(shop, "success")
    shop.promote(A)
    leaving = {entry["entry"].split("#")[1]: "_expires_at" in entry for entry in history(shop.repo, A)}
    assert (leaving["success"], leaving["staging-1"]) == (True, False)


def test_a_promotion_of_a_number_that_there_was_before_is_refused(shop: TableRoom) -> None:
    report(shop, "success")
    shop.promote(A)
    shop.edit(A, _claim_staging=None)
    shop.edit_environment(generation=None, sequence=None)
    kept = shop.environment(f"staging#deployment#{1:010d}")
    with pytest.raises(RefusedError) as refused:
        shop.promote(A)
    assert "deployment" in refused.value.labels
    assert shop.environment(f"staging#deployment#{1:010d}") == kept
