"""What came of a promotion, told by the deployed gate or by the journal."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.cli.steering.promotions import outcome_of_gate, outcome_of_journal
from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.model.promotion import Promotion
from pipeline_state.table.deployments import Deployment

WEB = Promotion(
    id="p",
    repo="org/app",
    commit="a" * 40,
    branch="main",
    sequence=1,
    pipeline="shop",
    pipeline_version=1,
    environment="prod",
    environment_key="prod",
    generation=2,
    release=Release("web", "shop", "charts/web"),
    cluster=Cluster(context="local"),
    releases=("web", "api"),
)
API = replace(WEB, release=Release("api", "shop", "charts/api"))
SECOND = Deployment(2, "org/app", "a" * 40, "2026-07-01T12:00:00Z", "ann", "rollback", "", (WEB, API))
AT = "2026-07-01T12:01:00Z"


def gate(status: str, generation: object = Decimal(2), **more: str) -> Mapping[str, Any]:
    return {"deployed_to_prod": {"status": status, "generation": generation, "at": AT, **more}}


@pytest.mark.parametrize(
    "gates, told",
    [
        (gate("TRUE"), ("deployed", "", AT)),
        (gate("FALSE", reason="web: no such chart"), ("failed", "web: no such chart", AT)),
        (gate(""), ("", "", "")),
        (gate("", reason="web: to be tried again"), ("", "web: to be tried again", "")),
        (gate("TRUE", Decimal(3)), None),
        (gate("TRUE", "second"), None),
        ({"deployed_to_prod": "TRUE"}, None),
        ({}, None),
    ],
)
def test_the_gate_tells_of_the_promotion_it_was_written_for(gates: Mapping[str, Any], told: object) -> None:
    assert outcome_of_gate(SECOND, gates) == told


def entry(outcome: str, release: str = "web", second: int = 0, **changes: object) -> dict[str, Any]:
    what = {"pipeline": "shop", "environment": "prod", "generation": Decimal(2), "release": release}
    what |= {"outcome": outcome, "reason": ""}
    return {"entry": f"2026-07-01T12:00:0{second}Z#id#source", "what": {**what, **changes}}


@pytest.mark.parametrize(
    "entries, told",
    [
        ([entry("started"), entry("deployed"), entry("deployed", "api", 5)], "deployed"),
        ([entry("errored"), entry("failed", "api", reason="no such chart"), entry("deployed")], "failed"),
        ([entry("superseded"), entry("deployed", "api")], "superseded"),
        ([entry("deployed")], None),
        ([entry("started"), entry("errored", "api")], None),
        ([entry("deployed", generation=Decimal(1)), entry("deployed", "api", generation=Decimal(1))], None),
        ([entry("deployed", environment="qa"), entry("deployed", "api", environment="qa")], None),
        ([{"entry": "2026-07-01T12:00:00Z#id#source", "what": ["odd"]}, {"entry": ""}], None),
        ([], None),
    ],
)
def test_the_journal_tells_once_every_release_has_ended_or_one_has_not_gone_well(
    entries: list[dict[str, Any]], told: str | None
) -> None:
    found = outcome_of_journal(SECOND, entries)
    assert (found[0] if found else None) == told


def test_the_journal_tells_reason_and_time() -> None:
    ended = [entry("deployed", "api", 1), entry("failed", second=3, reason="no such chart")]
    assert outcome_of_journal(SECOND, ended) == ("failed", "no such chart", "2026-07-01T12:00:03Z")
    whole = [entry("deployed", "api", 7), entry("deployed", second=3)]
    assert outcome_of_journal(SECOND, whole) == ("deployed", "", "2026-07-01T12:00:07Z")
