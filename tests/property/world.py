"""All that Gatestream is made of, with the real functions in it, over tables that can be in memory, too."""

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol
from unittest import mock

from pipeline_state import deploy
from pipeline_state.deploy import Workspace
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers import helm_installer
from pipeline_state.handlers.batch import Batch, Handle, Record, backing_off
from pipeline_state.handlers.gate_recorder import GateRecorder
from pipeline_state.handlers.helm_installer import HelmInstaller
from pipeline_state.handlers.promoter import Promoter
from pipeline_state.handlers.promotion import Promotions
from pipeline_state.handlers.rollout_observer import RolloutObserver
from pipeline_state.handlers.sweeper import Sweeper
from pipeline_state.handlers.verdicts import Verdicts
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.table import retry
from pipeline_state.table.definitions import save_definitions
from pipeline_state.table.models import to_raw
from pipeline_state.table.snapshot import Definitions, Reader
from pipeline_state.table.transaction import RefusedError
from tests.contract.table_room import START
from tests.property.checks import Checks
from tests.property.memory_queues import DEAD, EVENTS, INSTALLS, PROMOTIONS, RESULTS, ROLLOUTS, MemoryQueues, Message
from tests.property.memory_tables import Item, Written
from tests.property.played_helm import PlayedHelm
from tests.property.workers import Calls, Worker

SECONDS = {"recorder": 30, "promoter": 60, "installer": 900, "observer": 900, "sweeper": 300, "person": 60}
"""That each may work, by template.yaml."""

ATTEMPTS = {EVENTS: 12, INSTALLS: 6, ROLLOUTS: 6}
INSTALL_ATTEMPTS = 5


class Store(Protocol):
    """Where the tables are."""

    def connect(self, calls: Calls) -> None:
        """Has every call of the tables' models go through `calls`."""

    def drain(self) -> list[Written]:
        """The changes since the last look."""

    def change(self, table: str, keys: Item, changes: Mapping[str, Any]) -> None:
        """What people do with tools of their own: sets attributes to raw values; None removes one."""

    def told(self, repo: str, commit: str) -> set[str]:
        """The ids in a commit's journal."""

    def close(self) -> None:
        """Leaves nothing behind."""


