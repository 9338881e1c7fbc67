"""Histories in short: facts at so many seconds, and what replays make of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline_state.model.environments import Freeze
from pipeline_state.model.history import Claimed, Edited, Ended, Fact, Froze, Pinned, Pushed, Reported
from pipeline_state.model.order import NO_COMMIT, Push
from pipeline_state.model.pipelines import (
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Policy,
    Release,
    SourceKind,
)
from pipeline_state.model.replay import Replayed, replay
from pipeline_state.model.results import Result
from pipeline_state.model.times import format_time

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
A, B, C, D = (letter * 40 for letter in "abcd")
WEB = Release("web", "shop", "charts/web")
BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
STAGING = Environment("staging", ("build",), releases=(WEB,))
PRODUCTION = Environment("production", ("legal",), ("staging",), releases=(WEB,))
EVERY = replace(STAGING, policy=Policy.EVERY)
SHOP = Pipeline("shop", "myOrg/myApp", gates=(BUILD, GateDefinition("legal")), environments=(STAGING,))
CHAIN = replace(SHOP, environments=(STAGING, PRODUCTION))

DAY = 24 * 60 * 60.0


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def time(second: float) -> str:
    return format_time(at(second))


def pushed(
    second: float, before: str, after: str, *, branch: str = "main", paths: tuple[str, ...] | None = None
) -> Pushed:
    return Pushed(at(second), branch, Push(before or NO_COMMIT, after, time(second), paths))


def built(second: float, commit: str, status: str = "success", **changes: Any) -> Reported:
    result = Result(SourceKind.CIRCLECI_WORKFLOW, "build-test", "circleci", status, time(second))
    return Reported(at(second), commit, replace(result, **changes))


def edited(second: float, commit: str, **values: Any) -> Edited:
    return Edited(at(second), commit, values, time(second))


def claimed(second: float, commit: str, generation: int, environment: str = "staging", **more: Any) -> Claimed:
    return Claimed(at(second), commit, "shop", environment, generation, **more)


def ended(second: float, commit: str, generation: int, status: str = "TRUE", *, environment: str = "staging") -> Ended:
    return Ended(at(second), commit, "shop", environment, "web", generation, status, time(second))


def frozen(second: float, until: float | None = None, environment: str = "staging", by: str = "ann") -> Froze:
    pipeline = "shop" if environment else ""
    return Froze(at(second), pipeline, environment, Freeze(by, time(until) if until is not None else ""))


def unfrozen(second: float, environment: str = "staging") -> Froze:
    return Froze(at(second), "shop" if environment else "", environment, None)


def held(second: float, by: str, environment: str = "staging") -> Pinned:
    return Pinned(at(second), "shop", environment, by)


def no_windows(_: Environment, __: datetime) -> Freeze | None:
    return None


def played(*facts: Fact, pipeline: Pipeline = SHOP, windows: Any = no_windows, until: float = DAY) -> Replayed:
    return replay([pipeline], facts, windows, at(until))


def steps(replayed: Replayed) -> list[tuple[float, str, str]]:
    """Seconds, environment and first letter of the commit of each promotion."""
    return [((each.at - START).total_seconds(), each.environment, each.commit[0]) for each in replayed.steps]


def promoted(*facts: Fact, **more: Any) -> list[tuple[float, str, str]]:
    return steps(played(*facts, **more))


def with_environments(*environments: Environment, pipeline: Pipeline = SHOP) -> Pipeline:
    return replace(pipeline, environments=environments)


def commits_of(facts: Sequence[Fact]) -> set[str]:
    return {fact.push.after if isinstance(fact, Pushed) else getattr(fact, "commit", "") for fact in facts} - {""}
