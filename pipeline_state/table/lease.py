"""What asking for a release's lease comes to, and giving it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """The lease is ours until its deadline. verified: the last revision known to have become ready; 0 if none is."""

    verified: int = 0


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A newer promotion has claimed the environment: this one is not to be installed.

    generation: the newer one's. parked: the event that waits for the lease, if one does and nobody holds it.
    """

    generation: int
    parked: str | None


@dataclass(frozen=True, slots=True)
class Finished:
    """The promotion was carried out before. outcome: what `finish` was given. parked: as above.

    outcomes: of all releases of the promotion that have one, by name.
    """

    outcome: Mapping[str, Any]
    parked: str | None
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Busy:
    """Another invocation holds the lease until a time (epoch seconds).

    same: for this very promotion. Its message then comes back by itself; it may also be one that died, with nobody left
    to publish what is parked. parked: the event that waits for the lease; "" where none does.
    """

    until: int
    same: bool
    parked: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Watched:
    """The promotion has been applied itself, and whether it works is being watched, until a time (epoch seconds).

    Where that is past, nobody may be watching any more.
    """

    until: int


@dataclass(frozen=True, slots=True)
class Barred:
    """The environment has been closed since the claim: the promotion waits until it is open again.

    why: a sentence. parked: as of `Busy`.
    """

    why: str
    parked: str = field(default="", compare=False)


Lease = Taken | Overtaken | Finished | Busy | Watched | Barred


@dataclass(frozen=True, slots=True)
class Ended:
    """The lease is given back. parked: the event that waits for it, or "". outcomes: as of `Finished`."""

    parked: str
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)
