"""The stack's numbers read the same from CloudWatch as from the lines that CloudWatch makes them of."""

from __future__ import annotations

import contextlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import ministack as local
from pipeline_state import metrics
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.dlq.dead_letters import QUEUES, depths
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.stats.cloudwatch_source import CloudWatchSource
from pipeline_state.cli.stats.lines_source import LinesSource
from pipeline_state.cli.stats.readings import Durations, Readings, Source, Window
from pipeline_state.cli.stats.stats_commands import source_of
from pipeline_state.table.models import Tables

DAY = Window.of(24, datetime.now(UTC))
BEGUN = DAY.end - timedelta(hours=1)


@dataclass
class Kept:
    """What functions wrote, as CloudWatch Logs keeps it and as CloudWatch makes metrics of it."""

    endpoint: str
    name: str = field(default_factory=lambda: f"s{uuid.uuid4().hex[:12]}")

    def __post_init__(self) -> None:
        self.logs, self.cloudwatch = self.client("logs"), self.client("cloudwatch")
        self.groups = tuple(f"{self.name}-{function}" for function in ("promoter", "installer"))
        for group in self.groups:
            self.logs.create_log_group(logGroupName=group)
            self.logs.create_log_stream(logGroupName=group, logStreamName="2026/07/01/[$LATEST]a")

    def client(self, service: str) -> Any:
        return local.client(self.endpoint, service)

    @property
    def namespace(self) -> str:
        return f"Gatestream/{self.name}"

    def invoke(self, work: Callable[[], None], at: datetime, group: int = 0, namespace: str = "") -> None:
        """A function that counts something, at a time."""
        metrics.configure(namespace or self.namespace, "test")
        with contextlib.redirect_stdout(io.StringIO()) as output, metrics.invocation("r"):
            work()
        for line in output.getvalue().splitlines():
            document = json.loads(line)
            document["_aws"]["Timestamp"] = int(at.timestamp() * 1000)
            self.log(json.dumps(document), at, group)
            self._extract(document, at)

    def log(self, message: str, at: datetime, group: int = 0) -> None:
        event = {"timestamp": int(at.timestamp() * 1000), "message": message}
        stream = "2026/07/01/[$LATEST]a"
        self.logs.put_log_events(logGroupName=self.groups[group], logStreamName=stream, logEvents=[event])

    def _extract(self, document: dict[str, Any], at: datetime) -> None:
        """What CloudWatch does with a line, by the embedded metric format's specification."""
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        data = []
        for metric in directive["Metrics"]:
            value = document[metric["Name"]]
            values = value if isinstance(value, list) else [value]
            data.append({"MetricName": metric["Name"], "Timestamp": at, "Unit": metric["Unit"], "Values": values})
        self.cloudwatch.put_metric_data(Namespace=directive["Namespace"], MetricData=data)


@pytest.fixture
def kept(ministack: str) -> Iterator[Kept]:
    yield Kept(ministack)
    metrics.configure("", "")


@pytest.fixture(params=["CloudWatch", "lines"])
def source(kept: Kept, request: pytest.FixtureRequest) -> Source:
    if request.param == "CloudWatch":
        return CloudWatchSource(kept.cloudwatch, kept.namespace)
    return LinesSource(kept.logs, kept.groups, kept.namespace)


def counted(found: Readings, metric: metrics.Metric) -> dict[int, int]:
    """By stretch, of which 0 is the first of the window, and negative ones come before it."""
    values = enumerate(found.counts[metric], -DAY.number)
    return {place: value for place, value in values if value}


def timed(found: Readings, metric: metrics.Metric) -> dict[int, Durations]:
    values = enumerate(found.durations[metric], -DAY.number)
    return {place: value for place, value in values if value}


def test_where_nothing_was_counted_everything_is_nothing(source: Source) -> None:
    found = source.read(DAY)
    assert {*found.counts, *found.durations} == {*metrics.ALL}
    assert {len(values) for values in (*found.counts.values(), *found.durations.values())} == {48}
    assert not any(any(values) for values in (*found.counts.values(), *found.durations.values()))


