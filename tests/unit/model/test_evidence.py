"""Of whom it is certain that they gave a gate its value."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipeline_state.model.entries import Doer, kept_value
from pipeline_state.model.evidence import doers
from pipeline_state.model.past import Former
from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Release,
    SourceKind,
)

NOW = datetime(2026, 7, 1, 13, tzinfo=UTC)
FIRST, THEN, LATER = (f"2026-07-01T12:0{minute}:00Z" for minute in (5, 6, 7))
WEB = Release("web", "shop", "charts/web")
STAGING = Environment("staging", ("build",), (), (WEB, Release("db", "shop", "charts/db")), Cluster(context="local"))
BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
SHOP = Pipeline("shop", "org/shop", gates=(BUILD, GateDefinition("legal")), environments=(STAGING,))

ANN = Doer("ann", "verified")
SIGNED = {"status": "TRUE", "at": FIRST, "by": "ann", "reason": "signed"}
BUILT = {"status": "TRUE", "at": FIRST, "by": "circleci", "url": "https://ci.example.com/1", "who": "mona"}
EVE = "arn:aws:iam::1:user/eve"


def entry(time: str, kind: str, what: Mapping[str, Any], by: str = "", *, verified: bool = True) -> dict[str, Any]:
    known = {"written_at": time, "verified": verified, "by": by}
    return {"record": f"org/shop#{'a' * 40}", "entry": f"{time}#{kind}#x", "kind": kind, "what": what, **known}


def gate_set(time: str = FIRST, gate: str = "legal", **changes: Any) -> dict[str, Any]:
    return entry(time, "gate set", {"gate": gate, **SIGNED, "at": time, **changes}, "ann")


def result(time: str = FIRST, **changes: Any) -> dict[str, Any]:
    told = {"name": "build-test", "app": "circleci", "status": "success", "completed_at": time, "url": BUILT["url"]}
    return entry(time, "com.circleci.workflow-completed", {**told, **changes}, "mona")


def edit(value: Any, time: str = FIRST, *, verified: bool = True) -> dict[str, Any]:
    return entry(time, "edited by hand", {"legal": kept_value(value)}, EVE if verified else "ann", verified=verified)


def release(name: str, outcome: str, time: str = THEN) -> dict[str, Any]:
    what = {"pipeline": "shop", "environment": "staging", "release": name, "generation": Decimal(1), "outcome": outcome}
    return entry(time, f"dev.cdevents.{outcome}-{name}", what)


def doer(gate: str, value: Any, *entries: Mapping[str, Any]) -> Doer | None:
    return doers({gate: value}, entries, [SHOP], NOW).get(gate)


def test_the_entry_of_just_this_value_tells_who_gave_it() -> None:
    assert doer("legal", SIGNED, gate_set()) == ANN
    assert doer("build", BUILT, result()) == Doer("circleci", "verified")
    failed = {**BUILT, "status": "FALSE", "reason": "build-test: failed"}
    assert doer("build", failed, result(status="failed")) == Doer("circleci", "verified")


@pytest.mark.parametrize("changes", [
    {"status": "FALSE"}, {"at": THEN}, {"by": "ceo"}, {"reason": "the board wants it"}, {"url": "https://example.com"},
    {"expires_at": "2027-01-01T00:00:00Z"},
], ids=str)  # fmt: skip
def test_what_somebody_made_of_a_value_is_not_the_doing_of_whoever_gave_it(changes: Mapping[str, str]) -> None:
    assert doer("legal", {**SIGNED, **changes}, gate_set()) is None
    assert doer("build", {**BUILT, **changes}, result()) is None


def test_an_earlier_value_that_somebody_brought_back_is_nobodys_now() -> None:
    withdrawn = gate_set(THEN, status="FALSE")
    assert doer("legal", SIGNED, gate_set(), withdrawn) is None
    assert doer("legal", {**SIGNED, "at": THEN, "status": "FALSE"}, gate_set(), withdrawn) == ANN


def test_a_value_of_another_gate_proves_nothing() -> None:
    assert doer("build", SIGNED, gate_set()) is None
    assert doer("legal", BUILT, result()) is None
    assert doer("build", BUILT, result(name="lint")) is None


def test_a_result_fed_the_gates_that_its_pipelines_had_then() -> None:
    renamed = replace(SHOP, gates=(replace(BUILD, source=GateSource(SourceKind.CIRCLECI_WORKFLOW, "build")),))
    former = Former((SHOP,), datetime(2026, 7, 1, 12, 6, tzinfo=UTC), ANN)
    assert doers({"build": BUILT}, [result()], [renamed], NOW) == {}
    assert doers({"build": BUILT}, [result()], [renamed], NOW, [former]) == {"build": Doer("circleci", "verified")}
    late = {**BUILT, "at": LATER}
    assert doers({"build": late}, [result(LATER)], [renamed], NOW, [former]) == {}


def test_a_result_that_did_not_count_takes_a_value_from_nobody() -> None:
    signed = {**SIGNED, "at": THEN}
    assert doer("build", signed, gate_set(THEN, "build"), result(FIRST)) == ANN
    late = {**result(FIRST, status="failed"), "written_at": LATER}
    assert doer("build", signed, gate_set(THEN, "build"), late) == ANN


@pytest.mark.parametrize("value", [
    SIGNED, "TRUE", True, "maybe", {"status": True, "by": "ann"}, {"status": "TRUE", "reason": "because " * 99},
], ids=str)  # fmt: skip
def test_of_an_edit_is_told_what_its_entry_tells_and_as_certainly(value: Any) -> None:
    assert doer("legal", value, edit(value)) == Doer(EVE, "verified")
    assert doer("legal", value, edit(value, verified=False)) == Doer("ann", "claimed")


def test_a_column_that_was_removed_and_came_back_unseen_is_nobodys() -> None:
    removed = entry(THEN, "edited by hand", {"legal": None})
    assert doer("legal", SIGNED, gate_set(), removed) is None
    assert doer("legal", SIGNED) is None


def test_how_far_it_was_deployed_is_the_pipelines_word_as_long_as_it_is_what_the_releases_came_to() -> None:
    told, gatestream = [release("web", "deployed"), release("db", "failed", LATER)], Doer("gatestream", "verified")
    failed = {"status": "FALSE", "at": LATER, "by": "gatestream", "generation": Decimal(1), "reason": "db: no"}
    assert doer("deployed_to_staging", failed, *told) == gatestream
    assert doer("deployed_to_staging", {**failed, "status": "TRUE"}, *told) is None
    assert doer("deployed_to_staging", {**failed, "status": "", "at": THEN}, told[0]) == gatestream
