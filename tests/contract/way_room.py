"""The whole way in one process: a `FunctionRoom` with installer and sweeper, a clock, and processes that can die.

Helm alone is played, at the edge of its process; everything between the two webhooks' queue and there is real.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from infra.local import ministack
from pipeline_state import deploy
from pipeline_state.deploy import Applied, Deployed, Failed, Install, Workspace
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.faults import TemporaryFault
from pipeline_state.handlers import helm_installer
from pipeline_state.handlers.batch import Batch, Handle, backing_off
from pipeline_state.handlers.gate_recorder import GateRecorder
from pipeline_state.handlers.helm_installer import HelmInstaller
from pipeline_state.handlers.promoter import Promoter
from pipeline_state.handlers.promotion import Promotions
from pipeline_state.handlers.rollout_observer import RolloutObserver
from pipeline_state.handlers.sweeper import Sweeper
from pipeline_state.handlers.verdicts import Verdicts
from pipeline_state.model.decide import on_request
from pipeline_state.model.decision import Promote
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.promotion import Action
from pipeline_state.model.rollout import Broken, Done, Pending, Seen
from pipeline_state.model.times import format_time
from pipeline_state.table import holds, waiting
from pipeline_state.table.claims import Order, claim
from pipeline_state.table.deployments import deployments
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import connection
from pipeline_state.table.results import set_gate
from pipeline_state.table.retry import RepeatedError
from pipeline_state.table.snapshot import Reader
from pipeline_state.table.transaction import RefusedError
from tests.contract.function_room import Crash, FunctionRoom
from tests.contract.pump import QueueMapping, Record, StreamMapping
from tests.contract.table_room import START, LocalTables, TableRoom, trace

LEASE = 60.0
"""Seconds of an invocation of the installer, and so of a lease whose holder died."""

_TELLS = {"sns.Publish", "sqs.SendMessage", "sqs.ChangeMessageVisibility"}
"""The calls after which there may be something in a queue."""

_WRITES = {f"dynamodb.{name}" for name in ("TransactWriteItems", "UpdateItem", "PutItem", "DeleteItem")}
"""The calls after which there may be something in a stream."""

_PATIENCE = 40
"""Rounds until what still moves is taken for something that never ends."""


class DiedError(Exception):
    """What the mapping sees of a function whose process has ended."""


@dataclass
class Clock:
    """Time as the functions have it: it stands still unless somebody lets it go on."""

    now: datetime = START + timedelta(hours=1)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Calls:
    """Every call that our own code makes to AWS, and to Helm; one of them can be made to go wrong.

    made: their names. of_anybody: and those of the test. before, after: what happens then, given the name.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.of_anybody: list[str] = []
        self.before: Callable[[str], None] = nothing
        self.after: Callable[[str], None] = nothing
        self._depth = 0

    def watch(self, client: Any) -> None:
        client.meta.events.register("before-call", self._before)
        client.meta.events.register("after-call", self._after)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Calls made meanwhile are ours; others are made by the test, or by Lambda."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """A call of another kind."""
        self.made.append(name)
        self.before(name)
        yield
        self.after(name)

    def _before(self, model: Any, **_: Any) -> None:
        name = _name(model)
        self.of_anybody.append(name)
        if self._depth:
            self.made.append(name)
            self.before(name)

    def _after(self, model: Any, **_: Any) -> None:
        if self._depth:
            self.after(_name(model))


def _name(model: Any) -> str:
    return f"{model.service_model.service_name}.{model.name}"


def nothing(_: object) -> None:
    """Everything is as it should be."""


@dataclass
class Releases:
    """What Helm has installed: by namespace and release, each promotion's id and commit, oldest first.

    As the real one does, it recognises a promotion that it has carried out. runs: whenever Helm ran, which promotion it
    was for. broken: charts that fail. long: charts that nobody waits for; is_late: whether those get ready, as whoever
    looks finds it. away: how many times more the cluster cannot be reached. meanwhile: happens while Helm runs.
    """

    calls: Calls
    history: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    long: set[str] = field(default_factory=set)
    is_late: Callable[[], bool] = lambda: False
    away: int = 0
    meanwhile: Callable[[Install], None] = lambda _: None
    _running: set[tuple[str, str]] = field(default_factory=set)

    def install(self, request: Install, *, workspace: Workspace, budget_seconds: float) -> Deployed | Applied | Failed:
        with self._alone(request, "helm.upgrade", workspace, budget_seconds) as place:
            if self.away:
                self.away -= 1
                raise TemporaryFault("the cluster is away", delay_seconds=1)
            self.meanwhile(request)
            return self._upgrade(place, request)

    def look(self, request: Install, revision: int, *, workspace: Workspace, budget_seconds: float) -> Seen:  # noqa: ARG002 - the real one's
        with self.calls.one("helm.status"):
            if request.release.chart in self.broken or len(self._done(request)) != revision:
                return Broken(f"{request.release.chart} is broken")
            return Pending("it starts") if self.is_late() else Done()

    def roll_back(self, request: Install, revision: int, *, workspace: Workspace, budget_seconds: float) -> str:
        with self._alone(request, "helm.rollback", workspace, budget_seconds):
            done = self._done(request)
            if len(done) == revision:
                done.append(("", done[request.verified - 1][1] if request.verified else "-"))
            return f"rolled back to {request.verified}"

    @contextmanager
    def _alone(
        self, request: Install, call: str, workspace: Workspace, budget_seconds: float
    ) -> Iterator[tuple[str, str]]:
        assert 0 < budget_seconds < LEASE, workspace
        place = (request.release.namespace, request.release.name)
        assert place not in self._running, "two Helm operations at once on one release"
        self._running.add(place)
        try:
            with self.calls.one(call):
                yield place
        finally:
            self._running.remove(place)

    def _done(self, request: Install) -> list[tuple[str, str]]:
        return self.history.setdefault((request.release.namespace, request.release.name), [])

    def _upgrade(self, place: tuple[str, str], request: Install) -> Deployed | Applied | Failed:
        self.runs.append(request.promotion_id)
        is_long = request.release.chart in self.long
        if request.release.chart in self.broken and not is_long:
            return Failed(f"{request.release.chart} is broken", 0)
        done = self.history.setdefault(place, [])
        known = [number for number, (promotion, _) in enumerate(done, 1) if promotion == request.promotion_id]
        if not known:
            done.append((request.promotion_id, request.commit))
        number = known[0] if known else len(done)
        if is_long:
            return Applied("upgraded", number, "web-1", 0, "", request.verified, is_ready=False)
        action: Any = "unchanged" if known else "upgraded" if done[1:] else "deployed"
        return Deployed(action, number, "web-1", 0, previous=request.verified)

    def commits(self, namespace: str, release: str = "web") -> str:
        """The first letters of what was installed, oldest first."""
        return "".join(commit[0] for _, commit in self.history.get((namespace, release), []))


@dataclass
class WayRoom(FunctionRoom):
    """A repository with all functions behind it, in tables of its own where nobody else's commits wait."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        endpoint = self.tables.tables.endpoint_url
        self.calls = Calls()
        self.releases = Releases(self.calls)
        self.our_sns, self.our_sqs = ministack.client(endpoint, "sns"), ministack.client(endpoint, "sqs")
        for client in (self.our_sns, self.our_sqs, connection().client):
            self.calls.watch(client)
        self.our_sqs.meta.events.register("provide-client-params.sqs.SendMessage", _at_once)
        self.our_sqs.meta.events.register("provide-client-params.sqs.ChangeMessageVisibility", _until_shown)
        self.given_up: list[Record] = []
        self._hidden: list[tuple[QueueMapping, Record]] = []
        self._invocations = self._commands = 0
        super().__post_init__()
        for client in (self.sqs, self.tables.client):
            self.calls.watch(client)
        self._seen: dict[str, int] = {}
        self.installer = QueueMapping(self.sqs, self.installs, _nobody, batch_size=1)
        self.observer = QueueMapping(self.sqs, self.rollouts, _nobody, batch_size=1)
        self.restart()

    def renew(self) -> None:
        """Another repository in the same tables, with nothing left of the one before; making a room is what costs."""
        for each in list(waiting.everywhere()):
            waiting.forget(each)
        dead = (self.dead_events, self.dead_installs, self.dead_rollouts, self.dead_changes)
        for url in (self.events, self.installs, self.rollouts, *dead):
            self.sqs.purge_queue(QueueUrl=url)
        self.changes()
        self.tables = TableRoom(self.tables.tables)
        self.repo = self.tables.repo
        self.releases.history.clear()
        self.releases.runs.clear()
        self.releases.broken.clear()
        self.releases.long.clear()
        self.given_up.clear()
        self._hidden.clear()
        self.calls.before = self.calls.after = nothing
        self.clock.now = self.tables.now
        self.restart()

    # processes

    def restart(self) -> None:
        """Every function in a process of its own that has just begun."""
        self.promoter = self._process(self.new_promoter)
        self.recorder.invoke = self._process(self.new_recorder, self.recorder)
        self.installer.invoke = self._process(self.new_installer, self.installer)
        self.observer.invoke = self._process(self.new_observer, self.observer)

    def new_promoter(self) -> Handle:
        return Batch(Promoter(self.promotions_of(), self.clock).consider, self.dead(self.dead_changes)).changes

    def new_recorder(self) -> Handle:
        record = backing_off(GateRecorder(Reader(), self.clock).record, lambda: self.our_sqs, self.events)
        return Batch(record, self.dead(self.dead_events), attempts=5).messages

    def new_installer(self) -> Handle:
        installer = HelmInstaller(*self._means())
        return self._patient(installer.receive, self.installs, self.dead_installs)

    def new_observer(self) -> Handle:
        return self._patient(RolloutObserver(*self._means()).receive, self.rollouts, self.dead_rollouts)

    def _means(self) -> tuple[Verdicts, Queue, Workspace, int, Clock, Callable[[], float]]:
        verdicts = Verdicts(Publisher(self.our_sns), self.deployments, self.promotions, self.clock)
        rollouts = Queue(self.rollouts, lambda: self.our_sqs)
        return verdicts, rollouts, Workspace(Path(), Path()), 5, self.clock, self.clock.seconds

    def _patient(self, act: Callable[..., None], queue: str, dead: str) -> Handle:
        def work(message: Record) -> None:
            self._invocations += 1
            act(message, owner=f"invocation {self._invocations}", ends=self.clock.seconds() + LEASE)

        return Batch(backing_off(work, lambda: self.our_sqs, queue), self.dead(dead), attempts=5).messages

    def promotions_of(self) -> Promotions:
        return Promotions(Reader(), Publisher(self.our_sns), self.promotions, self.clock)

    def sweeper(self) -> Sweeper:
        return Sweeper(self.promotions_of(), self.clock)

    def dead(self, url: str) -> Any:
        return replace(super().dead(url), client=lambda: self.our_sqs)

    def _process(self, make: Callable[[], Handle], mapping: QueueMapping | None = None) -> Handle:
        """A function whose process is begun anew when it dies; what it did not acknowledge is remembered."""
        running = [make()]

        def invoke(records: Sequence[Record]) -> Any:
            self.clock.go_on(1)
            failed = {record.get("messageId") for record in records}
            try:
                with self.calls.counted():
                    answer = running[0](records)
                failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            except Crash as crash:
                running[0] = make()
                raise DiedError from crash
            finally:
                if mapping:
                    self._hidden += [(mapping, record) for record in records if record["messageId"] in failed]
            return answer

        return invoke

    # what happens

    def _is_mine(self, told: Mapping[str, Any]) -> bool:
        return bool(told)

    def record(self) -> None:
        """The recorder's queue, as far as it is visible."""
        while len(self.recorder.poll()) == self.recorder.batch_size:
            continue

    def deliver(self) -> None:
        """What the streams show through the promoter, each by a mapping of its own."""
        for stream in self._streams:
            mapping = StreamMapping(self.promoter)
            mapping.deliver([each for each in stream.read() if self._is_mine(each["dynamodb"])])
            self.given_up += [record for batch in mapping.given_up for record in batch]

    def install(self) -> None:
        """The installer's queue."""
        self.installer.drain()

    def observe(self) -> None:
        """The observer's queue."""
        self.observer.drain()

    def install_one(self) -> None:
        """The first message of the installer's queue, until it is acknowledged."""
        self._one(self.installer)

    def observe_one(self) -> None:
        """The same of the observer's."""
        self._one(self.observer)

    def _one(self, wanted: QueueMapping) -> None:
        for _ in range(_PATIENCE):
            batch = wanted.poll()
            assert batch
            if all(mapping is not wanted for mapping, _ in self._hidden):
                return
            self.show_again()
        raise AssertionError("it is never acknowledged")

    def settle(self, *, installing: bool = True) -> None:
        """Queues and streams until nothing moves, over the visibility timeout of what was not acknowledged.

        installing: whether the installer's queue is one of them, and the observer's.
        """
        looks = {"record": _TELLS, "deliver": _WRITES}
        looks |= {"install": _TELLS, "observe": _TELLS} if installing else {}
        for _ in range(_PATIENCE):
            new = [name for name, causes in looks.items() if causes & {*self._since(name)}]
            for name in new:
                self._seen[name] = len(self.calls.of_anybody)
                getattr(self, name)()
            if new:
                continue
            if not self._hidden:
                return
            self.show_again()
        raise AssertionError("it never settles")

    def _since(self, look: str) -> list[str]:
        """All calls since the last look of a kind."""
        return self.calls.of_anybody[self._seen.get(look, 0) :]

    def show_again(self) -> None:
        """What was handed over and not acknowledged is visible again, when no lease of a dead holder lasts any more."""
        self.clock.go_on(2 * LEASE)
        hidden, self._hidden = self._hidden, []
        for mapping, message in hidden:
            mapping.show_again([message])

    def sweep(self, *, seconds_left: float = 100) -> dict[str, Any]:
        """The sweeper, and a minute later once more if it died or met faults; what it found."""
        for _ in range(3):
            self.clock.go_on(60)
            try:
                with self.calls.counted():
                    found = self.sweeper().sweep(lambda: seconds_left)
            except (Crash, TemporaryFault):
                continue
            if not found["faults"]:
                return found
        raise AssertionError("the sweeper never gets through")

    # what people do

    def person(self, act: Callable[[], Any]) -> None:
        """Somebody's command, given again where it broke off; then it may have been obeyed already."""
        broke_off = False
        for _ in range(3):
            self.clock.go_on(1)
            try:
                with self.calls.counted():
                    act()
            except (Crash, TemporaryFault):
                broke_off = True
            except (RefusedError, RepeatedError):
                if not broke_off:
                    raise
                return
            else:
                return
        raise AssertionError("the command never gets through")

    @property
    def pipeline(self) -> Pipeline:
        return self.tables.snapshot("a" * 40).definitions.pipelines[0]

    def approve(self, commit: str, gate: str = "legal", **evidence: str) -> None:
        value = {"status": "TRUE", "at": format_time(self.clock()), "by": "ann", **evidence}
        told = self._told(commit, gate)
        self.person(lambda: set_gate(Reader(), gate, value, told, trace))

    def freeze(self, environment: str, until: str = "") -> None:
        told = self._about(environment, "frozen")
        frozen, pipeline = Freeze("ann", until, "sale"), self.pipeline
        self.person(lambda: holds.freeze(pipeline, environment, frozen, told))

    def unfreeze(self, environment: str) -> None:
        self._end(holds.unfreeze, environment, "unfrozen")

    def hold(self, environment: str) -> None:
        told, pipeline = self._about(environment, "held"), self.pipeline
        self.person(lambda: holds.hold(pipeline, environment, "sale", told))

    def release(self, environment: str) -> None:
        self._end(holds.release, environment, "released")

    def stop(self) -> None:
        told = self._about("everything", "stopped")
        self.person(lambda: holds.stop(Freeze("ann", "", "fire"), told))

    def start(self) -> None:
        told = self._about("everything", "started")
        self.person(lambda: holds.start(told))

    def rollback(self, environment: str, commit: str) -> None:
        """To a commit that was there, as it was there; the environment is held from then on."""
        self.person(partial(self._roll_back, self.pipeline, environment, commit))

    def _roll_back(self, pipeline: Pipeline, environment: str, commit: str) -> None:
        snapshot, now = Reader().read(self.repo, commit), self.clock()
        place = pipeline.environment(environment)
        assert place
        state = snapshot.state(pipeline, place, now)
        decision = on_request(snapshot.record, pipeline, place, snapshot.definitions.declared, now)
        if (state.head, state.held_by) == (commit, "ann") or not isinstance(decision, Promote):
            return
        before = next(each for each in deployments(pipeline.name, environment) if each.commit == commit)
        order = Order("ann", Action.ROLLBACK, "it is slow", holds=True, pinned=before.promotions)
        claim(snapshot, pipeline, decision, now, order)

    def _end(self, end: Callable[[Pipeline, str, Happening], None], environment: str, what: str) -> None:
        told, pipeline = self._about(environment, what), self.pipeline
        self.person(lambda: end(pipeline, environment, told))

    def _about(self, environment: str, what: str) -> Happening:
        return replace(self._told(environment, what), repo=self.tables.named("shop"))

    def _told(self, commit: str, what: str) -> Happening:
        self._commands += 1
        now = format_time(self.clock())
        return Happening(
            repo=self.repo,
            commit=commit,
            time=now,
            id=f"{what} {self._commands}",
            source="command",
            kind=what,
            by="ann",
            verified=True,
            written_at=now,
        )


def new_room(endpoint: str, patch: pytest.MonkeyPatch) -> WayRoom:
    """One with tables of its own. patch: puts the played Helm in its place."""
    room = WayRoom(TableRoom(LocalTables(endpoint)))
    patch.setattr(helm_installer, "install", room.releases.install)
    patch.setattr(helm_installer, "roll_back", room.releases.roll_back)
    patch.setattr(deploy, "look", room.releases.look)
    patch.setattr(deploy, "roll_back", room.releases.roll_back)
    return room


def _at_once(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What is to be sent later is sent now: SQS has a clock of its own."""
    return {name: value for name, value in params.items() if name != "DelaySeconds"}


def _until_shown(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What is to be seen later is seen when the room shows it."""
    return {**params, "VisibilityTimeout": 3600}


def _nobody(_: Sequence[Record]) -> Any:
    raise DiedError
