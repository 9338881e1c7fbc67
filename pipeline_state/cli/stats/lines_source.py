"""The local stack's numbers: it makes no metrics of the functions' lines, but it keeps the lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from pipeline_state.cli.stats.readings import Durations, Readings, Window
from pipeline_state.metrics import ALL

_MARK = '"CloudWatchMetrics"'
"""What every line of metrics has in it; as a pattern of CloudWatch Logs, lines with this word."""


@dataclass(frozen=True, slots=True)
class LinesSource:
    """logs: boto3's client of CloudWatch Logs. groups: the functions' log groups, by name. namespace: the stack's."""

    logs: Any
    groups: tuple[str, ...]
    namespace: str

    def read(self, window: Window) -> Readings:
        """From every line in the window."""
        stretches = range(2 * window.number)
        values: dict[str, list[list[float]]] = {metric.name: [[] for _ in stretches] for metric in ALL}
        for line in self._lines(window):
            place = window.place(datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC))
            if place is not None:
                for name in values.keys() & line.keys():
                    values[name][place] += line[name] if isinstance(line[name], list) else [line[name]]
        return Readings(
            {metric: [int(sum(each)) for each in values[metric.name]] for metric in ALL if metric.unit == "Count"},
            {metric: [_durations(each) for each in values[metric.name]] for metric in ALL if metric.unit == "Seconds"},
        )

    def _lines(self, window: Window) -> Iterator[Mapping[str, Any]]:
        asked = {"startTime": int(window.start.timestamp() * 1000), "filterPattern": _MARK}
        for group in self.groups:
            for page in self.logs.get_paginator("filter_log_events").paginate(logGroupName=group, **asked):
                yield from filter(self._is_ours, (_document(event["message"]) for event in page["events"]))

    def _is_ours(self, document: Any) -> bool:
        match document:
            case {"_aws": {"Timestamp": int(), "CloudWatchMetrics": [{"Namespace": namespace}]}}:
                return bool(namespace == self.namespace)
        return False


def _document(message: str) -> Any:
    try:
        return json.loads(message)
    except ValueError:
        return None


def _durations(values: list[float]) -> Durations | None:
    return Durations(len(values), median(values), max(values)) if values else None
