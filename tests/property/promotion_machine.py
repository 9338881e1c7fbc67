"""Everything that can happen to two repositories, step by step, over tables in memory or real ones.

Events come in any order, again, or never; records are edited by hand; people freeze, hold, stop and go back; time
passes. Whoever works dies, waits or fails at any of its calls, side by side with others. All of the code is the real
one but Helm, SNS and SQS; what holds is said by `checks` and `reading` in DESIGN's words.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipeline_state.model.decide import on_request
from pipeline_state.model.decision import Promote
from pipeline_state.model.environments import Freeze
from pipeline_state.model.order import NO_COMMIT
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.promotion import Action
from pipeline_state.model.times import format_time
from pipeline_state.table import holds, waiting
from pipeline_state.table.claims import Order, claim
from pipeline_state.table.deployments import deployments
from pipeline_state.table.journal import Happening
from pipeline_state.table.snapshot import Reader
from tests.property import liveness
from tests.property.memory_queues import EVENTS, INSTALLS, ROLLOUTS, Message
from tests.property.memory_tables import Item
from tests.property.topologies import TOPOLOGIES, standing
from tests.property.workers import WHAT, Worker
from tests.property.world import Store, World

COMMITS = [letter * 40 for letter in "abcd"]
CHANGED = [["front/page"], ["back/job"], ["front/page", "back/job"], None]
NONSENSE = ["no event", '{"specversion": "1.0", "id": "half of one"}']
EXPIRY = 90
MOST_AT_HAND = 12

any_of_it = st.integers(0, 7)
at_call = st.sampled_from([1, 2, 3, 4, 6, -1, -1, -2, -2, -3, -4, -5])
happens = st.sampled_from([*WHAT, "pause", "pause", ""])
how_helm_ends = st.sampled_from(["deployed"] * 5 + ["slow", "slow", "never", "failed", "broken"])
what_is_seen = st.sampled_from(["deployed"] * 4 + ["slow", "failed", "failed", "broken"])


Job = Callable[[str, int], Worker]
"""Work that waits for somebody: begun with how Helm ends, and how much is taken at once."""


class PromotionMachine(RuleBasedStateMachine):
    """`store` is where the tables are."""

    world: World

    @classmethod
    def new_store(cls) -> Store:
        raise NotImplementedError

    @initialize(
        kind=st.sampled_from(sorted(TOPOLOGIES)),
        shipped=st.integers(0, 2),
        is_swept=st.booleans(),
        in_order=st.booleans(),
        together=st.booleans(),
    )
    def begin(self, kind: str, shipped: int, is_swept: bool, in_order: bool, together: bool) -> None:  # noqa: FBT001
        self.world = World(self.new_store(), standing(TOPOLOGIES[kind], in_order, together), is_swept)
        self.tips: dict[tuple[str, str], str] = {}
        self.count = 0
        self.checked = 0
        for number in range(shipped):
            self.ship(number, 0, 0, 12)

    # what is told

    @rule(number=any_of_it, elsewhere=any_of_it, paths=any_of_it, most=st.integers(0, 12))
    def ship(self, number: int, elsewhere: int, paths: int, most: int) -> None:
        """All goes well with a commit, as far as the outside is concerned, and some work gets done."""
        repo, branch = self._branch(elsewhere)
        self.push(number, elsewhere, paths, is_told=True)
        commit = self.tips[repo, branch]
        self._built(repo, commit, "success")
        self.world.edit(repo, commit, legal="TRUE", smoke="TRUE")
        self._get_done(number, most)

    @rule(number=any_of_it, elsewhere=any_of_it, paths=any_of_it, is_told=st.sampled_from([True, True, True, False]))
    def push(self, number: int, elsewhere: int, paths: int, is_told: bool) -> None:  # noqa: FBT001
        """A branch moves to any commit: on, back, or by force; of some nobody is told."""
        repo, branch = self._branch(elsewhere)
        before = self.tips.get((repo, branch), NO_COMMIT)
        after = self._pick([commit for commit in COMMITS if commit != before], number)
        self.tips[repo, branch] = after
        self.world.pass_time(6)
        changed = self._pick(CHANGED, paths)
        told = {"before": before, "sha": after, "branch": branch, "pushed_at": self._time()}
        told |= {"created": before == NO_COMMIT, "paths": changed or [], "paths_complete": changed is not None}
        if is_told:
            self.world.event("com.github.push", self._new("push"), repo, told)

    @rule(number=any_of_it, elsewhere=any_of_it, status=st.sampled_from(["success"] * 4 + ["failed", "pending"]))
    def build(self, number: int, elsewhere: int, status: str) -> None:
        self._built(self._branch(elsewhere)[0], self._pick(COMMITS, number), status)

    def _built(self, repo: str, commit: str, status: str) -> None:
        told = {"sha": commit, "name": "build-test", "app": "circleci", "status": status, "completed_at": self._time()}
        self.world.event("com.circleci.workflow-completed", self._new("build"), repo, told)

    @precondition(lambda self: self.world.acknowledged)
    @rule(number=any_of_it)
    def tell_again(self, number: int) -> None:
        self.world.queues.send(EVENTS, self._pick(self.world.acknowledged, number).body)

    @rule(body=st.sampled_from(NONSENSE))
    def tell_nonsense(self, body: str) -> None:
        self.world.queues.send(EVENTS, body)

    # what people do

    @precondition(lambda self: self.world.checks.records)
    @rule(number=any_of_it, value=st.sampled_from(["TRUE", "expires", "expires", "FALSE", ""]))
    def approve(self, number: int, value: str) -> None:
        """Or not, or not any more, or for some time."""
        repo, commit = self._pick(list(self.world.checks.records), number)
        end = format_time(self.world.now + timedelta(seconds=EXPIRY))
        lasting = {"status": "TRUE", "by": "ann", "expires_at": end}
        self.world.edit(repo, commit, legal=lasting if value == "expires" else value)
        self.world.pass_time(1)

    @rule(
        number=any_of_it,
        elsewhere=any_of_it,
        column=st.sampled_from(["build", "scan", "legal", "smoke", "deployed_to_staging"]),
        value=st.sampled_from(["TRUE", "TRUE", "FALSE", "", "nonsense", None, None]),
    )
    def edit(self, number: int, elsewhere: int, column: str, value: str | None) -> None:
        """Any gate, or one that nobody knows."""
        self.world.edit(self._branch(elsewhere)[0], self._pick(COMMITS, number), **{column: value})
        self.world.pass_time(1)

    @rule(
        number=any_of_it,
        what=st.sampled_from(["freeze", "freeze until", "freeze until", "hold", "stop until", "stop until"]),
        at=at_call,
        happens=happens,
    )
    def close(self, number: int, what: str, at: int, happens: str) -> None:
        pipeline, environment = self._pick(self._places(), number)
        until = format_time(self.world.now + timedelta(seconds=100)) if what.endswith("until") else ""
        frozen, told = Freeze("ann", until, "because"), self._told(pipeline, environment)
        acts: dict[str, Callable[[], None]] = {
            "freeze": lambda: holds.freeze(pipeline, environment.name, frozen, told),
            "hold": lambda: holds.hold(pipeline, environment.name, "because", told),
            "stop": lambda: holds.stop(frozen, told),
        }
        self._work(self.world.person(acts[what.removesuffix(" until")]), at, happens)

    @precondition(lambda self: self._openings())
    @rule(number=any_of_it, at=at_call, happens=happens)
    def open(self, number: int, at: int, happens: str) -> None:
        act = self._pick(self._openings(), number)
        self._work(self.world.person(act), at, happens)

    def _openings(self) -> list[Callable[[], None]]:
        """What people can end."""
        found: list[Callable[[], None]] = []
        for pipeline, environment in self._places():
            item, told = self._item(pipeline, environment), self._told(pipeline, environment)
            if "frozen_by" in item:
                found.append(partial(holds.unfreeze, pipeline, environment.name, told))
            if "held_by" in item:
                found.append(partial(holds.release, pipeline, environment.name, told))
        if "frozen_by" in self.world.checks.stop:
            found.append(partial(holds.start, self._told(*self._places()[0])))
        return found

    @precondition(lambda self: self._used())
    @rule(
        number=any_of_it,
        which=any_of_it,
        action=st.sampled_from([Action.ROLLBACK, Action.ROLLBACK, Action.REDEPLOY]),
        pinned=st.booleans(),
        at=at_call,
        happens=happens,
    )
    def go_back(self, number: int, which: int, action: Action, pinned: bool, at: int, happens: str) -> None:  # noqa: FBT001
        """Rollback or redeploy, to any commit that has been there."""
        pipeline, environment = self._pick(self._used(), number)

        def command() -> None:
            listed = list(deployments(pipeline.name, environment.name))
            chosen = listed[0] if action is Action.REDEPLOY else self._pick(listed, which)
            holding = action is Action.ROLLBACK
            order = Order("ann", action, "because", holds=holding, pinned=chosen.promotions if pinned else ())
            self._claim(chosen.commit, pipeline, environment, order)

        self._work(self.world.person(command), at, happens)

    @precondition(lambda self: self.world.checks.records)
    @rule(number=any_of_it, which=any_of_it, at=at_call, happens=happens)
    def override(self, number: int, which: int, at: int, happens: str) -> None:
        pipeline, environment = self._pick(self._places(), number)
        order = Order("ann", Action.OVERRIDE, "on fire", override=True)
        commit = self._pick(COMMITS, which)
        self._work(self.world.person(lambda: self._claim(commit, pipeline, environment, order)), at, happens)

    def _claim(self, commit: str, pipeline: Pipeline, environment: Environment, order: Order) -> None:
        snapshot = Reader().read(pipeline.repo, commit)
        (known,) = [each for each in snapshot.definitions.pipelines if each.name == pipeline.name]
        declared, now = snapshot.definitions.declared, self.world.now
        found = on_request(snapshot.record, known, environment, declared, now)
        state = snapshot.state(known, environment, now)
        if isinstance(found, Promote) and (order.action is not Action.OVERRIDE or found.sequence > state.sequence):
            claim(snapshot, known, found, now, order)

    @precondition(lambda self: self.world.checks.records)
    @rule(number=any_of_it)
    def ask(self, number: int) -> None:
        repo, commit = self._pick(list(self.world.checks.records), number)
        mark = self._new("ask")
        self._work(self.world.person(lambda: waiting.ask(repo, [commit], mark)), 0, "")

    @rule(seconds=st.sampled_from([1, 10, 61, 100, 200, 1000]))
    def wait(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    # who works

    @precondition(lambda self: any(self.world.lanes.values()))
    @rule(number=any_of_it, most=st.integers(1, 8), at=at_call, happens=happens)
    def promote(self, number: int, most: int, at: int, happens: str) -> None:
        self._work(self._pick(self._changes(), number)("", most), at, happens)

    @precondition(lambda self: self.world.queues.queues[INSTALLS])
    @rule(number=any_of_it, helm=how_helm_ends, at=at_call, happens=happens)
    def install(self, number: int, helm: str, at: int, happens: str) -> None:
        """Whatever is in the queue, also while another has it."""
        message = self._pick(self.world.queues.queues[INSTALLS], number)
        self._work(self.world.install_one(message, helm), at, happens)

    @precondition(lambda self: self.world.queues.at_hand(ROLLOUTS))
    @rule(number=any_of_it, helm=what_is_seen, at=at_call, happens=happens)
    def observe(self, number: int, helm: str, at: int, happens: str) -> None:
        message = self._pick(self.world.queues.at_hand(ROLLOUTS), number)
        self._work(self.world.observe_one(message, helm), at, happens)

    @precondition(lambda self: self.world.queues.visible(EVENTS))
    @rule(number=any_of_it, at=at_call, happens=happens)
    def record(self, number: int, at: int, happens: str) -> None:
        self._work(self._pick(self._events(), number)("", 0), at, happens)

    @precondition(lambda self: self._jobs())
    @rule(number=any_of_it, most=st.integers(2, 12), which=st.integers(0, 11), at=at_call, happens=happens)
    def work_on(self, number: int, most: int, which: int, at: int, happens: str) -> None:
        """Much gets done, and at one piece of it something happens."""
        self._get_done(number, most, which, at, happens)

    def _get_done(self, number: int, most: int, which: int = 0, at: int = 0, happens: str = "") -> None:
        for count in range(most):
            jobs = self._jobs()
            if not jobs:
                return
            helm = "slow" if number >= 6 else "deployed"
            self._work(self._pick(jobs, number)(helm, 10), at, happens if count == which else "")

    @precondition(lambda self: self._jobs())
    @rule(
        number=any_of_it,
        at=st.sampled_from([-1, -1, -2, -3]),
        meanwhile=st.sampled_from(["work", "work", "freeze", "hold"]),
        other=any_of_it,
        most=st.integers(1, 6),
    )
    def overlap(self, number: int, at: int, meanwhile: str, other: int, most: int) -> None:
        """One has looked, others do something, and then it acts on what it has seen."""
        worker = self._pick(self._jobs(), number)("deployed", 10)
        self._work(worker, at, "pause")
        if meanwhile == "work":
            self._get_done(other, most)
        else:
            self.close(other, meanwhile, 0, "")
        if not worker.is_over:
            self._work(worker, 0, "")

    @rule(at=at_call, happens=happens)
    def sweep(self, at: int, happens: str) -> None:
        self._work(self.world.sweep(), at, happens)

    @precondition(lambda self: self.world.calls.paused)
    @rule(number=any_of_it, at=at_call, happens=happens)
    def go_on(self, number: int, at: int, happens: str) -> None:
        self._work(self._pick(self.world.calls.paused, number), at, happens)

    @precondition(lambda self: self.world.calls.paused)
    @rule(number=any_of_it)
    def die(self, number: int) -> None:
        self.world.calls.kill(self._pick(self.world.calls.paused, number))

    @precondition(lambda self: any(self.world.lanes.values()))
    @rule(number=any_of_it, most=st.integers(1, 4))
    def lose(self, number: int, most: int) -> None:
        """Changes that the promoter never gets to see: the mapping has given up."""
        lane = self._pick([each for each, left in self.world.lanes.items() if left], number)
        self.world.lose(lane, most)

    @precondition(lambda self: any(self.world.lanes.values()))
    @rule(number=any_of_it, at=at_call, happens=happens)
    def show_again(self, number: int, at: int, happens: str) -> None:
        """A batch that comes again although it was done."""
        lane = self._pick([each for each, left in self.world.lanes.items() if left], number)
        self._work(self.world.promote(lane, 4, again=True), at, happens)

    def _jobs(self) -> list[Job]:
        return [*self._changes(), *self._installs(), *self._rollouts(), *self._events()]

    def _changes(self) -> list[Job]:
        return [partial(_promote, self.world, lane) for lane, left in self.world.lanes.items() if left]

    def _installs(self) -> list[Job]:
        return [partial(_install, self.world, message) for message in self.world.queues.visible(INSTALLS)]

    def _rollouts(self) -> list[Job]:
        return [partial(_observe, self.world, message) for message in self.world.queues.visible(ROLLOUTS)]

    def _events(self) -> list[Job]:
        return [partial(_record, self.world, each) for each in self.world.queues.visible(EVENTS)[:MOST_AT_HAND]]

    def _work(self, worker: Worker, at: int, happens: str) -> None:
        self.world.calls.run(worker, at, happens)

    # what always holds

    def check_invariants(self, *_: Any, **__: Any) -> None:
        """After each step: without a decorator, each of which would add a line to every step that is printed."""
        if hasattr(self, "world"):
            self.world.checks.look()
            self._check_acknowledged()

    def _check_acknowledged(self) -> None:
        """I4: what was acknowledged is in the journal, or a dead letter."""
        for message in self.world.acknowledged[self.checked :]:
            is_dead = message.body in self.world.queues.dead["events-dead"]
            assert is_dead or self._is_in_journal(message), f"I4: {message.body[:80]} is gone"
        self.checked = len(self.world.acknowledged)

    def _is_in_journal(self, message: Message) -> bool:
        if message.body in NONSENSE:
            return False
        event = json.loads(message.body)
        about = event["data"]
        if "sha" not in about:
            promotion = (about.get("customData") or about["subject"]["content"])["promotion"]
            about = {"repo": promotion["repo"], "sha": promotion["commit"]}
        return event["id"] in self.world.store.told(about["repo"], about["sha"])

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            liveness.settle(self.world)
            self.check_invariants()
            liveness.check(self.world)
        finally:
            self.world.close()

    # short ways

    def _pick(self, among: list[Any], number: int) -> Any:
        return among[number % len(among)]

    def _branch(self, number: int) -> tuple[str, str]:
        """The first repository mostly, and its main branch."""
        repos = list(self.world.definitions)
        return repos[-1] if number in {4, 5} else repos[0], "release/1" if number >= 6 else "main"

    def _places(self) -> list[tuple[Pipeline, Environment]]:
        return [(each, environment) for each in self.world.pipelines for environment in each.environments]

    def _item(self, pipeline: Pipeline, environment: Environment) -> Item:
        return self.world.checks.environments.get((pipeline.name, environment.name), {})

    def _used(self) -> list[tuple[Pipeline, Environment]]:
        """Where something was promoted."""
        return [each for each in self._places() if "head" in self._item(*each)]

    def _time(self) -> str:
        return format_time(self.world.now)

    def _new(self, kind: str) -> str:
        self.count += 1
        return f"{kind} {self.count}"

    def _told(self, pipeline: Pipeline, environment: Environment) -> Happening:
        at = self._time()
        return Happening(
            pipeline.name, environment.name, at, self._new("person"), "command", "steered", "ann", written_at=at
        )


def _promote(world: World, lane: tuple[str, str], _helm: str, most: int) -> Worker:
    return world.promote(lane, most)


def _install(world: World, message: Message, helm: str, _most: int) -> Worker:
    return world.install_one(message, helm)


def _observe(world: World, message: Message, helm: str, _most: int) -> Worker:
    return world.observe_one(message, helm)


def _record(world: World, message: Message, _helm: str, _most: int) -> Worker:
    return world.record(message)
