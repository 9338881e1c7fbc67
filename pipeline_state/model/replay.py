"""What would have been decided: a repository's history, played against definitions.

It is the promoter in memory: what it learns changes a record, a changed record is decided about with the very
`decide()`, and what can be promoted is promoted at once. In between, time passes: soaking and freezes end, deployments
end as `Deployments` tells.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from pipeline_state.model.decide import candidate_place, decide, declared_gates, on_request
from pipeline_state.model.decision import TAKEN_BACK, Blocked, Decision, Frozen, Held, Promote, Queued, Soaking, Wait
from pipeline_state.model.environments import EnvironmentState, Freeze
from pipeline_state.model.history import (
    Claimed,
    Deployments,
    Edited,
    Ended,
    Ending,
    Fact,
    Froze,
    Pinned,
    Pushed,
    Reported,
)
from pipeline_state.model.order import Place, place
from pipeline_state.model.pipelines import Environment, Pipeline, Policy
from pipeline_state.model.promotion import AUTOMATIC, Action
from pipeline_state.model.record import Claim, Record
from pipeline_state.model.replay_state import Row, Spot
from pipeline_state.model.results import ReleaseResult, counts, deployed_value, fed_gates
from pipeline_state.model.times import format_time, parse_time

Windows = Callable[[Environment, datetime], Freeze | None]
"""The freeze of the environment's windows that a time lies in."""

Key = tuple[str, str]
"""Pipeline and environment."""

_EVERYTHING = ("", "")
_NOTHING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """A promotion. waited: what the last decision before it was; empty where it was the first."""

    at: datetime
    pipeline: str
    environment: str
    commit: str
    by: str = AUTOMATIC
    waited: str = ""

    @property
    def key(self) -> Key:
        """Pipeline and environment."""
        return self.pipeline, self.environment


@dataclass(frozen=True, slots=True)
class Replayed:
    """What comes out. steps: the promotions in their order. sentence: the last decision about a commit somewhere."""

    steps: tuple[Step, ...]
    environments: tuple[Key, ...]
    sentence: Callable[[Key, str], str]


def replay(pipelines: Sequence[Pipeline], facts: Sequence[Fact], windows: Windows, until: datetime) -> Replayed:
    """Play facts, in the order in which the pipeline learned of them, against a repository's pipelines.

    until: when it ends; aware.
    """
    play = _Play(pipelines, Deployments(facts), windows)
    for fact in facts:
        play.learn(fact)
    play.wait(until)
    return Replayed(tuple(play.steps), tuple(play.places), play.sentence)


