"""The journal's entries as facts: of today's form, of older ones, and what is no fact."""

from typing import Any

import pytest

from pipeline_state.cli.replay.recorded import history_of
from pipeline_state.model.environments import Freeze
from pipeline_state.model.history import Claimed, Edited, Ended, Fact, Froze, Pinned, Pushed, Reported
from pipeline_state.model.order import NO_COMMIT, Push
from pipeline_state.model.pipelines import SourceKind
from pipeline_state.model.promotion import Action
from pipeline_state.model.results import Result
from pipeline_state.table.snapshot import EVERYTHING
from tests.unit.model.histories import A, B, at, time

REPO = "myOrg/myApp"
RESULT = Result(SourceKind.CIRCLECI_WORKFLOW, "build-test", "circleci", "success", time(60))


def entry(
    kind: str, what: Any, second: float = 0, *, record: str = f"{REPO}#{A}", written: float | None = 5, by: str = ""
) -> dict[str, Any]:
    told = {"record": record, "entry": f"{time(second)}#id#source", "kind": kind, "by": by, "what": what}
    return told if written is None else {**told, "written_at": time(written)}


def facts(*entries: dict[str, Any]) -> list[Fact]:
    return list(history_of(entries, {A, B}).facts)


PUSH = {"branch": "main", "before": B, "pushed_at": time(1), "forced": False, "created": False}
CLAIM = {"pipeline": "shop", "environment": "staging", "generation": 2, "pipeline_version": 1}
END = {"pipeline": "shop", "environment": "staging", "release": "web", "generation": 2, "reason": ""}
STAGING, STOP = "shop#staging", "#".join(EVERYTHING)

CASES: dict[str, tuple[dict[str, Any], Fact]] = {
    "a push": (
        entry("com.github.push", {**PUSH, "paths": ["a", "b"], "paths_complete": True}),
        Pushed(at(5), "main", Push(B, A, time(1), ("a", "b"))),
    ),
    "a push whose paths are not wholly known": (
        entry("com.github.push", {**PUSH, "paths_complete": False}),
        Pushed(at(5), "main", Push(B, A, time(1))),
    ),
    "a push after what is not known": (
        entry("com.github.push", {**PUSH, "before": "f" * 40}),
        Pushed(at(5), "main", Push(NO_COMMIT, A, time(1))),
    ),
    "a result": (
        entry(
            "com.circleci.workflow-completed",
            {"name": "build-test", "app": "circleci", "status": "success", "completed_at": time(60), "url": ""},
        ),
        Reported(at(5), A, RESULT),
    ),
    "a gate set by command": (
        entry("gate set", {"gate": "legal", "status": "TRUE", "at": time(2), "by": "ann", "reason": "x"}, by="ann"),
        Edited(at(5), A, {"legal": {"status": "TRUE", "at": time(2), "by": "ann", "reason": "x"}}, time(2)),
    ),
    "an edit by hand": (
        entry("edited by hand", {"legal": {"status": "TRUE"}, "scan": None, "word": "removed", "flag": True}, 3),
        Edited(at(5), A, {"legal": {"status": "TRUE"}, "scan": None, "word": "removed", "flag": True}, time(3)),
    ),
    "a gate that left": (
        entry("empty gates removed", {"legal": None}, 3, by="zoe"),
        Edited(at(5), A, {"legal": None}, time(3)),
    ),
    "a claim": (entry("claimed", CLAIM, by="gatestream"), Claimed(at(5), A, "shop", "staging", 2)),
    "a claim of a person": (
        entry("claimed", {**CLAIM, "by": "ann", "action": "rollback", "reason": "x", "holds": True}, by="ann"),
        Claimed(at(5), A, "shop", "staging", 2, "ann", Action.ROLLBACK, "x", holds=True),
    ),
    "a deployment": (
        entry("dev.cdevents.service.upgraded.0.3.0", {**END, "outcome": "deployed"}, 4),
        Ended(at(5), A, "shop", "staging", "web", 2, "TRUE", time(4)),
    ),
    "a failure": (
        entry("dev.cdeventsx.gatestream-release.failed.0.1.0", {**END, "outcome": "failed"}, 4),
        Ended(at(5), A, "shop", "staging", "web", 2, "FALSE", time(4)),
    ),
    "an error": (
        entry("dev.cdeventsx.gatestream-release.errored.0.1.0", {**END, "outcome": "errored"}, 4),
        Ended(at(5), A, "shop", "staging", "web", 2, "", time(4)),
    ),
    "a freeze": (
        entry("frozen", {"until": time(900), "reason": "x"}, record=STAGING, by="ann"),
        Froze(at(5), "shop", "staging", Freeze("ann", time(900), "x")),
    ),
    "the end of a freeze": (entry("unfrozen", {}, record=STAGING, by="ann"), Froze(at(5), "shop", "staging", None)),
    "a hold": (
        entry("held", {"reason": "x"}, record=STAGING, by="ann"),
        Pinned(at(5), "shop", "staging", "ann", "x"),
    ),
    "the end of a hold": (entry("released", {}, record=STAGING, by="ann"), Pinned(at(5), "shop", "staging", "")),
    "a stop": (
        entry("stopped", {"until": "", "reason": "x"}, record=STOP, by="ann"),
        Froze(at(5), "", "", Freeze("ann", "", "x")),
    ),
    "the end of a stop": (entry("started", {}, record=STOP, by="ann"), Froze(at(5), "", "", None)),
}


