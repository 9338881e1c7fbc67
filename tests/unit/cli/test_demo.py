"""What the demo shows, and how it reads its trace, without running it."""

import io
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from pipeline_state.cli.demo.ending import Stopped, stoppable
from pipeline_state.cli.demo.example import CHARTS, prepare
from pipeline_state.cli.demo.hops import decision_after, legs
from pipeline_state.cli.demo.stage import Stage
from pipeline_state.cli.demo.waiting import LateError, wait_for
from pipeline_state.cli.traces.spans import Span

START = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
BUILD = "com.circleci.workflow-completed"
DEPLOYED = "dev.cdevents.service.deployed.0.3.0"


def span(name: str, parent: str, at_ms: float, took_ms: float, service: str = "any", **fields: str) -> Span:
    start, took = START + timedelta(milliseconds=at_ms), timedelta(milliseconds=took_ms)
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return Span(name, service, f"{name}@{at_ms}", parent, start, took, named)


def webhook(event_type: str, at_ms: float) -> list[Span]:
    door = span("webhook", "root", at_ms, 40)
    publish = span("send event", door.id, at_ms + 10, 30, cloudevents__event_type=event_type)
    record = span("record gates", publish.id, at_ms + 90, 10, cloudevents__event_type=event_type)
    return [door, publish, span("SNS → SQS", publish.id, at_ms + 40, 50), record]


def deployment(environment: str, at_ms: float) -> list[Span]:
    check = span("check for promotion", "root", at_ms + 60, 20)
    send = span("send event", check.id, at_ms + 70, 10)
    install = span("install", send.id, at_ms + 100, 500, deployment__environment__name=environment)
    return [
        span("DynamoDB stream", "root", at_ms, 60, "promoter"),
        check,
        span("claim", check.id, at_ms + 61, 5, deployment__environment__name=environment),
        send,
        span("SNS FIFO → SQS FIFO", send.id, at_ms + 80, 20),
        install,
        *told(install, at_ms + 105, "dev.cdeventsx.…started"),
        span("helm upgrade", install.id, at_ms + 200, 300),
        *told(install, at_ms + 585, DEPLOYED),
    ]


def told(install: Span, at_ms: float, event_type: str) -> list[Span]:
    send = span("send event", install.id, at_ms, 5, cloudevents__event_type=event_type)
    record = span("record gates", send.id, at_ms + 20, 10, cloudevents__event_type=event_type)
    return [send, span("SNS → SQS", send.id, at_ms + 5, 15), record]


def milliseconds(duration: timedelta) -> float:
    return duration / timedelta(milliseconds=1)


def test_every_leg_has_its_own_hops() -> None:
    spans = [*webhook("com.github.push", 0), *webhook(BUILD, 500), *deployment("staging", 1000)]
    spans += deployment("production", 2000)
    push, build, staging, production = legs(spans, ["staging", "production"])
    assert {name: milliseconds(took) for name, took in push.hops.items()} == {
        "webhook": 40,
        "SNS → SQS": 50,
        "record gates": 10,
    }
    assert [milliseconds(leg.total) for leg in (push, build, staging, production)] == [100, 100, 615, 615]
    assert {name: milliseconds(took) for name, took in production.hops.items()} == {
        "DynamoDB stream": 60,
        "check, claim, send": 20,
        "SNS FIFO → SQS FIFO": 20,
        "lease, chart, look-up": 100,
        "helm upgrade": 300,
        "lease back, send": 100,
        "SNS → SQS": 15,
        "record gates": 10,
    }


@pytest.mark.parametrize(
    "missing", ["webhook", "record gates", "DynamoDB stream", "claim", "helm upgrade", "SNS FIFO → SQS FIFO"]
)
def test_a_leg_of_which_a_span_is_missing_is_left_out(missing: str) -> None:
    spans = [*webhook("com.github.push", 0), *deployment("staging", 1000)]
    assert len(legs(spans, ["staging"])) == 2
    assert len(legs([each for each in spans if each.name != missing], ["staging"])) < 2