@dataclass
class World:
    """now: the time at which all believe to work. lanes: by table and partition, what the streams have yet to tell.

    is_swept: whether at the end only the sweeper is left to promote.
    edits: ids of the changes that people made. given_up: those of them that the mapping has given up on.
    """

    store: Store
    pipelines: tuple[Pipeline, ...]
    is_swept: bool = False
    now: datetime = START + timedelta(minutes=5)
    lanes: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    edits: set[str] = field(default_factory=set)
    given_up: list[tuple[tuple[str, str], dict[str, Any]]] = field(default_factory=list)
    acknowledged: list[Message] = field(default_factory=list)
    workers: dict[str, Worker] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.calls = Calls(self.moment, self.seen)
        self.checks = Checks(self.pipelines, self.calls, self.workers)
        self.queues = MemoryQueues(self.calls, self.checks.published)
        self.patches = ExitStack()
        self.helm = PlayedHelm(self.checks, self.calls)
        for room, names in ((helm_installer, ("install", "roll_back")), (deploy, ("look", "test", "roll_back"))):
            for name in names:
                self.patches.enter_context(mock.patch.object(room, name, getattr(self.helm, name)))
        self.patches.enter_context(mock.patch.object(retry, "time", SimpleNamespace(sleep=lambda _: None)))
        logging.getLogger("pipeline_state").setLevel(logging.CRITICAL + 1)
        self.store.connect(self.calls)
        self.definitions = {repo: self._define(repo) for repo in dict.fromkeys(each.repo for each in self.pipelines)}
        self._make_functions()

    def close(self) -> None:
        for worker in [*self.calls.paused]:
            self.calls.kill(worker)
        self.patches.close()
        self.store.close()
        logging.getLogger("pipeline_state").setLevel(logging.NOTSET)

    def moment(self) -> float:
        return self.now.timestamp()

    def time(self) -> datetime:
        return self.now

    def seen(self, worker: Worker | None) -> None:
        """After each call: what it changed goes to the streams, and is checked."""
        written = self.store.drain()
        if not written:
            return
        self.calls.ticks += 1
        for each in written:
            lane = self.lanes.setdefault((each.table, next(iter(each.keys.values()))["S"]), [])
            lane.append(self._told(each))
            if each.table == "gates" and worker is None:
                self.edits.add(lane[-1]["eventID"])
        self.checks.see(written, worker)

    def pass_time(self, seconds: float) -> None:
        """Whoever has worked too long by then is ended by Lambda."""
        self.now += timedelta(seconds=seconds)
        for worker in [each for each in self.calls.paused if each.until <= self.moment()]:
            self.calls.kill(worker)

    # what happens outside

    def event(self, type_: str, id_: str, repo: str, data: Mapping[str, Any]) -> None:
        told = {"specversion": "1.0", "id": id_, "source": f"https://github.com/{repo}", "type": type_}
        told |= {"time": self.now.isoformat(), "datacontenttype": "application/json"}
        self.queues.send(EVENTS, json.dumps({**told, "data": {"schema": 1, "repo": repo, **data}}))

    def edit(self, repo: str, commit: str, **columns: Any) -> None:
        """Sets columns of a record; None removes one."""
        keys = {"repo": {"S": repo}, "commit": {"S": commit}}
        raw = {name: None if value is None else to_raw(value) for name, value in columns.items()}
        self.store.change("gates", keys, raw)
        self.seen(None)

    # work there is, and who does it

    def record(self, message: Message) -> Worker:
        shown = self.queues.receive(EVENTS, message)

        def work() -> None:
            if not self.recorder([shown])["batchItemFailures"]:
                self.queues.acknowledge(EVENTS, message)
                self.acknowledged.append(message)

        return self.worker("recorder", work)

    def install_one(self, message: Message, helm: str = "deployed") -> Worker:
        shown = self.queues.receive(INSTALLS, message)

        def work() -> None:
            if not self._installer(worker.id)([shown])["batchItemFailures"]:
                self.queues.acknowledge(INSTALLS, message)

        worker = self.worker("installer", work, helm)  # which `work` names as the owner
        return worker

    def observe_one(self, message: Message, helm: str = "deployed") -> Worker:
        shown = self.queues.receive(ROLLOUTS, message)

        def work() -> None:
            if not self._observer(worker.id)([shown])["batchItemFailures"]:
                self.queues.acknowledge(ROLLOUTS, message)

        worker = self.worker("observer", work, helm)
        return worker

    def promote(self, lane: tuple[str, str], most: int, *, again: bool = False) -> Worker:
        """The next changes of a stream; again: they are shown once more afterwards, as if nobody had had them."""
        batch = self.lanes[lane][:most]

        def work() -> None:
            failed = self.promoter(batch)["batchItemFailures"]
            numbers = [each["dynamodb"]["SequenceNumber"] for each in batch]
            left = min((numbers.index(each["itemIdentifier"]) for each in failed), default=len(batch))
            done = numbers[: 0 if again else left]
            self.lanes[lane] = [each for each in self.lanes[lane] if each["dynamodb"]["SequenceNumber"] not in done]

        return self.worker("promoter", work)

    def lose(self, lane: tuple[str, str], most: int) -> None:
        """The mapping gives up on changes. What it was to tell of people's edits is sent again one day."""
        self.given_up += [(lane, each) for each in self.lanes[lane][:most] if each["eventID"] in self.edits]
        self.lanes[lane] = self.lanes[lane][most:]

    def redrive(self) -> None:
        """What the mapping has given up on is sent once more, by a person who has seen to the reason."""
        for lane, change in self.given_up:
            self.lanes[lane].append(change)
        self.given_up.clear()

    def sweep(self) -> Worker:
        """The next one comes anyway, so nobody minds when one fails."""
        return self.attempt("sweeper", lambda: self.sweeper.sweep(lambda: 60.0))

    def person(self, work: Callable[[], object]) -> Worker:
        """A command, which may fail."""
        return self.attempt("person", work)

    def attempt(self, kind: str, work: Callable[[], object]) -> Worker:
        def attempted() -> None:
            try:
                work()
            except (PermanentFault, TemporaryFault, RefusedError):
                return

        return self.worker(kind, attempted)

    def worker(self, kind: str, work: Callable[[], None], helm: str = "deployed") -> Worker:
        id_ = f"w{len(self.workers)}"
        self.workers[id_] = Worker(kind, work, self.moment() + SECONDS[kind], id_, helm)
        return self.workers[id_]

    # how it is made

    def _make_functions(self) -> None:
        def queue(name: str) -> Queue:
            return Queue(DEAD[name], lambda: self.queues)  # type: ignore[arg-type, return-value]

        self.publisher = Publisher(self.queues)  # type: ignore[arg-type]
        self.promotions = Promotions(Reader(), self.publisher, PROMOTIONS, self.time)
        recorder = backing_off(GateRecorder(Reader(), self.time).record, lambda: self.queues, EVENTS)  # type: ignore[arg-type, return-value]
        self.recorder: Handle = Batch(self._loud(recorder), queue(EVENTS), ATTEMPTS[EVENTS]).messages
        promoter = Promoter(self.promotions, self.time).consider
        self.promoter: Handle = Batch(self._loud(promoter), queue("changes")).changes
        self.sweeper = Sweeper(Promotions(Reader(), self.publisher, PROMOTIONS, self.time), self.time)
        verdicts, workspace = (
            Verdicts(self.publisher, RESULTS, PROMOTIONS, self.time),
            Workspace(Path("/nowhere"), Path("charts")),
        )
        rollouts = Queue(ROLLOUTS, lambda: self.queues)  # type: ignore[arg-type, return-value]
        means = verdicts, rollouts, workspace, INSTALL_ATTEMPTS, self.time, self.moment
        self.installer, self.observer = HelmInstaller(*means), RolloutObserver(*means)
        self._dead = {name: queue(name) for name in (INSTALLS, ROLLOUTS)}

    def _installer(self, owner: str) -> Handle:
        def work(message: Record) -> None:
            self.installer.receive(message, owner=owner, ends=self.moment() + SECONDS["installer"])

        return self._patient(work, INSTALLS)

    def _observer(self, owner: str) -> Handle:
        def work(message: Record) -> None:
            self.observer.receive(message, owner=owner, ends=self.moment() + SECONDS["observer"])

        return self._patient(work, ROLLOUTS)

    def _patient(self, work: Callable[[Record], None], queue: str) -> Handle:
        patient = backing_off(self._loud(work), lambda: self.queues, queue)  # type: ignore[arg-type, return-value]
        return Batch(patient, self._dead[queue], ATTEMPTS[queue]).messages

    def _loud(self, work: Callable[[Record], None]) -> Callable[[Record], None]:
        """Bugs, which a batch would log and try again."""

        def loud(record: Record) -> None:
            try:
                work(record)
            except (PermanentFault, TemporaryFault):
                raise
            except Exception as bug:
                self.checks.bugs.append(bug)
                raise

        return loud

    def _define(self, repo: str) -> Definitions:
        mine = [each for each in self.pipelines if each.repo == repo]
        return save_definitions(repo, mine, after=0, by="ann", at_time=self.now.isoformat())

    def _told(self, written: Written) -> dict[str, Any]:
        """A change as Lambda shows it to the promoter."""
        self.count += 1
        images = {"OldImage": written.old, "NewImage": written.new}
        told: dict[str, Any] = {"Keys": written.keys, **{name: image for name, image in images.items() if image}}
        told |= {"SequenceNumber": str(self.count), "ApproximateCreationDateTime": float(int(self.moment()))}
        return {"eventID": f"change {self.count}", "dynamodb": told}
