"""A fleet that nobody has: repositories with pipelines, commits, gates and deployments, put straight into the tables.

`python -m tests.bench.made_up_fleet [--repos N] [--commits N] [--port N]` shows it in the dashboard until Ctrl-C.
"""

import argparse
import hashlib
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local import ministack, process
from infra.local.ports import HOST, free_port
from pipeline_state import tracing
from pipeline_state.cli.stacks import Stack
from pipeline_state.model.pipelines import Cluster, Environment, GateDefinition, Pipeline, Release
from pipeline_state.model.promotion import Action, Promotion, promotion_id
from pipeline_state.model.times import format_time
from pipeline_state.table.deployments import deployment_item
from pipeline_state.table.models import Tables, to_raw
from pipeline_state.table.waiting import PARTITION
from tests.bench.dashboard_program import show, stack_of
from tests.contract.dynamodb_local import wait
from tests.contract.table_room import KEYS, schema

_PER_BATCH = 25
"""Of one BatchWriteItem, by the API reference."""

TEAMS = ("checkout", "search", "identity", "media", "billing", "logistics", "growth", "platform")
THINGS = ("api", "web", "worker", "gateway", "importer", "mailer", "ledger", "catalog", "pricing", "reports")
GATES = ("circle_ci_build_done", "unit_tests", "dependency_scan", "approval_from_legal")
PEOPLE = ("ann", "bo", "chidi", "dana", "eve")
PROMOTED, FAILED, TAKEN_FROM = 5, 40, "arn:aws:sts::000000000000:assumed-role/deployers/"

Item = dict[str, Any]


