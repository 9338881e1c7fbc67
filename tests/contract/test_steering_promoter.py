"""What people ask for by name, through the real promoter: claimed by the command, published from the streams."""

from typing import Any

import pytest

from pipeline_state.cli.asking import happening
from pipeline_state.cli.definitions import candidates
from pipeline_state.cli.steering import moving
from pipeline_state.cli.steering.places import Place, find_place
from pipeline_state.cli.steering.wishes import Wish
from pipeline_state.events.deployment import read_promotion
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.startup import utc_now
from pipeline_state.table import holds
from tests.contract.function_room import Crash, FunctionRoom
from tests.contract.table_room import WEB, A, B, C, pipeline

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))


@pytest.fixture
def shop(functions: FunctionRoom) -> FunctionRoom:
    """A and then B promoted to staging and deployed."""
    functions.tables.define(pipeline(STAGING))
    for second, before, commit in ((0, "", A), (100, A, B)):
        ready(functions, commit, before, second)
        (promotion,) = installs(functions)
        functions.tables.deployed(promotion, second=second + 60)
    functions.settle()
    return functions


def ready(shop: FunctionRoom, commit: str, before: str, second: float) -> None:
    shop.send(shop.push(before, commit, second), shop.build(commit, second=second + 5))
    shop.settle()


def installs(shop: FunctionRoom) -> list[Promotion]:
    return [read_promotion(event) for event, _ in shop.waiting(shop.installs)]


def place(shop: FunctionRoom) -> Place:
    return find_place(shop.tables.pipeline_name, "staging")


def asked(shop: FunctionRoom, action: Action, commit: str = "", **changes: Any) -> Promotion:
    wish = Wish(action, place(shop), "ann", "too slow", commit, **changes)
    (promotion,) = moving.carry_out(moving.plan(wish, utc_now), utc_now)
    return promotion


def done(shop: FunctionRoom, kind: str) -> None:
    """By ben, as the commands do it."""
    it = place(shop)
    told, name = happening(it.key, kind, "ben", utc_now(), it.to_json()), it.environment.name
    match kind:
        case "frozen":
            holds.freeze(it.pipeline, name, Freeze("ben"), told)
        case "unfrozen":
            holds.unfreeze(it.pipeline, name, told)
        case "released":
            holds.release(it.pipeline, name, told)


def test_a_rollback_is_published_once_with_name_and_reason(shop: FunctionRoom) -> None:
    claimed = asked(shop, Action.ROLLBACK)
    shop.promote(times=2)
    (promotion,) = installs(shop)
    assert promotion.id == claimed.id
    assert (promotion.commit, promotion.by, promotion.action, promotion.reason) == (
        A,
        "ann",
        Action.ROLLBACK,
        "too slow",
    )
    assert shop.tables.record(A).claims["staging"].published


@pytest.mark.parametrize("action, commit", [(Action.ROLLBACK, A), (Action.REDEPLOY, B)])
def test_a_promoter_that_dies_before_publishing_is_made_good_with_the_same_id(
    shop: FunctionRoom, action: Action, commit: str
) -> None:
    claimed = asked(shop, action)
    changes = shop.changes()

    def crash(_: object) -> None:
        raise Crash

    with shop.before_publishing(crash), pytest.raises(Crash):
        shop.promoter(changes)
    shop.promoter = shop.new_promoter()
    shop.promoter(changes)
    assert [(each.id, each.commit) for each in installs(shop)] == [(claimed.id, commit)]


def test_after_a_rollback_newer_commits_wait_for_the_release_and_the_one_before_never_comes_back(
    shop: FunctionRoom,
) -> None:
    shop.tables.deployed(asked(shop, Action.ROLLBACK), second=300)
    shop.settle()
    installs(shop)
    ready(shop, C, B, 400)
    assert installs(shop) == []
    done(shop, "released")
    shop.settle()
    assert [(each.commit, each.by) for each in installs(shop)] == [(C, "gatestream")]
    assert shop.tables.state().head == C


def test_a_release_without_anything_newer_leaves_what_was_gone_back_to(shop: FunctionRoom) -> None:
    shop.tables.deployed(asked(shop, Action.ROLLBACK), second=300)
    shop.settle()
    installs(shop)
    done(shop, "released")
    shop.settle()
    assert (installs(shop), shop.tables.state().head) == ([], A)


def test_an_override_is_published_while_everybody_else_waits_for_the_freeze(shop: FunctionRoom) -> None:
    done(shop, "frozen")
    ready(shop, C, B, 400)
    assert installs(shop) == []
    claimed = asked(shop, Action.OVERRIDE, C, override=True)
    shop.settle()
    assert [(each.id, each.override) for each in installs(shop)] == [(claimed.id, True)]
    done(shop, "unfrozen")
    shop.settle()
    assert installs(shop) == []


def test_what_a_new_definition_lets_go_is_promoted_after_the_look(functions: FunctionRoom) -> None:
    for second, before, commit in ((0, "", A), (10, A, B), (20, B, C)):
        functions.send(functions.push(before, commit, second))
        functions.settle()
    functions.tables.define(pipeline(Environment("staging", (), (), (WEB,), Cluster(context="local"))))
    found = candidates.of_repo(functions.repo)
    assert (found.commits, found.left_out) == ((C, B, A), 0)
    assert list(candidates.look_again(functions.repo, found)) == [C, B, A]
    functions.settle()
    assert [each.commit for each in installs(functions)] == [C]
    assert functions.tables.state().generation == 1


def test_a_look_again_without_a_change_promotes_nothing(shop: FunctionRoom) -> None:
    found = candidates.of_repo(shop.repo)
    assert found.commits == (B,)
    list(candidates.look_again(shop.repo, found))
    shop.settle()
    assert installs(shop) == []
