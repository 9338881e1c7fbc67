"""Everything that can happen to one repository, step by step, over tables in memory or real ones.

Events come in any order and again, records are edited by hand, promoters run side by side and die between two steps.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline_state.faults import TemporaryFault
from pipeline_state.model.decision import Promote, Promoted
from pipeline_state.model.pipelines import Cluster, Environment
from pipeline_state.model.promotion import Promotion
from pipeline_state.table.retry import RepeatedError
from pipeline_state.table.snapshot import Snapshot
from pipeline_state.table.transaction import RefusedError
from tests.contract.table_room import BUILD, LEGAL, WEB, pipeline

COMMITS = [letter * 40 for letter in "abc"]
WORKER = replace(WEB, name="worker")
STAGING = Environment("staging", ("build",), (), (WEB, WORKER), Cluster(context="local"))
PRODUCTION = Environment("production", ("legal",), ("staging",), (WEB,), Cluster(context="local"))
SHOP = pipeline(STAGING, PRODUCTION, gates=(BUILD, LEGAL))

any_of_it = st.integers(0, 5)


@dataclass
class Event:
    """What a message says. id: told once, recorded once."""

    id: str
    commit: str
    tell: Callable[[Any], object]


@dataclass
class Running:
    """A promoter that has looked, or claimed, or published; what it has still to do."""

    snapshot: Snapshot
    decision: Promote | Promoted
    promotions: list[Promotion]
    step: str = "act"


def passed(value: Any) -> bool:
    """By DESIGN's words, not by the code's."""
    status = value.get("status") if isinstance(value, dict) else value
    return status is True or (isinstance(status, str) and status.strip().upper() == "TRUE")


class PromotionMachine(RuleBasedStateMachine):
    """`room` is what the steps happen to."""

    @classmethod
    def new_room(cls) -> Any:
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.room: Any = self.new_room()
        self.room.define(SHOP)
        self.tip, self.clock = "", 0
        self.events: list[Event] = []
        self.acknowledged: list[Event] = []
        self.running: list[Running] = []
        self.published: Counter[str] = Counter()
        self.promotions: dict[str, Promotion] = {}
        self.heads: dict[str, list[tuple[int, int]]] = {"staging": [], "production": []}
        self.added: set[tuple[str, str]] = set()

    def later(self) -> int:
        self.clock += 6
        return self.clock

    def pick(self, among: list[Any], number: int) -> Any:
        return among[number % len(among)]

    # what is told

    @rule(number=any_of_it)
    def push(self, number: int) -> None:
        after = self.pick([commit for commit in COMMITS if commit != self.tip], number)
        before, second, self.tip = self.tip, self.later(), after
        id_ = f"push {second}"
        self.events.append(Event(id_, after, lambda room: room.push(before, after, second, id_=id_)))

    @rule(number=any_of_it, status=st.sampled_from(["success", "success", "failed", "pending"]), at_once=st.booleans())
    def build(self, number: int, status: str, at_once: bool) -> None:  # noqa: FBT001
        commit, second = self.pick(COMMITS, number), self.clock if at_once else self.later()
        id_ = f"build {second} {status} {len(self.events)} {len(self.acknowledged)}"
        self.events.append(Event(id_, commit, lambda room: room.result(commit, status, second, id_=id_)))

    @precondition(lambda self: self.promotions)
    @rule(number=any_of_it, status=st.sampled_from(["TRUE", "TRUE", "FALSE"]))
    def install(self, number: int, status: str) -> None:
        promotion, second = self.pick(list(self.promotions.values()), number), self.later()
        id_ = f"{promotion.id} {status}"
        self.events.append(Event(id_, promotion.commit, lambda room: room.deployed(promotion, status, second)))

    @precondition(lambda self: self.events)
    @rule(number=any_of_it, again=st.booleans())
    def deliver(self, number: int, again: bool) -> None:  # noqa: FBT001
        """One message to the recorder, which may die before it can acknowledge it."""
        event = self.pick(self.events, number)
        try:
            event.tell(self.room)
        except RepeatedError:
            pass
        except TemporaryFault:
            return
        if not again:
            self.events.remove(event)
            self.acknowledged.append(event)

    # what people do

    @rule(
        number=any_of_it,
        column=st.sampled_from(["build", "build", "legal", "scan", "deployed_to_staging"]),
        value=st.sampled_from(["TRUE", "FALSE", "", "nonsense", {"status": "TRUE", "by": "ann"}, None]),
    )
    def edit(self, number: int, column: str, value: Any) -> None:
        commit, second = self.pick(COMMITS, number), self.later()
        self.room.edit(commit, **{column: value})
        self.added.discard((commit, column))
        if value is not None and column == "scan":
            self.added.add((commit, column))
        id_ = f"edit {second}"
        self.events.append(Event(id_, commit, lambda room: room.note(commit, second, **{column: value})))

    @rule(environment=st.sampled_from(["staging", "production"]), by=st.sampled_from(["ann", None]))
    def freeze(self, environment: str, by: str | None) -> None:
        self.room.edit_environment(environment, frozen_by=by)

    # promoters, side by side

    @rule(number=any_of_it)
    def look(self, number: int) -> None:
        """A wake-up: read, and decide."""
        commit = self.pick(COMMITS, number)
        snapshot = self.room.snapshot(commit)
        for decision in self.room.decisions(commit, snapshot):
            if isinstance(decision, Promote) or (isinstance(decision, Promoted) and not decision.published):
                self.running.append(Running(snapshot, decision, []))

    @precondition(lambda self: self.running)
    @rule(number=any_of_it)
    def act(self, number: int) -> None:
        """The next step of one of them."""
        promoter = self.pick(self.running, number)
        getattr(self, f"_{promoter.step}")(promoter)

    @precondition(lambda self: self.running)
    @rule(number=any_of_it)
    def crash(self, number: int) -> None:
        self.running.remove(self.pick(self.running, number))

    def _act(self, promoter: Running) -> None:
        commit, environment = promoter.snapshot.commit, promoter.decision.environment
        if isinstance(promoter.decision, Promoted):
            promoter.promotions = self.room.claimed(environment, promoter.decision.generation)
        else:
            before = self.room.record(commit).gates
            try:
                promoter.promotions = self.room.promote(commit, environment, promoter.snapshot)
            except (RefusedError, TemporaryFault):
                self.running.remove(promoter)
                return
            self._check_gates(environment, before, promoter.snapshot.record.gates)
            first = promoter.promotions[0]
            self.heads[environment].append((first.generation, first.sequence))
        promoter.step = "publish"

    def _check_gates(self, environment: str, gates: Any, seen: Any) -> None:
        """I1: at the moment of the claim. A column added since the promoter looked is for the next environment."""
        required = ["build"] if environment == "staging" else ["legal", "deployed_to_staging"]
        required += [name for name in gates if name == "scan" and name in seen]
        assert [name for name in required if not passed(gates.get(name))] == []

    def _publish(self, promoter: Running) -> None:
        for promotion in promoter.promotions:
            self.published[promotion.id] += 1
            assert self.promotions.setdefault(promotion.id, promotion) == promotion
        promoter.step = "mark"

    def _mark(self, promoter: Running) -> None:
        first = promoter.promotions[0]
        self.room.mark(first.commit, first.environment, first.generation)
        self.running.remove(promoter)

    # what always holds

    @invariant()
    def one_promotion_of_a_release_has_one_id(self) -> None:
        """I2: as many ids as promotions, and each of one generation's release."""
        if hasattr(self, "promotions"):
            named = {(each.environment, each.generation, each.release.name) for each in self.promotions.values()}
            assert len(named) == len(self.promotions)

    @invariant()
    def an_environment_never_goes_back(self) -> None:
        """I3, and each generation is claimed once."""
        for claims in getattr(self, "heads", {}).values():
            assert [generation for generation, _ in claims] == list(range(1, len(claims) + 1))
            assert all(older[1] < newer[1] for older, newer in pairwise(claims))

    def teardown(self) -> None:
        if not hasattr(self, "events"):
            return
        self._settle()
        for event in self.acknowledged:  # I4
            assert event.id in self.room.told(event.commit)
        for commit, column in self.added:
            assert column in self.room.record(commit).gates
        self._check_liveness()

    def _settle(self) -> None:
        """No more faults: everything is delivered, every freeze ends, every promoter runs to its end."""
        for environment in ("staging", "production"):
            self.room.edit_environment(environment, frozen_by=None)
        for event in [*self.events] * 3:
            if event in self.events:
                self.deliver(self.events.index(event), again=False)
        assert not self.events, "some message is tried again for ever"
        self.running.clear()
        for number in [*range(len(COMMITS))] * 3:
            self.look(number)
            while self.running:
                self.act(0)

    def _is_ready(self, gates: Any) -> bool:
        return passed(gates.get("build")) and ("scan" not in gates or passed(gates["scan"]))

    def _check_liveness(self) -> None:
        """I5: the newest commit whose gates are all passed is where it belongs, and published."""
        for commit in COMMITS:
            assert "Promote" not in [each.kind for each in self.room.decisions(commit)]
        records = {commit: self.room.record(commit) for commit in COMMITS}
        places = {commit: each.branches["main"].sequence for commit, each in records.items() if "main" in each.branches}
        ready = [commit for commit in places if self._is_ready(records[commit].gates)]
        if ready:
            newest = max(ready, key=places.__getitem__)
            head = self.room.snapshot(newest).state(self.room.pipeline_name, "staging").head
            assert places[head] >= places[newest]
        for environment, claims in self.heads.items():
            last = self.room.claimed(environment, claims[-1][0]) if claims else []
            assert all(self.published[promotion.id] for promotion in last)
