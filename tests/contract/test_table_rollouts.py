"""Rollouts and withdrawals in the tables: who may act on a release from apply to verdict, and what is left of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.rollout import Phase, Rollout
from pipeline_state.table import leases, rollouts, withdrawals
from pipeline_state.table.lease import Busy, Ended, Finished, Taken, Watched
from pipeline_state.table.rollouts import Watching
from tests.contract.function_room import before_each_write
from tests.contract.table_room import WEB, A, B, TableRoom, pipeline

NOW, UNTIL, LATER = 1000.0, 1900.0, 1901.0
BEGUN = Rollout(2, "web-1", "", "upgraded", previous=1, begun=NOW, since=NOW, until=UNTIL)
GOOD, BAD = {"kind": "deployed", "revision": 2, "previous": 1}, {"kind": "failed", "reason": "not begun"}


@pytest.fixture
def promotion(room: TableRoom) -> Promotion:
    """Of A to staging, whose two releases go in order."""
    releases = (WEB, replace(WEB, name="api"))
    room.define(pipeline(Environment("staging", ("build",), (), releases, Cluster(context="local"), in_order=True)))
    room.ready(A, 10)
    return room.promote(A)[1]


def newer(room: TableRoom) -> Promotion:
    room.ready(B, 20, A)
    return room.promote(B)[1]


def begin(promotion: Promotion) -> None:
    """It is applied, and watched until a time."""
    leases.take(promotion, "me", lambda: NOW, UNTIL)
    assert rollouts.hand_over(promotion, "me", BEGUN, UNTIL)


def found(promotion: Promotion, now: float = NOW) -> Watching:
    it = rollouts.find(promotion, now)
    assert it is not None
    return it


def test_what_is_watched_is_taken_over_kept_and_handed_over_again(promotion: Promotion) -> None:
    begin(promotion)
    seen = found(promotion)
    assert (seen.rollout, seen.is_idle, seen.until, seen.verified) == (BEGUN, True, int(UNTIL), 0)
    assert rollouts.take_over(promotion, seen, "you", NOW, UNTIL)
    assert not found(promotion).is_idle
    failed = replace(BEGUN, failed="it crashes")
    assert rollouts.keep(promotion, "you", failed)
    assert rollouts.hand_over(promotion, "you", failed, UNTIL)
    assert (found(promotion).rollout, found(promotion).is_idle) == (failed, True)


def test_a_release_that_was_uninstalled_meanwhile_has_no_revision_that_is_known_to_have_become_ready(
    room: TableRoom, promotion: Promotion
) -> None:
    begin(promotion)
    leases.finish(promotion, leases.watch(promotion), GOOD, 2)
    second = newer(room)
    assert leases.take(second, "me", lambda: NOW, UNTIL) == Taken(2)
    assert rollouts.hand_over(second, "me", replace(BEGUN, revision=3, previous=2), UNTIL)
    assert found(second).verified == 2
    assert rollouts.take_over(second, found(second), "me", NOW, UNTIL)
    assert rollouts.hand_over(second, "me", replace(BEGUN, revision=1, previous=0), UNTIL)
    assert found(second).verified == 0


def test_only_who_has_the_lease_writes_down_how_a_rollout_stands(promotion: Promotion) -> None:
    begin(promotion)
    assert not rollouts.keep(promotion, "you", replace(BEGUN, failed="it crashes"))
    assert found(promotion).rollout == BEGUN


def test_what_has_gone_on_since_it_was_looked_at_is_not_taken_over(promotion: Promotion) -> None:
    begin(promotion)
    seen = found(promotion)
    assert rollouts.take_over(promotion, seen, "you", NOW, UNTIL)
    assert rollouts.hand_over(promotion, "you", replace(BEGUN, phase=Phase.VERIFY), UNTIL)
    assert not rollouts.take_over(promotion, seen, "another", NOW, UNTIL)
    assert rollouts.take_over(promotion, found(promotion), "another", NOW, UNTIL)


def test_a_rollout_whose_lease_is_over_is_still_watched_and_can_be_taken_over(promotion: Promotion) -> None:
    begin(promotion)
    assert leases.take(promotion, "you", lambda: LATER, LATER + 900) == Watched(int(UNTIL))
    seen = found(promotion, LATER)
    assert seen.is_idle
    assert rollouts.take_over(promotion, seen, "you", LATER, LATER + 900)


def test_nothing_of_a_rollout_is_left_to_the_newer_promotion_that_takes_its_lease(
    room: TableRoom, promotion: Promotion
) -> None:
    begin(promotion)
    second = newer(room)
    assert leases.take(second, "you", lambda: NOW, UNTIL) == Busy(int(UNTIL), same=False)
    assert leases.take(second, "you", lambda: LATER, LATER + 900) == Taken()
    assert rollouts.find(second, LATER + 901) is None
    assert rollouts.find(promotion, LATER) is None
    assert leases.take(second, "another", lambda: LATER + 901, LATER + 1800) == Taken()


def test_what_never_begins_is_written_down_although_an_older_one_is_at_work(
    room: TableRoom, promotion: Promotion
) -> None:
    begin(promotion)
    second = newer(room)
    assert withdrawals.skip(second, BAD)
    assert leases.finished(second, NOW) == Finished(BAD, None)
    seen = found(promotion)
    assert rollouts.take_over(promotion, seen, "you", NOW, UNTIL)
    assert leases.finish(promotion, "you", GOOD, 2) == Ended("")
    assert leases.finished(second, NOW) == Finished(BAD, None)
    environment = room.environment()
    assert (environment["done:api"], environment["verified:api"]) == (2, 2)
    assert not [name for name in environment if name.startswith(("lease", "rollout"))]
    assert leases.finish(promotion, "you", GOOD, 2) is None


def test_what_has_begun_or_is_done_is_not_called_off(promotion: Promotion) -> None:
    begin(promotion)
    assert not withdrawals.skip(promotion, BAD)
    leases.finish(promotion, leases.watch(promotion), GOOD)
    assert not withdrawals.skip(promotion, BAD)
    assert leases.finished(promotion, NOW) == Finished(GOOD, None)


def test_what_has_been_overtaken_is_not_called_off(room: TableRoom, promotion: Promotion) -> None:
    newer(room)
    assert not withdrawals.skip(promotion, BAD)


def test_what_is_deployed_is_taken_back_once(promotion: Promotion) -> None:
    begin(promotion)
    leases.finish(promotion, leases.watch(promotion), GOOD, 2)
    assert withdrawals.take_back(promotion, "me", NOW, UNTIL) == Finished(GOOD, None)
    assert withdrawals.take_back(promotion, "you", NOW, UNTIL) == Busy(int(UNTIL), same=True)
    assert leases.finish(promotion, "me", BAD, 1) == Ended("")
    assert withdrawals.take_back(promotion, "you", NOW, UNTIL) is None


def test_what_another_takes_back_between_look_and_write_is_not_taken_back_again(promotion: Promotion) -> None:
    begin(promotion)
    leases.finish(promotion, leases.watch(promotion), GOOD, 2)
    come: list[str] = []

    def meanwhile(*_: object) -> None:
        if not come:
            come.append("another")
            assert withdrawals.take_back(promotion, "another", NOW, UNTIL) == Finished(GOOD, None)
            assert leases.finish(promotion, "another", BAD, 1) == Ended("")

    with before_each_write(meanwhile):
        assert withdrawals.take_back(promotion, "me", NOW, UNTIL) == Busy(int(NOW) + 1, same=True)
    assert come
    assert leases.finished(promotion, NOW) == Finished(BAD, None)


def test_a_watch_that_was_over_and_is_prolonged_between_look_and_write_is_not_taken(
    room: TableRoom, promotion: Promotion
) -> None:
    begin(promotion)
    second = newer(room)
    come: list[str] = []

    def meanwhile(*_: object) -> None:
        if not come:
            come.append("the observer")
            assert rollouts.take_over(promotion, found(promotion, LATER), "you", LATER, LATER + 900)
            assert rollouts.hand_over(promotion, "you", replace(BEGUN, phase=Phase.VERIFY), LATER + 900)

    with before_each_write(meanwhile):
        assert leases.take(second, "another", lambda: LATER, LATER + 900) == Busy(int(LATER + 900), same=False)
    assert found(promotion, LATER).rollout.phase is Phase.VERIFY


def test_what_somebody_keeps_for_longer_between_look_and_write_is_not_taken_back(
    room: TableRoom, promotion: Promotion
) -> None:
    begin(promotion)
    leases.finish(promotion, leases.watch(promotion), GOOD, 2)
    assert withdrawals.take_back(promotion, "you", NOW, UNTIL) == Finished(GOOD, None)
    with before_each_write(lambda *_: room.edit_environment("staging", **{"lease_until:api": int(LATER + 900)})):
        assert withdrawals.take_back(promotion, "another", LATER, LATER + 900) == Busy(int(LATER) + 1, same=True)
    assert room.environment()["lease:api"] == "you"
