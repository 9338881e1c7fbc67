"""What people close an environment with, how they open it again, and what is written down of both."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.times import format_time
from pipeline_state.table import holds
from pipeline_state.table.journal import LABEL, Happening, history
from pipeline_state.table.models import Raw
from pipeline_state.table.snapshot import EVERYTHING, read_environments, with_stop
from pipeline_state.table.transaction import RefusedError
from tests.contract.table_room import A, TableRoom, pipeline

End = Callable[[Pipeline, str, Happening], None]
SALE = Freeze("ann", "2027-01-01T00:00:00Z", "sale")


@pytest.fixture
def shop(room: TableRoom) -> TableRoom:
    room.define(pipeline())
    return room


def about(room: TableRoom, id_: str, environment: str = "staging") -> Happening:
    """An entry under the pipeline's name and the environment's."""
    return replace(room.happening(id_, environment), repo=room.named("shop"), by="ann")


def told(room: TableRoom, environment: str = "staging") -> list[str]:
    return [entry["entry"].split("#")[1] for entry in history(room.named("shop"), environment)]


def freeze(room: TableRoom, frozen: Freeze = SALE, id_: str = "freeze") -> None:
    holds.freeze(room.snapshot(A).definitions.pipelines[0], "staging", frozen, about(room, id_))


def as_seen(room: TableRoom) -> Raw:
    (found,) = read_environments([(room.named("shop"), "staging")]).values()
    return found


def test_a_freeze_is_in_the_environment_and_in_the_journal(shop: TableRoom) -> None:
    freeze(shop)
    assert shop.environment() == {
        "pipeline": shop.named("shop"),
        "environment": "staging",
        "repo": shop.repo,
        "_schema": 1,
        "frozen_by": "ann",
        "frozen_until": "2027-01-01T00:00:00Z",
        "frozen_reason": "sale",
    }
    assert shop.state().freezes == (SALE,)
    assert told(shop) == ["freeze"]


def test_a_freeze_replaces_the_one_before_it_wholly(shop: TableRoom) -> None:
    freeze(shop)
    freeze(shop, Freeze("ben"), "again")
    assert shop.state().freezes == (Freeze("ben"),)
    assert {"frozen_until", "frozen_reason"}.isdisjoint(shop.environment())


def test_the_same_freeze_told_twice_is_refused_by_the_journal(shop: TableRoom) -> None:
    freeze(shop)
    with pytest.raises(RefusedError) as refused:
        freeze(shop, Freeze("ben"))
    assert refused.value.labels == {LABEL}
    assert shop.state().freezes == (SALE,)


def test_ending_a_freeze_leaves_nothing_of_it_and_all_of_the_rest(shop: TableRoom) -> None:
    shop.ready()
    shop.promote(A)
    freeze(shop)
    before = shop.state()
    holds.unfreeze(shop.snapshot(A).definitions.pipelines[0], "staging", about(shop, "end"))
    assert shop.state() == replace(before, freezes=())
    assert not [name for name in shop.environment() if name.startswith("frozen")]
    assert told(shop) == ["end", "freeze"]


def test_a_hold_is_in_the_name_of_the_person_and_its_release_ends_it(shop: TableRoom) -> None:
    shop_pipeline = shop.snapshot(A).definitions.pipelines[0]
    holds.hold(shop_pipeline, "staging", "incident", about(shop, "hold"))
    state = shop.state()
    assert (state.held_by, state.held_reason, shop.environment()["repo"]) == ("ann", "incident", shop.repo)
    holds.release(shop_pipeline, "staging", about(shop, "release"))
    assert (shop.state().held_by, shop.state().held_reason) == ("", "")
    assert {"held_by", "held_reason"}.isdisjoint(shop.environment())
    assert told(shop) == ["hold", "release"]


def test_a_hold_without_a_reason_leaves_none_of_the_one_before(shop: TableRoom) -> None:
    shop_pipeline = shop.snapshot(A).definitions.pipelines[0]
    holds.hold(shop_pipeline, "staging", "incident", about(shop, "hold"))
    holds.hold(shop_pipeline, "staging", "", about(shop, "again"))
    assert (shop.state().held_by, shop.state().held_reason) == ("ann", "")


@pytest.mark.parametrize("end", [holds.unfreeze, holds.release], ids=["freeze", "hold"])
def test_what_is_not_closed_cannot_be_opened_and_nothing_is_written_down(shop: TableRoom, end: End) -> None:
    with pytest.raises(RefusedError) as refused:
        end(shop.snapshot(A).definitions.pipelines[0], "staging", about(shop, "end"))
    assert refused.value.labels == {"environment"}
    assert told(shop) == []
    assert shop.environment() == {}


@pytest.mark.parametrize("changed", ["by", "reason", "until"])
def test_a_freeze_that_began_since_somebody_looked_is_not_ended_by_them(shop: TableRoom, changed: str) -> None:
    freeze(shop)
    seen, mine = as_seen(shop), shop.snapshot(A).definitions.pipelines[0]
    values = {"by": "zoe", "reason": "fire", "until": format_time(shop.now + timedelta(hours=9))}
    other = replace(SALE, **{changed: values[changed]})
    freeze(shop, other, "other")
    with pytest.raises(RefusedError) as refused:
        holds.unfreeze(mine, "staging", about(shop, "end"), seen)
    assert refused.value.labels == {"environment"}
    assert shop.state().freezes == (other,)
    holds.unfreeze(mine, "staging", about(shop, "end"), as_seen(shop))
    assert shop.state().freezes == ()


def test_a_hold_that_began_since_somebody_looked_is_not_ended_by_them(shop: TableRoom) -> None:
    mine = shop.snapshot(A).definitions.pipelines[0]
    holds.hold(mine, "staging", "", about(shop, "hold"))
    seen = as_seen(shop)
    holds.hold(mine, "staging", "incident", about(shop, "other"))
    with pytest.raises(RefusedError):
        holds.release(mine, "staging", about(shop, "release"), seen)
    assert shop.state().held_reason == "incident"
    holds.release(mine, "staging", about(shop, "release"), as_seen(shop))
    assert shop.state().held_by == ""


def test_one_environment_is_closed_and_not_its_neighbours(shop: TableRoom) -> None:
    freeze(shop)
    assert shop.environment("production") == {}


def test_a_stop_freezes_every_environment_until_it_is_ended(shop: TableRoom) -> None:
    until = format_time(shop.now + timedelta(hours=1))
    stopped, started = (replace(about(shop, f"{each} {shop.unique}", "stop"), repo="#everything") for each in "ab")
    holds.stop(Freeze("ann", until, "outage"), stopped)
    try:
        stop = read_environments([EVERYTHING])[EVERYTHING]
        frozen = with_stop(shop.state(), stop).freezes
        assert shop.state().freezes == (Freeze("ann, who stopped everything", until, "outage"),)
        assert frozen[-1] == shop.state().freezes[0]
    finally:
        holds.start(started)
        shop.forget_stops()
    assert shop.state().freezes == ()
    with pytest.raises(RefusedError):
        holds.start(replace(started, id=f"c {shop.unique}"))
