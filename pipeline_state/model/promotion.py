"""One promotion: one release of one environment is to run one commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from pipeline_state.model.pipelines import DIGEST, Cluster, FreezeWindow, Release

AUTOMATIC = "gatestream"
"""Who promotes what nobody asked for by name."""


class Action(StrEnum):
    """What kind of promotion it is."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    REDEPLOY = "redeploy"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What the promoter claimed and the installer carries out; every event about it can be built from this alone.

    id: `promotion_id` of it, also the id of the event that announces it.
    commit: 40 hex. sequence: the commit's place in the order of pushes on its branch.
    environment_key: `Pipeline.key_of(environment)`. releases: the names of all
        releases of the environment, this one among them.
    by: "gatestream", or the person who asked for it. reason: theirs.
    override: whether it goes ahead although the environment is frozen. freezes: windows in which it does not otherwise.
    in_order, rollback_together, force_conflicts: of the environment.
    traceparent: the W3C trace context of whoever speaks about the promotion now; empty when there is none.
    """

    id: str
    repo: str
    commit: str
    branch: str
    sequence: int
    pipeline: str
    pipeline_version: int
    environment: str
    environment_key: str
    generation: int
    release: Release
    cluster: Cluster
    releases: tuple[str, ...]
    by: str = AUTOMATIC
    action: Action = Action.PROMOTE
    reason: str = ""
    override: bool = False
    freezes: tuple[FreezeWindow, ...] = ()
    in_order: bool = False
    rollback_together: bool = False
    force_conflicts: bool = False
    traceparent: str = ""

    @property
    def is_asked_for(self) -> bool:
        """Whether a person wanted exactly this, so that an environment that is held takes it."""
        return self.by != AUTOMATIC

    @property
    def lock(self) -> str:
        """What only one Helm may work on at a time, as a FIFO group: the same for every promotion of a release.

        Hashed, because SNS takes 128 characters of a limited set.
        """
        place = json.dumps([self.cluster.name, self.cluster.region, self.release.namespace, self.release.name])
        return hashlib.sha256(place.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, all of it but the trace context, which travels as an attribute of the event."""
        data = asdict(self)
        del data["traceparent"]
        return data | {"releases": list(self.releases), "freezes": list(data["freezes"])}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], traceparent: str = "") -> Promotion:
        """The inverse of `to_dict`; keys that a later version added are ignored.

        Raises KeyError, TypeError or ValueError when the data is not a promotion.
        """
        return cls(
            id=data["id"],
            repo=data["repo"],
            commit=data["commit"],
            branch=data["branch"],
            sequence=int(data["sequence"]),
            pipeline=data["pipeline"],
            pipeline_version=int(data["pipeline_version"]),
            environment=data["environment"],
            environment_key=data["environment_key"],
            generation=int(data["generation"]),
            release=Release.from_dict(data["release"]),
            cluster=Cluster.from_dict(data["cluster"]),
            releases=tuple(data["releases"]),
            by=data["by"],
            action=Action(data.get("action", Action.PROMOTE)),
            reason=data.get("reason", ""),
            override=bool(data.get("override", False)),
            freezes=tuple(FreezeWindow.from_dict(window) for window in data.get("freezes", ())),
            in_order=bool(data.get("in_order", False)),
            rollback_together=bool(data.get("rollback_together", False)),
            force_conflicts=bool(data.get("force_conflicts", False)),
            traceparent=traceparent,
        )


def promotion_id(pipeline: str, commit: str, environment: str, release: str, generation: int) -> str:
    """The id of a promotion and of its event: 32 hex, the same for the same five, different for others (invariant I2).

    They are hashed as a JSON list, so that no name can run into its neighbour.
    """
    parts = json.dumps([pipeline, commit, environment, release, generation])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def with_digest(promotion: Promotion, digest: Any) -> Promotion:
    """The same, to be carried out with the chart of that digest.

    It is read from where anybody may have written: what is no digest changes nothing.
    """
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        return promotion
    return replace(promotion, release=replace(promotion.release, digest=digest))
