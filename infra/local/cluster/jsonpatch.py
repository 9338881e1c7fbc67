"""JSON Patch, RFC 6902: what Helm 4 rewrites the owners of fields with, where Helm 3 has made a release.

``move`` and ``copy`` are left out: no client of this cluster sends them.
"""

import copy
from typing import Any

from infra.local.cluster.errors import ApiError

MEDIA_TYPE = "application/json-patch+json"


def patched(live: Any, operations: list[dict[str, Any]]) -> Any:
    """A copy of the live value with the operations done, in their order.

    :raises ApiError: 422 for a test that fails, a place that is not there, an operation other than these.
    """
    whole = {"": copy.deepcopy(live)}
    for operation in operations:
        *way, last = operation["path"].split("/")
        place: Any = whole
        for step in way:
            place = _at(place, step)
        _do(place, _read(last), operation)
    return whole[""]


def _do(place: Any, last: str, operation: dict[str, Any]) -> None:
    kind, value = operation["op"], operation.get("value")
    if kind == "add" and isinstance(place, list):
        place.insert(len(place) if last == "-" else int(last), value)
        return
    if kind not in {"add", "replace", "remove", "test"}:
        raise ApiError(422, "Invalid", f"the embedded cluster does not know the JSON patch operation {kind!r}")
    found = None if kind == "add" else _at(place, last)
    if kind == "test" and found != value:
        raise ApiError(422, "Invalid", f"the JSON patch's test of {operation['path']} failed")
    key = int(last) if isinstance(place, list) else last
    if kind == "remove":
        del place[key]
    elif kind != "test":
        place[key] = value


def _at(place: Any, step: str) -> Any:
    try:
        return place[int(step)] if isinstance(place, list) else place[_read(step)]
    except (LookupError, TypeError, ValueError) as error:
        raise ApiError(422, "Invalid", f"the JSON patch leads to {step!r}, which is not there") from error


def _read(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
