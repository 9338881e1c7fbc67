"""Promotions that were put aside while their environment was closed are announced once more when it is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipeline_state.events.codec import decode
from pipeline_state.events.deployment import read_promotion
from pipeline_state.events.publish import Publisher
from pipeline_state.handlers.announced import mark_and_count
from pipeline_state.model.pipelines import Environment, Pipeline
from pipeline_state.table import leases
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
        if leases.bar(promotion, raw, snapshot.environments.get(EVERYTHING, {}), self.now()):
            return False
        self.publisher.publish_again(event, self.topic_arn, group=promotion.lock)
        leases.unpark(promotion, text)
        if not mark_and_count(promotion, self.now()):  # as its promoter may have died before that
            mark_repeated(promotion, self.now())
        return True
