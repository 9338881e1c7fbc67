"""A few hundred stories through the real handlers, in which what can go wrong does, and what is true in the end.

A story is made from its number. While it lasts, calls fail, processes die, the stream's records come late, in other
batches, in another order across keys and several times; then nothing goes wrong any more, time passes, and what has to
be true is looked up by rules of its own, not by asking `decide`.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from pipeline_state.handlers import promotion
from pipeline_state.model.decision import Promote
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline, Policy, Release
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.times import format_time, parse_time
from pipeline_state.table.claims import claim
from pipeline_state.table.deployments import Deployment, deployments
from pipeline_state.table.models import to_plain
from pipeline_state.table.retry import RepeatedError
from pipeline_state.table.snapshot import Snapshot
from pipeline_state.table.transaction import RefusedError
from tests.contract.function_room import Crash
from tests.contract.pump import Record, StreamMapping
from tests.contract.table_room import WEB, A, B, C, D, pipeline
from tests.contract.way_room import WayRoom, new_room

COMMITS = (A, B, C, D)
STORIES = 25
LOCAL = Cluster(context="local")
LIVE = replace(WEB, namespace="live")
WORKER = Release("worker", "shop", "charts/worker")
STAGING = Environment("staging", ("build",), (), (WEB,), LOCAL)
PRODUCTION = Environment("production", ("legal",), ("staging",), (LIVE,), LOCAL)
SHOP = pipeline(STAGING, PRODUCTION)
DOCS = Environment("docs", ("build",), (), (replace(WEB, namespace="docs"),), LOCAL)

LONG = replace(STAGING, releases=(replace(WEB, timeout=86_400), WORKER), in_order=True, rollback_together=True)

KINDS: dict[str, tuple[Pipeline, ...]] = {
    "newest": (SHOP,),
    "every": (pipeline(replace(STAGING, policy=Policy.EVERY), PRODUCTION),),
    "soak": (pipeline(STAGING, replace(PRODUCTION, soak=1800)),),
    "expiring": (SHOP,),
    "closing": (SHOP,),
    "back": (SHOP,),
    "poison": (SHOP,),
    "long": (pipeline(LONG, replace(PRODUCTION, releases=(replace(LIVE, timeout=86_400),))),),
    "shared": (
        replace(pipeline(STAGING), shared=True),
        replace(pipeline(DOCS), name="docs", shared=True, paths=("docs/*",)),
    ),
}


def passed(value: Any, room: WayRoom) -> bool:
    if not isinstance(value, dict):
        return str(value).upper() == "TRUE"
    until = parse_time(value.get("expires_at"))
    return value.get("status") == "TRUE" and (until is None or room.clock() < until)


def is_open(room: WayRoom, item: dict[str, Any], it: Pipeline, environment: Environment) -> bool:
    """Whether a record may go there as DESIGN has it: the gates named there, the environments before, added columns."""
    columns = [*environment.gates, *(it.deployed_gate(name) for name in environment.after)]
    columns += ["scan"] if "scan" in item else []
    return all(passed(item.get(column, ""), room) for column in columns)


@dataclass
class Story:
    """One story and all that is known about it. failing: how often a call goes wrong."""

    room: WayRoom
    kind: str
    rng: random.Random
    failing: float = 0.06
    sent: list[tuple[str, str]] = field(default_factory=list)
    pending: list[Record] = field(default_factory=list)
    delivered: list[Record] = field(default_factory=list)
    faults: int = 0

    # what happens

    def tell(self) -> None:
        if self.kind == "long":
            self.room.releases.long.add(WEB.chart)
            self.room.releases.is_late = lambda: self.rng.random() < 0.5
        for act in self._plot():
            act()
            for _ in range(self.rng.choice([0, 1, 1, 2])):
                self.rng.choice([self.work, self.work, self.deliver, self.deliver, self.sweep, self.wait])()

    def _plot(self) -> list[Callable[[], object]]:
        commits = COMMITS[: self.rng.choice([2, 2, 3, 3, 4])]
        pushes = [self._push(number, commits) for number in range(len(commits))]
        others = [act for commit in commits for act in self._about(commit)]
        others += self._closing() if self.kind in {"closing", "soak"} else []
        others += [self._rollback] * 3 if self.kind == "back" else []
        others += [self._poison, self._poison_record] if self.kind == "poison" else []
        if self.kind == "every":  # a push told late finds later commits gone ahead
            self.rng.shuffle(others)
            return [*pushes, *others]
        plot = pushes + others
        self.rng.shuffle(plot)
        return plot

    def _push(self, number: int, commits: Sequence[str]) -> Callable[[], None]:
        before = commits[number - 1] if number else ""
        paths = {"paths": [self.rng.choice(["docs/index.md", "src/app.py"])], "paths_complete": self.rng.random() < 0.8}
        return lambda: self._send(commits[number], self.room.push(before, commits[number], number * 100, **paths))

    def _about(self, commit: str) -> list[Callable[[], object]]:
        """Its builds, its approvals, and what people do to it."""
        second = 1000 + COMMITS.index(commit)
        results = self.rng.choice([["success"], ["success"], ["failed"], ["failed", "success"], ["success", "failed"]])
        if self.kind == "every":
            results = results[:1]
        acts: list[Callable[[], object]] = [
            lambda at=at, status=status: self._send(commit, self.room.build(commit, status, at))  # type: ignore[misc]
            for at, status in zip((second, second + 500), results, strict=False)
        ]
        if self.rng.random() < 0.75:
            acts.append(lambda: self._approve(commit))
        if self.rng.random() < 0.2 and self.kind != "every":
            acts.append(lambda: self.room.tables.edit(commit, scan=self.rng.choice(["", "TRUE", "FALSE"])))
        return acts

    def _closing(self) -> list[Callable[[], object]]:
        names = [self.rng.choice(["staging", "production"]) for _ in range(4)]
        until = format_time(self.room.clock() + timedelta(minutes=self.rng.randrange(1, 90)))
        return [
            lambda: self._person(lambda: self.room.freeze(names[0], until)),
            lambda: self._person(lambda: self.room.freeze(names[1])),
            lambda: self._person(lambda: self.room.unfreeze(names[2])),
            lambda: self._person(lambda: self.room.hold(names[3])),
        ]

    def _send(self, commit: str, event: Any) -> None:
        self.sent.append((commit, event.get_id()))
        self.room.send(*[event] * self.rng.choice([1, 1, 2]))

    def _approve(self, commit: str) -> None:
        lasts = timedelta(minutes=self.rng.randrange(5, 200))
        until = {"expires_at": format_time(self.room.clock() + lasts)} if self.kind == "expiring" else {}
        self._person(lambda: self.room.approve(commit, **until))

    def _rollback(self) -> None:
        name = self.rng.choice(["staging", "production"])
        there = [each.commit for each in self.deployments(self.pipelines[0], name)]
        if there[1:]:
            self._person(lambda: self.room.rollback(name, self.rng.choice(there[:-1])))

    def _poison(self) -> None:
        self.room.send("no event")

    def _poison_record(self) -> None:
        """A record that nobody can read among the others, and a claim that there never was."""
        claimed = {"generation": 99, "at": "2026-01-01T00:00:00Z", "promotions": {}, "published": False}
        self.room.tables.edit("9" * 40, _claim_staging=claimed, scan="TRUE")
        self.pending.insert(self.rng.randrange(len(self.pending) + 1), UNREADABLE)

    def _person(self, act: Callable[[], None]) -> None:
        with suppress(RefusedError, RepeatedError):
            act()

    def work(self) -> None:
        """Recorder, installer and observer, of which each may die or fail."""
        with self._going_wrong():
            self.room.recorder.poll()
            self.room.installer.poll()
            if self.kind == "long":
                self.room.observer.poll()
        if self.rng.random() < 0.5:
            self.room.show_again()

    def deliver(self) -> None:
        """Some of the stream's records, in order for each key, in batches of some size, some of them once more."""
        self.pending += self.room.changes()
        batch = list(self._some())
        self.pending = [each for each in self.pending if each not in batch]
        if self.delivered and self.rng.random() < 0.3:
            batch = self.rng.sample(self.delivered, 1) + batch
        self.delivered += batch
        with self._going_wrong():
            mapping = StreamMapping(
                self.room.promoter, batch_size=self.rng.choice([1, 2, 5]), retries=1, bisect=self.rng.random() < 0.7
            )
            mapping.deliver(batch)

    def _some(self) -> Iterator[Record]:
        held_up: set[str] = set()
        for record in self.pending:
            key = json.dumps(record["dynamodb"]["Keys"], sort_keys=True)
            if key not in held_up and self.rng.random() < 0.7:
                yield record
            else:
                held_up.add(key)

    def sweep(self) -> None:
        with self._going_wrong(), self.room.calls.counted():
            try:
                self.room.sweeper().sweep(lambda: 100.0)
            except (Crash, Exception):  # noqa: BLE001 - the schedule comes again
                self.room.clock.go_on(60)

    def wait(self) -> None:
        self.room.clock.go_on(self.rng.choice([10, 200, 1000]))

    def _going_wrong(self) -> Any:
        story = self

        class Wrong:
            def __enter__(self) -> None:
                story.room.calls.before, story.room.calls.after = story.before, story.after

            def __exit__(self, *_: object) -> None:
                story.room.calls.before = story.room.calls.after = lambda _: None

        return Wrong()

    def before(self, name: str) -> None:
        self._maybe(EndpointConnectionError(endpoint_url=name))

    def after(self, name: str) -> None:
        self._maybe(ReadTimeoutError(endpoint_url=name))

    def _maybe(self, error: Exception) -> None:
        if self.rng.random() < self.failing:
            self.faults += 1
            raise self.rng.choice([error, Crash()])

    def calm_down(self) -> None:
        """Nothing goes wrong, everything is opened, all gets ready, and hours pass."""
        self.room.releases.is_late = lambda: False
        for name in ("staging", "production"):
            self._person(lambda name=name: self.room.unfreeze(name))  # type: ignore[misc]
            self._person(lambda name=name: self.room.release(name))  # type: ignore[misc]
        self._send_again_what_is_dead()
        StreamMapping(self.room.promoter).deliver(self.pending)
        self.room.show_again()
        self.room.settle()
        quiet = 0
        for _ in range(20):
            self.room.clock.go_on(1900)
            with self.room.calls.counted():
                found = self.room.sweeper().sweep(lambda: 100.0)
            assert found["faults"] == 0 or self.kind == "poison"
            quiet = 0 if {*found} - {"waiting", "faults", "repositories_left"} else quiet + 1
            if quiet == 2:  # so long that every soak time is over
                return
            self.room.settle()
        raise AssertionError("there is always something left to do")

    def _send_again_what_is_dead(self) -> None:
        """Messages whose every attempt went wrong: they say so, and somebody sends them again."""
        for body, told in self.room.bodies(self.room.dead_events):
            assert told["reason"].startswith("given up after 5 attempts") or body == "no event"
            self.room.send(body)

    # what is true then

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        return self.room.tables.snapshot(A).definitions.pipelines

    def deployments(self, it: Pipeline, environment: str) -> list[Deployment]:
        """Oldest first."""
        return [*deployments(it.name, environment)][::-1]

    def check(self) -> None:
        self._check_events()
        promotions: list[Promotion] = []
        for it in self.pipelines:
            for environment in it.environments:
                there = self.deployments(it, environment.name)
                promotions += [each for deployment in there for each in deployment.promotions]
                self._check_order(there)
                self._check_newest(it, environment, there)
                self._check_state(it, environment, there)
        self._check_installs(promotions)

    def _check_events(self) -> None:
        """I4: in the journal, or in a dead-letter queue with the reason; and nothing is left in between."""
        for commit in dict.fromkeys(commit for commit, _ in self.sent):
            assert {id_ for sha, id_ in self.sent if sha == commit} <= {*self.room.tables.told(commit)}
        queues = (self.room.events, self.room.installs, self.room.rollouts, self.room.dead_rollouts)
        assert [self.room.bodies(url) for url in queues] == [[], [], [], []]
        if self.kind == "poison":
            assert {body for body, _ in self.room.bodies(self.room.dead_events)} == {"no event"}
            reasons = [told["reason"] for _, told in self.room.bodies(self.room.dead_changes)]
            assert all(reasons)
        else:
            assert [self.room.bodies(url) for url in (self.room.dead_events, self.room.dead_changes)] == [[], []]
        assert self.room.bodies(self.room.dead_installs) == []

    def _check_order(self, there: list[Deployment]) -> None:
        """I3: each generation once, and forward only unless a person went back."""
        assert [each.generation for each in there] == list(range(1, len(there) + 1))
        latest = -1
        for each in there:
            sequence = each.promotions[0].sequence
            assert sequence > latest or each.action == "rollback"
            latest = max(latest, sequence)

    def _check_newest(self, it: Pipeline, environment: Environment, there: list[Deployment]) -> None:
        """I5: the newest that is ready has been there, and where each has its turn, all of them in order."""
        items = {commit: self.room.tables.item(commit) for commit in COMMITS}
        ready = [commit for commit in COMMITS if self._is_candidate(it, items[commit])]
        ready = [commit for commit in ready if is_open(self.room, items[commit], it, environment)]
        forward = [each.commit for each in there if each.action == "promote"]
        if ready:
            assert forward, (environment.name, ready)
            assert COMMITS.index(forward[-1]) >= COMMITS.index(ready[-1])
        if environment.policy is Policy.EVERY:
            assert forward == ready

    def _is_candidate(self, it: Pipeline, item: dict[str, Any]) -> bool:
        place = item.get("_branches", {}).get("main")
        paths = place.get("paths") if place else None
        return bool(place) and (not it.paths or paths is None or any(each.startswith("docs/") for each in paths))

    def _check_state(self, it: Pipeline, environment: Environment, there: list[Deployment]) -> None:
        """The last one is published, deployed, and says so; nobody waits for it and nobody has its lease."""
        if not there:
            return
        key, last = it.key_of(environment.name), there[-1]
        item = self.room.tables.item(last.commit)
        assert item[f"_claim_{key}"]["published"] is True
        assert item[f"deployed_to_{key}"]["status"] == "TRUE"
        state = self.room.tables.read("environments", pipeline=it.name, environment=environment.name)
        assert (state["head"], state["generation"]) == (last.commit, last.generation)
        assert [name for name in state if name.startswith(("lease", "parked:"))] == []

    def _check_installs(self, promotions: list[Promotion]) -> None:
        """I2: one id for each promotion; each is installed once, and none after a later one."""
        by_id = {each.id: each for each in promotions}
        assert len(by_id) == len(promotions)
        for done in self.room.releases.history.values():
            generations = [by_id[id_].generation for id_, _ in done]
            assert all(older < newer for older, newer in pairwise(generations))
        again = sum(count - 1 for count in Counter(self.room.releases.runs).values())
        assert again <= self.faults


