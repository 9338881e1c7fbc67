"""What the functions count on the way of an event: each fact once, and by the function that knows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions.github_webhook import app as github_app
from pipeline_state import metrics, tracing
from pipeline_state.cli.asking import happening
from pipeline_state.cli.steering import moving
from pipeline_state.cli.steering.places import find_place
from pipeline_state.cli.steering.wishes import Wish
from pipeline_state.events.codec import encode
from pipeline_state.events.deployment import promoted
from pipeline_state.events.publish import Publisher
from pipeline_state.handlers.parking import Parking
from pipeline_state.handlers.promotion import Promotions
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline
from pipeline_state.model.promotion import Action
from pipeline_state.model.times import format_time
from pipeline_state.startup import utc_now
from pipeline_state.table import holds, leases
from pipeline_state.table.journal import Happening
from pipeline_state.table.snapshot import Reader
from tests.contract.function_room import FunctionRoom
from tests.contract.pump import StreamMapping
from tests.contract.shop import Shop
from tests.contract.table_room import WEB, A, B, C, pipeline
from tests.contract.webhook_stack import WebhookStack, body_of, github_headers, request

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
PUSH = body_of("github_push/one_commit")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("METRICS_NAMESPACE", "Gatestream/shop")
    metrics.configure("Gatestream/shop", "test")
    yield
    metrics.configure("", "")


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The lines of metrics since the last look."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]


Written = Callable[[], list[dict[str, Any]]]


def totals(lines: list[dict[str, Any]]) -> dict[str, int]:
    names = {metric.name for metric in metrics.ALL if metric.unit == "Count"}
    return dict(sum((Counter({name: line[name] for name in names & line.keys()}) for line in lines), Counter()))


@pytest.fixture
def webhooks(
    ministack: str,
    patient_clients: None,  # noqa: ARG001 - set up first
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[WebhookStack]:
    stack = WebhookStack(ministack)
    for name, value in stack.settings.items():
        monkeypatch.setenv(name, value)
    yield stack
    github_app.webhook.cache_clear()
    tracing.shutdown()


def post(body: bytes, headers: dict[str, str] | None = None) -> int:
    answer: dict[str, int] = github_app.app(request("/github", body, headers or github_headers(body)), None)
    return answer["statusCode"]


@pytest.mark.usefixtures("webhooks")
@pytest.mark.parametrize("body, headers, status, counted", [
    (PUSH, None, 202, {"EventsReceived": 1}),
    (PUSH, {"Content-Type": "application/json"}, 401, {"EventsReceived": 1, "EventsRejectedUnsigned": 1}),
    (b"{", None, 400, {"EventsReceived": 1, "EventsRejectedUnreadable": 1}),
    (b'{"ref": 5}', None, 422, {"EventsReceived": 1, "EventsRejectedIncomplete": 1}),
])  # fmt: skip
def test_a_webhook_is_counted_once_and_if_it_is_rejected_by_the_reason(
    written: Written, body: bytes, headers: dict[str, str] | None, status: int, counted: dict[str, int]
) -> None:
    assert post(body, headers) == status
    (line,) = written()
    assert totals([line]) == counted
    assert (line["function"], line["providers"]) == ("github_webhook", ["github"])
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Gatestream/shop"


@pytest.mark.usefixtures("webhooks")
def test_a_webhook_that_nobody_takes_is_counted_as_such(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)
    assert post(PUSH) == 503
    assert totals(written()) == {"EventsReceived": 1, "EventsNotTaken": 1}


@pytest.mark.usefixtures("webhooks")
def test_nothing_of_the_payload_is_in_the_line(written: Written) -> None:
    post(PUSH)
    (line,) = written()
    assert set(line) == {"_aws", "function", "request_id", "providers", "EventsReceived"}


def sweeper(functions: FunctionRoom) -> Promotions:
    return Promotions(Reader(), Publisher(functions.sns), functions.promotions, utc_now)


def told(shop: Pipeline, kind: str) -> Happening:
    return happening((shop.name, "staging"), kind, "ann", utc_now(), {})


def pushed_and_built(functions: FunctionRoom, commit: str, before: str = "", **build: Any) -> None:
    functions.send(functions.push(before, commit), functions.build(commit, **build))
    functions.recorder.drain()


def test_a_gate_that_opens_and_what_follows_are_counted(functions: FunctionRoom, written: Written) -> None:
    functions.tables.define(pipeline(STAGING))
    pushed_and_built(functions, A, completed_at=format_time(utc_now() - timedelta(seconds=7)))
    written()
    with metrics.invocation():
        functions.promote()
    (line,) = written()
    assert totals([line]) == {"GateChanges": 1, "Promotions": 1}
    assert 7 <= line["PromotionLag"][0] < 120
    assert (line["commits"], line["environments"]) == ([f"{functions.repo}@{A}"], ["staging"])


def test_a_gate_whose_clock_is_ahead_leaves_no_time_to_be_late_by(functions: FunctionRoom, written: Written) -> None:
    functions.tables.define(pipeline(STAGING))
    pushed_and_built(functions, A, completed_at=format_time(utc_now() + timedelta(seconds=100)))
    written()
    with metrics.invocation():
        functions.promote()
    (line,) = written()
    assert line["PromotionLag"] == [0.0]


def test_columns_that_are_added_empty_are_no_changes_and_a_hand_edit_is(
    functions: FunctionRoom, written: Written
) -> None:
    functions.tables.define(pipeline(STAGING))
    functions.send(functions.push("", A))
    functions.recorder.drain()
    with metrics.invocation():
        functions.promote()
    assert totals(written()) == {}
    functions.tables.edit(A, legal="TRUE")
    with metrics.invocation():
        functions.promote()
    assert totals(written()) == {"GateChanges": 1}


@pytest.mark.parametrize("is_by_hand", [False, True], ids=["by the command", "by hand"])
def test_what_was_held_up_on_purpose_is_late_from_when_the_way_was_free(
    functions: FunctionRoom, written: Written, *, is_by_hand: bool
) -> None:
    shop = functions.tables.define(pipeline(STAGING)).pipelines[0]
    holds.hold(shop, "staging", "sale", told(shop, "held"))
    pushed_and_built(functions, A)
    functions.promote()
    if is_by_hand:
        functions.tables.edit_environment(held_by=None)
    else:
        holds.release(shop, "staging", told(shop, "released"))
    written()
    with metrics.invocation():
        functions.promote()
    (line,) = written()
    assert totals([line]) == {"Promotions": 1}
    assert 0 <= line["PromotionLag"][0] < 60


@pytest.mark.parametrize("who", ["promoter", "sweeper"])
def test_who_comes_before_the_news_of_a_freezes_end_measures_from_there_all_the_same(
    functions: FunctionRoom, written: Written, who: str
) -> None:
    shop = functions.tables.define(pipeline(STAGING)).pipelines[0]
    holds.freeze(shop, "staging", Freeze("ann"), told(shop, "frozen"))
    pushed_and_built(functions, A)
    functions.settle()
    holds.unfreeze(shop, "staging", told(shop, "unfrozen"))
    functions.tables.edit(A, legal="TRUE")
    changes = [each for each in functions.changes() if "commit" in each["dynamodb"]["Keys"]]
    written()
    with metrics.invocation():
        if who == "promoter":
            StreamMapping(functions.promoter).deliver(changes)
        else:
            sweeper(functions).promote_waiting(functions.repo)
    (line,) = written()
    assert totals([line])["Promotions"] == 1
    assert 0 <= line["PromotionLag"][0] < 60


def test_a_column_that_is_taken_away_frees_the_way(functions: FunctionRoom, written: Written) -> None:
    functions.tables.define(pipeline(STAGING))
    pushed_and_built(functions, A)
    functions.tables.edit(A, added="")
    functions.settle()
    functions.tables.edit(A, added=None)
    written()
    with metrics.invocation():
        functions.promote()
    (line,) = written()
    assert totals([line])["Promotions"] == 1
    assert 0 <= line["PromotionLag"][0] < 60


def test_what_the_sweeper_picks_up_is_late_since_the_gate(functions: FunctionRoom, written: Written) -> None:
    functions.tables.define(pipeline(STAGING))
    pushed_and_built(functions, A, completed_at=format_time(utc_now() - timedelta(seconds=400)))
    functions.changes()
    written()
    with metrics.invocation():
        sweeper(functions).promote_waiting(functions.repo)
    (line,) = written()
    assert totals([line]) == {"Promotions": 1}
    assert 400 <= line["PromotionLag"][0] < 500


def test_what_is_given_up_and_what_is_tried_again_is_counted(functions: FunctionRoom, written: Written) -> None:
    functions.send("no event")
    with metrics.invocation():
        functions.recorder.drain()
    assert totals(written()) == {"DeadLetters": 1}
    functions.tables.define(pipeline(STAGING))
    pushed_and_built(functions, B)
    changes = functions.changes()
    with functions.before_publishing(unreachable), metrics.invocation():
        functions.promoter(changes)
    counted = totals(written())
    assert counted["Retries"] >= 1
    assert "Promotions" not in counted, "nobody has heard of it yet"
    for _ in range(2):
        with metrics.invocation():
            StreamMapping(functions.promoter).deliver(changes)
    assert totals(written())["Promotions"] == 1


@pytest.mark.parametrize("action", [Action.REDEPLOY, Action.ROLLBACK, Action.OVERRIDE])
def test_what_a_person_asks_for_is_a_promotion_too_and_counted_once(
    functions: FunctionRoom, written: Written, action: Action
) -> None:
    functions.tables.define(pipeline(STAGING))
    for before, commit in (("", A), (A, B)):
        pushed_and_built(functions, commit, before)
        functions.settle()
    if action is Action.OVERRIDE:
        functions.tables.edit_environment(frozen_by="ann", repo=functions.repo)
        pushed_and_built(functions, C, B)
    functions.settle()
    written()
    place = find_place(functions.tables.pipeline_name, "staging")
    wish = Wish(
        action, place, "ann", "because", {Action.ROLLBACK: A, Action.OVERRIDE: C}.get(action, ""), override=True
    )
    moving.carry_out(moving.plan(wish, utc_now), utc_now)
    changes = functions.changes()
    for _ in range(2):
        with metrics.invocation():
            StreamMapping(functions.promoter).deliver(changes)
    lines = written()
    assert totals(lines)["Promotions"] == 1
    assert [line["environments"] for line in lines if "Promotions" in line] == [["staging"]]


def test_a_promotion_whose_announcement_the_sweeper_makes_good_is_counted_then(
    functions: FunctionRoom, written: Written
) -> None:
    functions.tables.define(pipeline(STAGING))
    pushed_and_built(functions, A)
    with functions.before_publishing(unreachable), metrics.invocation():
        functions.promoter(functions.changes())
    assert totals(written()).get("Promotions", 0) == 0
    for _ in range(2):
        with metrics.invocation():
            sweeper(functions).promote_waiting(functions.repo)
    assert totals(written()) == {"Promotions": 1}


def test_a_promotion_that_is_announced_out_of_parking_first_is_counted_then(
    functions: FunctionRoom, written: Written
) -> None:
    """Its promoter had died between the two, and the installer had put it aside."""
    functions.tables.define(pipeline(STAGING))
    pushed_and_built(functions, A)
    with functions.before_publishing(unreachable):
        functions.promoter(functions.changes())
    (promotion,) = functions.tables.claimed("staging", 1)
    parking = Parking(Publisher(functions.sns), functions.promotions, utc_now)
    written()
    for resumed in (1, 1, 0):
        if resumed:
            leases.park(promotion, encode(promoted(promotion, at=utc_now())).body)
        with metrics.invocation():
            assert parking.resume(functions.tables.snapshot(A)) == resumed
            sweeper(functions).promote_waiting(functions.repo)
    assert totals(written()) == {"Promotions": 1}


def unreachable(_: object) -> None:
    from botocore.exceptions import EndpointConnectionError  # noqa: PLC0415 - of this one test

    raise EndpointConnectionError(endpoint_url="sns")


def test_a_deployment_is_counted_once_however_often_it_is_told(shop: Shop, written: Written) -> None:
    shop.promote(A)
    message = shop.receive()
    written()
    for _ in range(2):
        shop.invoke([message])
    lines = written()
    assert totals(lines) == {"Deployments": 1}
    (line,) = lines
    assert line["HelmDuration"][0] > 0
    assert (line["function"], line["releases"]) == ("helm_installer", ["web"])


def test_a_deployment_that_fails_is_counted_as_failed(shop: Shop, written: Written) -> None:
    shop.define(chart="charts/none")
    shop.promote(A)
    message = shop.receive()
    written()
    shop.invoke([message])
    assert totals(written()) == {"DeploymentsFailed": 1}
