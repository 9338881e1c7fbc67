"""Releases of one promotion, in order or together: what follows from the outcomes there are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.beside import Outcomes, failed, never_begun, next_release, taken_back
from pipeline_state.model.pipelines import Cluster, Release
from pipeline_state.model.promotion import Promotion

NAMES = ("database", "api", "web")
ALL = [
    Promotion(
        id=f"id of {name}",
        repo="myOrg/myApp",
        commit="1" * 40,
        branch="main",
        sequence=1,
        pipeline="myOrg/myApp",
        pipeline_version=1,
        environment="production",
        environment_key="production",
        generation=3,
        release=Release(name, "shop", "charts/web"),
        cluster=Cluster(context="local"),
        releases=NAMES,
        in_order=True,
        rollback_together=True,
    )
    for name in NAMES
]
DATABASE, API, WEB = ALL


def outcomes(**kinds: str) -> Outcomes:
    return {name: {"kind": kind} for name, kind in kinds.items()}


@pytest.mark.parametrize(
    "promotion,known,expected",
    [
        (DATABASE, outcomes(database="deployed"), "api"),
        (API, outcomes(database="deployed", api="deployed"), "web"),
        (WEB, outcomes(database="deployed", api="deployed", web="deployed"), None),
        (DATABASE, outcomes(database="failed"), None),
        (DATABASE, outcomes(), None),
        (DATABASE, outcomes(database="deployed", api="failed"), None),
        (replace(DATABASE, in_order=False), outcomes(database="deployed"), None),
    ],
)
def test_in_order_each_begins_once_the_one_before_it_is_deployed(
    promotion: Promotion, known: Outcomes, expected: str | None
) -> None:
    assert next_release(promotion, known) == expected


@pytest.mark.parametrize(
    "promotion,known,expected",
    [
        (DATABASE, outcomes(database="failed"), ("api", "web")),
        (API, outcomes(database="deployed", api="failed"), ("web",)),
        (API, outcomes(database="deployed", api="failed", web="failed"), ()),
        (DATABASE, outcomes(database="deployed"), ()),
        (replace(DATABASE, in_order=False), outcomes(database="failed"), ()),
    ],
)
def test_what_comes_after_one_that_failed_never_begins(
    promotion: Promotion, known: Outcomes, expected: tuple[str, ...]
) -> None:
    assert never_begun(promotion, known) == expected


@pytest.mark.parametrize(
    "promotion,known,expected",
    [
        (WEB, outcomes(database="deployed", api="deployed", web="failed"), ("api", "database")),
        (DATABASE, outcomes(database="deployed", web="failed"), ("database",)),
        (WEB, outcomes(web="failed"), ()),
        (WEB, outcomes(database="deployed", api="deployed", web="deployed"), ()),
        (replace(WEB, rollback_together=False), outcomes(database="deployed", web="failed"), ()),
    ],
)
def test_together_what_is_deployed_goes_back_when_another_failed(
    promotion: Promotion, known: Outcomes, expected: tuple[str, ...]
) -> None:
    assert taken_back(promotion, known) == expected


def test_the_first_that_failed_is_to_blame() -> None:
    assert failed(WEB, outcomes(web="failed", api="failed")) == "api"
    assert failed(WEB, outcomes(api="deployed")) is None


KINDS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["deployed", "failed"]))


@given(KINDS, st.permutations(NAMES))
def test_whoever_ends_last_sees_to_all_that_has_to_go_back(kinds: dict[str, str], ends: list[str]) -> None:
    """Releases end in any order; each sees what ended before it, and itself."""
    known: dict[str, str] = {}
    withdrawn: set[str] = set()
    by_name = {each.release.name: replace(each, in_order=False) for each in ALL}
    for name in ends:
        if name in kinds:
            known[name] = kinds[name]
            withdrawn.update(taken_back(by_name[name], outcomes(**known)))
    is_one_failed = "failed" in kinds.values()
    assert withdrawn == ({name for name, kind in kinds.items() if kind == "deployed"} if is_one_failed else set())
