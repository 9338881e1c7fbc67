"""How each release of a promotion went, by its deployed gate and by the journal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.cli.steering.courses import Course, courses
from tests.unit.cli.test_promotions import API, AT, WEB

DIGEST = "sha256:" + "0a" * 32
DEPLOYED: dict[str, Any] = {"revision": Decimal(7), "chart": "web-1.2.3", "digest": DIGEST}


def entry(outcome: str, second: int = 0, release: str = "web", **what: Any) -> dict[str, Any]:
    about = {"pipeline": "shop", "environment": "prod", "generation": Decimal(2), "release": release}
    return {"entry": f"{time(second)}#id#source", "what": {**about, "outcome": outcome, "reason": "", **what}}


def time(second: int) -> str:
    return f"2026-07-01T12:00:{second:02}Z"


def gate(status: str = "TRUE", generation: int = 2, **told: Any) -> dict[str, Any]:
    release = {"status": status, "at": AT, "revision": Decimal(7), "chart": "web-1.2.3", "digest": DIGEST, **told}
    return {"status": status, "generation": Decimal(generation), "releases": {"web": release}}


def course(gate: Any, *entries: dict[str, Any]) -> Course:
    return courses([WEB], gate, entries)["web"]


OF_GATE = Course("deployed", "", AT, 7, "web-1.2.3", DIGEST)
OF_JOURNAL = Course("deployed", "", time(42), 7, "web-1.2.3", DIGEST, 42.5, "it was left pending-upgrade")
ENDED = entry("deployed", 42, **DEPLOYED, seconds=Decimal("42.5"), healed="it was left pending-upgrade")

CASES: dict[str, tuple[Course, Course]] = {
    "nobody tells anything": (course(None), Course()),
    "the gate alone": (course(gate()), OF_GATE),
    "the gate of another promotion": (course(gate(generation=3)), Course()),
    "the journal alone": (course(None, entry("started"), ENDED), OF_JOURNAL),
    "both": (course(gate(), entry("started"), ENDED), OF_JOURNAL),
    "it has begun": (course(None, entry("started")), Course("started", "", time(0))),
    "it waits for its verdict": (
        course({**gate(""), "status": ""}, entry("applied", 3, reason="applied as revision 7")),
        Course("applied", "applied as revision 7", time(3), 7, "web-1.2.3", DIGEST),
    ),
    "an attempt came to nothing and another one has begun": (
        course(None, entry("errored", 1, reason="no cluster"), entry("started", 2)),
        Course("started", "", time(2)),
    ),
    "the verdict is told before what led to it": (
        course(None, entry("deployed", 1), entry("started", 2)),
        Course("deployed", "", time(1)),
    ),
    "the gate knows the verdict and the journal no longer does": (
        course(gate("FALSE", reason="no image"), entry("started")),
        replace(OF_GATE, outcome="failed", reason="no image"),
    ),
    "it was taken back after it had been deployed": (
        course(gate("FALSE"), ENDED, entry("failed", 50, reason="taken back", seconds=Decimal("42.5"))),
        replace(OF_JOURNAL, outcome="failed", reason="taken back", at=time(50)),
    ),
    "another release": (course(None, entry("deployed", release="api")), Course()),
    "another promotion": (course(None, entry("deployed", generation=Decimal(1))), Course()),
    "another environment": (course(None, entry("deployed", environment="qa")), Course()),
    "what people have made of it": (
        course(
            {"generation": Decimal(2), "releases": {"web": {"status": 1, "revision": "x", "chart": 5}}},
            {"entry": "", "what": "odd"},
            {"what": {}},
            entry("deployed", reason=5, revision="many", chart=["x"], digest=None, seconds="soon", changes="none"),
        ),
        Course("deployed", "", time(0)),
    ),
    "what became of the resources": (
        course(None, entry("deployed", changes={"changed": Decimal(2)})),
        Course("deployed", "", time(0), changes={"changed": Decimal(2)}),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_release_by(case: str) -> None:
    found, expected = CASES[case]
    assert found == expected


def test_every_release_of_a_promotion_has_one() -> None:
    found = courses([WEB, API], gate(), [entry("failed", release="api", reason="no image")])
    assert [(name, each.outcome, each.reason) for name, each in found.items()] == [
        ("web", "deployed", ""),
        ("api", "failed", "no image"),
    ]
