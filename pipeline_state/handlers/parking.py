"""Promotions that were put aside while their environment was closed are announced once more when it is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline_state.events.codec import decode
from pipeline_state.events.deployment import promoted, read_promotion
from pipeline_state.events.publish import Publisher
from pipeline_state.handlers.announced import mark_and_count
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.times import format_time
from pipeline_state.table import leases, withdrawals
from pipeline_state.table.claims import mark_repeated
from pipeline_state.table.snapshot import EVERYTHING, Snapshot


@dataclass(frozen=True, slots=True)
class Parking:
    """What the installer has put aside. topic_arn: of the promotions' FIFO topic. now: the current time, aware."""

    publisher: Publisher
    topic_arn: str
    now: Callable[[], datetime]

    def resume(self, snapshot: Snapshot) -> int:
        """Announce what is parked in a repository's environments where the way is free; how many releases it was.

        Where an invocation works on the release, that one announces it when it is done. Raises TemporaryFault and
        PermanentFault.
        """
        return sum(
            self._resume(snapshot, pipeline, environment, release)
            for pipeline, environment in snapshot.places
            for release in self._idle(snapshot, pipeline, environment)
        )

    def _idle(self, snapshot: Snapshot, pipeline: Pipeline, environment: Environment) -> list[str]:
        """The parked releases that nobody works on."""
        now = self.now()
        state = snapshot.state(pipeline, environment, now)
        return [release for release in state.parked if state.leased.get(release, 0) < now.timestamp()]

    def _resume(self, snapshot: Snapshot, pipeline: Pipeline, environment: Environment, release: str) -> bool:
        raw = snapshot.environments[pipeline.name, environment.name]
        text = leases.parked_event(raw, release)
        event = decode(text)
        promotion = read_promotion(event)
        if promotion.freezes != environment.freezes:  # whatever was applied since counts here as it does for a claim
            promotion = replace(promotion, freezes=environment.freezes)
            event = promoted(promotion, at=event.get_time() or self.now())
        if _is_left(snapshot, environment, promotion):
            if not self._end(promotion):
                return False
        elif leases.bar(promotion, raw, snapshot.environments.get(EVERYTHING, {}), self.now()):
            return False
        self.publisher.publish_again(event, self.topic_arn, group=promotion.lock)
        leases.unpark(promotion, text)
        if not mark_and_count(promotion, self.now()):  # as its promoter may have died before that
            mark_repeated(promotion, self.now())
        return True

    def _end(self, promotion: Promotion) -> bool:
        """Write down that it never begins, so that whoever gets it tells so; False where it has begun after all."""
        reason = f"not begun, since {promotion.environment} does not install it any more"
        told = {"kind": "failed", "at": format_time(self.now()), "reason": reason, "begun": False}
        withdrawals.skip(promotion, told)
        now = self.now().timestamp()
        return leases.finished(promotion, now) is not None or leases.is_overtaken(promotion, now)


def _is_left(snapshot: Snapshot, environment: Environment, promotion: Promotion) -> bool:
    """Whether the release has gone from the environment by what was applied since.

    A person may have asked for what was there once, as long as no other environment installs it: that one's lease would
    not keep a second Helm away.
    """
    if promotion.release.name in {release.name for release in environment.releases}:
        return False
    places = ((each.cluster, release) for _, each in snapshot.places for release in each.releases)
    locks = {replace(promotion, cluster=cluster, release=release).lock for cluster, release in places}
    return not promotion.is_asked_for or promotion.lock in locks
