"""Helm as the machine plays it: releases that are ready at once, late or never, and a log of all that is done to them.

It follows what `pipeline_state.deploy` promises, which has tests of its own with the real one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipeline_state.deploy import Applied, Deployed, Failed, Install, Workspace
from pipeline_state.faults import TemporaryFault
from pipeline_state.model.pipelines import Release
from pipeline_state.model.rollout import Broken, Done, Pending, Phase, Seen, phases_of
from tests.property import reading
from tests.property.checks import Checks
from tests.property.workers import HELM, LOOK, Calls, Worker

Site = tuple[str, str]
"""Namespace and release."""

LATE = {"slow", "never"}
"""How Helm may end where it does not wait for a release: some become ready when they are looked at, others never do."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Of a release. promotion: which one was carried out with it; empty for one that failed, and for a rollback.

    is_watched: whether Helm did not wait for it. back_to: the revision that it is a rollback to; 0 for any other.
    """

    promotion: str
    commit: str
    is_watched: bool = False
    is_never_ready: bool = False
    back_to: int = 0


@dataclass
class PlayedHelm:
    """What a worker's Helm does is the worker's `helm`.

    history: the revisions of each release, oldest first. upgrades: the promotions that made some, never forgotten.
    """

    checks: Checks
    calls: Calls
    history: dict[Site, list[Revision]] = field(default_factory=dict)
    upgrades: dict[Site, list[str]] = field(default_factory=dict)
    _running: set[Site] = field(default_factory=set)

    # what installer and observer call

    def install(self, request: Install, *, workspace: Workspace, budget_seconds: float) -> Deployed | Applied | Failed:
        _ = workspace, budget_seconds
        with self._alone(request) as worker:
            result: Deployed | Applied | Failed = self.calls.make(HELM, lambda: self._install(request, worker))
        return result

    def look(self, request: Install, revision: int, *, workspace: Workspace, budget_seconds: float) -> Seen:
        _ = workspace, budget_seconds
        worker = self._worker
        seen: Seen = self.calls.make(LOOK, lambda: self._look(request, revision, worker))
        return seen

    def test(self, request: Install, *, workspace: Workspace, budget_seconds: float) -> Seen:
        _ = workspace, budget_seconds
        with self._alone(request) as worker:
            seen: Seen = self.calls.make(HELM, lambda: _tested(worker))
        return seen

    def roll_back(self, request: Install, revision: int, *, workspace: Workspace, budget_seconds: float) -> str:
        _ = workspace, budget_seconds
        with self._alone(request) as worker:
            done: str = self.calls.make(HELM, lambda: self._roll_back(request, revision, worker))
        return done

    # what it then is like

    def runs(self, site: Site) -> int:
        """The revision that a release runs, that of which it is a rollback where it is one; 0 where there is none."""
        return self._origin(site, len(self.history.get(site, [])))

    def same(self, site: Site, one: int, other: int) -> bool:
        return self._origin(site, one) == self._origin(site, other)

    @property
    def _worker(self) -> Worker:
        assert self.calls.current
        return self.calls.current

    # what always holds

    @contextmanager
    def _alone(self, request: Install) -> Iterator[Worker]:
        """I6: while Helm changes a release, or tests it."""
        worker, site = self._worker, _site(request)
        self.checks.require(site not in self._running, f"I6: two Helms on {site}")
        promotion = self.checks.promotions[request.promotion_id]
        item = self.checks.environments[promotion["pipeline"], promotion["environment"]]
        is_held = reading.text(item, f"lease:{request.release.name}") == worker.id
        self.checks.require(is_held, f"I6: Helm without the lease of {site}")
        self._running.add(site)
        try:
            yield worker
        finally:
            self._running.discard(site)  # where there were two, both are over

    def _upgraded(self, request: Install) -> None:
        """I2 and I3 of what is installed, and I6 from apply to verdict."""
        done, promotion = self.upgrades.setdefault(_site(request), []), self.checks.promotions[request.promotion_id]
        self.checks.require(promotion["id"] not in done, f"I2: {promotion['id']} is installed twice")
        if done:
            before = self.checks.promotions[done[-1]]
            same = all(promotion[name] == before[name] for name in ("pipeline", "environment"))
            is_newer = promotion["generation"] > before["generation"] if same else _is_no_older(promotion, before)
            self.checks.require(is_newer, f"I3: Helm goes back to generation {promotion['generation']}")
            self._check_verdict(before)
        done.append(promotion["id"])

    def _check_verdict(self, before: Mapping[str, Any]) -> None:
        item = self.checks.environments[before["pipeline"], before["environment"]]
        told = reading.number(item, f"done:{before['release']['name']}", 0) >= before["generation"]
        is_over = told or before["id"] in self.checks.lapsed
        self.checks.require(is_over, f"I6: {before['id']} has no verdict, and is replaced")

    # what happens

    def _install(self, request: Install, worker: Worker) -> Deployed | Applied | Failed:
        _reach(worker)
        site = _site(request)
        history = self.history.setdefault(site, [])
        number = next((at for at, each in enumerate(history, 1) if each.promotion == request.promotion_id), 0)
        if number and (number == len(history) or not history[number - 1].is_watched):
            return self._told(request, number, history[number - 1])
        verified, last = request.verified, len(history)
        if not request.anew and self._is_there(site, request):
            return Deployed("unchanged", last, _chart(request.release), 1.0, previous=last)
        if worker.helm == "failed":
            history.append(Revision("", request.commit))
            self._go_back(history, verified, last + 1)
            return Failed("the chart does not render", 1.0)
        made = Revision(request.promotion_id, request.commit, worker.helm in LATE, worker.helm == "never")
        history.append(made)
        self._upgraded(request)
        return self._told(request, last + 1, made)

    def _is_there(self, site: Site, request: Install) -> bool:
        """Whether what is wanted runs already, and is known to have been ready."""
        runs = self.runs(site)
        is_known = runs > 0 and request.verified > 0 and self.same(site, runs, request.verified)
        return is_known and self.history[site][runs - 1].commit == request.commit

    def _told(self, request: Install, number: int, made: Revision) -> Deployed | Applied:
        action, previous = "deployed" if number == 1 else "upgraded", request.verified or max(0, number - 1)
        if not made.is_watched and phases_of(request.release) == (Phase.READY,):
            return Deployed(action, number, _chart(request.release), 1.0, previous=previous)  # type: ignore[arg-type]
        return Applied(action, number, _chart(request.release), 1.0, "", previous, not made.is_watched)  # type: ignore[arg-type]

    def _look(self, request: Install, revision: int, worker: Worker) -> Seen:
        _reach(worker)
        history = self.history.get(_site(request), [])
        if len(history) != revision:
            return Broken(f"revision {len(history)} was made meanwhile")
        if worker.helm == "failed":
            return Broken("it crashes")
        is_pending = history[-1].is_never_ready or worker.helm in LATE
        return Pending("it starts") if is_pending else Done()

    def _roll_back(self, request: Install, revision: int, worker: Worker) -> str:
        _reach(worker)
        history = self.history.get(_site(request), [])
        if len(history) != revision:
            return "rolled back already"
        self._go_back(history, request.verified, revision)
        return "rolled back"

    def _go_back(self, history: list[Revision], verified: int, left: int) -> None:
        """To what is known to have been ready, else to whatever there was; else it is uninstalled."""
        others = [at for at in range(1, len(history) + 1) if at != left]
        to = verified if verified in others else max(others, default=0)
        if to:
            history.append(Revision("", history[to - 1].commit, back_to=to))
        else:
            history.clear()

    def _origin(self, site: Site, number: int) -> int:
        history = self.history.get(site, [])
        while 0 < number <= len(history) and history[number - 1].back_to:
            number = history[number - 1].back_to
        return number


def _site(request: Install) -> Site:
    return request.release.namespace, request.release.name


def _is_no_older(promotion: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Of two environments, which number their promotions each for itself: the order of pushes is one."""
    return bool(promotion["sequence"] >= before["sequence"])


def _reach(worker: Worker) -> None:
    if worker.helm == "broken":
        raise TemporaryFault("the cluster cannot be reached", 30)


def _tested(worker: Worker) -> Seen:
    _reach(worker)
    return Broken("helm test: it does not answer") if worker.helm == "failed" else Done()


def _chart(release: Release) -> str:
    return f"{release.name}-1.0.0"
