"""A deployed stack's numbers, as CloudWatch keeps them: the right to cloudwatch:GetMetricData is all it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from pipeline_state.cli.console import CommandError
from pipeline_state.cli.stats.readings import Durations, Readings, Window
from pipeline_state.metrics import ALL, Metric

_COUNTS = tuple(metric for metric in ALL if metric.unit == "Count")
_DURATIONS = tuple(metric for metric in ALL if metric.unit == "Seconds")
_NUMBER, _MEDIAN, _LONGEST = "SampleCount", "p50", "Maximum"

_Points = dict[datetime, float]


@dataclass(frozen=True, slots=True)
class CloudWatchSource:
    """client: boto3's, of CloudWatch. namespace: the stack's."""

    client: Any
    namespace: str

    def read(self, window: Window) -> Readings:
        """In one request, as a rule."""
        found = self._points(window)
        return Readings(
            {metric: _counts(found[metric, "Sum"], window) for metric in _COUNTS},
            {metric: _durations({stat: found[metric, stat] for stat in _STATS}, window) for metric in _DURATIONS},
        )

    def _points(self, window: Window) -> dict[tuple[Metric, str], _Points]:
        """By metric and statistic: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html."""
        wanted = {f"m{number}": each for number, each in enumerate(_wanted())}
        queries = [self._query(name, *each, window.stretch) for name, each in wanted.items()]
        points: dict[tuple[Metric, str], _Points] = {each: {} for each in wanted.values()}
        pages = self.client.get_paginator("get_metric_data")
        try:
            for page in pages.paginate(MetricDataQueries=queries, StartTime=window.start, EndTime=window.end):
                for result in page["MetricDataResults"]:
                    values = zip(result["Timestamps"], result["Values"], strict=True)
                    points[wanted[result["Id"]]] |= dict(values)
        except ClientError as error:
            if "Denied" not in error.response["Error"]["Code"]:
                raise
            message = "you may not read the stack's metrics; let your role do cloudwatch:GetMetricData"
            raise CommandError(message) from error
        return points

    def _query(self, name: str, metric: Metric, stat: str, period: int) -> dict[str, Any]:
        told = {"Namespace": self.namespace, "MetricName": metric.name}
        return {"Id": name, "MetricStat": {"Metric": told, "Period": period, "Stat": stat}}


_STATS = (_NUMBER, _MEDIAN, _LONGEST)


def _wanted() -> Iterator[tuple[Metric, str]]:
    yield from ((metric, "Sum") for metric in _COUNTS)
    yield from ((metric, stat) for metric in _DURATIONS for stat in _STATS)


def _counts(points: _Points, window: Window) -> list[int]:
    counts = [0] * (2 * window.number)
    for moment, value in points.items():
        if (place := window.place(moment)) is not None:
            counts[place] += round(value)
    return counts


def _durations(points: dict[str, _Points], window: Window) -> list[Durations | None]:
    found: list[Durations | None] = [None] * (2 * window.number)
    for moment, number in points[_NUMBER].items():
        place = window.place(moment)
        if place is not None and number:
            found[place] = Durations(round(number), points[_MEDIAN][moment], points[_LONGEST][moment])
    return found