@dataclass(frozen=True)
class MadeUp:
    """One repository, by its number; the same number makes the same one."""

    number: int
    commits: int
    now: datetime

    @property
    def repo(self) -> str:
        team, thing = TEAMS[self.number % len(TEAMS)], THINGS[self.number // len(TEAMS) % len(THINGS)]
        return f"acme/{team}-{thing}-{self.number:03}"

    @property
    def pipeline(self) -> Pipeline:
        local, web = Cluster(context="local"), Release("web", "shop", "charts/web", image="registry.acme.test/web")
        names = ("staging", "canary", "production") if self.number % 3 else ("staging", "production")
        environments = tuple(
            Environment(name, GATES[:2] if at == 0 else GATES[: at + 2], names[max(0, at - 1) : at], (web,), local)
            for at, name in enumerate(names)
        )
        name = self.repo.partition("/")[2]
        return Pipeline(name, self.repo, gates=tuple(map(GateDefinition, GATES)), environments=environments)

    def commit(self, at: int) -> str:
        """The hash of a commit, by its place from the oldest."""
        return hashlib.sha1(f"{self.repo} {at}".encode()).hexdigest()  # noqa: S324 - git's own

    def pushed(self, at: int) -> datetime:
        """A commit every few hours, the last one a short while ago."""
        minutes = 7 + self.number % 50 + (self.commits - 1 - at) * (90 + self.number % 200)
        return (self.now - timedelta(minutes=minutes)).replace(microsecond=0)

    def sequence(self, at: int) -> int:
        return int(self.pushed(at).timestamp()) * 1000 + 500

    def heads(self) -> dict[str, int]:
        """Which commit each environment has, by its place: the further on, the older."""
        chance, at, found = self._chance("heads"), self.commits - 1, {}
        for environment in self.pipeline.environments:
            at = max(0, at - chance.choice((0, 0, 0, 1, 1, 2, 4, 9)))
            found[environment.name] = at
        return found

    def items(self) -> Iterator[tuple[str, Item]]:
        """All items, each with its table."""
        pipeline, heads = self.pipeline, self.heads()
        yield "pipelines", self._definitions()
        for at in range(self.commits):
            yield "gates", self._record(at, heads)
        for environment in pipeline.environments:
            yield "environments", self._environment(environment, heads[environment.name])
            for generation in range(1, PROMOTED + 1):
                yield "environments", self._deployment(environment, heads[environment.name], generation)
        for at in range(heads[pipeline.environments[-1].name] + 1, self.commits):
            key = f"{self.repo}#{self.commit(at)}"
            told = {"repo": self.repo, "commit": self.commit(at), "mark": "made up"}
            yield "environments", {"pipeline": PARTITION, "environment": key, **told}

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"{self.repo} {what}")  # noqa: S311 - no secret

    def _definitions(self) -> Item:
        definitions = json.dumps([self.pipeline.to_dict()])
        applied = {"applied_by": "ann", "applied_at": format_time(self.pushed(0))}
        return {"repo": self.repo.lower(), "name": self.repo, "version": 1, "definitions": definitions, **applied}

    def _record(self, at: int, heads: dict[str, int]) -> Item:
        pushed, chance = format_time(self.pushed(at)), self._chance(f"gates {at}")
        when = {"sequence": self.sequence(at), "pushed_at": pushed}
        place = {**when, **({"before": self.commit(at - 1)} if at else {})}
        item = {"repo": self.repo, "commit": self.commit(at), "branch": "main", "_branches": {"main": place}, **when}
        trace = tracing.trace_of(self.repo, self.commit(at)).honeycomb
        gates = {name: self._gate(name, at, chance, is_open=at <= self._opened(name, heads)) for name in GATES}
        return {**item, "honeycomb_trace": trace, "_schema": 1, **gates, **self._places(at, heads)}

    def _opened(self, gate: str, heads: dict[str, int]) -> int:
        """Up to which commit a gate is open: the head of the first environment that wants it."""
        wanting = (heads[each.name] for each in self.pipeline.environments if gate in each.gates)
        return next(wanting, self.commits)

    def _gate(self, name: str, at: int, chance: random.Random, *, is_open: bool) -> Any:
        status = "TRUE" if is_open else chance.choice(("FALSE", "", "", ""))
        if not status:
            return ""
        by = chance.choice(PEOPLE) if name.startswith("approval") else "circleci"
        time = format_time(self.pushed(at) + timedelta(minutes=chance.randint(2, 9)))
        reason = {"reason": "CVE-2026-1234 in libfoo"} if status == "FALSE" and name == "dependency_scan" else {}
        return {"status": status, "by": by, "at": time, **reason}

    def _places(self, at: int, heads: dict[str, int]) -> Item:
        """What the record tells of where it has been deployed."""
        told: Item = {}
        for name, head in heads.items():
            if at <= head and (head - at) < PROMOTED:
                time, generation = format_time(self.pushed(at) + timedelta(minutes=20)), PROMOTED - (head - at)
                claim = {"generation": generation, "at": time, "promotions": {"web": "made up"}, "published": True}
                told |= {f"_claim_{name}": claim, f"deployed_to_{name}": self._result(name, time, generation, at, head)}
        return told

    def _result(self, name: str, time: str, generation: int, at: int, head: int) -> Item:
        status = "FALSE" if at == head and self._has_failed(name) else "TRUE"
        release = {"status": status, "at": time, "revision": generation, "chart": "web-1.4.2"}
        reason = {"reason": "web: Deployment web: 0 of 3 replicas are ready"} if status == "FALSE" else {}
        told = {"status": status, "by": "gatestream", "at": time, "generation": generation, **reason}
        return {**told, "releases": {"web": release}}

    def _has_failed(self, environment: str) -> bool:
        return self._chance(f"result in {environment}").randrange(FAILED) == 0

    def _environment(self, environment: Environment, at: int) -> Item:
        name, chance, time = environment.name, self._chance(f"closed {environment.name}"), self.pushed(at)
        kind, promoted = "failed" if self._has_failed(name) else "deployed", format_time(time + timedelta(minutes=20))
        outcome = {"kind": kind, "at": promoted, "revision": PROMOTED, "chart": "web-1.4.2", "seconds": 12.4}
        outcome |= {"reason": "Deployment web: 0 of 3 replicas are ready"} if kind == "failed" else {}
        item = {"pipeline": self.pipeline.name, "environment": name, "repo": self.repo, "generation": PROMOTED}
        item |= {"head": self.commit(at), "branch": "main", "promoted_at": promoted, "releases": ["web"]}
        item |= {"sequence": self.sequence(at), "newest": self.commit(at), "done:web": PROMOTED, "_schema": 1}
        until = {"frozen_until": format_time(self.now + timedelta(hours=20))} if chance.randrange(2) else {}
        frozen = {"frozen_by": chance.choice(PEOPLE), "frozen_reason": "the quarter's close", **until}
        held = {"held_by": chance.choice(PEOPLE), "held_reason": "waiting for the incident review"}
        closed = frozen if chance.randrange(25) == 0 else held if chance.randrange(60) == 0 else {}
        return {**item, **closed, "outcome:web": json.dumps(outcome)}

    def _deployment(self, environment: Environment, head: int, generation: int) -> Item:
        at = max(0, head - (PROMOTED - generation))
        asked = {"by": TAKEN_FROM + "ann", "action": Action.REDEPLOY.value, "reason": "the node pool was replaced"}
        told: Item = dict(asked) if self._chance(f"asked {environment.name}").randrange(12) == 0 else {}
        promotion = Promotion(
            id=promotion_id(self.pipeline.name, self.commit(at), environment.name, "web", generation),
            repo=self.repo,
            commit=self.commit(at),
            branch="main",
            sequence=self.sequence(at),
            pipeline=self.pipeline.name,
            pipeline_version=1,
            environment=environment.name,
            environment_key=environment.name,
            generation=generation,
            release=environment.releases[0],
            cluster=environment.cluster,
            releases=("web",),
        )
        key = deployment_item(self.pipeline.name, environment.name, generation)
        item = {"pipeline": key.pipeline, "environment": key.environment, "repo": self.repo, "commit": self.commit(at)}
        time = format_time(self.pushed(at) + timedelta(minutes=20))
        has_failed = generation == PROMOTED and self._has_failed(environment.name)
        told |= {f"{'failed' if has_failed else 'deployed'}_at:web": time}
        return {**item, "at": time, "promotions": json.dumps([promotion.to_dict()]), **told}


