"""What closes an environment between a claim and its installation, and whom it lets in all the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline_state.faults import TemporaryFault
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import FreezeWindow
from pipeline_state.model.promotion import Promotion
from pipeline_state.table import holds, leases
from pipeline_state.table.lease import Barred, Busy, Finished, Lease, Overtaken, Taken
from pipeline_state.table.models import Raw
from pipeline_state.table.snapshot import EVERYTHING, read_environments
from tests.contract.table_room import START, A, B, TableRoom, pipeline, seconds

NOON = START.timestamp()
BEFORE, AFTER = seconds(-60), seconds(60)
LUNCH = FreezeWindow("0 12 * * *", 60, reason="lunch")


@pytest.fixture
def promotion(room: TableRoom) -> Promotion:
    """The first, of A to staging."""
    room.define(pipeline())
    room.ready(A, 10)
    (first,) = room.promote(A)
    return first


def take(promotion: Promotion, now: float = NOON, owner: str = "me") -> Lease:
    return leases.take(promotion, owner, lambda: now, now + 900)


def asked_for(promotion: Promotion) -> Promotion:
    return replace(promotion, by="ann")


def overriding(promotion: Promotion) -> Promotion:
    return replace(promotion, by="ann", override=True)


def test_a_hold_bars_what_nobody_asked_for(room: TableRoom, promotion: Promotion) -> None:
    room.edit_environment(held_by="ben", held_reason="incident")
    assert take(promotion) == Barred("staging is held by ben: incident")
    assert take(asked_for(promotion)) == Taken()


def test_a_freeze_bars_everything_but_an_override(room: TableRoom, promotion: Promotion) -> None:
    room.edit_environment(frozen_by="ben", frozen_until=AFTER, frozen_reason="sale")
    why = f"staging is frozen by ben until {AFTER}: sale"
    assert take(promotion) == take(asked_for(promotion)) == Barred(why)
    assert take(overriding(promotion)) == Taken()


def test_a_window_that_begins_while_the_table_is_read_bars_what_was_on_its_way(
    promotion: Promotion, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = NOON - 300

    def read_slowly(keys: list[tuple[str, str]]) -> dict[tuple[str, str], Raw]:
        nonlocal moment
        found = read_environments(keys)
        moment = NOON
        return found

    monkeypatch.setattr(leases, "read_environments", read_slowly)
    lunching = replace(promotion, freezes=(LUNCH,))
    assert isinstance(leases.take(lunching, "me", lambda: moment, NOON + 900), Barred)


def test_a_freeze_that_is_over_bars_nothing(room: TableRoom, promotion: Promotion) -> None:
    room.edit_environment(frozen_by="ben", frozen_until=BEFORE)
    assert take(promotion) == Taken()


def test_an_environment_that_is_held_and_frozen_is_closed_to_requests_too(
    room: TableRoom, promotion: Promotion
) -> None:
    room.edit_environment(held_by="ben", frozen_by="ben")
    assert take(promotion) == Barred("staging is held by ben")
    assert take(asked_for(promotion)) == Barred("staging is frozen by ben")
    assert take(overriding(promotion)) == Taken()


@pytest.mark.parametrize(
    "minutes, is_barred", [(-1, False), (0, True), (59, True), (60, False)], ids=["before", "from", "in", "after"]
)
def test_a_window_that_was_defined_at_the_claim_bars_while_it_lasts(
    promotion: Promotion, minutes: int, *, is_barred: bool
) -> None:
    in_windows = replace(promotion, freezes=(LUNCH,))
    answer = take(in_windows, NOON + 60 * minutes)
    barred = Barred("staging is frozen by pipelines.yaml until 2026-07-01T13:00:00Z: lunch")
    assert answer == (barred if is_barred else Taken())


def test_a_window_bars_no_override(promotion: Promotion) -> None:
    assert take(replace(overriding(promotion), freezes=(LUNCH,))) == Taken()


def test_a_stop_of_everything_bars_until_it_is_over(room: TableRoom, promotion: Promotion) -> None:
    told = replace(room.happening(f"stop {room.unique}", "stop"), repo="#everything")
    holds.stop(Freeze("ann", AFTER, "outage"), told)
    try:
        why = f"staging is frozen by ann, who stopped everything until {AFTER}: outage"
        assert take(promotion) == Barred(why)
        assert take(promotion, NOON + 60) == Taken()
    finally:
        holds.start(replace(told, id=f"start {room.unique}"))
        room.forget_stops()


def test_what_is_finished_overtaken_or_busy_says_so_however_closed_it_is(room: TableRoom, promotion: Promotion) -> None:
    take(promotion)
    room.edit_environment(frozen_by="ben", held_by="ben")
    assert take(promotion, owner="another") == Busy(int(NOON + 900), same=True)
    leases.finish(promotion, "me", {"kind": "deployed"})
    assert take(promotion) == Finished({"kind": "deployed"}, None)
    room.edit_environment(generation=7)
    assert take(replace(promotion, generation=6)) == Overtaken(7, None)


def test_a_closed_environment_keeps_no_lease(room: TableRoom, promotion: Promotion) -> None:
    room.edit_environment(held_by="ben")
    take(promotion)
    assert not [name for name in room.environment() if name.startswith("lease")]


MEANWHILE: dict[str, tuple[Callable[[TableRoom], Any], Lease]] = {
    "it is frozen": (
        lambda room: room.edit_environment(frozen_by="ben"),
        Barred("staging is frozen by ben"),
    ),
    "its freeze is made longer": (
        lambda room: room.edit_environment(frozen_by="ben", frozen_until=AFTER),
        Barred(f"staging is frozen by ben until {AFTER}"),
    ),
    "it is held": (lambda room: room.edit_environment(held_by="ben"), Barred("staging is held by ben")),
    "a newer one is claimed": (lambda room: (room.ready(B, 20, A), room.promote(B)), Overtaken(2, None)),
    "another takes the lease": (
        lambda room: take(room.claimed("staging", 1)[0], owner="another"),
        Busy(int(NOON + 900), same=True),
    ),
    "another carries it out": (
        lambda room: (
            take(room.claimed("staging", 1)[0], owner="another"),
            leases.finish(room.claimed("staging", 1)[0], "another", {"kind": "failed"}),
        ),
        Finished({"kind": "failed"}, None),
    ),
}


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """What happens after each look at the environment, before the write; one after the other."""
    acts: list[Callable[[], Any]] = []

    def look(keys: Any) -> Any:
        found = read_environments(keys)
        if acts:
            acts.pop(0)()
        return found

    monkeypatch.setattr(leases, "read_environments", look)
    return acts


@pytest.mark.parametrize("what", MEANWHILE)
def test_between_the_look_and_the_write(
    room: TableRoom, promotion: Promotion, between: list[Callable[[], Any]], what: str
) -> None:
    act, answer = MEANWHILE[what]
    if "freeze" in what:
        room.edit_environment(frozen_by="ben", frozen_until=BEFORE)
    between.append(lambda: act(room))
    assert take(promotion) == answer


def test_where_others_never_cease_to_change_it_another_attempt_is_left_to_the_queue(
    room: TableRoom, promotion: Promotion, between: list[Callable[[], Any]]
) -> None:
    def change(number: int) -> Callable[[], None]:
        return lambda: room.edit_environment(frozen_until=seconds(-100 - number))

    between += [change(number) for number in range(5)]
    with pytest.raises(TemporaryFault) as fault:
        take(promotion)
    assert fault.value.reason == "others keep changing the environment in DynamoDB"
    assert fault.value.delay_seconds == 2
    assert between == []


def test_a_promotion_to_an_environment_without_an_item_is_overtaken(promotion: Promotion) -> None:
    assert take(replace(promotion, environment="gone")) == Overtaken(0, None)


def test_a_lease_that_does_not_say_of_which_promotion_is_another_ones(room: TableRoom, promotion: Promotion) -> None:
    lease: dict[str, Any] = {"lease:web": "somebody", "lease_until:web": int(NOON)}
    room.edit_environment(**lease)
    assert take(promotion) == Busy(int(NOON), same=False)


def test_what_is_parked_is_read_from_the_item(room: TableRoom, promotion: Promotion) -> None:
    key = (promotion.pipeline, "staging")
    assert leases.parked_event(read_environments([key, EVERYTHING])[key], "web") == ""
    leases.park(promotion, "the event")
    assert leases.parked_event(read_environments([key])[key], "web") == "the event"
    assert leases.parked_event(read_environments([key])[key], "other") == ""
    assert room.environment()["parked:web"] == "the event"
