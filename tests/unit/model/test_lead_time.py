"""Where the time of a deployed commit went: every moment once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.lead_time import Part, Stretch, installations, on_the_way, split, stretches
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.waits import Wait

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def stretch(part: Part, start: float, end: float) -> Stretch:
    return Stretch(part, at(start), at(end))


def minutes(parts: dict[Part, timedelta]) -> dict[str, float]:
    return {part.value: taken / timedelta(minutes=1) for part, taken in parts.items() if taken}


def spent(*those: Stretch, start: float = 0, end: float = 60) -> dict[str, float]:
    return minutes(split(at(start), at(end), those))


def test_what_nothing_explains_is_unexplained() -> None:
    assert spent() == {"unexplained": 60}
    assert spent(stretch(Part.CI, 10, 20)) == {"ci": 10, "unexplained": 50}


def test_every_part_is_told_also_where_it_took_no_time() -> None:
    assert list(split(at(0), at(60), [])) == ["helm", "ci", "people", "pipeline", "unexplained"]


@pytest.mark.parametrize(
    "first, second",
    [(Part.HELM, Part.CI), (Part.CI, Part.PEOPLE), (Part.PEOPLE, Part.PIPELINE), (Part.HELM, Part.PIPELINE)],
)
def test_of_two_at_once_the_one_that_does_something_counts(first: Part, second: Part) -> None:
    for those in ([stretch(first, 10, 30), stretch(second, 0, 60)], [stretch(second, 0, 60), stretch(first, 10, 30)]):
        assert spent(*those) == {first.value: 20, second.value: 40}


def test_two_of_one_kind_at_once_count_once() -> None:
    assert spent(stretch(Part.CI, 0, 30), stretch(Part.CI, 20, 50), stretch(Part.CI, 5, 10)) == {
        "ci": 50,
        "unexplained": 10,
    }


def test_only_what_lies_between_push_and_deployment_counts() -> None:
    assert spent(stretch(Part.CI, -30, 10), stretch(Part.PEOPLE, 50, 90), stretch(Part.HELM, 90, 99)) == {
        "ci": 10,
        "people": 10,
        "unexplained": 40,
    }


def test_a_deployment_that_is_told_to_be_before_its_push_took_no_time() -> None:
    assert spent(stretch(Part.CI, -30, 90), start=10, end=0) == {}


def test_a_wait_that_lasts_has_lasted_until_now() -> None:
    waits = [Wait("build", "ci", "prod", at(0), at(5)), Wait("legal", "people", "prod", at(5))]
    assert stretches(waits, at(9)) == [stretch(Part.CI, 0, 5), stretch(Part.PEOPLE, 5, 9)]


def test_on_the_way_nothing_counts_that_other_environments_lack() -> None:
    shop = Pipeline("shop", "o/r", environments=tuple(map(Environment, ("dev", "eu", "us"))))
    passed = on_the_way([shop, replace(shop, name="docs")], "shop", frozenset({"dev", "us"}))
    assert [[each.name for each in pipeline.environments] for pipeline in passed] == [["dev", "us"], []]


def entry(minute: float, **what: Any) -> dict[str, Any]:
    told = {"pipeline": "shop", "environment": "prod", "release": "web", "seconds": Decimal(90), **what}
    return {"record": f"o/r#{'a' * 40}", "entry": f"{at(minute).isoformat()}#id#source", "what": told}


def test_an_installation_ends_with_its_verdict() -> None:
    assert installations([entry(10)], "shop", frozenset({"prod"})) == [stretch(Part.HELM, 8.5, 10)]
    short = installations([entry(10, seconds=Decimal("0.6"))], "shop", frozenset({"prod"}))
    assert short == [stretch(Part.HELM, 9.99, 10)]


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"entry": "", "what": entry(0)["what"]},
        {"entry": "soon#id#source", "what": entry(0)["what"]},
        {"entry": entry(0)["entry"], "what": "prod"},
        entry(0, pipeline="docs"),
        entry(0, environment="dev"),
        entry(0, environment=["prod"]),
        entry(0, seconds=0),
        entry(0, seconds=-3),
        entry(0, seconds=None),
        entry(0, seconds="soon"),
        entry(0, seconds="nan"),
        entry(0, seconds=Decimal("1e300")),
    ],
)
def test_what_tells_of_no_installation_on_the_way_is_left_out(found: dict[str, Any]) -> None:
    assert installations([found], "shop", frozenset({"prod"})) == []


STRETCHES = st.lists(
    st.tuples(st.sampled_from([*Part][:4]), st.integers(-50, 150), st.integers(0, 120)), max_size=12
).map(lambda drawn: [stretch(part, start, start + length) for part, start, length in drawn])


@given(STRETCHES, st.integers(0, 10**10))
def test_the_parts_are_exactly_the_whole(those: list[Stretch], microseconds: int) -> None:
    end = NOON + timedelta(microseconds=microseconds)
    parts = split(NOON, end, those)
    assert sum(parts.values(), timedelta()) == end - NOON
    assert min(parts.values()) >= timedelta()


@given(STRETCHES, st.randoms())
def test_the_order_of_the_stretches_does_not_matter(those: list[Stretch], random: Any) -> None:
    shuffled = random.sample(those, len(those))
    assert split(at(0), at(100), those) == split(at(0), at(100), shuffled)


@given(STRETCHES, STRETCHES)
def test_more_that_is_known_never_leaves_more_unexplained(some: list[Stretch], more: list[Stretch]) -> None:
    before, after = (split(at(0), at(100), those)[Part.UNEXPLAINED] for those in (some, [*some, *more]))
    assert after <= before
