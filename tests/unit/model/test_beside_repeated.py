"""What follows from an outcome may be done again long after it: then for all that has been missed since."""

from __future__ import annotations

from dataclasses import replace

from pipeline_state.model.beside import never_begun, next_release
from tests.unit.model.test_beside import API, DATABASE, WEB, outcomes


def test_the_first_release_again_leads_to_the_one_that_nobody_began() -> None:
    assert next_release(DATABASE, outcomes(database="deployed", api="deployed")) == "web"
    assert next_release(WEB, outcomes(database="deployed", api="deployed", web="deployed")) is None


def test_nothing_begins_behind_one_that_is_under_way_or_failed() -> None:
    assert next_release(WEB, outcomes(database="deployed", web="deployed")) == "api"
    assert next_release(DATABASE, outcomes(database="deployed", api="failed")) is None


def test_the_first_release_again_calls_off_what_comes_after_a_later_failure() -> None:
    assert never_begun(DATABASE, outcomes(database="deployed", api="failed")) == ("web",)
    assert never_begun(replace(API, in_order=False), outcomes(api="failed")) == ()


def test_what_never_begins_is_told_again_but_not_what_failed_by_itself() -> None:
    known = {**outcomes(database="failed", web="failed"), "api": {"kind": "failed", "begun": False}}
    assert never_begun(DATABASE, known) == ("api",)
