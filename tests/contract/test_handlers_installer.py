"""What the installer does with its queue: real Helm, the embedded cluster, real FIFO queues."""

import json
from pathlib import Path
from typing import Any

import pytest

from functions.helm_installer import app as installer_app
from pipeline_state.deploy import digests
from pipeline_state.events.codec import encode
from pipeline_state.events.deployment import promoted
from pipeline_state.table import leases
from tests.contract.function_room import before_each_write
from tests.contract.pump import failures
from tests.contract.shop import CHARTS, Shop
from tests.contract.table_room import START, A, B


def test_a_promotion_becomes_a_release_and_the_release_a_gate(shop: Shop) -> None:
    shop.promote(A)
    shop.install()
    assert shop.revisions() == 1
    gate = shop.gate(A)
    assert (gate["status"], gate["generation"], gate["releases"]["web"]["revision"]) == ("TRUE", 1, 1)
    assert gate["releases"]["web"]["digest"] == digests.of_chart(str(CHARTS / "web"))
    assert shop.functions.tables.decision(A) == "Promoted"


def test_a_promotion_that_is_settled_on_another_chart_has_failed(shop: Shop) -> None:
    shop.define(digest="sha256:" + "0a" * 32)
    shop.promote(A)
    shop.install()
    assert shop.gate(A)["reason"].startswith("web: chart 'charts/web' was sha256:0a0a0a0a0a0a when it was deployed")
    assert (shop.gate(A)["status"], shop.revisions()) == ("FALSE", 0)


def test_the_second_commit_upgrades(shop: Shop) -> None:
    shop.promote(A)
    shop.install()
    shop.promote(B, A, 100)
    shop.install()
    assert shop.revisions() == 2
    assert (shop.gate(A)["status"], shop.gate(B)["status"]) == ("TRUE", "TRUE")


def test_a_promotion_received_twice_is_deployed_once_and_told_the_same(shop: Shop) -> None:
    shop.promote(A)
    message = shop.receive()
    told = []
    for _ in range(3):
        assert shop.invoke([message]) == {"batchItemFailures": []}
        told += [body for body, _ in shop.functions.bodies(shop.functions.events)]
    assert shop.revisions() == 1
    deployed = [json.loads(body) for body in told if "deployed" in json.loads(body)["id"]]
    assert len(deployed) == 3
    assert len({(event["id"], event["time"]) for event in deployed}) == 1


def test_an_older_promotion_gives_way_to_a_newer_one(shop: Shop) -> None:
    shop.promote(A)
    first = shop.receive_and_acknowledge()
    shop.promote(B, A, 100)
    shop.invoke([first])
    assert shop.outcomes() == ["superseded"]
    shop.install()
    assert shop.revisions() == 1
    assert shop.functions.tables.decision(A) == "Superseded"
    assert shop.gate(B)["status"] == "TRUE"


def test_a_promotion_that_finds_the_lease_held_is_parked_and_resumed_by_the_holder(shop: Shop) -> None:
    shop.promote(A)
    first = shop.receive_and_acknowledge()
    installer_app.handler()  # which connects to the tables: the hook below stays in place
    interrupted: list[str] = []

    def meanwhile(operation: str, request: Any) -> None:
        """Just before the first has its lease back, the newer promotion comes and finds it held."""
        if not interrupted and "outcome:" in json.dumps(request):
            interrupted.append(operation)
            shop.promote(B, A, 100)
            shop.mapping.drain()
            assert shop.functions.hidden(shop.functions.installs) == 0, "parked, and its message acknowledged"

    with before_each_write(meanwhile):
        shop.invoke([first])
    assert interrupted
    assert shop.revisions() == 1
    shop.install()
    assert shop.revisions() == 2
    assert shop.gate(B)["status"] == "TRUE"
    assert not [name for name in shop.functions.tables.environment() if name.startswith(("parked:", "lease"))]


def test_a_promotion_behind_its_own_dead_holder_waits_and_is_not_lost(shop: Shop) -> None:
    promotion = shop.promote(A)
    shop.take_lease(promotion, "an invocation that died", seconds=30)
    (message,) = shop.mapping.poll()
    assert shop.functions.hidden(shop.functions.installs) == 1
    leases.give_back(promotion, "an invocation that died")
    shop.mapping.show_again([message])
    shop.install()
    assert shop.gate(A)["status"] == "TRUE"


def test_what_is_parked_behind_a_dead_holder_is_resumed_when_its_message_comes_again(shop: Shop) -> None:
    first = shop.promote(A)
    message = shop.receive_and_acknowledge()
    shop.take_lease(first, "an invocation that died", seconds=-10)
    second = shop.promote(B, A, 100)
    leases.park(second, encode(promoted(second, at=START)).body)
    shop.receive_and_acknowledge()
    shop.invoke([message])
    assert shop.outcomes() == ["superseded"]
    shop.install()
    assert shop.gate(B)["status"] == "TRUE"


def test_a_chart_that_is_not_there_fails_with_a_sentence_and_sticks_nowhere(shop: Shop) -> None:
    shop.define(chart="charts/nowhere")
    shop.promote(A)
    shop.install()
    assert shop.gate(A)["status"] == "FALSE"
    assert "charts/nowhere" in shop.gate(A)["reason"]
    assert shop.functions.bodies(shop.functions.dead_installs) == []
    shop.define()
    shop.promote(B, A, 100)
    shop.install()
    assert shop.gate(B)["status"] == "TRUE"


