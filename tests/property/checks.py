"""What always holds, looked at with every change of the tables: I1, I2, I3, I6 and I7."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_state.model.pipelines import Environment, Pipeline, Policy
from tests.property import reading
from tests.property.memory_tables import Item, Written
from tests.property.workers import Calls, Worker

CLAIM = "_claim_"
Place = tuple[str, str]
"""Pipeline and environment."""


@dataclass
class Kept:
    """A commit's record as it is, and when it last changed, and each of its added columns was added (in ticks)."""

    item: Item = field(default_factory=dict)
    changed: int = 0
    added: dict[str, int] = field(default_factory=dict)


@dataclass
class Checks:
    """broken: what did not hold, one sentence each. promotions: by id, as claimed.

    meddled: commits of which somebody has written over what we tell of their deployments. lapsed: promotions whose
    lease was over before they had a verdict.
    """

    pipelines: tuple[Pipeline, ...]
    calls: Calls
    workers: Mapping[str, Worker]
    broken: list[str] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)
    records: dict[tuple[str, str], Kept] = field(default_factory=dict)
    environments: dict[Place, Item] = field(default_factory=dict)
    waiting: set[tuple[str, str]] = field(default_factory=set)
    meddled: set[tuple[str, str]] = field(default_factory=set)
    promotions: dict[str, dict[str, Any]] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    lapsed: set[str] = field(default_factory=set)
    stop: Item = field(default_factory=dict)
    stopped: int = 0
    _before: dict[Place, Item] = field(default_factory=dict)

    def see(self, written: list[Written], worker: Worker | None) -> None:
        """The changes of one call."""
        for each in written:
            if "#deployment#" in each.keys.get("environment", {}).get("S", ""):
                self._see_deployment(each)
        for each in written:
            if each.table == "environments":
                self._see_environment(each, worker)
        for each in written:
            if each.table == "gates":
                self._see_record(each, worker)
        self._check_parked()

    def require(self, holds: bool, told: str) -> None:  # noqa: FBT001
        if not holds:
            self.broken.append(told)

    def of(self, repo: str) -> list[Pipeline]:
        return [each for each in self.pipelines if each.repo == repo]

    # records, and the claims on them

    def _see_record(self, written: Written, worker: Worker | None) -> None:
        repo, commit = written.keys["repo"]["S"], written.keys["commit"]["S"]
        kept = self.records.setdefault((repo, commit), Kept())
        for name in (name for name in written.new if name.startswith(CLAIM)):
            before = written.old.get(name, {}).get("M", {})
            if reading.number(written.new[name]["M"], "generation", 0) != reading.number(before, "generation", 0):
                self._see_claim(written, name.removeprefix(CLAIM), worker)
        told = [name for name in {**written.old, **written.new} if name.startswith("deployed_to_")]
        if worker is None and any(written.old.get(name) != written.new.get(name) for name in told):
            self.meddled.add((repo, commit))
        there = set(reading.added(written.new, self.of(repo)))
        kept.added = {name: kept.added.get(name, self.calls.ticks) for name in there}
        kept.item, kept.changed = written.new, self.calls.ticks

    def _see_claim(self, written: Written, key: str, worker: Worker | None) -> None:
        """I1, at the moment of the claim."""
        repo, commit = written.keys["repo"]["S"], written.keys["commit"]["S"]
        assert worker, "only workers claim"
        for pipeline in self.of(repo):
            for environment in pipeline.environments:
                if reading.key_of(pipeline, environment.name) == key:
                    claimed_at = reading.moment(reading.text(written.new[CLAIM + key]["M"], "at"))
                    self._check_gates(written.old, pipeline, environment, worker, claimed_at or 0)
                    where = f"{commit[:1]} to {pipeline.name}/{environment.name}"
                    place = reading.place(written.old, pipeline)
                    self.require(place is not None, f"I1: {where} is no candidate")
                    if CLAIM + key in written.old:
                        self._check_verified_anew(written.new, pipeline, environment)
                    self._check_turn((repo, commit), place or 0, pipeline, environment, worker)

    def _check_gates(
        self, record: Item, pipeline: Pipeline, environment: Environment, worker: Worker, claimed_at: float
    ) -> None:
        """When the claimant read last, and at the time that the claim itself gives, which may be later.

        A column that was added after the claimant had looked is for the next environment.
        """
        kept = self.records[record["repo"]["S"], record["commit"]["S"]]
        where = f"{record['commit']['S'][:1]} to {pipeline.name}/{environment.name}"
        for name in reading.required(record, pipeline, environment, self.of(pipeline.repo)):
            if kept.added.get(name, 0) <= worker.looked:
                found = reading.verdict(record.get(name), max(worker.decided_at, claimed_at))
                self.require(found == "passed", f"I1: {where} although {name} is {found}: {record.get(name)}")
        if environment.soak and self._is_automatic(pipeline, environment):
            ready = reading.soaked(record, pipeline, environment, worker.decided_at)
            self.require(ready, f"I1: {where} before its soak time")

    def _check_verified_anew(self, record: Item, pipeline: Pipeline, environment: Environment) -> None:
        """A commit that comes back is not to be failed by what was said of its deployment before."""
        generation = reading.number(self.environments[pipeline.name, environment.name], "generation", 0)
        for release in self._last(pipeline.name, environment.name)["releases"]:
            promotion = self._claimed(pipeline.name, environment.name, generation, release)
            gate = (promotion["release"].get("verify") or {}).get("gate")
            found = reading.verdict(record.get(gate), 0) if gate else "none"
            self.require(found != "failed", f"{gate} has failed already as {environment.name} is claimed again")

    def _is_automatic(self, pipeline: Pipeline, environment: Environment) -> bool:
        return bool(self._last(pipeline.name, environment.name)["by"] == "gatestream")

    def _last(self, pipeline: str, environment: str) -> dict[str, Any]:
        generation = reading.number(self.environments[pipeline, environment], "generation", 0)
        return self._claimed(pipeline, environment, generation)

    def _claimed(self, pipeline: str, environment: str, generation: int, release: str = "") -> dict[str, Any]:
        return next(
            each
            for each in self.promotions.values()
            if (each["pipeline"], each["environment"], each["generation"]) == (pipeline, environment, generation)
            and release in {"", each["release"]["name"]}
        )

    def _check_turn(
        self, who: tuple[str, str], place: int, pipeline: Pipeline, environment: Environment, worker: Worker
    ) -> None:
        """Where every commit has its turn, nobody goes before an older one that no failed gate blocks."""
        if environment.policy is not Policy.EVERY or not self._is_automatic(pipeline, environment):
            return
        state = self._before[pipeline.name, environment.name]
        done = reading.releases(state, "done:")
        last = reading.number(state, "generation", 0)
        finished = all(done.get(each["S"], 0) >= last for each in state.get("releases", {}).get("L", []))
        self.require(finished, f"turns: {who[1][:1]} while the one before it is under way to {environment.name}")
        for (repo, commit), kept in self.records.items():
            other = reading.place(kept.item, pipeline) if repo == who[0] and commit != who[1] else None
            if other is None or kept.changed > worker.looked:
                continue
            if reading.number(state, "sequence", -1) < other < place and self.may_come(
                kept.item, pipeline, environment
            ):
                self.broken.append(f"turns: {who[1][:1]} before {commit[:1]} to {pipeline.name}/{environment.name}")

    def may_come(self, record: Item, pipeline: Pipeline, environment: Environment) -> bool:
        """Whether a commit that is newer than all that were there may still get there as it is."""
        now, gates = self.calls.moment(), reading.required(record, pipeline, environment, self.of(pipeline.repo))
        blocked = any(reading.verdict(record.get(name), now) == "failed" for name in gates)
        is_past = reading.was_there(record, pipeline, environment) or self.is_cut_off(record, pipeline, environment)
        return not blocked and not is_past

    def is_cut_off(self, record: Item, pipeline: Pipeline, environment: Environment) -> bool:
        """Whether an environment that has to come first has gone on without the commit."""
        now, before = self.calls.moment(), [each for each in pipeline.environments if each.name in environment.after]
        return any(
            self._is_passed_by(record, pipeline, each) or self.is_cut_off(record, pipeline, each)
            for each in before
            if reading.verdict(record.get(reading.gate_of(pipeline, each.name)), now) != "passed"
        )

    def _is_passed_by(self, record: Item, pipeline: Pipeline, environment: Environment) -> bool:
        item, place = self.environments.get((pipeline.name, environment.name), {}), reading.place(record, pipeline)
        if not reading.was_there(record, pipeline, environment):
            return place is not None and place <= reading.number(item, "sequence", -1)
        claim = record[CLAIM + reading.key_of(pipeline, environment.name)]["M"]
        told = reading.verdict(record.get(reading.gate_of(pipeline, environment.name)), self.calls.moment())
        overtaken = reading.number(claim, "generation", 0) < reading.number(item, "generation", 0)
        return overtaken and told == "pending"

    # environments

    def _see_deployment(self, written: Written) -> None:
        for each in json.loads(written.new["promotions"]["S"]):
            known = self.promotions.setdefault(each["id"], each)
            self.require(known == each, f"I2: two promotions with the id {each['id']}")
        named = {
            (each["pipeline"], each["commit"], each["environment"], each["release"]["name"], each["generation"])
            for each in self.promotions.values()
        }
        self.require(len(named) == len(self.promotions), "I2: one promotion has two ids")

    def _see_environment(self, written: Written, worker: Worker | None) -> None:
        place = (written.keys["pipeline"]["S"], written.keys["environment"]["S"])
        if place[0] == "#waiting":
            repo, _, commit = place[1].rpartition("#")
            (self.waiting.add if written.new else self.waiting.discard)((repo, commit))
        elif place == reading.EVERYTHING:
            self.stop, self.stopped = written.new, self.calls.ticks
        elif "#" not in place[1]:
            self.environments[place], self._before[place] = written.new, written.old
            self._check_generation(place, written, worker)
            for name in sorted(name for name in {**written.old, **written.new} if name.startswith("lease:")):
                if written.old.get(name) != written.new.get(name):
                    self._check_lease(place, name.removeprefix("lease:"), written, worker)

    def _check_parked(self) -> None:
        """I5: what is put aside is resumed where something waits."""
        for place, item in self.environments.items():
            head = (reading.text(item, "repo"), reading.text(item, "head"))
            is_noted = head in self.waiting or not reading.releases(item, "parked:")
            self.require(is_noted, f"I5: something is parked at {place}, and its commit does not wait")

    def _check_generation(self, place: Place, written: Written, worker: Worker | None) -> None:
        """I3, and each generation is claimed once."""
        old, new = reading.number(written.old, "generation", 0), reading.number(written.new, "generation", 0)
        before, after = reading.number(written.old, "sequence", -1), reading.number(written.new, "sequence", -1)
        self.require(after >= before, f"I3: the latest place of {place} goes back")
        if old == new:
            same = written.old.get("head") == written.new.get("head")
            self.require(same, f"I3: the head of {place} moves without a claim")
            return
        self.require(new == old + 1, f"I3: generation {new} of {place} after {old}")
        promotion, who = self._claimed(*place, new), worker or Worker("nobody", lambda: None, 0)
        self.require(promotion["commit"] == reading.text(written.new, "head"), f"I3: another head of {place}")
        if promotion["by"] != "gatestream":
            named = promotion["reason"] and promotion["action"] in {"rollback", "redeploy", "override"}
            self.require(bool(named), f"I3: {place} by nobody, for nothing: {promotion}")
            return
        self.require(promotion["sequence"] == after > before, f"I3: {place} goes back to {promotion['commit'][:1]}")
        self.require(not reading.text(written.old, "held_by"), f"{place} is held, and moves all the same")
        self.require(not self._is_closed(place, written.old, who), f"{place} is frozen, and moves all the same")

    def _is_closed(self, place: Place, item: Item, worker: Worker) -> bool:
        """To whoever looked when this worker did."""
        at = worker.decided_at
        stopped = reading.is_frozen(self.stop, at) and self.stopped <= worker.looked
        return stopped or reading.is_frozen(item, at) or reading.in_window(self.environment(place), at)

    def environment(self, place: Place) -> Environment:
        (pipeline,) = [each for each in self.pipelines if each.name == place[0]]
        (found,) = [each for each in pipeline.environments if each.name == place[1]]
        return found

    # leases

    def _check_lease(self, place: Place, release: str, written: Written, worker: Worker | None) -> None:
        """I6: who has a lease keeps it until it is given back, or over; and what may be done with it."""
        assert worker, "only workers take leases"
        old, new, name = written.old, written.new, "/".join((*place, release))
        owner, until = reading.text(old, f"lease:{release}"), reading.number(old, f"lease_until:{release}", 0)
        is_over = not owner or until < worker.decided_at
        if owner:
            self._note_lapse(place, release, written)
        taker, generation = (
            reading.text(new, f"lease:{release}"),
            reading.number(new, f"lease_generation:{release}", 0),
        )
        same = generation == reading.number(old, f"lease_generation:{release}", 0)
        if not taker or taker.startswith("watch of"):
            given = owner == worker.id or (not taker and is_over and not same)
            self.require(given, f"I6: {worker.id} gives away the lease of {name}, which {owner} has")
        elif worker.kind == "observer":
            is_watched = owner.startswith("watch of") and same
            self.require(is_watched or (is_over and same), f"I6: the observer takes {name} from {owner}")
        else:
            self.require(is_over, f"I6: {name} is taken from its holder")
            self._check_beginning(place, release, old, generation, worker)

    def _note_lapse(self, place: Place, release: str, written: Written) -> None:
        """Who had a lease without a verdict, and is followed by another, or by nobody."""
        generation = reading.number(written.old, f"lease_generation:{release}", 0)
        same = reading.number(written.new, f"lease_generation:{release}", 0) == generation
        if not same and reading.number(written.new, f"done:{release}", 0) != generation:
            self.lapsed.add(self._claimed(*place, generation, release)["id"])

    def _check_beginning(self, place: Place, release: str, item: Item, generation: int, worker: Worker) -> None:
        """I2, I3, the order of releases, and that what closes an environment keeps closed what has not begun."""
        name, promotion = "/".join((*place, release)), self._claimed(*place, generation, release)
        self.require(generation == reading.number(item, "generation", 0), f"I3: {name} for an overtaken promotion")
        outcomes = reading.outcomes(item, generation)
        if release in outcomes:
            failed = any(each["kind"] == "failed" for each in outcomes.values())
            is_taken_back = promotion["rollback_together"] and outcomes[release]["kind"] == "deployed" and failed
            self.require(is_taken_back, f"I2: {name} once more, although it is done")
            return
        before = promotion["releases"][: promotion["releases"].index(release)] if promotion["in_order"] else []
        in_order = all(outcomes.get(each, {}).get("kind") == "deployed" for each in before)
        self.require(in_order, f"order: {name} begins before what comes first is deployed")
        if promotion["by"] == "gatestream":
            self.require(not reading.text(item, "held_by"), f"{name} begins although it is held")
        if not promotion["override"]:
            self.require(not self._is_closed(place, item, worker), f"{name} begins although it is frozen")

    def published(self, promotion: Mapping[str, Any], is_withdrawn: bool) -> None:  # noqa: FBT001
        """I2: what is published was claimed, and is the same each time."""
        known = self.promotions.get(promotion["id"])
        self.require(known is not None, f"I1: published without a claim: {promotion['id']}")
        # What was put aside goes by the windows of the definition that was applied since.
        same = known is None or {**known, "freezes": ()} == {**promotion, "freezes": ()}
        self.require(same, f"I2: {promotion['id']} was published as something else")
        if not is_withdrawn:
            self.announced.add(promotion["id"])

    # after each step

    def look(self) -> None:
        """I7: whoever holds a lease works, or was disturbed at work, and died, or could not give it back.

        Or else it is kept for a rollout.
        """
        for place, item in self.environments.items():
            for release, owner in reading.releases(item, "lease:").items():
                if owner.startswith("watch of"):
                    self.require(f"rollout:{release}" in item, f"I7: {place}/{release} is kept for nothing")
                    continue
                worker = self.workers[owner]
                works = not worker.is_over or worker.has_died or worker.is_disturbed
                self.require(works, f"I7: the lease of {place}/{release} is held by nobody at work")
        if self.bugs:
            raise self.bugs[0]
        assert not self.broken, self.broken
