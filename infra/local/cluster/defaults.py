"""What the API server fills in on a write, as far as Helm, kubectl and the controller look at it."""

import base64
from typing import Any

from infra.local.cluster.behaviour import behaviour
from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import DEPLOYMENT, JOB, POD, Kind, Object, Route

_SPECS: dict[str, dict[str, Any]] = {
    "Deployment": {"replicas": 1, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10},
    "Service": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "sessionAffinity": "None"},
    "Job": {"completions": 1, "parallelism": 1, "backoffLimit": 6},
    "Pod": {"restartPolicy": "Always"},
}
_REQUIRED = {"Deployment": ("selector", "template"), "Job": ("template",), "Pod": ("containers",)}
_STATUSES: dict[str, dict[str, Any]] = {
    "Namespace": {"phase": "Active"},
    "Service": {"loadBalancer": {}},
    "Pod": {"phase": "Pending"},
}


def completed(where: Route, thing: Object, live: Object | None, suffix: str) -> Object:
    """The object as it is stored: placed, named, with defaults, and with the live status.

    :param suffix: what a ``generateName`` is completed with.
    :raises ApiError: 400 when the body is of another kind or place than the path, or has no name.
    """
    kind = where.kind
    if thing.get("kind", kind.name) != kind.name:
        raise ApiError(400, "BadRequest", f"the path takes a {kind.name}, the body is a {thing['kind']}")
    filled = {**thing, "apiVersion": kind.api_version, "kind": kind.name, "metadata": _metadata(where, thing, suffix)}
    if kind.name in _SPECS:
        filled["spec"] = {**_SPECS[kind.name], **(thing.get("spec") or {})}
    _check(kind, filled)
    status = live.get("status") if live else _STATUSES.get(kind.name)
    filled = {key: value for key, value in filled.items() if key != "status"} | ({"status": status} if status else {})
    return _secret(filled) if kind.name == "Secret" else filled


def _check(kind: Kind, thing: Object) -> None:
    missing = [field for field in _REQUIRED.get(kind.name, ()) if not thing.get("spec", {}).get(field)]
    if missing:
        raise _invalid(kind, thing, f"spec.{missing[0]}: Required value")
    replicas = thing.get("spec", {}).get("replicas", 0)
    if not isinstance(replicas, int):
        raise _unreadable(kind, "replicas", replicas, "int32")
    if replicas < 0:
        raise _invalid(kind, thing, f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0")
    if kind in {DEPLOYMENT, JOB, POD}:
        behaviour(thing, 0)


def _invalid(kind: Kind, thing: Object, fault: str) -> ApiError:
    """In the API server's words, which clients and people know."""
    qualified = f"{kind.name}.{kind.group}" if kind.group else kind.name
    return ApiError(422, "Invalid", f'{qualified} "{thing["metadata"]["name"]}" is invalid: {fault}')


def _unreadable(kind: Kind, field: str, value: object, wanted: str) -> ApiError:
    """The same, for a value of another type than the field's."""
    found = {str: "string", bool: "bool", dict: "object", list: "array"}.get(type(value), "number")
    said = f"json: cannot unmarshal {found} into Go struct field {kind.name}Spec.spec.{field} of type {wanted}"
    about = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}'
    return ApiError(400, "BadRequest", f"{about}: {said}")


def _metadata(where: Route, thing: Object, suffix: str) -> dict[str, Any]:
    metadata = thing.get("metadata") or {}
    name = (
        metadata.get("name")
        or where.name
        or (metadata["generateName"] + suffix if metadata.get("generateName") else "")
    )
    if not name:
        raise ApiError(422, "Invalid", f"{where.kind.name} has neither metadata.name nor metadata.generateName")
    if where.name not in {"", name} or metadata.get("namespace", where.namespace) != where.namespace:
        place = f"{metadata.get('namespace', '')}/{name}"
        raise ApiError(
            400, "BadRequest", f"{place} of the body does not match {where.namespace}/{where.name} of the path"
        )
    placed = {**metadata, "name": name}
    if where.kind.namespaced:
        placed["namespace"] = where.namespace
    if where.kind.name == "Namespace":
        placed["labels"] = {"kubernetes.io/metadata.name": name, **(metadata.get("labels") or {})}
    return placed


def _secret(secret: Object) -> Object:
    plain = {name: base64.b64encode(text.encode()).decode() for name, text in secret.get("stringData", {}).items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    return {"type": "Opaque", **rest, "data": {**(secret.get("data") or {}), **plain}}
