"""What the functions count and time, told to CloudWatch by one line of JSON an invocation, on standard output.

CloudWatch makes metrics of such lines wherever they are logged, and nothing has to be called for it: embedded metric
format, https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Metrics have no dimensions, since each distinct value would be a metric to pay for: the list below is all there is. What
a line is about, such as commits, are further members of it, for Logs Insights.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """name: CloudWatch's. unit: of a Count, values are added up; Seconds are kept one by one, for percentiles."""

    name: str
    unit: Literal["Count", "Seconds"] = "Count"


EVENTS_RECEIVED = Metric("EventsReceived")
REJECTED_UNSIGNED = Metric("EventsRejectedUnsigned")
REJECTED_UNREADABLE = Metric("EventsRejectedUnreadable")
REJECTED_INCOMPLETE = Metric("EventsRejectedIncomplete")
NOT_TAKEN = Metric("EventsNotTaken")
GATE_CHANGES = Metric("GateChanges")
PROMOTIONS = Metric("Promotions")
PROMOTION_LAG = Metric("PromotionLag", "Seconds")
HELM_DURATION = Metric("HelmDuration", "Seconds")
DEPLOYMENTS = Metric("Deployments")
DEPLOYMENTS_FAILED = Metric("DeploymentsFailed")
RETRIES = Metric("Retries")
DEAD_LETTERS = Metric("DeadLetters")
SPANS_LOST = Metric("SpansLost")

ALL = (
    *(EVENTS_RECEIVED, REJECTED_UNSIGNED, REJECTED_UNREADABLE, REJECTED_INCOMPLETE, NOT_TAKEN),
    *(GATE_CHANGES, PROMOTIONS, PROMOTION_LAG, HELM_DURATION, DEPLOYMENTS, DEPLOYMENTS_FAILED),
    *(RETRIES, DEAD_LETTERS, SPANS_LOST),
)

MOST_VALUES = 100
"""In one array, by the specification."""

_MOST_TOLD, _LONGEST_TOLD = 20, 200
"""Of what a line is about: values of one member, and characters of one value."""


@dataclass(slots=True)
class _Line:
    """What is to be written: numbers by metric, and what they are about, by name and in the order of its appearance."""

    counts: dict[Metric, int] = field(default_factory=dict)
    durations: dict[Metric, list[float]] = field(default_factory=dict)
    about: dict[str, dict[str, None]] = field(default_factory=dict)

    @property
    def values(self) -> dict[Metric, int | list[float]]:
        return {**self.counts, **self.durations}

    def tell(self, about: Mapping[str, str]) -> None:
        for name, value in about.items():
            values = self.about.setdefault(name, {})
            if len(values) < _MOST_TOLD:
                values[value[:_LONGEST_TOLD]] = None


@dataclass(slots=True)
class _Process:
    """namespace: empty until configured, and then nothing is counted."""

    namespace: str = ""
    function: str = ""
    request: str = ""
    line: _Line = field(default_factory=_Line)


_process = _Process()


def configure(namespace: str, function: str) -> None:
    """Count from now on, as this function; nothing without a namespace. What was not written is forgotten."""
    _process.namespace, _process.function, _process.line = namespace, function, _Line()


def count(metric: Metric, number: int = 1, **about: str) -> None:
    """Add to a Count. about: what it was, by name; never a payload, a secret or an e-mail address."""
    if number and _process.namespace:
        line = _process.line
        line.counts[metric] = line.counts.get(metric, 0) + number
        line.tell(about)


def measure(metric: Metric, seconds: float, **about: str) -> None:
    """Note how long something took; about as in `count`."""
    if _process.namespace and math.isfinite(seconds):
        values = _process.line.durations.setdefault(metric, [])
        values.append(round(seconds, 3))
        _process.line.tell(about)
        if len(values) == MOST_VALUES:
            write()


@contextmanager
def invocation(request_id: str = "") -> Iterator[None]:
    """The whole body of a handler: what it counted is written at its end, also when it fails."""
    _process.request, _process.line = request_id, _Line()
    try:
        yield
    finally:
        write()


def write() -> None:
    """Write a line if anything was counted. It never raises: numbers are not worth an event."""
    line, _process.line = _process.line, _Line()
    if line.values:
        with suppress(OSError, ValueError):
            sys.stdout.write(json.dumps(_document(line), separators=(",", ":")) + "\n")
            sys.stdout.flush()


def _document(line: _Line) -> dict[str, Any]:
    metrics = [{"Name": metric.name, "Unit": metric.unit} for metric in line.values]
    directive = {"Namespace": _process.namespace, "Dimensions": [[]], "Metrics": metrics}
    return {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "function": _process.function,
        "request_id": _process.request,
        **{name: list(values) for name, values in line.about.items()},
        **{metric.name: value for metric, value in line.values.items()},
    }
