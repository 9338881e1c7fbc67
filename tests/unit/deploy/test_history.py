"""What a release's history says, for every state in which a Helm that was killed can have left it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.deploy.history import (
    Marks,
    Revision,
    RollBack,
    Uninstall,
    applied,
    describe,
    ever_ready,
    finished,
    good,
    helm_goes_back_well,
    is_there,
    read_history,
    remedy,
    running,
    way_back,
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
    described = Revision(1, "deployed", "web-0.1.0", describe(Marks("p 1", digest=DIGEST)))
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


@pytest.mark.parametrize(
    "statuses,there", [("", False), ("deployed", True), ("failed", True), ("superseded uninstalled", False)]
)
def test_a_release_is_there_until_it_is_uninstalled(statuses: str, there: bool) -> None:  # noqa: FBT001
    assert is_there(history(*statuses.split())) is there


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


def told(*descriptions: str, last: str = "deployed") -> tuple[Revision, ...]:
    """Revisions that Helm has carried out, by their descriptions; the last one with another status if given."""
    statuses = [*["superseded"] * (len(descriptions) - 1), last][: len(descriptions)]
    return tuple(
        Revision(number, status, "web-1.0.0", description)
        for number, (status, description) in enumerate(zip(statuses, descriptions, strict=True), 1)
    )


WATCHED, UNVERIFIED = "gatestream p1", "gatestream p2 unverified"


@given(
    promotion=st.text(min_size=1).filter(lambda text: not text.endswith(" unverified") and "values:" not in text),
    unverified=st.booleans(),
    digest=st.sampled_from(["", DIGEST]),
    values=st.sampled_from(["", "0b" * 16]),
)
def test_what_is_described_is_read_again(promotion: str, unverified: bool, digest: str, values: str) -> None:  # noqa: FBT001
    marks = Marks(promotion.replace("sha256:", ""), unverified, digest, values)
    assert Revision(1, "deployed", "web-1.0.0", describe(marks)).marks == marks


@pytest.mark.parametrize(
    "descriptions,verified,expected",
    [
        ([WATCHED], 0, 1),
        ([UNVERIFIED], 0, None),
        ([UNVERIFIED], 1, 1),
        ([WATCHED, UNVERIFIED], 0, 1),
        ([WATCHED, UNVERIFIED], 2, 2),
        ([WATCHED, UNVERIFIED, "Rollback to 1"], 0, 3),
        ([WATCHED, UNVERIFIED, "Rollback to 2"], 0, 1),
        ([WATCHED, UNVERIFIED, "Rollback to 2"], 2, 3),
        ([UNVERIFIED, UNVERIFIED, "Rollback to 1", "Rollback to 3"], 1, 4),
        ([UNVERIFIED, "Rollback to 9"], 0, 2),
        (["Upgrade complete", UNVERIFIED], 0, 1),
        (["Rollback to 1"], 0, 1),
        ([UNVERIFIED, "Upgrade complete"], 0, 2),
        ([UNVERIFIED, "Upgrade complete"], 1, 1),
        ([WATCHED, "Upgrade complete"], 1, 1),
        ([WATCHED, "Upgrade complete", "Rollback to 1"], 1, 3),
        ([WATCHED, "Upgrade complete", "Rollback to 2"], 1, 1),
        (["Upgrade complete", UNVERIFIED], 9, None),
        (["Upgrade complete", "Upgrade complete"], 1, None),
        ([UNVERIFIED, "Rollback to 9"], 9, 2),
    ],
)
def test_what_helm_did_not_wait_for_is_good_only_where_our_records_say_so(
    descriptions: list[str], verified: int, expected: int | None
) -> None:
    found = good(told(*descriptions), verified)
    assert (found.number if found else None) == expected


@pytest.mark.parametrize(
    "descriptions,left,expected",
    [
        ([WATCHED, UNVERIFIED], 2, RollBack(1)),
        ([UNVERIFIED], 1, Uninstall()),
        ([UNVERIFIED, UNVERIFIED], 2, RollBack(1)),
        ([], 0, Uninstall()),
    ],
)
def test_the_way_back_leads_to_what_was_ready_and_to_nothing_only_where_there_was_nothing(
    descriptions: list[str], left: int, expected: RollBack | Uninstall
) -> None:
    assert way_back(told(*descriptions), left=left) == expected


def test_helm_itself_goes_back_well_unless_the_latest_that_it_calls_deployed_was_not_waited_for() -> None:
    cases: tuple[list[str], ...] = ([], [WATCHED], [WATCHED, UNVERIFIED], [UNVERIFIED, WATCHED])
    assert [helm_goes_back_well(told(*each)) for each in cases] == [True, True, False, True]
    assert helm_goes_back_well(told(WATCHED, UNVERIFIED), verified=2)


def test_what_somebody_installed_by_hand_since_is_gone_back_past() -> None:
    revisions = told(UNVERIFIED, "Upgrade complete")
    assert helm_goes_back_well(revisions)
    assert not helm_goes_back_well(revisions, verified=1)
    stuck = (*revisions, Revision(3, "pending-upgrade", "web-1.0.0", "gatestream p3"))
    assert [remedy(stuck), remedy(stuck, 1)] == [RollBack(2), RollBack(1)]
    assert way_back(told("Upgrade complete"), 9) == RollBack(1), "better than nothing at all"


def test_a_number_of_another_history_vouches_for_nothing_that_somebody_installed_by_hand() -> None:
    assert way_back(told("Install complete", "Upgrade complete", UNVERIFIED), 1, left=3) == RollBack(2)


UPGRADE_FAILED = 'Upgrade "web" failed: cannot patch "web": failed calling webhook:\nconnection refused'
ROLLBACK_FAILED = 'Rollback "web" failed: cannot patch "web": failed calling webhook:\nconnection refused'


@pytest.mark.parametrize("instead", [UPGRADE_FAILED, ROLLBACK_FAILED, 'Release "web" failed: x', "Preparing upgrade"])
def test_what_a_rollback_failed_to_lead_away_from_was_not_carried_out_although_helm_calls_it_superseded(
    instead: str,
) -> None:
    revisions = told(WATCHED, instead, ROLLBACK_FAILED, last="failed")
    assert [each.status for each in revisions] == ["superseded", "superseded", "failed"]
    assert [each.has_succeeded for each in revisions] == [True, False, False]
    assert good(revisions) == revisions[0]
    assert way_back(revisions) == RollBack(1)
    assert not helm_goes_back_well(revisions), "it takes what it calls superseded"
    assert not ever_ready(revisions[1:])


def test_what_was_ready_stays_so_where_somebodys_rollback_from_it_failed() -> None:
    revisions = told("gatestream p0", WATCHED, ROLLBACK_FAILED, last="failed")
    assert finished(revisions, "p1") == revisions[1]


def test_where_ways_back_that_failed_are_all_that_the_history_still_has_one_of_them_is_gone_again() -> None:
    revisions = told(UNVERIFIED, *[ROLLBACK_FAILED] * 9, last="failed")
    assert way_back(revisions, 9, left=1) == RollBack(9)


def test_a_stuck_release_goes_back_past_what_never_got_ready() -> None:
    assert remedy(told(WATCHED, UNVERIFIED, "Preparing upgrade", last="pending-upgrade")) == RollBack(1)


def test_a_promotion_is_applied_while_its_unverified_revision_is_the_latest() -> None:
    assert [
        bool(applied(told(*each), "p2")) for each in ([UNVERIFIED], [UNVERIFIED, "Rollback to 1"], [WATCHED], [])
    ] == [
        True,
        False,
        False,
        False,
    ]
    assert applied(told(UNVERIFIED, last="failed"), "p2") is None
    assert finished(told(UNVERIFIED), "p2") is None


FULL = f"gatestream p1 {DIGEST} values:{'0b' * 16}"


@pytest.mark.parametrize(
    "revisions,verified,expected",
    [
        (told(FULL), 0, "p1"),
        (told(FULL, "gatestream p2", "Rollback to 1"), 0, "p1"),
        (told(FULL, last="failed"), 0, None),
        (told(UNVERIFIED), 0, None),
        (told(UNVERIFIED), 1, "p2"),
        (told("Upgrade complete"), 0, None),
        ((), 0, None),
    ],
)
def test_what_a_release_runs_is_what_its_last_revision_goes_back_to(
    revisions: tuple[Revision, ...], verified: int, expected: str | None
) -> None:
    found = running(revisions, verified)
    assert (found.promotion if found else None) == expected
