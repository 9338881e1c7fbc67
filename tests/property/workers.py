"""Functions and people at work, call by call: each of the calls can fail, happen twice, be put off, or be the last.

A worker that is paused sits in a thread of its own until it goes on or is killed; only one of all ever runs.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from pipeline_state.faults import TemporaryFault
from tests.property.memory_tables import refusal

HELM, LOOK = "helm", "helm status"
READS = {"GetItem", "TransactGetItems", "BatchGetItem", "Query", LOOK}
WHAT = ("pause", "die before", "die after", "fail", "conflict", "answer lost", "twice")
MOST_CALLS = 1_000


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Worker:
    """One invocation, or a person's command. until: when its time is up (epoch seconds).

    stretch: how many calls it has made since it went on, and how many changes, those less than 0.
    looked: how many writes there had been at its last reading of a snapshot. decided_at: the time of its last reading.
    """

    kind: str
    work: Callable[[], None]
    until: float
    id: str = ""
    helm: str = "deployed"
    looked: int = 0
    decided_at: float = 0.0
    made: int = 0
    is_over: bool = False
    has_died: bool = False
    is_killed: bool = False
    is_disturbed: bool = False
    plan: tuple[int, str] = (0, "")
    stretch: tuple[int, int] = (0, 0)
    bug: BaseException | None = None
    thread: threading.Thread | None = None
    goes: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    stands: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def live(self) -> None:
        try:
            self.work()
        except Crash:
            self.has_died = True
        except BaseException as bug:  # noqa: BLE001 - told by whoever runs it
            self.bug = bug
        self.is_over = True

    def pause(self) -> None:
        self.stands.release()
        self.goes.acquire()
        if self.is_killed:
            raise Crash


@dataclass
class Calls:
    """Through which every call of every worker goes. moment: the time (epoch seconds). ticks: counts the writes."""

    moment: Callable[[], float]
    seen: Callable[[Worker | None], None]
    current: Worker | None = None
    ticks: int = 0
    paused: list[Worker] = field(default_factory=list)

    def run(self, worker: Worker, at: int = 0, what: str = "") -> None:
        """Lets a worker go on until it ends, or pauses; at its call of that number, `what` happens.

        at: less than 0 counts those calls only that change something.
        """
        worker.plan, worker.stretch = (at, what), (0, 0)
        self.current = worker
        try:
            if worker.thread is None and what != "pause":
                worker.live()
            else:
                self._in_thread(worker)
        finally:
            self.current = None
        if worker.is_over and worker in self.paused:
            self.paused.remove(worker)
        if worker.bug:
            raise worker.bug

    def kill(self, worker: Worker) -> None:
        worker.is_killed = True
        self.run(worker)

    def _in_thread(self, worker: Worker) -> None:
        if worker.thread is None:
            worker.thread = threading.Thread(target=_thread, args=(worker,), daemon=True)
            self.paused.append(worker)
            worker.thread.start()
        else:
            worker.goes.release()
        worker.stands.acquire()
        if worker.is_over:
            worker.thread.join()

    def make(self, name: str, perform: Callable[[], Any]) -> Any:
        """One call of whoever is at work now."""
        worker = self.current
        if worker is None:
            return self._perform(name, perform, None)
        worker.made += 1
        assert worker.made < MOST_CALLS, f"a {worker.kind} never ends"
        calls, changes = worker.stretch[0] + 1, worker.stretch[1] - (name not in READS)
        worker.stretch, (at, what) = (calls, changes), worker.plan
        if what and at in {calls, changes}:
            worker.plan = (0, "")
            return self._disturbed(name, perform, worker, what)
        return self._perform(name, perform, worker)

    def _disturbed(self, name: str, perform: Callable[[], Any], worker: Worker, what: str) -> Any:
        if what == "pause":
            worker.pause()
            return self._perform(name, perform, worker)
        worker.is_disturbed = True
        if what == "die before":
            raise Crash
        if what in {"fail", "conflict"}:
            raise _trouble(name, what)
        answer = self._perform(name, perform, worker)
        if what == "twice":
            answer = self._perform(name, perform, worker)
        if what == "die after":
            raise Crash
        if what == "answer lost":
            raise _trouble(name, what)
        return answer

    def _perform(self, name: str, perform: Callable[[], Any], worker: Worker | None) -> Any:
        try:
            answer = perform()
        finally:
            if name not in READS:
                self.seen(worker)
        if worker and name in READS:
            worker.decided_at = self.moment()
            if name == "TransactGetItems":
                worker.looked = self.ticks
        return answer


def _thread(worker: Worker) -> None:
    worker.live()
    worker.stands.release()


def _trouble(name: str, what: str) -> Exception:
    """How a call fails that came to nothing, or whose answer did."""
    if name in {HELM, LOOK}:
        return TemporaryFault("the cluster did not answer", 30)
    if what == "answer lost":
        return ReadTimeoutError(endpoint_url="memory")
    if name in {"Publish", "SendMessage", "ChangeMessageVisibility"}:
        return ClientError({"Error": {"Code": "InternalError"}}, name)
    return refusal("TransactionConflictException" if what == "conflict" else "ThrottlingException", name)
