"""What a commit waited for, and waits for still: gates, people, its turn; from its record and the journal alone.

The stretches of time in which nothing could be done but to wait. A gate is waited for from the push on, or from the
moment when somebody added its column; again whenever it is reset; and while it has failed, for somebody to mend it.
Only what keeps the commit from an environment counts: a gate that none needs any more is waited for by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from pipeline_state.model.closures import EVERYWHERE, Closure, closures, cut
from pipeline_state.model.decide import candidate_place, required_gates
from pipeline_state.model.entries import (
    CLAIMED,
    EMPTY_REMOVED,
    PIPELINE,
    PUSHED,
    Doer,
    Entry,
    Known,
    doer_of,
    read_entry,
)
from pipeline_state.model.environments import Freeze
from pipeline_state.model.gate_values import GateValues, Place, generation
from pipeline_state.model.gates import GateStatus, read_gate
from pipeline_state.model.past import NO_PAST, Overtaking, Past
from pipeline_state.model.pipelines import DEPLOYED_TO, Environment, Pipeline, Policy
from pipeline_state.model.record import Record
from pipeline_state.model.times import later, parse_time

PROMPT = timedelta(seconds=10)
"""What the pipeline takes by itself between two steps; nobody waits for that."""

TO_BE_MENDED = " to be mended"
"""What is waited for once a gate has failed."""

Who = Literal["ci", "people", "pipeline"]
Windows = Callable[[Environment, datetime], Freeze | None]
"""The freeze of the environment's windows that a time lies in."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One stretch of waiting.

    what: a gate, one to be mended, or what people would say. who: is to end it. environment: the first one (by
    `Pipeline.key_of`) that it keeps the commit from. end: None while it lasts. ended_by, known: who ended it, and
    whether that is certain; both empty while it lasts, and where it was a clock. gate: empty where it was for none.
    """

    what: str
    who: Who
    environment: str
    start: datetime
    end: datetime | None = None
    ended_by: str = ""
    known: Known = ""
    gate: str = ""

    @property
    def name(self) -> str:
        """What its span is called."""
        return f"waiting for {self.what}"

    def duration(self, now: datetime) -> timedelta:
        """How long it took, or has taken by now."""
        return max((self.end or now) - self.start, timedelta())


def no_windows(_: Environment, __: datetime) -> Freeze | None:
    """For those who do not know the freeze windows: that time counts as waiting for the promotion."""
    return None


def waits(
    record: Record,
    entries: Iterable[Mapping[str, Any]],
    pipelines: Sequence[Pipeline],
    now: datetime,
    windows: Windows = no_windows,
    past: Past = NO_PAST,
) -> tuple[Wait, ...]:
    """What the commit of a record waited for, by start.

    entries: the journal's about it, as `table.journal.history` gives them, and where they are known those about its
    environments, which tell of freezes, holds and stops. pipelines: of its repository, as they are. No pipeline that
    takes it, no waits. past: what they were before, and what came of the commit that is not in its own history.
    """
    told = sorted(filter(None, map(read_entry, entries)), key=lambda entry: (entry.at, entry.id))
    course = _Course(record, told, pipelines, now, windows)
    course.follow(past)
    return tuple(sorted(course.found, key=lambda wait: (wait.start, wait.what)))


class _Course:
    """A commit's way, from one thing that happened to the next."""

    def __init__(
        self, record: Record, told: Sequence[Entry], pipelines: Sequence[Pipeline], now: datetime, windows: Windows
    ) -> None:
        self.found: list[Wait] = []
        self._record, self._told, self._now, self._windows = record, told, now, windows
        self._pipelines = pipelines
        self._gates = GateValues(pipelines)
        removals = (entry for entry in told if entry.kind == EMPTY_REMOVED)
        self._removed = {gate: entry.at for entry in removals for gate in entry.what}
        self._pushed_at = min(
            [entry.at for entry in told if entry.kind == PUSHED and entry.place[1] == record.commit]
            or [moment for place in record.branches.values() if (moment := parse_time(place.pushed_by))],
            default=now,
        )
        self._at = datetime.min.replace(tzinfo=now.tzinfo)
        self._open: dict[str, Wait] = {}
        self._ready: dict[str, datetime] = {}
        self._over: set[str] = set()
        self._to_begin: dict[str, tuple[int, datetime]] = {}
        self._verifying: dict[tuple[str, str], str] = {}

    def follow(self, past: Past) -> None:
        """All that happened, and what is still open now."""
        versions = [*(former.pipelines for former in past.former), self._pipelines]
        self._use(versions[0])
        own = (entry for entry in self._told if entry.place[1] == self._record.commit)
        happened: list[tuple[datetime, Callable[[], None]]] = [(each.at, partial(self._learn, each)) for each in own]
        for former, after in zip(past.former, versions[1:], strict=True):
            happened.append((former.until, partial(self._redefine, after, former.until, former.doer)))
        for key, each in past.overtaken.items():
            happened.append((each.at, partial(self._overtake, key, each)))
        for moment, act in sorted(happened, key=lambda each: each[0]):
            self._pass_time(moment)
            act()
        self._pass_time(self._now)
        self._believe_record()
        self.found += self._open.values()
        for key in sorted({*self._ready, *self._to_begin}):
            self._leave(key, None, Doer())

    def _use(self, pipelines: Sequence[Pipeline]) -> None:
        """From now on these say what is needed where."""
        self._places = self._places_in(pipelines)
        self._gates.use(pipelines)
        names = {(pipeline.name, place.name): key for key, (pipeline, place) in self._places.items()}
        self._closed = closures(self._told, names)
        self._sources = {gate.name for pipeline in pipelines for gate in pipeline.gates if gate.source}

    def _places_in(self, pipelines: Sequence[Pipeline]) -> dict[str, Place]:
        taking = [each for each in pipelines if isinstance(candidate_place(self._record, each), tuple)]
        return {each.key_of(place.name): (each, place) for each in taking for place in each.environments}

    def _learn(self, entry: Entry) -> None:
        doer = self._gates.take(entry)
        if place := self._gates.place_of(entry):
            self._promotion(entry, place)
        self._look(entry.at, doer)

    def _redefine(self, pipelines: Sequence[Pipeline], moment: datetime, doer: Doer) -> None:
        """Somebody applies other pipelines.

        A column that nobody has filled is then one that somebody added, if none of them declares it any more: until it
        is removed, where that came later.
        """
        before = self._gates.declared
        for key in sorted(self._places.keys() - self._places_in(pipelines)):
            self._leave(key, moment, doer)
        self._use(pipelines)
        for gate in before - self._gates.declared:
            stays = gate in self._record.gates or self._removed.get(gate, moment) > moment
            if stays and gate not in self._gates:
                self._gates.put(gate, "", "")
        self._look(moment, doer)

    def _overtake(self, key: str, by: Overtaking) -> None:
        """A newer commit takes an environment for good, or somebody goes back before this one has come there."""
        if key in self._places:
            self._leave(key, by.at, by.doer)
            self._over.add(key)
            self._look(by.at, by.doer)

    def _leave(self, key: str, moment: datetime | None, doer: Doer) -> None:
        """End what was waited for before an environment beside gates; it lasts where there is no moment."""
        if since := self._ready.pop(key, None):
            self.found += self._before_claim(key, since, moment, doer)
        if begun := self._to_begin.pop(key, None):
            self.found += self._before_begin(key, begun[1], moment, doer)
        self._verifying = {each: gate for each, gate in self._verifying.items() if each[0] != key}

    def _pass_time(self, until: datetime) -> None:
        """What happens by the clock alone: the push, before anything else was told of it, and what expires."""
        moments = sorted({*self._gates.expiries(), self._pushed_at})
        for moment in moments:
            if self._at < moment < until:
                self._look(moment, Doer())

    def _believe_record(self) -> None:
        """What nobody waits for any more by the record counts, although no entry tells of it, or not yet."""
        for gate, value in self._record.gates.items():
            status, before = read_gate(gate, value, self._now).status, self._gates.status(gate, self._now)
            if GateStatus.PENDING is status or before in {status, GateStatus.PASSED}:
                continue
            evidence = value if isinstance(value, Mapping) else {}
            moment = parse_time(evidence.get("at")) or self._now
            self._gates.put(gate, value, str(evidence.get("at", "")))
            doer = doer_of(str(evidence.get("by") or ""), verified=False)
            self._look(max(self._at, min(moment, self._now)), doer)

    def _look(self, moment: datetime, doer: Doer) -> None:
        """End what is over by now and begin what is awaited."""
        if moment < self._pushed_at:
            return
        self._at = moment
        awaited = {wait.what: wait for wait in self._awaited(moment)}
        for what in [what for what in self._open if what not in awaited]:
            self._end(self._open.pop(what), moment, doer)
        self._open = {**awaited, **self._open}
        for key in [key for key in self._to_begin if not self._is_to_be_deployed(key, moment)]:
            self._leave(key, moment, doer)
        ready = {key for key in self._ahead() if self._is_ready(key, moment)}
        for key in [key for key in self._ready if key not in ready]:
            self.found += self._before_claim(key, self._ready.pop(key), moment, doer)
        self._ready = {key: self._ready.get(key, moment) for key in sorted(ready)}

    def _end(self, wait: Wait, moment: datetime, doer: Doer) -> None:
        if moment > wait.start:
            self.found.append(_ended(wait, moment, doer))

    def _ahead(self) -> list[str]:
        """The environments that the commit may still be promoted to."""
        return [key for key in self._places if key not in self._over]

    def _required(self, key: str) -> tuple[str, ...]:
        return required_gates(self._gates, *self._places[key], self._gates.declared)

    def _is_to_be_deployed(self, key: str, moment: datetime) -> bool:
        """Whether a promotion has neither a verdict nor been taken back."""
        pipeline, environment = self._places[key]
        return self._gates.status(pipeline.deployed_gate(environment.name), moment) is GateStatus.PENDING

    def _is_ready(self, key: str, moment: datetime) -> bool:
        return all(self._gates.status(gate, moment) is GateStatus.PASSED for gate in self._required(key))

    def _awaited(self, moment: datetime) -> Iterator[Wait]:
        """What would be waited for from this moment on; of what several environments need, the first one's last."""
        wanted = [(key, gate) for key in self._ahead() for gate in self._required(key) if self._is_awaited(gate)]
        wanted += [(key, gate) for (key, _), gate in self._verifying.items()]
        for key, gate in reversed(wanted):
            status = self._gates.status(gate, moment)
            if status is GateStatus.FAILED:
                yield Wait(gate + TO_BE_MENDED, "people", key, moment, gate=gate)
            elif status is GateStatus.PENDING:
                yield Wait(gate, self._who(gate), key, moment, gate=gate)

    def _is_awaited(self, gate: str) -> bool:
        """A deployment, once there is one: until then there are the gates before it to wait for."""
        return not gate.startswith(DEPLOYED_TO) or gate in self._gates

    def _who(self, gate: str) -> Who:
        if gate.startswith(DEPLOYED_TO):
            return "pipeline"
        return "ci" if gate in self._sources else "people"

    def _promotion(self, entry: Entry, place: Place) -> None:
        """A claim, or what an installer told."""
        key = place[0].key_of(place[1].name)
        if key not in self._places:
            return
        if entry.kind == CLAIMED:
            self._over.add(key)
            self._to_begin[key] = generation(entry), entry.at
            return
        if key in self._to_begin and generation(entry) >= self._to_begin[key][0]:
            self.found += self._before_begin(key, self._to_begin.pop(key)[1], entry.at, PIPELINE)
        self._verify(key, place[1], entry)

    def _verify(self, key: str, environment: Environment, entry: Entry) -> None:
        """A gate that a release is verified by is waited for as soon as the release is applied, until its verdict."""
        release, outcome = entry.text("release"), entry.text("outcome")
        gates = {each.name: each.verify.gate for each in environment.releases if each.verify and each.verify.gate}
        if outcome == "applied" and release in gates:
            self._verifying[key, release] = gates[release]
        elif outcome in {"deployed", "failed"}:
            self._verifying.pop((key, release), None)

    def _before_claim(self, key: str, since: datetime, end: datetime | None, doer: Doer) -> Iterator[Wait]:
        """From the moment when every gate was open: soaking, closed to it, in the queue, or simply not promoted yet."""
        _, environment = self._places[key]
        rest = f"its turn in {key}" if environment.policy is Policy.EVERY else f"promotion to {key}"
        return self._split(key, [self._soak(key, since), *self._closures(key)], rest, (since, end), doer)

    def _before_begin(self, key: str, since: datetime, end: datetime | None, doer: Doer) -> Iterator[Wait]:
        """From the claim until the installation begins: what closes the environment, or who is at work there."""
        return self._split(key, self._closures(key), f"{key} to be free", (since, end), doer)

    def _soak(self, key: str, since: datetime) -> Closure:
        """Of no length where it has none, or it was over by then."""
        pipeline, environment = self._places[key]
        times = [self._gates.set_at(pipeline.deployed_gate(name)) for name in environment.after]
        until = later(max(filter(None, times), default=since), environment.soak)
        return Closure(f"the soak time before {key}", "pipeline", since, until)

    def _closures(self, key: str) -> list[Closure]:
        return [*self._closed.get(key, ()), *self._closed.get(EVERYWHERE, ())]

    def _split(
        self,
        key: str,
        closed: Sequence[Closure],
        rest: str,
        stretch: tuple[datetime, datetime | None],
        doer: Doer,
    ) -> Iterator[Wait]:
        """A stretch cut into what was waited for in it; where nothing is known of a part, for the rest."""
        for part in cut(closed, partial(self._window, key), stretch, doer, self._now):
            what = part.closure.what if part.closure else rest
            who: Who = part.closure.who if part.closure else "pipeline"
            wait = Wait(what, who, key, part.start, part.end, part.ended_by.by, part.ended_by.known)
            if part.closure or wait.duration(self._now) >= PROMPT:
                yield wait

    def _window(self, key: str, moment: datetime) -> Closure | None:
        environment = self._places[key][1]
        freeze = self._windows(environment, moment) if environment.freezes else None
        end = parse_time(freeze.until) if freeze else None
        lasts = freeze is not None and (end is None or end > moment)
        return Closure(f"the end of the freeze window of {key}", "pipeline", moment, end) if lasts else None


def _ended(wait: Wait, moment: datetime, doer: Doer) -> Wait:
    return replace(wait, end=moment, ended_by=doer.by, known=doer.known)
