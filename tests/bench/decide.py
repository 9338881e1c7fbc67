"""`decide`: deciding about a commit in ten environments, against making plain values of the item it is read from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline_state.model.decide import decide, declared_gates
from pipeline_state.model.decision import Decision
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.order import Place
from pipeline_state.model.pipelines import DEPLOYED_TO, Environment, GateDefinition, Pipeline
from pipeline_state.model.record import BRANCHES, Record, read_record
from pipeline_state.model.times import format_time
from pipeline_state.table.models import to_plain, to_raw
from tests.bench.figures import Figure

GOAL = 4.0
GATES, ENVIRONMENTS = 50, 10
SAMPLES, QUICK_SAMPLES = 200, 20
WARM_UP, PER_SAMPLE = 20, 10
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Case:
    """A commit that a chain of environments has let pass, as its table holds it, and what it is decided from."""

    raw: dict[str, Any]
    record: Record
    pipeline: Pipeline
    states: dict[str, EnvironmentState]

    def decide(self) -> list[Decision]:
        return decide(self.record, self.states, self.pipeline, declared_gates([self.pipeline]), NOW)


def measure(*, quick: bool) -> Iterator[Figure]:
    """Both in turn. All of the gates are passed, so that no environment is done with at its first one."""
    case = make_case()
    taken: dict[str, list[float]] = {"decide": [], "floor": []}
    for turn in range(WARM_UP + (QUICK_SAMPLES if quick else SAMPLES)):
        samples = {"decide": microseconds(case.decide), "floor": microseconds(lambda: to_plain(case.raw))}
        if turn >= WARM_UP:
            for name, sample in samples.items():
                taken[name].append(sample)
    kinds = ", ".join(decision.kind for decision in case.decide())
    yield Figure("decide", "µs", GOAL, taken["decide"], taken["floor"], [f"decide found {kinds}"])


def microseconds(work: Callable[[], object]) -> float:
    """What doing it takes once, in the mean of several times."""
    begun = time.perf_counter()
    for _ in range(PER_SAMPLE):
        work()
    return 1e6 * (time.perf_counter() - begun) / PER_SAMPLE


def make_case() -> Case:
    """Fifty gates in all, ten of them `deployed_to_*`: each environment after the one before it, every third of them
    with a soak time that is over, every fourth frozen by two people."""
    names = [f"environment-{number}" for number in range(ENVIRONMENTS)]
    gates = [f"gate-{number}" for number in range(GATES - ENVIRONMENTS)]
    environments = tuple(
        Environment(
            name,
            gates=tuple(gates[number::ENVIRONMENTS]),
            after=tuple(names[number - 1 : number]),
            soak=HOUR if number % 3 == 1 else 0,
        )
        for number, name in enumerate(names)
    )
    long_ago, before, later = (format_time(NOW + timedelta(hours=hours)) for hours in (-9, -2, 2))
    item: dict[str, Any] = {
        "repo": "myOrg/myApp",
        "commit": "a" * 40,
        BRANCHES: {"main": Place(500, pushed_at=long_ago, paths=("src/app.py",)).to_dict()},
    }
    evidence = {"status": "TRUE", "at": before, "by": "circleci", "url": "https://example.com/builds/1"}
    item |= dict.fromkeys([*gates, *(DEPLOYED_TO + name for name in names)], evidence)
    raw = {name: to_raw(value) for name, value in item.items()}
    freezes = (Freeze("ann", later), Freeze("ben", before))
    states = {
        name: EnvironmentState(
            "shop", name, 7, "b" * 40, 400, releases=("web",), done={"web": 7}, freezes=() if number % 4 else freezes
        )
        for number, name in enumerate(names)
    }
    pipeline = Pipeline("shop", "myOrg/myApp", gates=tuple(map(GateDefinition, gates)), environments=environments)
    return Case(raw, read_record(to_plain(raw)), pipeline, states)