class _Play:
    """One run. now: the time it is in the replay."""

    def __init__(self, pipelines: Sequence[Pipeline], deployments: Deployments, windows: Windows) -> None:
        self._pipelines, self._deployments, self._windows = pipelines, deployments, windows
        self._declared = declared_gates(pipelines)
        self._in_turn = {
            each.name for each in pipelines if any(place.policy is Policy.EVERY for place in each.environments)
        }
        self._apps = {gate.source.app or "" for each in pipelines for gate in each.gates if gate.source}
        self._rows: dict[str, Row] = {}
        self._last: dict[tuple[Key, str], Decision] = {}
        self._stop: Freeze | None = None
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._count = 0
        self.now = _NOTHING
        self.steps: list[Step] = []
        self.places: dict[Key, Spot] = {
            (each.name, environment.name): Spot(
                each, environment, EnvironmentState(each.name, environment.name, releases=())
            )
            for each in pipelines
            for environment in each.environments
        }

    def learn(self, fact: Fact) -> None:
        """Let time pass until a fact, take it, and do what follows from it at once."""
        self._pass(fact.at)
        self.now = max(self.now, fact.at)
        match fact:
            case Pushed():
                self._push(fact)
            case Reported():
                self._report(fact)
            case Edited():
                self._edit(fact)
            case Claimed():
                self._order(fact)
            case Froze() | Pinned():
                self._close(fact)
            case Ended():
                pass  # the deployments know
        self._pass(self.now, at_once=True)

    def wait(self, until: datetime) -> None:
        """Let time pass."""
        self._pass(until, at_once=True)
        self.now = max(self.now, until)

    def sentence(self, key: Key, commit: str) -> str:
        """The last decision about a commit in an environment, as it reads now; empty where there is none."""
        if key not in self.places or commit not in self._rows:
            return ""
        pipeline = self.places[key].pipeline
        return next(each.sentence for each in self._decide(pipeline, commit) if each.environment == key[1])

    # the clock

    def _pass(self, until: datetime, *, at_once: bool = False) -> None:
        """Do what is due before a time, or by then as well."""
        while self._due and (self._due[0][0] < until or (at_once and self._due[0][0] == until)):
            moment, _, act = heapq.heappop(self._due)
            self.now = max(self.now, moment)
            act()

    def _at(self, moment: datetime, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (max(moment, self.now), self._count, act))

    # what is learned

    def _push(self, fact: Pushed) -> None:
        def known(commit: str) -> Place | None:
            row = self._rows.get(commit)
            return row.branches.get(fact.branch) if row else None

        moved = place(fact.push, known)
        for commit, new in moved.items():
            self._row(commit).branches[fact.branch] = new
        for commit in moved:
            self._look(commit)

    def _report(self, fact: Reported) -> None:
        row, result = self._row(fact.commit), fact.result
        apps = [result.app] if fact.is_app_known else sorted(self._apps)
        results = (replace(result, app=app) for app in apps)
        fed = dict.fromkeys(gate for each in results for gate in fed_gates(each, self._pipelines))
        for gate in fed:
            if counts(result, row.gates.get(gate), row.written.get(gate)):
                row.write(gate, result.value, result.completed_at, result=True)
        if fed:
            self._look(fact.commit)

    def _edit(self, fact: Edited) -> None:
        row = self._row(fact.commit)
        for gate, value in fact.values.items():
            if value is None:
                row.gates.pop(gate, None)
                row.written.pop(gate, None)
            else:
                row.write(gate, value, fact.told_at)
        self._look(fact.commit)

    def _order(self, fact: Claimed) -> None:
        """What a person asked for; to override what is closed, its gates are to be open in the replay, too."""
        found = self.places.get(fact.key)
        if fact.by == AUTOMATIC or found is None:
            return
        record, left = self._record(fact.commit), found.state.head
        asked = on_request(record, found.pipeline, found.environment, self._declared, self.now)
        if isinstance(asked, Promote):
            self._claim(found, fact.commit, asked.branch, asked.sequence, by=fact.by)
        elif fact.action is not Action.OVERRIDE:
            candidate = candidate_place(record, found.pipeline)
            branch, sequence = ("", -1) if isinstance(candidate, str) else (candidate[0], candidate[1].sequence)
            self._claim(found, fact.commit, branch, sequence, by=fact.by)
        if fact.action is Action.ROLLBACK and left not in {"", fact.commit}:
            self._take_back(found, left, fact)
        if fact.holds:
            found.state = replace(found.state, held_by=fact.by, held_reason=fact.reason)

    def _take_back(self, found: Spot, left: str, fact: Claimed) -> None:
        """What somebody goes back from is deployed there no more."""
        moment, generation = format_time(self.now), found.state.generation
        value = {"status": "FALSE", "at": moment, "by": fact.by, "reason": TAKEN_BACK, "generation": generation}
        self._row(left).write(found.pipeline.deployed_gate(found.environment.name), value, moment)

    def _close(self, fact: Froze | Pinned) -> None:
        key = (fact.pipeline, fact.environment)
        if isinstance(fact, Froze) and key == _EVERYTHING:
            self._stop = fact.freeze
        elif key not in self.places:
            return
        elif isinstance(fact, Froze):
            self.places[key].person = fact.freeze
        else:
            found = self.places[key]
            found.state = replace(found.state, held_by=fact.by, held_reason=fact.reason)
        for each in self.places.values() if key == _EVERYTHING else [self.places[key]]:
            freezes = [freeze for freeze in (each.person, self._stop) if freeze]
            each.state = replace(each.state, freezes=tuple(freezes))
            self._reopen(each)

    # what follows

    def _look(self, commit: str) -> None:
        """Decide about a commit, and promote it where it can go."""
        if not self._rows[commit].branches:
            return
        for pipeline in self._pipelines:
            while self._is_promoted(pipeline, commit):
                pass

    def _is_promoted(self, pipeline: Pipeline, commit: str) -> bool:
        """Decide and follow up to a promotion, which other decisions may depend on; whether there was one."""
        for decision in self._decide(pipeline, commit):
            self._follow(self.places[pipeline.name, decision.environment], commit, decision)
            if isinstance(decision, Promote):
                return True
        return False

    def _follow(self, found: Spot, commit: str, decision: Decision) -> None:
        before = self._last.get((found.key, commit))
        self._last[found.key, commit] = decision
        self._queue(found, commit, decision)
        match decision:
            case Promote():
                waited = before.sentence if before and not isinstance(before, Promote) else ""
                self._claim(found, commit, decision.branch, decision.sequence, waited=waited)
            case Soaking():
                self._at(parse_time(decision.until) or self.now, partial(self._look, commit))
            case Frozen() if decision.until and decision.until not in found.until:
                found.until.add(decision.until)
                self._at(parse_time(decision.until) or self.now, partial(self._reopen, found))

    def _queue(self, found: Spot, commit: str, decision: Decision) -> None:
        """Note who waits for the way to be free, and for whose turn others wait."""
        found.barred.pop(commit, None)
        if isinstance(decision, Frozen | Held):
            found.barred[commit] = self._sequence(found.pipeline, commit)
        if found.pipeline.name not in self._in_turn:
            return
        comes = isinstance(decision, Wait | Blocked | Soaking | Queued | Frozen | Held | Promote)
        sequence = self._sequence(found.pipeline, commit) if comes else -1
        if comes:
            found.coming.put(commit, sequence)
        else:
            found.coming.remove(commit)
        if not found.takes_every:
            return
        if comes and not isinstance(decision, Blocked):
            found.turns.put(commit, sequence)
        elif found.turns.remove(commit):
            self._at(self.now, partial(self._reopen, found))

    def _reopen(self, found: Spot) -> None:
        """The way may be free: for the newest that is ready, or for the one whose turn it is."""
        if found.takes_every:
            if commit := found.turns.first(found.state.sequence):
                self._look(commit)
            return
        for commit in sorted(found.barred, key=found.barred.__getitem__, reverse=True):
            if found.barred[commit] > found.state.sequence:
                self._look(commit)
            else:
                del found.barred[commit]

    def _claim(
        self, found: Spot, commit: str, branch: str, sequence: int, *, by: str = AUTOMATIC, waited: str = ""
    ) -> None:
        pipeline, environment, row = found.pipeline, found.environment, self._row(commit)
        key, gate = pipeline.key_of(environment.name), pipeline.deployed_gate(environment.name)
        generation, moment = found.state.generation + 1, format_time(self.now)
        if key in row.claims:
            pending = {"status": "", "at": moment, "by": AUTOMATIC, "generation": generation}
            row.write(gate, pending, moment)
        pushed_at = row.branches[branch].pushed_by if branch else None
        row.claims[key] = Claim(key, generation, moment, {}, published=True, pushed_at=pushed_at, by=by)
        names = tuple(release.name for release in environment.releases)
        last = found.state.head
        found.state = replace(found.state, generation=generation, head=commit, releases=names)
        if sequence > found.state.sequence:
            found.state = replace(found.state, sequence=sequence, newest=commit)
        found.turns.remove(commit)
        found.coming.remove(commit)
        overtaken = [*found.coming.take(found.state.sequence), *([last] if last in self._rows else [])]
        for each in overtaken if pipeline.name in self._in_turn else ():  # it may never come to the environments after
            self._at(self.now, partial(self._look, each))
        self.steps.append(Step(self.now, *found.key, commit, by, waited))
        for ending in self._deployments.endings(found.key, commit, names, self.now):
            self._at(ending.at, partial(self._end, found, commit, generation, ending))

    def _end(self, found: Spot, commit: str, generation: int, ending: Ending) -> None:
        """A deployment is over, well or not; and the next one's turn comes."""
        if ending.if_last and found.state.generation != generation:
            return
        row, gate = self._rows[commit], found.pipeline.deployed_gate(found.environment.name)
        names = tuple(release.name for release in found.environment.releases)
        at = ending.told_at or format_time(self.now)
        result = ReleaseResult(gate, ending.release, names, generation, ending.status, at)
        value = deployed_value(row.gates.get(gate), result)
        if value:
            row.write(gate, value, at)
        if ending.status:
            done = {**found.state.done, ending.release: generation}
            found.state = replace(found.state, done=done)
        self._look(commit)
        if found.takes_every:
            self._reopen(found)

    # deciding

    def _decide(self, pipeline: Pipeline, commit: str) -> list[Decision]:
        """As the promoter does. Windows are looked at last, since most commits do not get as far as that."""
        record = self._record(commit)
        places = [self.places[pipeline.name, each.name] for each in pipeline.environments]
        states = {each.environment.name: each.state for each in places}
        waiting = self._before(places, commit)
        decisions = decide(record, states, pipeline, self._declared, self.now, waiting)
        ready = {each.environment for each in decisions if isinstance(each, Promote)}
        frozen = {
            each.environment.name: replace(each.state, freezes=(*each.state.freezes, freeze))
            for each in places
            if each.environment.name in ready and (freeze := self._window(each.environment))
        }
        if not frozen:
            return decisions
        return decide(record, {**states, **frozen}, pipeline, self._declared, self.now, waiting)

    def _window(self, environment: Environment) -> Freeze | None:
        return self._windows(environment, self.now) if environment.freezes else None

    def _before(self, places: Iterable[Spot], commit: str) -> list[Record]:
        """Of those that may go before it where each has its turn, the nearest: of the others nothing depends."""
        every = [found for found in places if found.takes_every]
        nearest = (found.turns.last(found.state.sequence, self._sequence(found.pipeline, commit)) for found in every)
        return [self._record(other) for other in dict.fromkeys(nearest) if other]

    def _sequence(self, pipeline: Pipeline, commit: str) -> int:
        candidate = candidate_place(self._record(commit), pipeline)
        return -1 if isinstance(candidate, str) else candidate[1].sequence

    def _row(self, commit: str) -> Row:
        return self._rows.setdefault(commit, Row())

    def _record(self, commit: str) -> Record:
        row = self._row(commit)
        return Record("", commit, row.branches, row.gates, row.claims, row.written)