@pytest.mark.parametrize("case", CASES)
def test_an_entry_is_a_fact_of_which_all_is_known(case: str) -> None:
    told, fact = CASES[case]
    found = history_of([told], {A, B})
    assert (found.facts, found.vague) == ((fact,), 0)


OLD: dict[str, tuple[dict[str, Any], Fact]] = {
    "a push": (
        entry("com.github.push", {"branch": "main", "before": B, "forced": False}, written=None),
        Pushed(at(0), "main", Push(B, A, time(0))),
    ),
    "a result": (
        entry("com.circleci.workflow-completed", {"name": "build-test", "status": "success"}, 60),
        Reported(
            at(5), A, Result(SourceKind.CIRCLECI_WORKFLOW, "build-test", "", "success", time(60)), is_app_known=False
        ),
    ),
    "an edit by hand": (
        entry("edited by hand", {"a": "{'status': 'TRUE'}", "b": "removed", "c": "True", "d": "{'st"}, written=None),
        Edited(at(0), A, {"a": {"status": "TRUE"}, "b": None, "c": "True", "d": "{'st"}, time(0)),
    ),
    "a claim": (entry("claimed", CLAIM, written=None), Claimed(at(0), A, "shop", "staging", 2)),
}


@pytest.mark.parametrize("case", OLD)
def test_an_entry_of_an_older_form_is_read_as_far_as_it_goes_and_counted(case: str) -> None:
    told, fact = OLD[case]
    found = history_of([told], {A, B})
    assert (found.facts, found.vague) == ((fact,), 1)


NOTHING: dict[str, dict[str, Any]] = {
    "that a deployment has begun": entry(
        "dev.cdeventsx.gatestream-release.started.0.1.0", {**END, "outcome": "started"}
    ),
    "that Helm has applied a release": entry(
        "dev.cdeventsx.gatestream-release.applied.0.1.0",
        {**END, "outcome": "applied", "reason": "applied as revision 7"},
    ),
    "an application of definitions": entry("applied", {"version": 2}, record=f"{REPO}#pipelines", by="ann"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_what_decides_nothing_is_no_fact(case: str) -> None:
    found = history_of([NOTHING[case]], {A})
    assert (found.facts, found.vague) == ((), 0)


BROKEN: dict[str, dict[str, Any]] = {
    "no kind": {"record": f"{REPO}#{A}", "entry": f"{time(0)}#id#source", "what": {}},
    "no time": entry("claimed", CLAIM, written=None) | {"entry": "now#id#source"},
    "text instead of a map": entry("claimed", "staging"),
    "a claim of no environment": entry("claimed", {"pipeline": "shop", "generation": 1}),
    "a generation in words": entry("claimed", {**CLAIM, "generation": "two"}),
    "an action there is not": entry("claimed", {**CLAIM, "action": "explode"}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_somebody_made_of_an_entry_costs_that_entry_alone(case: str) -> None:
    found = history_of([BROKEN[case], CASES["a push"][0]], {A, B})
    assert (len(found.facts), found.vague) == (1, 1)


def test_facts_stand_in_the_order_in_which_they_were_learned() -> None:
    first, second = entry("claimed", CLAIM, 50, written=10), entry("claimed", {**CLAIM, "generation": 3}, 1, written=20)
    assert [fact.at for fact in facts(second, first)] == [at(10), at(20)]
