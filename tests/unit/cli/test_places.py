"""Pipelines and environments by the names that people give."""

import pytest

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.steering.places import pick_environment, pick_pipeline
from pipeline_state.model.pipelines import Environment, Pipeline

PLACES = (Environment("staging"), Environment("production"))
SHOP = Pipeline("Shop", "org/app", environments=PLACES)
API = Pipeline("api", "org/mono", environments=PLACES, shared=True)
WEB = Pipeline("web", "org/mono", environments=PLACES, shared=True)
ALL = [SHOP, API, WEB]


@pytest.mark.parametrize(
    "wanted, found", [("Shop", SHOP), ("sHOP", SHOP), ("org/app", SHOP), ("ORG/App", SHOP), ("web", WEB)]
)
def test_a_pipeline_is_found_by_its_name_or_its_repositorys(wanted: str, found: Pipeline) -> None:
    assert pick_pipeline(ALL, wanted) is found


def test_the_exact_name_goes_before_one_in_another_casing() -> None:
    shop = Pipeline("shop", "org/other")
    assert pick_pipeline([SHOP, shop], "shop") is shop
    with pytest.raises(CommandError, match="there is no pipeline 'SHOP'; did you mean"):
        pick_pipeline([SHOP, shop], "SHOP")


@pytest.mark.parametrize(
    "wanted, told",
    [
        ("org/mono", "org/mono has several pipelines; name one of them: api, web"),
        ("shopp", "there is no pipeline 'shopp'; did you mean Shop?"),
        ("zzz", "there is no pipeline 'zzz'; there are Shop, api, web"),
        ("", "there is no pipeline ''; there are Shop, api, web"),
    ],
)
def test_a_pipeline_that_is_not_there_is_told_with_those_that_are(wanted: str, told: str) -> None:
    with pytest.raises(CommandError) as refusal:
        pick_pipeline(ALL, wanted)
    assert str(refusal.value) == told


def test_without_any_pipeline_the_next_step_is_to_define_one() -> None:
    with pytest.raises(CommandError, match="run `gatestream pipelines apply`"):
        pick_pipeline([], "shop")


def test_an_environment_is_found_in_whatever_casing_and_a_slip_is_told() -> None:
    assert pick_environment(SHOP, "PRODUCTION").name == "production"
    with pytest.raises(CommandError) as refusal:
        pick_environment(SHOP, "prodction")
    assert str(refusal.value) == "Shop has no environment 'prodction'; did you mean production?"
    with pytest.raises(CommandError, match="there are production, staging"):
        pick_environment(SHOP, "qa")
