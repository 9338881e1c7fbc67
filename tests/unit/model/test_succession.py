"""Whose releases an environment takes over, and where it begins by that."""

from dataclasses import replace

import pytest

from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline, Release
from pipeline_state.model.succession import inherited, predecessors

HERE, THERE = Cluster(eks="main", region="eu-west-1"), Cluster(eks="main", region="us-east-1")
LIVE, JOBS = ("shop", "live"), ("shop", "jobs")


def environment(name: str, *releases: str, cluster: Cluster = HERE, namespace: str = "shop") -> Environment:
    return Environment(name, releases=tuple(Release(each, namespace, "c") for each in releases), cluster=cluster)


def shop(*environments: Environment, name: str = "shop") -> Pipeline:
    return Pipeline(name, "myOrg/shop", environments=environments)


ONE, TWO = shop(environment("live", "web", "worker")), shop(environment("live", "web"), environment("jobs", "worker"))


@pytest.mark.parametrize(
    "before, after, found",
    [
        (ONE, ONE, {}),
        (ONE, replace(ONE, name="store", version=2), {("store", "live"): [LIVE]}),
        (ONE, shop(environment("prod", "web", "worker")), {("shop", "prod"): [LIVE]}),
        (
            ONE,
            shop(environment("a", "web"), environment("b", "worker")),
            {("shop", "a"): [LIVE], ("shop", "b"): [LIVE]},
        ),
        (ONE, TWO, {JOBS: [LIVE]}),
        (TWO, ONE, {LIVE: [JOBS]}),
        (TWO, shop(environment("prod", "worker", "web")), {("shop", "prod"): [JOBS, LIVE]}),
        (TWO, shop(environment("live", "worker"), environment("jobs", "web")), {LIVE: [JOBS], JOBS: [LIVE]}),
        (ONE, shop(*ONE.environments, environment("jobs", "other")), {}),
        (ONE, shop(*ONE.environments, environment("far", "web", cluster=THERE)), {}),
        (ONE, shop(*ONE.environments, environment("jobs", "web", namespace="jobs")), {}),
        (ONE, shop(environment("live", "web", "worker", cluster=THERE)), {}),
        (ONE, shop(environment("live", "web")), {}),
    ],
    ids=[
        "the same again",
        "another pipeline's name",
        "another environment's name",
        "split in two",
        "one that moves out",
        "merged into one that was there",
        "merged into a new one",
        "exchanged",
        "another release",
        "another cluster of that name",
        "another namespace",
        "the environment itself moves",
        "one goes",
    ],
)
def test_an_environment_follows_those_whose_releases_it_takes_over(
    before: Pipeline, after: Pipeline, found: dict[tuple[str, str], list[tuple[str, str]]]
) -> None:
    assert predecessors([before], [after]) == found


def state(sequence: int = -1, head: str = "", newest: str = "") -> EnvironmentState:
    return EnvironmentState("shop", "live", sequence=sequence, head=head, newest=newest or head)


NONE = state()


@pytest.mark.parametrize(
    "own, others, found",
    [
        (NONE, [NONE], None),
        (NONE, [], None),
        (NONE, [state(7, "b")], (6, "b")),
        (NONE, [state(7, "b"), state(9, "d"), NONE], (8, "d")),
        (NONE, [state(7, head="a", newest="b")], (7, "b")),
        (NONE, [state(6, newest="b")], (6, "b")),
        (state(3, "a"), [state(7, "b")], (6, "b")),
        (state(6, "a"), [state(7, "b")], None),
        (state(9, "d"), [state(7, "b")], None),
    ],
    ids=[
        "none had a commit",
        "nobody follows",
        "what is there may come by the new name",
        "of several the latest",
        "what was gone back from may not",
        "twice another name, and nothing between",
        "raised",
        "as far already",
        "further already",
    ],
)
def test_it_begins_behind_the_latest_of_them(
    own: EnvironmentState, others: list[EnvironmentState], found: tuple[int, str] | None
) -> None:
    assert inherited(own, others) == found
