"""A rollout that outlasts its invocation: what is looked for next, and what follows from what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from pipeline_state.model.pipelines import Release, Verification
from pipeline_state.model.times import from_epoch

SOONEST, LATEST = 10, 300
"""Seconds between two looks: a tenth of the time that has passed, within these bounds."""


class Phase(StrEnum):
    """What a rollout waits for; one after the other."""

    READY = "ready"
    """Everything that the chart made is ready."""

    TEST = "test"
    """`helm test` has passed."""

    VERIFY = "verify"
    """What the release is to be verified by says yes."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A release that Helm has applied and that has no verdict yet.

    revision, chart, digest, action, healed, helm_seconds: as of `deploy.Deployed`. previous: the revision to go back
    to; 0 when there was none that was ever verified. begun: when the installation was; since, until: when its phase
    began and has to end; all in epoch seconds. failed: why it has to go back; once it says so, nothing else counts,
    since going back may be what mends the site that it is verified by.
    """

    revision: int
    chart: str
    digest: str
    action: str
    previous: int
    begun: float
    since: float
    until: float
    phase: Phase = Phase.READY
    healed: str = ""
    helm_seconds: float = 0.0
    failed: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Rollout:
        """The inverse of `to_dict`; keys that a later version added are ignored."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(**{**known, "phase": Phase(data["phase"])})

    def told(self, verify: Verification | None = None) -> str:
        """What it waits for, until when, and what else becomes of it. verify: what it is to be verified by."""
        verified = f"to be verified by {verify.name}" if verify else "to be verified"
        doing = {Phase.READY: "becoming ready", Phase.TEST: "being tested", Phase.VERIFY: verified}[self.phase]
        else_ = f"rolled back to revision {self.previous}" if self.previous else "uninstalled"
        if self.failed:
            return f"applied as revision {self.revision}, and being {else_}: {self.failed}"
        until = from_epoch(int(self.until))
        return f"applied as revision {self.revision}, {doing} until {until} at the latest, or else {else_}"

    def entering(self, phase: Phase, release: Release, now: float) -> Rollout:
        """The same in another phase, from now on."""
        return replace(self, phase=phase, since=now, until=now + seconds_of(phase, release))


@dataclass(frozen=True, slots=True)
class Done:
    """What the phase waits for has come."""


@dataclass(frozen=True, slots=True)
class Pending:
    """It has not come yet, and may still. why: what is missing."""

    why: str


@dataclass(frozen=True, slots=True)
class Broken:
    """It will not come. why: as the cluster, the test or the gate says it."""

    why: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """Whether it has come could not be found out. why: what was in the way."""

    why: str


Seen = Done | Pending | Broken | Unseen


@dataclass(frozen=True, slots=True)
class Enter:
    """The phase has ended well: on to the next one."""

    rollout: Rollout


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Nothing to do for so many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Verified:
    """The deployment counts."""


@dataclass(frozen=True, slots=True)
class GoBack:
    """The deployment has failed, and is to be rolled back."""

    reason: str


Step = Enter | LookAgain | Verified | GoBack | Unseen
"""Unseen: its time is up, and it has to be looked at once more, since only what was seen is a verdict."""


def phases_of(release: Release) -> tuple[Phase, ...]:
    """What a release has to go through."""
    wanted = {Phase.READY: True, Phase.TEST: release.test, Phase.VERIFY: release.verify is not None}
    return tuple(phase for phase, is_wanted in wanted.items() if is_wanted)


def seconds_of(phase: Phase, release: Release) -> int:
    """How long a phase may take; tests have what is left of their invocation, and the release's timeout at most."""
    return release.verify.within if phase is Phase.VERIFY and release.verify else release.timeout


def next_step(rollout: Rollout, release: Release, seen: Seen, now: float) -> Step:
    """What follows from what was seen at a time (epoch seconds)."""
    match seen:
        case Broken(why):
            return GoBack(why)
        case Pending(why) if now >= rollout.until:
            return GoBack(f"{_OVERDUE[rollout.phase]} within {_duration(rollout.until - rollout.since)}: {why}")
        case Unseen() if now >= rollout.until:
            return seen
        case Pending() | Unseen():
            return LookAgain(delay(rollout, now))
    later = (
        phases_of(release)[phases_of(release).index(rollout.phase) + 1 :] if rollout.phase in phases_of(release) else ()
    )
    return Enter(rollout.entering(later[0], release, now)) if later else Verified()


def delay(rollout: Rollout, now: float) -> int:
    """Seconds until the next look: the longer it has taken, the longer; but not beyond the end of the phase."""
    patience = min(LATEST, max(SOONEST, int((now - rollout.since) / 10)))
    return max(1, min(patience, int(rollout.until - now) + 1))


_OVERDUE = {
    Phase.READY: "not ready",
    Phase.TEST: "helm test did not end",
    Phase.VERIFY: "not verified",
}


def _duration(seconds: float) -> str:
    whole = round(seconds)
    for size, unit in ((3600, "h"), (60, "m")):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"
