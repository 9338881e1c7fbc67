"""What a decision about a commit and an environment can be. `gatestream why` prints exactly these sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline_state.model.gates import Gate, GateStatus
from pipeline_state.model.standing import SEPARATOR
from pipeline_state.model.times import parse_time

OVERDUE = timedelta(minutes=30)
"""How long a promotion may have no result: twice the time that an installation may take."""


TAKEN_BACK = "taken back"
"""What the reason of a deployed gate begins with when somebody has gone back from the commit."""


@dataclass(frozen=True, slots=True)
class _About:
    """environment: its name in the pipeline; empty when the decision is about the whole record."""

    environment: str

    @property
    def kind(self) -> str:
        """The class's name, as --json carries it."""
        return type(self).__name__

    @property
    def sentence(self) -> str:
        """The reason, for a person."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Promote(_About):
    """Everything required is passed: claim the environment.

    branch, sequence: the place the commit is promoted from. required: the gates whose values the claim must find again.
    """

    branch: str
    sequence: int
    required: tuple[str, ...]

    @property
    def sentence(self) -> str:
        gates = (
            f"its {len(self.required)} required gates are" if len(self.required) != 1 else "its one required gate is"
        )
        return f"goes to {self.environment} now: {gates} passed"


@dataclass(frozen=True, slots=True)
class Promoted(_About):
    """Claimed already.

    at: RFC 3339. deployed: the gate that tells how the deployment went, once it is there. then: the commit that was
    promoted there after it; empty while it is the last. barred: what its installation waits for, if it does.
    parked: whether it is put aside, until the way is free. told_at: when it was last announced (RFC 3339); repeats: how
    often that was once more, since nothing had come of it. busy_until: when whoever works on it has to be done.
    standing: how its releases stand, while it is not deployed; empty where nothing is known.
    """

    at: str
    generation: int
    published: bool
    deployed: Gate | None
    then: str = ""
    barred: Frozen | Held | None = None
    parked: bool = False
    told_at: str = ""
    repeats: int = 0
    busy_until: str = ""
    standing: str = ""

    @property
    def is_open(self) -> bool:
        """Whether a result is still to come."""
        return not self.then and (self.deployed is None or self.deployed.status is GateStatus.PENDING)

    def is_overdue(self, now: datetime) -> bool:
        """Whether it was announced long ago, nobody works on it, it waits for nothing, and still has no result."""
        times = [parse_time(self.told_at or self.at), parse_time(self.busy_until)]
        since = max((each for each in times if each), default=None)
        return self.published and self.is_open and not self.parked and since is not None and now - since > OVERDUE

    @property
    def sentence(self) -> str:
        gate, promoted = self.deployed, f"promoted to {self.environment} at {self.at}"
        if gate is None or gate.status == "pending":
            return f"{promoted}{self._why_not_yet}"
        then = f", followed by {self.then[:12]}" if self.then else ""
        if gate.status == "failed":
            return f"{promoted}, but {self._why_not}{then}"
        return f"deployed to {self.environment} at {gate.at or 'an unknown time'}{then}"

    @property
    def _why_not_yet(self) -> str:
        if self.barred:
            return f", but {self.barred.state}{f'; so far: {self.standing}' if self.standing else ''}"
        told = self.standing or (self.deployed and self.deployed.reason)
        return f"; not deployed yet{f': {told}' if told else ''}"

    @property
    def _why_not(self) -> str:
        """What a gate that failed means, and what to do about it while the commit is the last one there."""
        reason = (self.deployed and self.deployed.reason) or "no reason given"
        if reason.startswith(TAKEN_BACK):
            return reason
        told = self.standing or reason
        if self.then:
            return f"the deployment failed: {told}"
        again = "push a commit, or try this one again with `gatestream redeploy`"
        return f"the deployment failed: {told}{SEPARATOR if SEPARATOR in told else '; '}{again}"


@dataclass(frozen=True, slots=True)
class Wait(_About):
    """Required gates are pending."""

    missing: tuple[Gate, ...]

    @property
    def sentence(self) -> str:
        return (
            f"waits for {', '.join(f'{gate.name} ({gate.note})' if gate.note else gate.name for gate in self.missing)}"
        )


@dataclass(frozen=True, slots=True)
class Blocked(_About):
    """Required gates failed; opening them lets the commit go on."""

    failed: tuple[Gate, ...]

    @property
    def sentence(self) -> str:
        names = (f"{gate.name} ({gate.reason})" if gate.reason else gate.name for gate in self.failed)
        return f"blocked: {', '.join(names)} failed"


@dataclass(frozen=True, slots=True)
class Soaking(_About):
    """It has to have been deployed in the environments before for a while: until a time (RFC 3339)."""

    until: str

    @property
    def sentence(self) -> str:
        return f"soaks until {self.until} before it goes to {self.environment}"


@dataclass(frozen=True, slots=True)
class Queued(_About):
    """The environment takes every commit in order, and another one goes first.

    behind: that commit. under_way: whether it is being deployed; otherwise it is still to be promoted.
    """

    behind: str
    under_way: bool

    @property
    def sentence(self) -> str:
        doing = "which is being deployed" if self.under_way else "which goes first"
        return f"ready, but queued for {self.environment} behind {self.behind[:12]}, {doing}"


@dataclass(frozen=True, slots=True)
class Superseded(_About):
    """The environment already has the same or a newer push, or was taken back before this one was deployed.

    is_newer: whether that is the newer push. at: the environment before this one where it happened, so that it can
    never come from there; empty where it was here.
    """

    by: str
    is_newer: bool = True
    at: str = ""

    @property
    def sentence(self) -> str:
        if self.at:
            return f"superseded on its way to {self.environment}: {self.by[:12]} took its place in {self.at}"
        if self.is_newer:
            return f"superseded in {self.environment} by the newer commit {self.by[:12]}"
        return f"superseded in {self.environment} by {self.by[:12]}, to which somebody went back"


@dataclass(frozen=True, slots=True)
class Frozen(_About):
    """Nothing is promoted there until a time (RFC 3339; empty: until somebody ends it)."""

    until: str
    by: str
    reason: str = ""

    @property
    def state(self) -> str:
        """What the environment is."""
        until = f" until {self.until}" if self.until else ""
        frozen = f"{self.environment} is frozen by {self.by or 'somebody'}{until}"
        return f"{frozen}: {self.reason}" if self.reason else frozen

    @property
    def sentence(self) -> str:
        return f"ready, but {self.state}"


@dataclass(frozen=True, slots=True)
class Held(_About):
    """The environment is pinned to what runs there."""

    by: str
    reason: str = ""

    @property
    def state(self) -> str:
        """What the environment is."""
        held = f"{self.environment} is held by {self.by or 'somebody'}"
        return f"{held}: {self.reason}" if self.reason else held

    @property
    def sentence(self) -> str:
        return f"ready, but {self.state}"


@dataclass(frozen=True, slots=True)
class NotACandidate(_About):
    """The commit can never go there as it is. can_be_mended: whether somebody's edit of its record is what bars it."""

    why: str
    can_be_mended: bool = False

    @property
    def sentence(self) -> str:
        return f"not a candidate: {self.why}"


@dataclass(frozen=True, slots=True)
class NoPipeline(_About):
    """The repository has no pipeline."""

    repo: str

    @property
    def sentence(self) -> str:
        return f"{self.repo} has no pipeline; define one and run `gatestream pipelines apply`"


Decision = (
    Promote | Promoted | Wait | Blocked | Soaking | Queued | Superseded | Frozen | Held | NotACandidate | NoPipeline
)
