"""What is still to come of a promotion, and the words for what people see seldom."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline_state.model.decision import OVERDUE, Blocked, Frozen, Held, Promoted
from pipeline_state.model.gates import Gate, GateStatus

CLAIMED = datetime(2026, 7, 1, 12, tzinfo=UTC)
AT, LATER = "2026-07-01T12:00:00Z", "2026-07-01T12:10:00Z"
PROMOTED = Promoted("staging", AT, 3, published=True, deployed=None)
MOMENT = timedelta(microseconds=1)


def deployed(status: GateStatus) -> Gate:
    return Gate("deployed_to_staging", status, at=LATER)


@pytest.mark.parametrize(
    "promoted, is_open",
    [
        (PROMOTED, True),
        (replace(PROMOTED, deployed=deployed(GateStatus.PENDING)), True),
        (replace(PROMOTED, deployed=deployed(GateStatus.PASSED)), False),
        (replace(PROMOTED, deployed=deployed(GateStatus.FAILED)), False),
        (replace(PROMOTED, then="b" * 40), False),
        (replace(PROMOTED, then="b" * 40, deployed=deployed(GateStatus.PENDING)), False),
    ],
    ids=["nothing yet", "pending", "deployed", "failed", "followed", "followed and pending"],
)
def test_a_result_is_to_come_until_there_is_one_or_another_promotion(promoted: Promoted, *, is_open: bool) -> None:
    assert promoted.is_open is is_open
    assert promoted.is_overdue(CLAIMED + 2 * OVERDUE) is is_open


@pytest.mark.parametrize("told_at, since", [("", CLAIMED), (LATER, CLAIMED + timedelta(minutes=10))])
def test_it_is_overdue_so_long_after_it_was_last_announced(told_at: str, since: datetime) -> None:
    promoted = replace(PROMOTED, told_at=told_at)
    assert not promoted.is_overdue(since + OVERDUE)
    assert promoted.is_overdue(since + OVERDUE + MOMENT)


@pytest.mark.parametrize(
    "promoted",
    [replace(PROMOTED, published=False), replace(PROMOTED, parked=True), replace(PROMOTED, at="Monday")],
    ids=["never announced", "put aside", "at no time"],
)
def test_it_is_never_overdue_when_it_was(promoted: Promoted) -> None:
    assert not promoted.is_overdue(CLAIMED + 100 * OVERDUE)


@pytest.mark.parametrize(
    "status, sentence",
    [
        (None, f"promoted to staging at {AT}, but staging is held by ann: incident"),
        (GateStatus.PENDING, f"promoted to staging at {AT}, but staging is held by ann: incident"),
        (GateStatus.PASSED, f"deployed to staging at {LATER}"),
    ],
)
def test_what_bars_a_promotion_is_said_until_there_is_a_result(status: GateStatus | None, sentence: str) -> None:
    gate = deployed(status) if status else None
    assert replace(PROMOTED, deployed=gate, barred=Held("staging", "ann", "incident")).sentence == sentence


def test_every_gate_that_failed_is_named() -> None:
    failed = (Gate("build", GateStatus.FAILED), Gate("scan", GateStatus.FAILED, reason="CVE-1"))
    assert Blocked("staging", failed).sentence == "blocked: build, scan (CVE-1) failed"


def test_what_nobody_put_a_name_to_was_somebody() -> None:
    assert Frozen("staging", "", "").state == "staging is frozen by somebody"
    assert Held("staging", "").state == "staging is held by somebody"