UNREADABLE: Record = {
    "eventID": "unreadable",
    "dynamodb": {"Keys": {}, "SequenceNumber": "0", "ApproximateCreationDateTime": 0},
    "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/gates/stream/now",
}


@pytest.fixture(scope="module")
def one_room(ministack: str) -> Iterator[WayRoom]:
    with pytest.MonkeyPatch.context() as patch:
        yield new_room(ministack, patch)


@pytest.fixture
def room(one_room: WayRoom, monkeypatch: pytest.MonkeyPatch) -> WayRoom:
    one_room.tables.tables.connect()
    one_room.renew()

    def watched(snapshot: Snapshot, it: Pipeline, decision: Promote, *rest: Any) -> list[Promotion]:
        """I1, at the moment of the claim."""
        promotions = claim(snapshot, it, decision, *rest)
        environment = it.environment(decision.environment)
        assert environment
        assert is_open(one_room, to_plain(one_room.tables.snapshot(snapshot.commit).item), it, environment)
        return promotions

    monkeypatch.setattr(promotion, "claim", watched)
    return one_room


@pytest.mark.parametrize("number", range(STORIES))
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_on_the_way_the_end_is_right(room: WayRoom, kind: str, number: int) -> None:
    story = Story(room, kind, random.Random(f"{kind} {number}"))  # noqa: S311 - no secret
    room.tables.define(*KINDS[kind])
    story.tell()
    story.calm_down()
    story.check()
