"""What the commands tell of an environment's head, from its item alone."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.cli.facts import state_of_head
from pipeline_state.model.pipelines import Environment, Release

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
