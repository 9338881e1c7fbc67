"""A change is told in sentences before it is made."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_state.cli.definitions import pipelines_file
from pipeline_state.cli.definitions.applying import Change
from pipeline_state.cli.definitions.leaving import in_the_way
from pipeline_state.model.pipelines import Cluster, FreezeWindow, GateSource, Pipeline, Policy, SourceKind
from pipeline_state.table.leftovers import Leftover
from pipeline_state.table.snapshot import Definitions

TEXT = """
pipelines:
  - repo: org/app
    gates: {build: {circleci_workflow: build}, legal: }
    environments:
      - name: staging
        gates: [build]
        cluster: {context: local}
        releases: [{name: web, namespace: staging, chart: charts/web}]
      - name: production
        gates: [build]
        cluster: {context: local}
        releases: [{name: web, namespace: production, chart: charts/web}]
"""
(PIPELINE,) = pipelines_file.parse(TEXT)
WEEKEND = FreezeWindow("0 17 * * FRI", 63 * 60, "Europe/Berlin", ("2026-12-25",), "nobody is there")


def change(*after: Pipeline, before: tuple[Pipeline, ...] = (PIPELINE,)) -> Change:
    applied = tuple(replace(pipeline, version=3) for pipeline in before)
    return Change(Definitions("org/app", 3 if before else 0, applied), after)


def with_production(**changes: Any) -> Pipeline:
    staging, production = PIPELINE.environments
    return replace(PIPELINE, environments=(staging, replace(production, **changes)))


def test_the_same_definitions_change_nothing() -> None:
    assert change(PIPELINE).is_empty
    nothing = {"changed": False, "changes": [], "diff": [], "empty_gates": {}, "closed_gates": {}}
    assert change(PIPELINE).to_json() == {"repo": "org/app", "version": 3, **nothing}


def test_a_first_definition_is_new() -> None:
    assert change(PIPELINE, before=()).sentences == ["pipeline org/app is new"]
    assert all(line[0] in "+-@" for line in change(PIPELINE, before=()).diff)


def test_a_changed_definition_has_a_diff_of_its_lines() -> None:
    diff = change(replace(PIPELINE, branches=("trunk",))).diff
    assert {"-  - main", "+  - trunk"} <= set(diff)


@pytest.mark.parametrize(
    "after, sentence",
    [
        (replace(PIPELINE, branches=("trunk",)), "org/app takes the branches trunk instead of main"),
        (replace(PIPELINE, paths=("api/*",)), "org/app takes the paths api/* instead of none"),
        (
            replace(PIPELINE, environments=PIPELINE.environments[:1]),
            "environment production of org/app goes; what runs there stays",
        ),
        (with_production(gates=("legal",)), "production needs the gate legal now"),
        (with_production(after=()), "production comes after staging no more"),
        (with_production(policy=Policy.EVERY), "production now takes every commit, in their order"),
        (with_production(soak=5400), "production now needs commits to soak for 90m"),
        (
            with_production(freezes=(WEEKEND,)),
            'production is now frozen at "0 17 * * FRI" (Europe/Berlin) for 63h, not on 2026-12-25',
        ),
        (with_production(cluster=Cluster(eks="prod")), "production installs differently, from its next promotion on"),
        (
            with_production(releases=(replace(PIPELINE.environments[1].releases[0], test=True),)),
            "production installs differently, from its next promotion on",
        ),
        (with_production(in_order=True), "production now installs its releases one after the other"),
        (
            with_production(rollback_together=True),
            "a release of production that fails now takes back those deployed with it",
        ),
        (with_production(force_conflicts=True), "production now takes over fields that others manage"),
        (
            replace(PIPELINE, gates=(replace(PIPELINE.gates[0], source=GateSource(SourceKind.GITHUB_CHECK, "b")),)),
            "gate build of org/app is opened by something else",
        ),
        (
            replace(PIPELINE, environments=PIPELINE.environments[:1], shared=True),
            "org/app shares its repository now: deployed_to_staging → deployed_to_org/app_staging",
        ),
        (
            replace(PIPELINE, shared=True),
            "commits of org/app on their way stop where they are; push again what is to go on",
        ),
        (replace(PIPELINE, name="other"), "pipeline org/app goes: its commits are promoted no more"),
    ],
)
def test_each_change_is_told_in_a_sentence(after: Pipeline, sentence: str) -> None:
    assert sentence in change(after).sentences


def test_rules_that_go_are_told_as_well() -> None:
    before = with_production(policy=Policy.EVERY, soak=60, freezes=(WEEKEND,))
    assert change(PIPELINE, before=(before,)).sentences == [
        "production now takes the newest of several commits only",
        "production needs commits to soak no more",
        'production is no more frozen at "0 17 * * FRI" (Europe/Berlin) for 63h, not on 2026-12-25',
    ]


def test_ways_to_install_that_go_are_told_as_well() -> None:
    before = with_production(in_order=True, rollback_together=True, force_conflicts=True)
    assert change(PIPELINE, before=(before,)).sentences == [
        "production now installs its releases all at once",
        "a release of production that fails now leaves those deployed with it",
        "production now leaves others the fields they manage",
    ]


def test_another_reason_for_a_freeze_is_told() -> None:
    before = with_production(freezes=(WEEKEND,))
    after = with_production(freezes=(replace(WEEKEND, reason="holidays"),))
    assert change(after, before=(before,)).sentences == ["production tells another reason for a freeze"]


LEFT = (
    Leftover("a" * 40, ("legal", "qa"), ()),
    Leftover("b" * 40, ("legal",), ("scan",)),
    Leftover("c" * 40, (), ("scan",)),
)


def test_what_commits_lose_and_what_they_keep_is_counted_by_gate() -> None:
    told = replace(change(PIPELINE, before=(replace(PIPELINE, branches=("trunk",)),)), left=LEFT)
    assert told.sentences[1:] == [
        "2 commits on their way lose the gate legal, which nobody has set there",
        "1 commit on its way loses the gate qa, which nobody has set there",
    ]
    assert (told.to_json()["empty_gates"], told.to_json()["closed_gates"]) == ({"legal": 2, "qa": 1}, {"scan": 2})
    (note,) = in_the_way("org/app", told.left)
    assert note == (
        "scan is not declared any more, but set on 2 commits, and not to passed: every environment needs it there;"
        " look, and open it: gatestream gate set org/app bbbbbbbbbbbb scan passed"
    )


def test_what_is_left_of_gates_that_went_before_is_a_change_of_its_own() -> None:
    told = replace(change(PIPELINE), left=LEFT[:1])
    assert (told.is_same, told.is_empty) == (True, False)
    assert (told.to_json()["changed"], told.to_json()["version"], told.to_json()["diff"]) == (True, 3, [])
    assert len(told.to_json()["changes"]) == 2
    assert replace(told, left=LEFT[2:]).is_empty, "what somebody has set is nothing to change"


def test_only_gates_that_are_declared_still_are_removed_before_the_definitions_are_saved() -> None:
    told = replace(change(PIPELINE, before=(PIPELINE,)), left=LEFT)
    assert [(each.commit[0], each.empty) for each in told.unset] == [("a", ("legal",)), ("b", ("legal",))]
