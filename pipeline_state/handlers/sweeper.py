"""The repair loop: whatever waits is looked at again, whether or not anything has woken the promoter."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline_state.events.publish import Publisher
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers.promotion import Outcome, Promotions
from pipeline_state.handlers.redelivery import Redelivery, redelivery
from pipeline_state.handlers.waits_told import tell_overtaken
from pipeline_state.model.decision import Decision, NoPipeline, NotACandidate, Promoted, Superseded
from pipeline_state.model.gates import GateStatus
from pipeline_state.settings import read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now
from pipeline_state.table import retention, waiting
from pipeline_state.table.models import EXPIRES_AT, connect, tables_of
from pipeline_state.table.pushes import is_claimed
from pipeline_state.table.snapshot import Reader, Snapshot
from pipeline_state.table.waiting import Waiting

_RESERVE = 15.0
"""Seconds of the invocation that are left when no other repository is begun."""

_LONGEST_LOOK = 45.0
"""Seconds that asking GitHub can take."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Looks at everything that waits. now: the current time, aware. redelivery: what asks GitHub, if anything does."""

    promotions: Promotions
    now: Callable[[], datetime]
    redelivery: Redelivery | None = None

    def sweep(self, seconds_left: Callable[[], float]) -> dict[str, Any]:
        """Move on what can move, finish what was left half done, strike off what is settled; what there was, by name.

        seconds_left: of the invocation. The repositories come in a random order, so that each has its turn even where
        the time is never enough for all. Raises TemporaryFault when nothing could be looked at.
        """
        found = Outcome()
        repos: dict[str, list[Waiting]] = {}
        for each in waiting.everywhere():
            repos.setdefault(each.repo, []).append(each)
        struck_off: list[Snapshot] = []
        left = list(repos)
        random.shuffle(left)
        while left and seconds_left() > _RESERVE:
            repo = left.pop()
            try:
                self._sweep_repo(repo, repos[repo], found, struck_off)
            except (PermanentFault, TemporaryFault) as fault:
                found.faults.append(fault)
                _log.warning("%s: %s", repo, fault.reason)
        report: dict[str, Any] = {**found.counts, "faults": len(found.faults), "repositories_left": len(left)}
        if self.redelivery and seconds_left() > _LONGEST_LOOK:
            report["deliveries"] = self.redelivery.repair()
        self._tell(struck_off, seconds_left)
        return report

    def _tell(self, struck_off: list[Snapshot], seconds_left: Callable[[], float]) -> None:
        """At last, as far as the time goes: to read the past takes longer than all else, and nobody waits for it."""
        for number, snapshot in enumerate(struck_off):
            if seconds_left() <= _RESERVE:
                _log.warning("what %d commits waited for is not told: no time was left", len(struck_off) - number)
                return
            tell_overtaken(snapshot, self.now())

    def _sweep_repo(self, repo: str, listed: list[Waiting], found: Outcome, struck_off: list[Snapshot]) -> None:
        snapshots = self.promotions.look(repo, [each.commit for each in listed])
        found.add(self.promotions.promote_among(snapshots))
        by_commit = {snapshot.commit: snapshot for snapshot in snapshots}
        for each in listed:
            snapshot = by_commit.get(each.commit)
            if snapshot is None or is_settled(self._decisions(snapshot)):
                self._strike_off(each, snapshot)
                found.counts["settled"] += 1
                struck_off += [snapshot] if snapshot else []
            elif retention.is_leaving(snapshot.item, self.now()):
                retention.keep(repo, each.commit)

    def _decisions(self, snapshot: Snapshot) -> list[Decision]:
        now = self.now()
        return [
            decision for pipeline in snapshot.definitions.pipelines for decision in snapshot.decisions(pipeline, now)
        ]

    def _strike_off(self, each: Waiting, snapshot: Snapshot | None) -> None:
        """What was promoted is kept from now on; in return, what it replaced long ago is let go."""
        now = self.now()
        if snapshot and is_claimed(snapshot.item):
            retention.keep(each.repo, each.commit)
            states = [snapshot.state(pipeline, environment, now) for pipeline, environment in snapshot.places]
            places = [(state.pipeline, state.name) for state in states]
            retention.let_old_promotions_go(places, [state.head for state in states], now)
        elif snapshot and EXPIRES_AT not in snapshot.item:
            retention.let_go(each.repo, each.commit, now)
        waiting.forget(each)


def is_settled(decisions: Iterable[Decision]) -> bool:
    """Whether nothing more comes of a commit unless it is pushed again or asked for."""
    return all(map(_is_final, decisions))


def _is_final(decision: Decision) -> bool:
    match decision:
        case Promoted(published=True, deployed=gate, parked=False):
            return bool(decision.then) or (gate is not None and gate.status is not GateStatus.PENDING)
        case NotACandidate():
            return not decision.can_be_mended
        case Superseded() | NoPipeline():
            return True
    return False


def handler() -> Callable[[Callable[[], float]], dict[str, Any]]:
    """What answers the schedule, put together from the settings; given the seconds left. Raises MissingSettingError."""
    settings = read_settings(
        "gates_table", "environments_table", "journal_table", "pipelines_table", "promotion_topic_arn"
    )
    clients = Clients(settings)
    start_tracing("sweeper", settings, lambda: clients("secretsmanager"))
    connect(tables_of(settings))
    promotions = Promotions(Reader(), Publisher(clients("sns")), settings.promotion_topic_arn, utc_now)
    return Sweeper(promotions, utc_now, redelivery(settings, clients)).sweep
