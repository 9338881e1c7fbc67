"""Which commits new definitions may take further, and in which order they are looked at."""

from dataclasses import replace
from typing import Any

from pipeline_state.cli.definitions.candidates import Candidates, choose
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import Environment, Pipeline, Policy
from pipeline_state.model.record import Record

PLACES = (Environment("staging"), Environment("production", after=("staging",)))
SHOP = Pipeline("shop", "org/app", environments=PLACES)


def record(number: int, branch: str = "main", **changes: Any) -> Record:
    return replace(Record("org/app", f"{number:040x}", branches={branch: Place(number)}), **changes)


def numbers(found: Candidates) -> list[int]:
    return [int(commit, 16) for commit in found.commits]


RECORDS = [record(number) for number in (3, 1, 5, 2, 4)]


def test_where_nothing_has_been_promoted_the_newest_of_all_comes_first() -> None:
    assert numbers(choose(RECORDS, [SHOP], {})) == [5, 4, 3, 2, 1]


def test_what_is_older_than_all_that_the_environments_have_is_left_alone() -> None:
    assert numbers(choose(RECORDS, [SHOP], {("shop", "staging"): 4, ("shop", "production"): 3})) == [5, 4, 3]


def test_an_environment_that_never_had_a_commit_may_take_what_the_others_have() -> None:
    assert numbers(choose(RECORDS, [SHOP], {("shop", "staging"): 4})) == [5, 4]


def test_the_oldest_comes_first_where_an_environment_in_use_takes_every_commit() -> None:
    every = replace(SHOP, environments=(Environment("staging", policy=Policy.EVERY),))
    assert numbers(choose(RECORDS, [every], {("shop", "staging"): 2})) == [2, 3, 4, 5]


def test_a_first_definition_that_takes_every_commit_does_not_begin_with_those_of_the_past() -> None:
    every = replace(SHOP, environments=(Environment("staging", policy=Policy.EVERY),))
    assert numbers(choose(RECORDS, [every], {})) == [5, 4, 3, 2, 1]


def test_only_candidates_count_of_whichever_pipeline() -> None:
    others = [record(8, "feature"), Record("org/app", "f" * 40), record(9, problems=("_branches is no map",))]
    trunk = Pipeline("next", "org/app", branches=("feature",), environments=PLACES)
    assert numbers(choose([*RECORDS[:2], *others], [SHOP, trunk], {("shop", "staging"): 3})) == [8, 3]


def test_more_than_the_most_are_cut_at_the_oldest_and_counted() -> None:
    found = choose(RECORDS, [SHOP], {}, most=2)
    assert (numbers(found), found.left_out) == ([5, 4], 3)


def test_without_pipelines_there_are_none() -> None:
    assert choose(RECORDS, [], {}) == Candidates(())
