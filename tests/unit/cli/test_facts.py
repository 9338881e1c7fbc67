"""What the commands tell of an environment's head, from its item alone."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.cli.facts import rollouts_of, state_of_head
from pipeline_state.model.pipelines import Environment, Release, Verification
from pipeline_state.model.rollout import Phase, Rollout
from pipeline_state.table.models import to_raw
from pipeline_state.table.snapshot import read_state

ENVIRONMENT = Environment("prod", releases=(Release("web", "prod", "charts/web"), Release("api", "prod", "charts/api")))


def item(generation: int, **releases: tuple[int, object]) -> Mapping[str, Any]:
    done = {f"done:{name}": Decimal(of) for name, (of, _) in releases.items()}
    outcomes = {f"outcome:{name}": json.dumps(outcome) for name, (_, outcome) in releases.items()}
    return {"head": "6dcb09b5", "generation": Decimal(generation), **done, **outcomes}


DEPLOYED = {"kind": "deployed", "at": "2026-01-01T10:00:00Z"}
FAILED = {"kind": "failed", "reason": "no such chart"}


@pytest.mark.parametrize(
    "found, state, reason",
    [
        ({}, None, None),
        (item(2), "promoted", None),
        (item(2, web=(2, DEPLOYED)), "promoted", None),
        (item(2, web=(2, DEPLOYED), api=(2, DEPLOYED)), "deployed", None),
        (item(2, web=(2, DEPLOYED), api=(1, DEPLOYED)), "promoted", None),
        (item(2, web=(1, FAILED)), "promoted", None),
        (item(2, web=(2, FAILED)), "failed", "no such chart"),
        (item(2, web=(2, FAILED), api=(2, DEPLOYED)), "failed", "no such chart"),
        (item(2, web=(2, ["nonsense"])), "promoted", None),
        ({**item(2, web=(2, DEPLOYED)), "outcome:web": "{"}, "promoted", None),
        ({**item(2, web=(2, DEPLOYED)), "outcome:web": Decimal(3)}, "promoted", None),
    ],
)
def test_a_head_is_deployed_once_every_release_is_and_failed_with_the_first(
    found: Mapping[str, Any], state: str | None, reason: str | None
) -> None:
    assert state_of_head(ENVIRONMENT, found) == (state, reason)


NOON, SOON = 1782907200, 1782907800
"""2026-07-01T12:00:00Z, and ten minutes later."""

VERIFIED = Environment("prod", releases=(Release("web", "prod", "charts/web", verify=Verification(gate="smoke_test")),))


def watched(**values: object) -> list[dict[str, Any]]:
    item = {"generation": 3, "lease_generation:web": 2, **values}
    return rollouts_of(VERIFIED, read_state("shop", "prod", {name: to_raw(value) for name, value in item.items()}))


def test_what_is_watched_says_which_phase_it_is_in_until_when_and_for_which_promotion() -> None:
    rollout = Rollout(7, "web-1.2.3", "", "upgraded", 5, NOON - 60, NOON, SOON, Phase.VERIFY)
    reason = (
        "applied as revision 7, to be verified by the gate smoke_test until 2026-07-01T12:10:00Z at the latest, "
        "or else rolled back to revision 5"
    )
    about = {"release": "web", "generation": 2, "phase": "verify", "revision": 7, "reason": reason}
    times = {"since": "2026-07-01T12:00:00Z", "until": "2026-07-01T12:10:00Z"}
    assert watched(**{"rollout:web": json.dumps(rollout.to_dict())}) == [{**about, **times}]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '{"phase": "ready"}', '{"phase": "asleep"}', 5, {"phase": "ready"}], ids=repr
)
def test_what_people_made_of_a_rollout_is_left_out(text: object) -> None:
    assert watched(**{"rollout:web": text}) == []
    assert watched() == []
