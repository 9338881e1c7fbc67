"""A rollout without a verdict yet: what it waits for, for how long, and what follows from what is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.pipelines import Release, Verification
from pipeline_state.model.rollout import (
    LATEST,
    Broken,
    Done,
    Enter,
    GoBack,
    LookAgain,
    Pending,
    Phase,
    Rollout,
    Unseen,
    Verified,
    delay,
    next_step,
    phases_of,
)

PLAIN = Release("web", "shop", "charts/web", timeout=7200)
WHOLE = replace(PLAIN, test=True, verify=Verification(url="https://shop.example.com/health", within=900))
BEGUN = Rollout(7, "web-0.1.0", "", "upgraded", previous=6, begun=990.0, since=1000.0, until=8200.0)


def test_a_rollout_is_ready_then_tested_then_verified() -> None:
    first = next_step(BEGUN, WHOLE, Done(), 1100.0)
    assert first == Enter(replace(BEGUN, phase=Phase.TEST, since=1100.0, until=8300.0))
    assert isinstance(first, Enter)
    second = next_step(first.rollout, WHOLE, Done(), 1200.0)
    assert second == Enter(replace(BEGUN, phase=Phase.VERIFY, since=1200.0, until=2100.0))
    assert isinstance(second, Enter)
    assert next_step(second.rollout, WHOLE, Done(), 1300.0) == Verified()


@pytest.mark.parametrize(
    "release,expected",
    [
        (PLAIN, (Phase.READY,)),
        (replace(WHOLE, verify=None), (Phase.READY, Phase.TEST)),
        (replace(WHOLE, test=False), (Phase.READY, Phase.VERIFY)),
        (WHOLE, (Phase.READY, Phase.TEST, Phase.VERIFY)),
    ],
)
def test_a_release_goes_through_what_its_definition_says(release: Release, expected: tuple[Phase, ...]) -> None:
    assert phases_of(release) == expected


def test_one_that_is_only_to_be_ready_is_verified_once_it_is() -> None:
    assert next_step(BEGUN, PLAIN, Done(), 1100.0) == Verified()


def test_a_phase_that_the_definition_has_no_more_is_the_last_one() -> None:
    assert next_step(replace(BEGUN, phase=Phase.TEST), PLAIN, Done(), 1100.0) == Verified()


@pytest.mark.parametrize("now", [1000.0, 8199.9, 9000.0])
def test_what_is_broken_goes_back_at_once_whenever_that_is(now: float) -> None:
    assert next_step(BEGUN, WHOLE, Broken("the pods crash"), now) == GoBack("the pods crash")


@pytest.mark.parametrize(
    "phase,until,said",
    [
        (Phase.READY, 8200.0, "not ready within 2h: web waits"),
        (Phase.TEST, 1300.0, "helm test did not end within 5m: web waits"),
        (Phase.VERIFY, 1045.0, "not verified within 45s: web waits"),
    ],
)
def test_what_is_late_goes_back_and_says_what_was_missing(phase: Phase, until: float, said: str) -> None:
    late = replace(BEGUN, phase=phase, until=until)
    assert next_step(late, WHOLE, Pending("web waits"), until) == GoBack(said)
    assert isinstance(next_step(late, WHOLE, Pending("web waits"), until - 0.1), LookAgain)


@pytest.mark.parametrize("phase", Phase)
def test_what_could_not_be_seen_is_looked_at_again_and_never_goes_back(phase: Phase) -> None:
    rollout, unseen = replace(BEGUN, phase=phase), Unseen("connection refused")
    assert next_step(rollout, WHOLE, unseen, 1200.0) == LookAgain(20)
    assert next_step(rollout, WHOLE, unseen, 8200.0) == unseen
    assert next_step(rollout, WHOLE, unseen, 90000.0) == unseen


@pytest.mark.parametrize("now,seconds", [(1000.0, 10), (1200.0, 20), (5000.0, 300), (8000.0, 201), (8199.5, 1)])
def test_the_longer_it_takes_the_rarer_are_the_looks_and_the_last_is_at_the_end(now: float, seconds: int) -> None:
    assert next_step(BEGUN, PLAIN, Pending("web waits"), now) == LookAgain(seconds)


@given(st.floats(0, 86_400), st.floats(1, 86_400))
def test_a_look_is_never_beyond_what_a_queue_can_delay_nor_much_beyond_the_end(passed: float, length: float) -> None:
    rollout = replace(BEGUN, until=BEGUN.since + length)
    seconds = delay(rollout, BEGUN.since + passed)
    assert 1 <= seconds <= LATEST
    assert BEGUN.since + passed + seconds <= max(rollout.until, BEGUN.since + passed) + 2


def test_a_rollout_travels_as_json() -> None:
    rollout = replace(BEGUN, phase=Phase.VERIFY, healed="it was stuck", helm_seconds=1.5)
    data = json.loads(json.dumps(rollout.to_dict()))
    assert Rollout.from_dict(data | {"added": "later"}) == rollout


@pytest.mark.parametrize(
    "phase, verify, told",
    [
        (Phase.READY, None, "becoming ready"),
        (Phase.TEST, None, "being tested"),
        (Phase.VERIFY, None, "to be verified"),
        (Phase.VERIFY, Verification(gate="smoke_test"), "to be verified by the gate smoke_test"),
        (Phase.VERIFY, Verification(url="https://shop.example"), "to be verified by https://shop.example"),
    ],
)
@pytest.mark.parametrize("previous, otherwise", [(0, "uninstalled"), (5, "rolled back to revision 5")])
def test_a_rollout_tells_what_it_waits_for_until_when_and_what_else(
    phase: Phase, verify: Verification | None, told: str, previous: int, otherwise: str
) -> None:
    until = datetime(2026, 7, 1, 12, 10, tzinfo=UTC).timestamp() + 0.25
    rollout = Rollout(7, "web-1.2.3", "", "upgraded", previous, 0, 0, until, phase)
    expected = f"applied as revision 7, {told} until 2026-07-01T12:10:00Z at the latest, or else {otherwise}"
    assert rollout.told(verify) == expected
