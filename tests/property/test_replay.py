"""Any history: unchanged definitions change nothing, and what the replay promotes is what may be promoted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline_state.model.comparison import compare
from pipeline_state.model.environments import Freeze
from pipeline_state.model.history import Claimed, Ended, Fact, Pushed
from pipeline_state.model.pipelines import Environment, FreezeWindow, Pipeline, Policy
from pipeline_state.model.promotion import Action
from pipeline_state.model.replay import Replayed, replay
from tests.unit.model.histories import (
    PRODUCTION,
    SHOP,
    STAGING,
    at,
    built,
    claimed,
    edited,
    ended,
    frozen,
    held,
    pushed,
    unfrozen,
    with_environments,
)

COMMITS = [letter * 40 for letter in "abcd"]
END = 1000.0
ROLLBACK = {"by": "ann", "action": Action.ROLLBACK}

moments = st.integers(0, 900).map(float)
commits = st.sampled_from(COMMITS)
places = st.sampled_from(["staging", "production"])
generations = st.integers(1, 4)
facts = st.one_of(
    st.builds(pushed, moments, st.sampled_from(["", *COMMITS]), commits),
    st.builds(built, moments, commits, st.sampled_from(["success", "failed", "pending"])),
    st.builds(
        lambda at_, commit, value: edited(at_, commit, legal=value),
        moments,
        commits,
        st.sampled_from(["TRUE", "FALSE", None]),
    ),
    st.builds(
        lambda at_, commit, value: edited(at_, commit, scan=value),
        moments,
        commits,
        st.sampled_from(["TRUE", "", None]),
    ),
    st.builds(frozen, moments, st.none() | moments, st.sampled_from(["staging", "production", ""])),
    st.builds(unfrozen, moments, st.sampled_from(["staging", "production", ""])),
    st.builds(held, moments, st.sampled_from(["ann", ""]), places),
    st.builds(claimed, moments, commits, generations, places),
    st.builds(
        lambda at_, commit, number, holds: claimed(at_, commit, number, holds=holds, **ROLLBACK),
        moments,
        commits,
        generations,
        st.booleans(),
    ),
    st.builds(
        lambda at_, commit, number, place: ended(at_, commit, number, environment=place),
        moments,
        commits,
        generations,
        places,
    ),
)
histories = st.lists(facts, max_size=25).map(lambda found: sorted(found, key=lambda fact: fact.at))
definitions = st.builds(
    lambda policies, soak, gates, windows: with_environments(
        replace(STAGING, policy=policies[0]),
        replace(PRODUCTION, policy=policies[1], soak=soak, gates=gates, freezes=windows),
        pipeline=SHOP,
    ),
    st.tuples(st.sampled_from(Policy), st.sampled_from(Policy)),
    st.sampled_from([0, 60]),
    st.sampled_from([("legal",), ()]),
    st.sampled_from([(), (FreezeWindow("* * * * *", 1),)]),
)


def windows(_: Environment, now: datetime) -> Freeze | None:
    """Every third minute."""
    minute = int((now - at(0)).total_seconds()) // 60
    return Freeze("window", (at(0) + timedelta(minutes=minute + 1)).isoformat()) if minute % 3 == 0 else None


def run(pipeline: Pipeline, history: Sequence[Fact]) -> Replayed:
    return replay([pipeline], history, windows, at(END))


@given(definitions, histories)
def test_unchanged_definitions_change_nothing(pipeline: Pipeline, history: list[Fact]) -> None:
    assert compare(run(pipeline, history), run(pipeline, history)) == []


@given(definitions, histories)
def test_what_a_replay_did_by_itself_is_replayed_the_same_once_it_is_history(
    pipeline: Pipeline, history: list[Fact]
) -> None:
    """The claims of the first run as facts, where nobody had claimed or deployed anything before."""
    unclaimed = [fact for fact in history if not isinstance(fact, Claimed | Ended)]
    first = run(pipeline, unclaimed)
    numbers = {environment.name: 0 for environment in pipeline.environments}
    really: list[Fact] = []
    for step in first.steps:
        numbers[step.environment] += 1
        number = numbers[step.environment]
        really.append(Claimed(step.at, step.commit, step.pipeline, step.environment, number))
        really.append(Ended(step.at, step.commit, step.pipeline, step.environment, "web", number, "TRUE"))
    whole = sorted([*unclaimed, *really], key=lambda fact: fact.at)
    assert compare(first, run(pipeline, whole)) == []


@given(definitions, histories)
def test_each_promotion_is_of_the_time_of_a_fact_or_later_and_none_after_the_end(
    pipeline: Pipeline, history: list[Fact]
) -> None:
    times = [step.at for step in run(pipeline, history).steps]
    assert all(before <= after for before, after in pairwise(times))
    assert all(history[0].at <= time <= at(END) for time in times)


@given(definitions, histories)
def test_nothing_that_could_be_promoted_is_left_at_the_end(pipeline: Pipeline, history: list[Fact]) -> None:
    found = run(pipeline, history)
    left = [
        (commit[0], key) for commit in COMMITS for key in found.environments if " now: " in found.sentence(key, commit)
    ]
    assert left == []


@given(histories)
def test_without_people_an_environment_gets_each_commit_once_for_each_time_it_is_a_branchs_tip(
    history: list[Fact],
) -> None:
    pipeline = with_environments(STAGING)
    alone = [fact for fact in history if not (isinstance(fact, Claimed) and fact.by == "ann")]
    steps = [step.commit for step in run(pipeline, alone).steps]
    tips = [tip for fact in alone if isinstance(fact, Pushed) for tip in (fact.push.before, fact.push.after)]
    assert all(steps.count(commit) <= tips.count(commit) for commit in COMMITS)
