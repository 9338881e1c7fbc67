"""What readings come to: totals now and before, how they went, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_state import metrics
from pipeline_state.cli.stats.readings import Durations, Readings, Window
from pipeline_state.metrics import Metric
from pipeline_state.model.times import format_time


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened: now, in as long before, and stretch by stretch."""

    now: int
    before: int
    course: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"now": self.now, "before": self.before, "by_stretch": list(self.course)}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long something took, in seconds. typical, longest: None where it did not happen.

    typical: of the medians of the stretches, the one in the middle, each counting as often as it has durations;
    close to the median, which CloudWatch tells of single stretches only. course: those medians; 0 for none.
    """

    number: int
    typical: float | None
    longest: float | None
    typical_before: float | None
    longest_before: float | None
    course: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        now = {"number": self.number, "typical_seconds": self.typical, "longest_seconds": self.longest}
        before = {"typical_seconds_before": self.typical_before, "longest_seconds_before": self.longest_before}
        return now | before | {"by_stretch": list(self.course)}


@dataclass(frozen=True, slots=True)
class Problem:
    """what: what is wrong, as a sentence. then: what to do about it."""

    what: str
    then: str


@dataclass(frozen=True, slots=True)
class Figures:
    """dead_letters: how many lie where now, by the queue's name in template.yaml."""

    window: Window
    counts: Mapping[Metric, Count]
    timings: Mapping[Metric, Timing]
    dead_letters: Mapping[str, int]

    @property
    def problems(self) -> list[Problem]:
        """What somebody should look at."""
        return [
            *(_lying(queue, number) for queue, number in self.dead_letters.items() if number),
            *(problem for problem in (self._failed, self._not_taken, self._unsigned) if problem),
        ]

    @property
    def _failed(self) -> Problem | None:
        number = self.counts[metrics.DEPLOYMENTS_FAILED].now
        return Problem(f"{_many(number, 'deployment')} failed", "see `gatestream status`") if number else None

    @property
    def _not_taken(self) -> Problem | None:
        number = self.counts[metrics.NOT_TAKEN].now
        then = "see the webhook functions' logs; CircleCI sends again, GitHub when asked (GitHubRedeliverySecret)"
        return Problem(f"{_many(number, 'webhook')} not taken: AWS was out of reach", then) if number else None

    @property
    def _unsigned(self) -> Problem | None:
        """Some are somebody's who should not send any; all are a secret that differs."""
        number = self.counts[metrics.REJECTED_UNSIGNED].now
        if not number or number < self.counts[metrics.EVENTS_RECEIVED].now:
            return None
        return Problem(
            f"none of {_many(number, 'webhook')} was signed rightly",
            "compare the secret in Secrets Manager with the one in the settings of GitHub or CircleCI",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, as --json prints it."""
        times = {"start": format_time(self.window.middle), "end": format_time(self.window.end)}
        counts = {metric.name: count.to_json() for metric, count in self.counts.items()}
        return {
            **times,
            "stretch_seconds": self.window.stretch,
            "counts": counts,
            "durations": {metric.name: timing.to_json() for metric, timing in self.timings.items()},
            "dead_letters": dict(self.dead_letters),
            "problems": [{"what": each.what, "then": each.then} for each in self.problems],
        }


def figures(window: Window, readings: Readings, dead_letters: Mapping[str, int]) -> Figures:
    """What all of it comes to."""
    counts = {metric: _count(values, window.number) for metric, values in readings.counts.items()}
    timings = {metric: _timing(values, window.number) for metric, values in readings.durations.items()}
    return Figures(window, counts, timings, dead_letters)


def _count(values: Sequence[int], number: int) -> Count:
    before, now = values[:number], values[number:]
    return Count(sum(now), sum(before), tuple(now))


def _timing(values: Sequence[Durations | None], number: int) -> Timing:
    before, now = ([each for each in part if each] for part in (values[:number], values[number:]))
    return Timing(
        number=sum(each.number for each in now),
        typical=_typical(now),
        longest=max((each.longest for each in now), default=None),
        typical_before=_typical(before),
        longest_before=max((each.longest for each in before), default=None),
        course=tuple(each.median if each else 0.0 for each in values[number:]),
    )


def _typical(found: Sequence[Durations]) -> float | None:
    left = sum(each.number for each in found) / 2
    for each in sorted(found, key=lambda each: each.median):
        left -= each.number
        if left <= 0:
            return each.median
    return None


def _lying(queue: str, number: int) -> Problem:
    return Problem(f"{_many(number, 'message')} in {queue}", f"see `gatestream dlq list --queue {queue}`")


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
