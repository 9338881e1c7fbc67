"""From an installation to a verdict that takes longer: what is handed over, and the message that has it looked at."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline_state import tracing
from pipeline_state.deploy import Applied, Install
from pipeline_state.events.codec import encode
from pipeline_state.events.deployment import promoted
from pipeline_state.events.publish import Queue
from pipeline_state.model.pipelines import Release
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.rollout import Phase, Rollout, phases_of

RESERVE = 10
"""Seconds of an invocation that are kept for publishing the result."""

GRACE = 1800
"""Seconds that a lease outlasts what its rollout waits for: in the end there may be a rollback, and retries of it."""


def wanted(promotion: Promotion, verified: int) -> Install:
    """What is to be installed. verified: the release's last revision known to have become ready; 0 if none is."""
    return Install(
        promotion.release,
        promotion.cluster,
        promotion.commit,
        promotion.id,
        force_conflicts=promotion.force_conflicts,
        verified=verified,
        anew=promotion.action is Action.REDEPLOY,
    )


def begun(applied: Applied, release: Release, since: float, now: float) -> Rollout:
    """The rollout of a release that Helm has applied, in its first phase. Times in epoch seconds."""
    phase = phases_of(release)[1] if applied.is_ready else Phase.READY
    rollout = Rollout(
        revision=applied.revision,
        chart=applied.chart,
        digest=applied.digest,
        action=applied.action,
        previous=applied.previous,
        begun=since,
        since=now,
        until=now,
        healed=applied.healed,
        helm_seconds=applied.helm_seconds,
    )
    return rollout.entering(phase, release, now)


def look_later(rollouts: Queue, promotion: Promotion, seconds: int) -> None:
    """Have the release looked at after so many seconds, 900 at most. Raises TemporaryFault."""
    with tracing.span("look again later", seconds=seconds):
        message = encode(promoted(promotion, at=datetime.now(UTC)))
        rollouts.send(message.body, message.attributes, delay_seconds=seconds)
