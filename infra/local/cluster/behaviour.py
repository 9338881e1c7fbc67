"""How a workload is to behave, as its annotations say."""

import re
from dataclasses import dataclass

from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import Object

READY_AFTER = "cluster.gatestream.dev/ready-after"
READY = "cluster.gatestream.dev/ready"
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Whether Pods become ready (yes, never, fail), and after how many seconds."""

    ready: str
    delay: float


def behaviour(workload: Object, ready_after: float) -> Behaviour:
    """What the workload's annotations ask for; ``ready_after`` seconds and yes, unless they say otherwise.

    :raises ApiError: 422 naming the annotation that cannot be read.
    """
    template = workload.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations") or {}
    annotations = {**template, **(workload["metadata"].get("annotations") or {})}
    ready = annotations.get(READY, "yes")
    if ready not in {"yes", "never", "fail"}:
        raise ApiError(422, "Invalid", f"annotation {READY}: {ready!r} is none of yes, never, fail")
    return Behaviour(ready, _seconds(annotations[READY_AFTER]) if READY_AFTER in annotations else ready_after)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|)", text.strip())
    if match is None:
        raise ApiError(
            422, "Invalid", f'annotation {READY_AFTER}: {text!r} is no delay such as "0.2s", "200ms" or "1m"'
        )
    return float(match[1]) * _UNITS[match[2]]
