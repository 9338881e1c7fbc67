"""Lists as ``kubectl get`` prints them: the server makes the columns (``meta.k8s.io/v1`` Table)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from infra.local.cluster.kinds import Kind, Object

Cell = Callable[[Object], Any]
Column = tuple[str, Cell]


def table(kind: Kind, things: list[Object], now: str, revision: str) -> Object:
    """The objects as rows. Columns after ``Age`` are shown by ``-o wide`` only.

    :param now: RFC 3339 UTC, from which the age is counted.
    """
    columns = [("Name", _name), *_COLUMNS.get(kind.plural, ()), ("Age", lambda thing: _age(thing, now))]
    wide = _WIDE.get(kind.plural, ())
    definitions = [_definition(name, priority=0) for name, _ in columns] + [
        _definition(name, priority=1) for name, _ in wide
    ]
    rows = [{"cells": [cell(thing) for _, cell in (*columns, *wide)], "object": _partial(thing)} for thing in things]
    metadata = {"resourceVersion": revision}
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**head, "columnDefinitions": definitions, "rows": rows}


def _definition(name: str, *, priority: int) -> Object:
    kind_of = "name" if name == "Name" else ""
    return {"name": name, "type": "string", "format": kind_of, "description": "", "priority": priority}


def _partial(thing: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}


def _name(thing: Object) -> str:
    return str(thing["metadata"]["name"])


def _age(thing: Object, now: str) -> str:
    seconds = int((_time(now) - _time(thing["metadata"]["creationTimestamp"])).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _at(path: str, default: object = "<none>") -> Cell:
    def cell(thing: Any) -> Any:
        for name in path.split("."):
            thing = thing.get(name) if isinstance(thing, dict) else None
        return default if thing is None else thing

    return cell


def _ready_replicas(thing: Object) -> str:
    return f"{_at('status.readyReplicas', 0)(thing)}/{_at('spec.replicas', 0)(thing)}"


def _containers(field: str, path: str = "spec.template.spec.containers") -> Cell:
    return lambda thing: ",".join(str(container.get(field, "")) for container in _at(path, [])(thing))


def _ready_containers(pod: Object) -> str:
    statuses = _at("status.containerStatuses", [])(pod)
    return f"{sum(status['ready'] for status in statuses)}/{len(pod['spec']['containers'])}"


def _restarts(pod: Object) -> int:
    return sum(status["restartCount"] for status in _at("status.containerStatuses", [])(pod))


def _pod_status(pod: Object) -> str:
    waiting = (_at("state.waiting.reason", "")(status) for status in _at("status.containerStatuses", [])(pod))
    return next((reason for reason in waiting if reason), str(_at("status.phase")(pod)))


def _labels_selected(thing: Object) -> str:
    selector = _at("spec.selector", {})(thing)
    return ",".join(f"{key}={value}" for key, value in selector.get("matchLabels", selector).items()) or "<none>"


def _ports(service: Object) -> str:
    ports = _at("spec.ports", [])(service)
    return ",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in ports) or "<none>"


_COLUMNS: dict[str, tuple[Column, ...]] = {
    "configmaps": (("Data", lambda thing: len(thing.get("data") or {})),),
    "deployments": (
        ("Ready", _ready_replicas),
        ("Up-to-date", _at("status.updatedReplicas", 0)),
        ("Available", _at("status.availableReplicas", 0)),
    ),
    "jobs": (("Completions", lambda job: f"{_at('status.succeeded', 0)(job)}/{_at('spec.completions', 1)(job)}"),),
    "namespaces": (("Status", _at("status.phase")),),
    "pods": (("Ready", _ready_containers), ("Status", _pod_status), ("Restarts", _restarts)),
    "replicasets": (
        ("Desired", _at("spec.replicas", 0)),
        ("Current", _at("status.replicas", 0)),
        ("Ready", _at("status.readyReplicas", 0)),
    ),
    "secrets": (("Type", _at("type")), ("Data", lambda thing: len(thing.get("data") or {}))),
    "services": (
        ("Type", _at("spec.type")),
        ("Cluster-IP", _at("spec.clusterIP")),
        ("External-IP", _at("spec.externalName")),
        ("Port(s)", _ports),
    ),
}
_WORKLOAD: tuple[Column, ...] = (
    ("Containers", _containers("name")),
    ("Images", _containers("image")),
    ("Selector", _labels_selected),
)
_WIDE: dict[str, tuple[Column, ...]] = {
    "deployments": _WORKLOAD,
    "pods": (("IP", _at("status.podIP")), ("Node", _at("spec.nodeName"))),
    "replicasets": _WORKLOAD,
    "services": (("Selector", _labels_selected),),
}