def fill(endpoint_url: str, tables: Tables, repos: int, commits: int, now: datetime) -> None:
    """Create the tables and put a fleet into them; no stream tells anybody."""
    client = ministack.client(endpoint_url, "dynamodb")
    for kind in KEYS:
        client.create_table(**schema(kind, getattr(tables, kind)))
    items = (found for number in range(repos) for found in MadeUp(number, commits, now).items())
    while some := list(islice(items, _PER_BATCH)):
        requests: dict[str, list[Any]] = {}
        for kind, item in some:
            put = {"PutRequest": {"Item": {name: to_raw(value) for name, value in item.items()}}}
            requests.setdefault(getattr(tables, kind), []).append(put)
        client.batch_write_item(RequestItems=requests)


@contextmanager
def made_up_stack(repos: int, commits: int) -> Iterator[Stack]:
    """A MiniStack with a fleet in its tables, as the local stack would have it."""
    with TemporaryDirectory() as folder:
        port, log = free_port(), Path(folder) / "log"
        environment = ministack.environment(Path(folder), port=port, tools=Path(folder), auth=False)
        arguments = (folder, "--with-parent", str(os.getpid()))
        pid = process.start("infra.local.ministack", *arguments, log=log, environment=environment)
        try:
            wait(lambda: ministack.is_ready(port), lambda: process.is_running(pid, folder), log.read_text)
            url = f"http://{HOST}:{port}"
            names: dict[str, Any] = {kind: f"made-up-{kind}" for kind in KEYS}
            tables = Tables(**names, endpoint_url=url, access_key="test", secret_key="test")
            fill(url, tables, repos, commits, datetime.now(UTC))
            yield stack_of(tables, Path(folder) / "traces")
        finally:
            process.stop(pid, folder)


def main() -> None:
    """Shows one."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.made_up_fleet", description=__doc__)
    parser.add_argument("--repos", type=int, default=1000)
    parser.add_argument("--commits", type=int, default=100, help="of each repository")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with made_up_stack(options.repos, options.commits) as stack:
        stack.connect()
        show(stack, options.port)


if __name__ == "__main__":
    main()
