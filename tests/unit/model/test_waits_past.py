"""Waits of commits whose pipelines were others before, and of those that were overtaken."""

from dataclasses import replace

from pipeline_state.model.entries import PIPELINE, Doer
from pipeline_state.model.past import Overtaking, Past
from pipeline_state.model.pipelines import (
    GateDefinition,
    GateSource,
    SourceKind,
)
from tests.unit.model.histories import at
from tests.unit.model.journals import (
    BUILD,
    LAWLESS,
    PRODUCTION,
    SHOP,
    STAGING,
    begun,
    built,
    claimed,
    closed,
    deployed,
    entry,
    found,
    gate_set,
    once,
    pushed,
    told,
)

WAY = [pushed(0), built(60), *deployed(62, "staging"), gate_set(11_000, "legal"), *deployed(11_001, "production")]


def test_what_a_commit_has_waited_for_stays_whatever_is_applied_later() -> None:
    before = found(*WAY, now=12_000)
    assert ("legal", "people", 0, 11_000, "ann", "verified") in before
    assert found(*WAY, pipeline=LAWLESS, past=Past((once(12_000, SHOP),)), now=90_000) == before
    stricter = replace(SHOP, gates=(*SHOP.gates, GateDefinition("qa")), environments=(replace(STAGING, gates=("qa",)),))
    assert found(*WAY, pipeline=stricter, past=Past((once(12_000, SHOP),)), now=90_000) == before
    assert found(*WAY, pipeline=LAWLESS, past=Past((once(12_000, SHOP), once(13_000))), now=90_000) == before


def test_a_gate_is_awaited_from_the_moment_that_somebody_declares_it() -> None:
    qa = replace(
        SHOP, gates=(*SHOP.gates, GateDefinition("qa")), environments=(STAGING, replace(PRODUCTION, gates=("qa",)))
    )
    told_ = found(pushed(0), built(60), pipeline=qa, past=Past((once(500, SHOP),)))
    assert told_[1:] == [
        ("legal", "people", 0, 500, "zoe", "verified"),
        ("promotion to staging", "pipeline", 61, None, "", ""),
        ("qa", "people", 500, None, "", ""),
    ]
    assert found(pushed(0), built(60), pipeline=SHOP, past=Past((once(5),)))[1] == ("legal", "people", 5, None, "", "")


def test_who_applies_pipelines_without_a_gate_ends_the_wait_for_it_unless_its_column_is_still_there() -> None:
    way = [pushed(0), built(60), *deployed(62, "staging")]
    told_ = found(*way, *begun(520, "production"), pipeline=LAWLESS, past=Past((once(500, SHOP),)))
    assert told_[1:] == [
        ("legal", "people", 0, 500, "zoe", "verified"),
        ("deployed_to_staging", "pipeline", 62, 64, "gatestream", "verified"),
        ("promotion to production", "pipeline", 500, 520, "gatestream", "verified"),
    ]
    kept = found(*way, pipeline=LAWLESS, past=Past((once(500, SHOP),)), gates={"legal": ""})
    assert ("legal", "people", 0, None, "", "") in kept, "a column that no pipeline declares is needed everywhere"


def test_a_column_that_is_removed_after_its_gate_has_left_is_waited_for_until_then() -> None:
    way = [pushed(0), built(60), *deployed(62, "staging")]
    late = entry(900, "empty gates removed", {"legal": None}, by="zoe")
    told_ = found(*way, late, pipeline=LAWLESS, past=Past((once(500, SHOP),)))
    assert ("legal", "people", 0, 900, "zoe", "verified") in told_
    assert ("promotion to production", "pipeline", 900, None, "", "") in told_
    before = entry(499, "empty gates removed", {"legal": None}, by="zoe")
    ended = found(*way, before, pipeline=LAWLESS, past=Past((once(500, SHOP),)))
    assert ("legal", "people", 0, 500, "zoe", "verified") in ended, "until then it was declared, and so awaited"


def test_results_count_for_what_was_declared_when_they_came() -> None:
    other = replace(
        SHOP, gates=(replace(BUILD, source=GateSource(SourceKind.CIRCLECI_WORKFLOW, "other")), *SHOP.gates[1:])
    )
    told_ = found(pushed(0), built(60), built(700, late=2), pipeline=SHOP, past=Past((once(500, other),)))
    assert told_[0] == ("build", "ci", 0, 702, "circleci", "verified")


def test_an_environment_that_is_gone_is_waited_for_no_more() -> None:
    gone = replace(SHOP, environments=())
    past = Past((once(500, SHOP),))
    assert found(pushed(0), built(60), pipeline=gone, past=past)[2][2:] == (61, 500, "zoe", "verified")
    told_ = found(
        pushed(0), built(60), claimed(62, "staging"), told(700, "staging", "started"), pipeline=gone, past=past
    )
    assert ("staging to be free", "pipeline", 62, 500, "zoe", "verified") in told_


def test_a_wait_of_a_commit_that_is_overtaken_ends_with_that() -> None:
    passed = Overtaking(at(400), PIPELINE)
    way = [pushed(0), built(60), closed(10, "frozen"), gate_set(900, "legal")]
    assert found(*way, past=Past(overtaken={"staging": passed, "production": passed})) == [
        ("build", "ci", 0, 61, "circleci", "verified"),
        ("legal", "people", 0, 400, "gatestream", "verified"),
        ("the end of the freeze of staging", "people", 61, 400, "gatestream", "verified"),
    ]


def test_a_promotion_that_is_overtaken_before_it_begins_waits_no_more() -> None:
    back = Overtaking(at(400), Doer("bea", "verified"))
    told_ = found(
        pushed(0), built(60), claimed(62, "staging"), past=Past(overtaken={"staging": back, "production": back})
    )
    assert told_[2:] == [
        ("deployed_to_staging", "pipeline", 62, 400, "bea", "verified"),
        ("staging to be free", "pipeline", 62, 400, "bea", "verified"),
    ]


def test_who_is_overtaken_in_one_environment_may_still_wait_for_another() -> None:
    apart = replace(SHOP, environments=(replace(STAGING, gates=("legal",)), replace(PRODUCTION, after=())))
    told_ = found(
        pushed(0),
        pipeline=apart,
        past=Past(overtaken={"staging": Overtaking(at(400), PIPELINE), "gone": Overtaking(at(5), PIPELINE)}),
    )
    assert told_ == [("legal", "people", 0, None, "", "")]
