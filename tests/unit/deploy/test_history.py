"""What a release's history says, for every state in which a Helm that was killed can have left it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.history import (
    Revision,
    RollBack,
    Uninstall,
    describe,
    ever_ready,
    finished,
    read_history,
    remedy,
)

READY = ("deployed", "superseded")
STUCK = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")
STATUSES = (*READY, *STUCK, "failed", "uninstalled", "unknown")
REVISIONS = st.lists(st.sampled_from(STATUSES), max_size=8)


def history(*statuses: str) -> tuple[Revision, ...]:
    return tuple(
        Revision(number, status, "web-1.0.0", f"gatestream p{number}") for number, status in enumerate(statuses, 1)
    )


@pytest.mark.parametrize(
    "statuses,expected",
    [
        ("", None),
        ("deployed", None),
        ("superseded deployed", None),
        ("superseded failed", None),
        ("failed", None),
        ("uninstalled", None),
        ("pending-install", Uninstall()),
        ("failed pending-upgrade", Uninstall()),
        ("deployed pending-upgrade", RollBack(1)),
        ("superseded deployed failed pending-rollback", RollBack(2)),
        ("superseded superseded failed pending-upgrade", RollBack(2)),
        ("superseded uninstalling", Uninstall()),
        ("superseded pending-upgrade deployed", None),
    ],
)
def test_a_stuck_release_goes_back_to_the_last_revision_that_was_ready(
    statuses: str, expected: RollBack | Uninstall | None
) -> None:
    assert remedy(history(*statuses.split())) == expected


@given(REVISIONS)
def test_nothing_is_ever_rolled_back_to_a_revision_that_was_not_ready(statuses: list[str]) -> None:
    way_out = remedy(history(*statuses))
    if isinstance(way_out, RollBack):
        assert statuses[way_out.revision - 1] in {"deployed", "superseded"}
        assert not {"deployed", "superseded"} & set(statuses[way_out.revision :])


@pytest.mark.parametrize(
    "statuses,promotion,expected",
    [
        ("deployed", "p1", 1),
        ("superseded deployed", "p1", 1),
        ("failed", "p1", None),
        ("pending-install", "p1", None),
        ("deployed", "p2", None),
        ("", "p1", None),
    ],
)
def test_a_promotion_is_finished_once_its_revision_was_ready(
    statuses: str, promotion: str, expected: int | None
) -> None:
    done = finished(history(*statuses.split()), promotion)
    assert (done.number if done else None) == expected


def test_a_promotion_is_not_taken_for_one_whose_id_begins_like_it() -> None:
    assert finished(history("deployed"), "p") is None
    assert finished(history("deployed"), "p12") is None


DIGEST = "sha256:" + "0a" * 32


def test_a_revision_is_known_by_its_promotion_and_tells_the_digest_it_was_described_with() -> None:
    described = Revision(1, "deployed", "web-0.1.0", describe("p 1", DIGEST))
    assert finished([described], "p 1") is described
    assert finished([described], "p") is None
    assert described.digest == DIGEST


@pytest.mark.parametrize(
    "description", ["gatestream p1", "Rollback to 1", f"gatestream {DIGEST}0", "gatestream p ", ""]
)
def test_a_revision_described_without_a_digest_has_none(description: str) -> None:
    assert Revision(1, "deployed", "web-0.1.0", description).digest == ""


def test_a_release_that_was_never_ready_is_deployed_for_the_first_time() -> None:
    assert [ever_ready(history(*each)) for each in ((), ("failed",), ("superseded", "failed"))] == [False, False, True]


def test_helms_own_lines_are_read() -> None:
    line = {
        "revision": 3,
        "updated": "2026-11-21T10:44:41.19817+00:00",
        "status": "deployed",
        "chart": "web-0.1.0",
        "app_version": "1.16.0",
        "description": "gatestream p",
    }
    assert read_history([line]) == (Revision(3, "deployed", "web-0.1.0", "gatestream p"),)
