"""What a commit's waits depend on beside its record and journals: what its pipelines were before, who overtook it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_state.model.entries import Doer
from pipeline_state.model.pipelines import Pipeline


@dataclass(frozen=True, slots=True)
class Former:
    """The pipelines that a repository had until others were applied. until: when that was. doer: who did it."""

    pipelines: tuple[Pipeline, ...]
    until: datetime
    doer: Doer


@dataclass(frozen=True, slots=True)
class Overtaking:
    """The promotion that took the place which a commit had not come to. doer: who had it promoted."""

    at: datetime
    doer: Doer


@dataclass(frozen=True, slots=True)
class Past:
    """former: oldest first; none where the pipelines are what they always were. overtaken: by `Pipeline.key_of`."""

    former: tuple[Former, ...] = ()
    overtaken: Mapping[str, Overtaking] = field(default_factory=dict)


NO_PAST = Past()
"""Of a commit whose pipelines have always been as they are, and that nobody overtook."""
