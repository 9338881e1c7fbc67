"""One commit, one trace: the exact tree of the whole way, with every hop, every wait, every retry and no secret."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline_state import tracing
from pipeline_state.events.codec import decode, encode
from pipeline_state.events.deployment import PROMOTED
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.model.times import format_time
from pipeline_state.table.definitions import save_definitions
from tests.contract.dlq_room import DlqRoom
from tests.contract.span_room import SpanRoom, span_room
from tests.contract.table_room import WEB, A, B, pipeline
from tests.contract.webhook_stack import CIRCLECI_SECRET, GITHUB_SECRET

STAGING = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
PRODUCTION = Environment("production", ("legal",), ("staging",), (WEB,), Cluster(context="local"))
LEGAL = {"status": "TRUE", "by": "bea"}

HOPS = {
    "CircleCI → API Gateway": 1,
    "GitHub → API Gateway": 1,
    "DynamoDB stream": 5,
    "SNS FIFO → SQS FIFO": 2,
    "SNS → SQS": 6,
}
"""Of a push, a build, an approval and two deployments, each of which is told twice: that it began, how it ended."""

WHOLE_WAY = """\
commit
  CircleCI → API Gateway
  DynamoDB stream × 5
  GitHub → API Gateway
  check for promotion × 3
  check for promotion
    claim
    note hand edit
    send event
      SNS FIFO → SQS FIFO
      install
        give lease back
        helm upgrade
        send event × 2
          SNS → SQS
          record gates
            write record
        take lease
  check for promotion
    claim
    send event
      SNS FIFO → SQS FIFO
      install
        give lease back
        helm upgrade
        send event × 2
          SNS → SQS
          record gates
            write record
        take lease
  waiting for build
  waiting for deployed_to_staging
  waiting for legal
  webhook circleci
    make event
    send event
      SNS → SQS
      record gates
        write record
    verify signature
  webhook github
    make event
    send event
      SNS → SQS
      record gates
        write record
    verify signature"""


ONE_PUSH = """\
commit
  DynamoDB stream
  GitHub → API Gateway
  check for promotion
  webhook github
    make event
    send event
      SNS → SQS
      record gates
        write record
    verify signature"""


@pytest.fixture
def room(ministack: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SpanRoom]:
    with span_room(ministack, monkeypatch, tmp_path / "spans") as room:
        room.way.tables.define(pipeline(STAGING, PRODUCTION))
        yield room


def go_the_whole_way(room: SpanRoom) -> None:
    room.push(A)
    room.go_on(300)
    room.build(A)
    room.go_on(3600)
    room.edit(A, legal=LEGAL)
    room.go_on(60)
    assert room.way.releases.commits("shop") == "aa"


def named(room: SpanRoom, name: str, commit: str = A) -> list[dict[str, Any]]:
    """The fields of the spans of that name, in the order in which they ended."""
    return [span["data"] for span in room.spans(commit) if span["data"]["name"] == name]


def waits(room: SpanRoom, commit: str = A) -> list[tuple[str, ...]]:
    fields = ("wait.for", "wait.who", "deployment.environment.name", "wait.ended_by", "wait.known")
    found = [span["data"] for span in room.spans(commit) if span["data"].get("gatestream.kind") == "wait"]
    return sorted(tuple(span.get(field, "") for field in fields) for span in found)


def test_the_whole_way_is_one_tree_with_every_hop_and_every_wait(room: SpanRoom) -> None:
    go_the_whole_way(room)
    assert room.tree(A) == WHOLE_WAY
    assert {span["data"]["trace.trace_id"] for span in room.spans()} == {tracing.trace_of(room.repo, A).trace_id}
    transits = [span["data"] for span in room.spans(A) if span["data"].get("gatestream.kind") == "transit"]
    assert Counter(span["name"] for span in transits) == HOPS
    assert waits(room) == [
        ("build", "ci", "staging", "circleci", "verified"),
        ("deployed_to_staging", "pipeline", "production", "gatestream", "verified"),
        ("legal", "people", "production", "bea", "claimed"),
    ]
    (legal,) = named(room, "waiting for legal")
    assert 3900 < legal["duration_ms"] / 1000 < 4000


def test_every_event_and_the_record_carry_the_same_context_in_every_form(room: SpanRoom) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        sent.append((params.get("Message") or params["MessageBody"], params["MessageAttributes"]))

    room.way.our_sns.meta.events.register("provide-client-params.sns.Publish", note)
    room.way.our_sqs.meta.events.register("provide-client-params.sqs.SendMessage", note)
    room.way.releases.long.add("charts/web")
    go_the_whole_way(room)
    promoted = [body for body, _ in sent if decode(body).get_type() == PROMOTED]
    assert len(promoted) == 4, "of each environment's, one to install it and one to look at it again"
    spans = {span["data"]["trace.span_id"] for span in room.spans(A)}
    for body, attributes in sent:
        context = tracing.parse_traceparent(decode(body).get_extension("traceparent"))
        assert context == tracing.parse_honeycomb(attributes["x-honeycomb-trace"]["StringValue"])
        assert context is not None
        assert context.span_id in spans
    assert room.way.tables.item(A)["honeycomb_trace"] == tracing.trace_of(room.repo, A).honeycomb
    assert len(named(room, "SQS delay queue")) == len(named(room, "observe rollout")) == 2
    room.tree(A)


def test_spans_say_what_they_are_about_in_the_fields_names(room: SpanRoom) -> None:
    go_the_whole_way(room)
    owner, name = room.repo.split("/")
    of_commit = {"vcs.owner.name": owner, "vcs.repository.name": name, "vcs.ref.head.revision": A}
    install, _ = named(room, "install")
    assert (
        install.items()
        >= {
            **of_commit,
            "span.kind": "consumer",
            "faas.trigger": "pubsub",
            "messaging.system": "aws_sqs",
            "messaging.operation.type": "process",
            "messaging.attempt": 1,
            "cloudevents.event_type": "dev.cdeventsx.gatestream-release.promoted.0.1.0",
            "cloudevents.event_spec_version": "1.0",
            "cicd.pipeline.name": room.way.tables.pipeline_name,
            "deployment.environment.name": "staging",
            "release": "web",
        }.items()
    )
    (github,) = named(room, "webhook github")
    assert (
        github.items()
        >= {
            **of_commit,
            "span.kind": "server",
            "faas.trigger": "http",
            "http.response.status_code": 202,
            "cloudevents.event_type": "com.github.push",
            "cloudevents.event_id": f"push-{A}",
            "cloudevents.event_source": "https://github.com/octo-org/octo-repo",
            "meta.span_type": "subroot",
        }.items()
    )
    (root,) = named(room, "commit")
    assert root.items() >= {"repo": room.repo, "commit": A, "meta.span_type": "root", **of_commit}.items()
    first, *_ = named(room, "send event")
    assert (
        first.items()
        >= {
            "span.kind": "producer",
            "messaging.system": "aws.sns",
            "messaging.destination.name": room.topic.rpartition(":")[2],
            "messaging.operation.type": "send",
        }.items()
    )
    checks = named(room, "check for promotion")
    assert ["legal" in check["gates"] for check in checks] == [False, False, False, True, False]


def test_each_message_of_a_batch_and_each_commit_of_a_stream_has_its_own_trace(room: SpanRoom) -> None:
    room.push(A)
    room.push(B, before=A)
    room.go_on(1)
    for commit in (A, B):
        (record,) = named(room, "record gates", commit)
        assert record["vcs.ref.head.revision"] == commit
        assert room.tree(commit) == ONE_PUSH


def test_a_retry_shows_with_its_number_and_what_went_wrong_before(room: SpanRoom) -> None:
    room.way.releases.away = 1
    room.push(A)
    room.build(A)
    room.go_on(1)
    first, second = named(room, "install")
    assert (first["messaging.attempt"], first["error"]) == (1, "TemporaryFault")
    assert first["error_detail"] == "the cluster is away"
    assert (second["messaging.attempt"], second.get("error")) == (2, None)
    assert first["trace.parent_id"] == second["trace.parent_id"]
    assert len(named(room, "SNS FIFO → SQS FIFO")) == len(named(room, "until tried again")) == 1
    room.tree(A)


def test_a_change_that_meets_a_bug_shows_each_attempt_and_its_end_as_a_dead_letter(
    room: SpanRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bug(*_: Any) -> None:
        raise KeyError("secret")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline_state.handlers.promotion.Promotions.promote", bug)
        room.push(A)
        room.go_on(1)
    attempts = [check["messaging.attempt"] for check in named(room, "check for promotion")]
    assert attempts == [1, 2, 3]
    (letter,) = named(room, "dead letter")
    assert letter["error_detail"] == "given up after 3 attempts: unexpected KeyError; the function's log says where"
    room.tree(A)


def test_a_dead_letter_and_its_way_back_are_in_the_commits_trace(room: SpanRoom) -> None:
    room.push(A)
    room.go_on(1)
    room.way.send(room.way.event("com.github.release.published", "strange", 9, {"sha": A}))
    room.go_on(1)
    (letter,) = named(room, "dead letter")
    assert letter["error_detail"].startswith("no gate is made of com.github.release.published")
    assert letter["trace.parent_id"] == tracing.trace_of(room.repo, A).span_id
    room.tree(A)


def test_what_was_sent_back_says_so_and_how_long_it_lay_there(room: SpanRoom) -> None:
    room.push(A)
    room.go_on(1)
    letters = DlqRoom(room.way)
    letters.put("GateEventsDeadLetters", encode(room.way.build(A)).body, reason="DynamoDB was down")
    assert [outcome.reason for outcome in letters.redrive()] == [""]
    room.go_on(1)
    assert [record.get("redriven") for record in named(room, "record gates")][:3] == [None, True, None]
    (lay,) = named(room, "dead-letter queue")
    assert (lay["gatestream.kind"], lay["redriven"]) == ("transit", True)
    room.tree(A)


def test_what_is_put_aside_goes_on_in_its_own_trace_and_says_what_it_waited_for(room: SpanRoom) -> None:
    room.push(A)
    room.build(A)
    room.way.settle(installing=False)
    room.way.freeze("staging")
    room.go_on(60)
    assert room.way.releases.commits("shop") == ""
    room.way.clock.go_on(3600)
    room.way.unfreeze("staging")
    room.go_on(1)
    assert room.way.releases.commits("shop") == "a"
    assert ("the end of the freeze of staging", "people", "staging", "ann", "verified") in waits(room)
    first, second = named(room, "install")
    assert (first["parked"], "parked" in second) == ("staging is frozen by ann: sale", False)
    room.tree(A)


def overtake(room: SpanRoom) -> None:
    """A, which waits for legal, by B."""
    room.push(A)
    room.build(A)
    room.go_on(60)
    room.push(B, before=A)
    room.build(B)
    room.go_on(60)
    room.edit(B, legal=LEGAL)
    room.go_on(60)


def test_what_an_overtaken_commit_waited_for_is_told_once_by_the_sweeper(room: SpanRoom) -> None:
    overtake(room)
    assert room.way.releases.commits("shop") == "abb"
    room.edit(A, legal=LEGAL)
    room.go_on(60)
    assert "legal" not in {what for what, *_ in waits(room)}
    room.way.sweep()
    room.way.sweep()
    assert [each for each in waits(room) if each[0] == "legal"] == [
        ("legal", "people", "production", "gatestream", "verified")
    ]
    (span,) = [each for each in room.spans(A) if each["data"]["name"] == "waiting for legal"]
    end = datetime.fromisoformat(span["time"]) + timedelta(milliseconds=span["data"]["duration_ms"])
    claim = room.way.tables.record(B).claims["production"]
    assert abs(end - datetime.fromisoformat(claim.at)) < timedelta(milliseconds=1)


def test_the_sweeper_tells_of_waits_only_once_all_that_can_move_has_moved(room: SpanRoom) -> None:
    overtake(room)
    left = iter([100.0])
    room.way.clock.go_on(60)
    found = room.way.sweeper().sweep(lambda: next(left, 10.0))
    assert (found["settled"], found["faults"], found["repositories_left"]) == (2, 0, 0)
    assert "legal" not in {what for what, _, _, who, _ in waits(room) if who == "gatestream"}


def test_a_wait_that_other_pipelines_have_ended_is_told_by_the_claim(room: SpanRoom) -> None:
    room.push(A)
    room.build(A)
    room.go_on(60)
    free = replace(pipeline(STAGING, replace(PRODUCTION, gates=())), repo=room.repo, name=room.way.tables.pipeline_name)
    save_definitions(room.repo, [free], after=1, by="zoe", at_time=format_time(room.way.clock.now))
    room.go_on(60)
    room.way.sweep()
    room.go_on(60)
    assert room.way.releases.commits("shop") == "aa"
    ended = {what: by for what, _, place, *by in waits(room) if place == "production"}
    assert ended["legal"] == ["zoe", "verified"]
    assert ended["promotion to production"] == ["gatestream", "verified"]


def test_a_commit_that_is_made_up_by_hand_has_a_root_as_well(room: SpanRoom) -> None:
    room.edit(A, legal=LEGAL)
    room.go_on(1)
    room.push(A)
    room.go_on(1)
    assert len(named(room, "commit")) == 1
    room.tree(A)


def test_no_span_holds_a_secret_a_payload_or_an_address(room: SpanRoom) -> None:
    room.push(A)
    room.build(A, "failed")
    room.go_on(60)
    room.edit(A, build={"status": "TRUE", "by": "bea@example.com", "reason": "hunter2", "url": "https://u:pw@ci.test/"})
    room.edit(A, legal={"status": "TRUE", "by": "arn:aws:sts::1:assumed-role/sso/cleo@example.com"})
    room.go_on(60)
    assert room.way.releases.commits("shop") == "aa"
    assert ("build to be mended", "people", "staging", "bea@…", "claimed") in waits(room)
    room.spans()
    written = room.file.read_text()
    planted = [GITHUB_SECRET, CIRCLECI_SECRET, "@example.com", "Answer in JSON", "Mona Lisa", "hunter2", "u:pw"]
    assert [each for each in planted if each in written] == []
