"""Where the time goes between a push and the commit's deployment: whom or what it waited for, moment by moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from pipeline_state.model.entries import read_entry
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.times import parse_time
from pipeline_state.model.waits import Wait

_LONGEST = 30 * 86_400.0
"""Seconds of an installation: more is not believed."""


class Part(StrEnum):
    """What a moment is spent on. Where there are several things at once, the first of these counts.

    So a machine at work goes before a person who is awaited meanwhile, and the pipeline's own waits come last: nearly
    all of them wait for something else.
    """

    HELM = "helm"
    """A release is being installed: from its beginning to its verdict, tests and verification included."""

    CI = "ci"
    """A gate is awaited that CI opens."""

    PEOPLE = "people"
    """A gate, a freeze or a hold is awaited that a person ends."""

    PIPELINE = "pipeline"
    """Its turn in the queue, a soak, the window of a freeze, an environment before it, a message on its way."""

    UNEXPLAINED = "unexplained"
    """Nothing that is known of."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time that something took, or was awaited."""

    part: Part
    start: datetime
    end: datetime


def split(start: datetime, end: datetime, stretches: Iterable[Stretch]) -> dict[Part, timedelta]:
    """How the time from start to end is spent, each moment counted once: the parts' sum is exactly that time."""
    clipped = [Stretch(each.part, max(each.start, start), min(each.end, end)) for each in stretches]
    inside = [each for each in clipped if each.start < each.end]
    moments = sorted({start, max(start, end), *(moment for each in inside for moment in (each.start, each.end))})
    parts = dict.fromkeys(Part, timedelta())
    for begin, finish in pairwise(moments):
        at_work = {each.part for each in inside if each.start <= begin and finish <= each.end}
        parts[next((part for part in Part if part in at_work), Part.UNEXPLAINED)] += finish - begin
    return parts


def stretches(waits: Iterable[Wait], now: datetime) -> list[Stretch]:
    """What was waited for, as far as it has come; what was not, until now."""
    return [Stretch(Part(each.who), each.start, each.end or now) for each in waits]


def on_the_way(pipelines: Iterable[Pipeline], name: str, way: frozenset[str]) -> list[Pipeline]:
    """The same pipelines with no other environments than those of one pipeline that a commit has to pass.

    Nothing that another environment lacks counts then, while all gates stay declared.
    """
    return [
        replace(each, environments=tuple(it for it in each.environments if each.name == name and it.name in way))
        for each in pipelines
    ]


def installations(entries: Iterable[Mapping[str, Any]], pipeline: str, way: frozenset[str]) -> list[Stretch]:
    """How long releases took in environments of a pipeline, by a commit's journal; anybody may have written there."""
    found = []
    for entry in filter(None, map(read_entry, entries)):
        end, seconds = parse_time(entry.time), _seconds(entry.what.get("seconds"))
        if end and seconds and entry.text("pipeline") == pipeline and entry.text("environment") in way:
            found.append(Stretch(Part.HELM, end - timedelta(seconds=seconds), end))
    return found


def _seconds(value: object) -> float:
    """Seconds that an installation can have taken; 0 for anything else."""
    try:
        seconds = float(str(value))
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < _LONGEST else 0.0