@pytest.fixture
def unreachable(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Its cluster is on an address where nobody listens."""
    config = json.loads(shop.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("LOCAL_KUBECONFIG", str(tmp_path / "kubeconfig"))
    return shop


def test_while_the_cluster_is_away_the_message_is_hidden_and_the_lease_free(unreachable: Shop) -> None:
    promotion = unreachable.promote(A)
    (message,) = unreachable.mapping.poll()
    assert unreachable.functions.hidden(unreachable.functions.installs) == 1
    assert failures(unreachable.invoke([message]), [message["messageId"]]) == [message["messageId"]]
    unreachable.take_lease(promotion)
    assert {"started", "errored"} <= set(unreachable.outcomes())


def test_between_two_attempts_the_gate_says_what_is_broken(unreachable: Shop) -> None:
    unreachable.promote(A)
    unreachable.mapping.poll()
    unreachable.functions.settle()
    assert unreachable.gate(A)["status"] == ""
    assert "unreachable" in unreachable.gate(A)["reason"]


def test_the_last_attempt_fails_the_deployment_and_leaves_a_dead_letter(unreachable: Shop) -> None:
    unreachable.promote(A)
    for _ in range(3):
        unreachable.mapping.show_again(unreachable.mapping.poll())
    unreachable.functions.settle()
    assert unreachable.functions.hidden(unreachable.functions.installs) == 0
    assert unreachable.gate(A)["status"] == "FALSE"
    assert "given up after 3 attempts" in unreachable.gate(A)["reason"]
    ((_, attributes),) = unreachable.functions.bodies(unreachable.functions.dead_installs)
    assert "given up after 3 attempts" in attributes["reason"]


def test_what_nobody_foresaw_fails_the_deployment_at_the_last_attempt_and_says_so(shop: Shop) -> None:
    shop.define(chart="charts/\0")
    shop.promote(A)
    for _ in range(3):
        shop.mapping.show_again(shop.mapping.poll())
    shop.functions.settle()
    assert shop.gate(A)["status"] == "FALSE"
    assert "unexpected ValueError" in shop.gate(A)["reason"]


@pytest.mark.parametrize("when", ["lease:", "outcome:"], ids=["before Helm", "after Helm"])
def test_while_sns_takes_nothing_it_is_tried_again_and_installed_once(
    shop: Shop, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.events.publish._RETRY_AFTER", 60.0)  # hidden for as long as anybody looks
    shop.promote(A)
    installer_app.handler()  # which connects to the tables: the hook below stays in place
    topic = shop.functions.deployments

    def away(_: str, request: Any) -> None:
        if when in json.dumps(request):
            shop.functions.sns.delete_topic(TopicArn=topic)

    with before_each_write(away):
        (message,) = shop.mapping.poll()
    assert shop.functions.hidden(shop.functions.installs) == 1
    assert shop.revisions() == (1 if when == "outcome:" else 0)
    assert not [name for name in shop.functions.tables.environment() if name.startswith("lease")]
    shop.functions.sns.create_topic(Name=topic.rpartition(":")[2])
    shop.functions.subscribe(topic, shop.functions.events)
    shop.mapping.show_again([message])
    shop.install()
    assert (shop.revisions(), shop.gate(A)["status"]) == (1, "TRUE")


@pytest.mark.parametrize("body", ["no event", "{}"])
def test_a_message_that_is_no_promotion_is_given_up_with_its_reason(shop: Shop, body: str) -> None:
    group = {"MessageGroupId": "g", "MessageDeduplicationId": body}
    shop.functions.sqs.send_message(QueueUrl=shop.functions.installs, MessageBody=body, **group)
    shop.mapping.drain()
    ((_, attributes),) = shop.functions.bodies(shop.functions.dead_installs)
    assert "CloudEvent" in attributes["reason"]
    assert shop.functions.hidden(shop.functions.installs) == 0


def test_columns_added_between_every_read_and_write_of_the_whole_way_stay(shop: Shop) -> None:
    installer_app.handler()  # which connects to the tables: the hooks below stay in place
    added: list[str] = []

    def somebody_adds(_: str, __: object) -> None:
        added.append(f"column_{len(added)}")
        shop.functions.tables.edit(A, **{added[-1]: ""})

    with before_each_write(somebody_adds):
        shop.functions.send(shop.functions.push("", A), shop.functions.build(A))
        shop.functions.recorder.drain()
        shop.functions.promote()
    assert shop.functions.tables.decision(A) == "Wait"
    shop.functions.tables.edit(A, **dict.fromkeys(added, "TRUE"))
    shop.functions.settle()
    assert shop.functions.tables.decision(A) == "Promoted"
    with before_each_write(somebody_adds):  # each is a change, so it is never settled: one look of each
        shop.mapping.drain()
        shop.functions.recorder.drain()
        shop.functions.promote()
    item = shop.functions.tables.item(A)
    assert len(added) > 8
    assert set(added) <= set(item)
    assert item["deployed_to_staging"]["status"] == "TRUE"
    assert shop.revisions() == 1
