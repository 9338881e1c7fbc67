"""Journals in short: entries as the journal has them, at so many seconds after START, and the waits made of them."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pipeline_state.model.entries import Doer
from pipeline_state.model.order import Place
from pipeline_state.model.past import Former
from pipeline_state.model.pipelines import (
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Release,
    SourceKind,
)
from pipeline_state.model.record import Record
from pipeline_state.model.waits import Wait, waits
from tests.unit.model.histories import START, at, time

REPO, A = "myOrg/myApp", "a" * 40
BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
WEB = Release("web", "shop", "charts/web")
STAGING = Environment("staging", ("build",), releases=(WEB,))
PRODUCTION = Environment("production", ("legal",), ("staging",), releases=(WEB,))
SHOP = Pipeline("shop", REPO, gates=(BUILD, GateDefinition("legal")), environments=(STAGING, PRODUCTION))
LAWLESS = replace(SHOP, gates=(BUILD,), environments=(STAGING, replace(PRODUCTION, gates=())))

Entry = dict[str, Any]
Told = tuple[str, str, float, float | None, str, str]
"""What, who, from, to, by whom, and how well that is known."""


def entry(second: float, kind: str, what: Mapping[str, Any], *, by: str = "", late: float = 0, **more: Any) -> Entry:
    record = more.pop("record", f"{REPO}#{A}")
    return {
        "record": record,
        "entry": f"{time(second)}#{kind}-{second}#source",
        "written_at": time(second + late),
        "kind": kind,
        "by": by,
        "verified": True,
        "what": what,
        **more,
    }


def pushed(second: float, late: float = 1) -> Entry:
    return entry(second, "com.github.push", {"branch": "main"}, by="ann", late=late)


def built(second: float, status: str = "success", late: float = 1, **what: Any) -> Entry:
    told = {"name": "build-test", "app": "circleci", "status": status, "completed_at": time(second), **what}
    return entry(second, "com.circleci.workflow-completed", told, late=late)


def gate_set(second: float, gate: str, status: str = "TRUE", by: str = "ann", **value: Any) -> Entry:
    return entry(second, "gate set", {"gate": gate, "status": status, "at": time(second), **value}, by=by)


def edited(second: float, by: str = "unknown", **values: Any) -> Entry:
    return entry(second, "edited by hand", values, by=by, verified=False, late=1)


def claimed(second: float, environment: str, number: int = 1, by: str = "gatestream") -> Entry:
    what = {"pipeline": "shop", "environment": environment, "generation": Decimal(number)}
    return entry(second, "claimed", what, by=by)


def told(second: float, environment: str, outcome: str, number: int = 1, **what: Any) -> Entry:
    known = {"pipeline": "shop", "environment": environment, "release": "web", "generation": Decimal(number)}
    return entry(second, f"dev.cdevents.{outcome}", {**known, "outcome": outcome, **what})


def closed(second: float, kind: str, environment: str = "staging", by: str = "ann", **what: Any) -> Entry:
    return entry(second, kind, what, by=by, record=f"shop#{environment}")


def begun(second: float, environment: str, **how: Any) -> list[Entry]:
    """Claimed, and begun a second later."""
    return [claimed(second, environment, **how), told(second + 1, environment, "started")]


def deployed(second: float, environment: str, number: int = 1) -> list[Entry]:
    """Claimed, begun and deployed, each a second after the other."""
    return [
        claimed(second, environment, number),
        told(second + 1, environment, "started", number),
        told(second + 2, environment, "deployed", number),
    ]


def found(
    *entries: Entry, pipeline: Pipeline = SHOP, gates: Mapping[str, Any] | None = None, now: float = 1000, **more: Any
) -> list[Told]:
    record = Record(REPO, A, {"main": Place(7, pushed_at=time(0))}, gates or {})
    return [told_of(each) for each in waits(record, entries, (pipeline,), at(now), **more)]


def told_of(wait: Wait) -> Told:
    assert wait.end or not wait.known
    end = (wait.end - START).total_seconds() if wait.end else None
    return wait.what, wait.who, (wait.start - START).total_seconds(), end, wait.ended_by, wait.known


def once(second: float, *pipelines: Pipeline) -> Former:
    """What the pipelines were until a second."""
    return Former(pipelines, at(second), Doer("zoe", "verified"))