def test_the_decision_after_a_gate_is_that_of_the_check_its_change_woke() -> None:
    others = [
        span("check for promotion", "root", 520, 15, decision__staging="Promote"),  # the sweeper's
        span("check for promotion", "root", 540, 15, gates="approval, build_done_twice", decision__staging="Promote"),
        span("record gates", "root", 560, 15, gates="build_done"),
        span("check for promotion", "root", 580, 15, gates="approval, build_done", error="TemporaryFault"),
    ]
    woken = span("check for promotion", "root", 620, 9, gates="approval, build_done", decision__staging="Wait")
    assert decision_after(others, "build_done", "staging") is None
    assert decision_after([*others, woken], "build_done", "staging") == "Wait"


def test_a_file_gets_plain_lines_that_can_be_copied() -> None:
    file = io.StringIO()
    stage = Stage(Console(file=file, width=80))
    command = "aws dynamodb update-item \\\n  --key '…'" + " and more" * 12
    with stage.step("first"):
        stage.quote(command)
    shown = file.getvalue()
    assert [line.removeprefix("     ") for line in shown.splitlines()[:2]] == command.splitlines()
    assert "✓ first" in shown
    assert "\x1b" not in shown


def test_a_step_that_fails_says_so() -> None:
    file = io.StringIO()
    stage = Stage(Console(file=file, width=80))

    def fail() -> None:
        with stage.steps() as begin:
            begin("one")
            begin("two")
            raise LateError("two did not come")

    with pytest.raises(LateError):
        fail()
    assert [line.split()[:2] for line in file.getvalue().splitlines()] == [["✓", "one"], ["✗", "two"]]


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    file = io.StringIO()
    stage = Stage(Console(file=file, width=columns))
    stage.chapter("A chapter")
    with stage.step("a step with quite a number of words in it, more than go into forty columns"):
        stage.say("evidence " * 20)
    assert max(map(len, file.getvalue().splitlines())) <= columns


def test_waiting_ends_with_what_did_not_come() -> None:
    with pytest.raises(LateError, match="the record did not come within 0 seconds"):
        wait_for("the record", lambda: None, seconds=0)
    answers = iter([None, None, "it"])
    assert wait_for("it", lambda: next(answers)) == "it"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_exception_once_and_then_leaves_the_clean_up_alone(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.cli.demo.ending.CLEAN_UP_SECONDS", 3600.0)
    before = signal.getsignal(number)
    done: list[str] = []

    def work() -> None:
        with stoppable():
            try:
                os.kill(os.getpid(), number)
                done.append("work")
            finally:
                os.kill(os.getpid(), number)
                done.append("clean-up")

    with pytest.raises(Stopped) as stopped:
        work()
    assert done == ["clean-up"]
    assert stopped.value.number == number
    assert signal.getsignal(number) == before


def test_the_example_happens_now_in_the_embedded_cluster() -> None:
    shown = prepare("embedded", START, own=False)
    assert (shown.environments, shown.namespaces) == (["staging", "production"], ["staging", "production"])
    assert f'"pushed_at": {int(START.timestamp())}'.encode() in shown.push
    assert b'"stopped_at": "2026-03-02T08:15:00.000Z"' in shown.build
    assert shown.commit.encode() in shown.build


def test_in_a_cluster_of_the_users_own_the_example_keeps_to_itself() -> None:
    shown = prepare("prod", START, own=True)
    assert shown.namespaces == ["gatestream-demo-staging", "gatestream-demo-production"]
    assert {environment.cluster.context for environment in shown.pipeline.environments} == {"prod"}
    assert all("@" not in release.values["image"]["repository"] for release in shown.releases)
    assert all(release.values["image"]["digest"].startswith("sha256:") for release in shown.releases)


def test_the_charts_of_the_example_are_there() -> None:
    shown = prepare("embedded", START, own=False)
    for release in shown.releases:
        assert Path(CHARTS.parent / release.chart / "Chart.yaml").is_file()