def test_counts_of_all_functions_are_added_up_by_the_stretch(kept: Kept, source: Source) -> None:
    kept.invoke(lambda: metrics.count(metrics.PROMOTIONS, 2), BEGUN)
    kept.invoke(lambda: metrics.count(metrics.PROMOTIONS, 3), BEGUN + timedelta(minutes=59), group=1)
    kept.invoke(lambda: metrics.count(metrics.PROMOTIONS, 5), BEGUN - timedelta(hours=5))
    kept.invoke(lambda: metrics.count(metrics.PROMOTIONS, 7), BEGUN - timedelta(hours=24))
    assert counted(source.read(DAY), metrics.PROMOTIONS) == {23: 5, 18: 5, -1: 7}


def test_what_is_outside_of_the_window_is_left_out(kept: Kept, source: Source) -> None:
    kept.invoke(lambda: metrics.count(metrics.PROMOTIONS), DAY.start - timedelta(seconds=1))
    kept.invoke(lambda: metrics.count(metrics.PROMOTIONS), DAY.start)
    assert counted(source.read(DAY), metrics.PROMOTIONS) == {-24: 1}


def test_of_durations_number_median_and_longest_are_known_by_the_stretch(kept: Kept, source: Source) -> None:
    def work() -> None:
        for seconds in (4, 1, 2.5):
            metrics.measure(metrics.HELM_DURATION, seconds)

    kept.invoke(work, BEGUN)
    kept.invoke(lambda: metrics.measure(metrics.HELM_DURATION, 60), BEGUN + timedelta(minutes=5))
    kept.invoke(lambda: metrics.measure(metrics.HELM_DURATION, 8), BEGUN - timedelta(hours=30))
    found = source.read(DAY)
    assert timed(found, metrics.HELM_DURATION) == {23: Durations(4, 3.25, 60), -7: Durations(1, 8, 8)}
    assert timed(found, metrics.PROMOTION_LAG) == {}


def test_another_stacks_numbers_are_not_among_them(kept: Kept, source: Source) -> None:
    kept.invoke(lambda: metrics.count(metrics.RETRIES), BEGUN, namespace="Gatestream/another")
    assert counted(source.read(DAY), metrics.RETRIES) == {}


def test_other_lines_of_the_logs_are_passed_over(kept: Kept) -> None:
    for message in ("CloudWatchMetrics", '{"CloudWatchMetrics": [1]}', '{"_aws": {"CloudWatchMetrics": []}}', "{"):
        kept.log(message, BEGUN)
    kept.invoke(lambda: metrics.count(metrics.RETRIES), BEGUN)
    found = LinesSource(kept.logs, kept.groups, kept.namespace).read(DAY)
    assert counted(found, metrics.RETRIES) == {23: 1}


class Denied:
    """CloudWatch to somebody without the right."""

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        said = {"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: cloudwatch:GetMetricData"}}
        raise ClientError(said, "GetMetricData")  # type: ignore[arg-type]


def test_a_right_that_is_missing_is_named() -> None:
    with pytest.raises(CommandError, match="let your role do cloudwatch:GetMetricData"):
        CloudWatchSource(Denied(), "Gatestream/shop").read(DAY)


def test_any_other_refusal_is_told_as_it_is() -> None:
    class Throttled(Denied):
        def paginate(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "slow down"}}, "GetMetricData")

    with pytest.raises(ClientError, match="slow down"):
        CloudWatchSource(Throttled(), "Gatestream/shop").read(DAY)


def stack_of(kept: Kept) -> Stack:
    sqs = kept.client("sqs")
    queues = {name: sqs.create_queue(QueueName=f"{kept.name}-{name}")["QueueUrl"] for name in sorted(QUEUES)[:3]}
    return Stack("shop", local.REGION, Tables("gates"), {}, {}, client=kept.client, queues=queues)


def test_a_deployed_stack_is_asked_by_its_name(kept: Kept) -> None:
    found = source_of(stack_of(kept))
    assert isinstance(found, CloudWatchSource)
    assert found.namespace == "Gatestream/shop"


def test_dead_letters_are_counted_without_being_looked_at(kept: Kept) -> None:
    stack = stack_of(kept)
    first, second, third = stack.queues
    for _ in range(2):
        kept.client("sqs").send_message(QueueUrl=stack.queues[second], MessageBody="{}")
    assert depths(stack) == {first: 0, second: 2, third: 0}
    assert depths(stack) == depths(replace(stack, queues={**stack.queues, "GateEvents": "another"}))
    (message,) = kept.client("sqs").receive_message(QueueUrl=stack.queues[second], AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert depths(stack)[second] == 2
