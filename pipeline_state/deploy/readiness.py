"""Whether what a release consists of is ready, from the objects as the API server has them.

The rules are kstatus's, which Helm's own --wait goes by; as with --wait-for-jobs, a Job counts once it has completed.
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline_state.model.rollout import Broken, Done, Pending, Seen

Object = Mapping[str, Any]

_MOST_TROUBLES = 3
_WAITS_WELL = frozenset({"ContainerCreating", "PodInitializing"})


def readiness(objects: Iterable[Object], related: Iterable[Object] = ()) -> Seen:
    """What the objects of a release tell together.

    objects: those that the chart made. related: the Pods that came of them, which only explain what is missing.
    """
    seen = [(_name(each), _seen(each)) for each in objects]
    troubles = "; ".join(list(pod_troubles(related))[:_MOST_TROUBLES])
    for kind in (Broken, Pending):
        whys = [f"{name}: {verdict.why}" for name, verdict in seen if isinstance(verdict, kind)]
        if whys:
            return kind("; ".join([*whys[:_MOST_TROUBLES], *([troubles] if troubles else [])]))
    return Done()


def pod_troubles(pods: Iterable[Object]) -> Iterator[str]:
    """Why Pods do not run, as the kubelet and the scheduler say it."""
    for pod in pods:
        status = pod.get("status") or {}
        statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        for container in statuses:
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") and waiting["reason"] not in _WAITS_WELL:
                yield f"{_name(pod)}: container {container.get('name')}: {_said(waiting)}"
        scheduled = _condition(pod, "PodScheduled")
        if scheduled.get("status") == "False":
            yield f"{_name(pod)}: {_said(scheduled)}"


def _seen(item: Object) -> Seen:
    if (item.get("metadata") or {}).get("deletionTimestamp"):
        return Pending("is being deleted")
    observed = _status(item).get("observedGeneration")
    if observed is not None and observed != (item.get("metadata") or {}).get("generation", observed):
        return Pending("its controller has not seen the change yet")
    return _RULES.get(item.get("kind", ""), _by_conditions)(item)


def _by_conditions(item: Object) -> Seen:
    """The conditions that kstatus asks of kinds it does not know."""
    stalled, reconciling, ready = (_condition(item, name) for name in ("Stalled", "Reconciling", "Ready"))
    if stalled.get("status") == "True":
        return Broken(_said(stalled))
    if reconciling.get("status") == "True":
        return Pending(_said(reconciling))
    return Pending(_said(ready)) if ready.get("status") in {"False", "Unknown"} else Done()


def _deployment(item: Object) -> Seen:
    progressing = _condition(item, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Broken(f"{_said(progressing)}{_refused(item)}")
    wanted = _wanted(item)
    if missing := _missing(item, wanted, ("updatedReplicas", "readyReplicas", "availableReplicas")):
        return missing
    if _count(item, "replicas") > wanted:
        return Pending(f"{_count(item, 'replicas') - wanted} old replicas still run")
    available = _condition(item, "Available")
    return Done() if available.get("status", "True") == "True" else Pending(_said(available))


def _stateful_set(item: Object) -> Seen:
    spec, status, wanted = item.get("spec") or {}, _status(item), _wanted(item)
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return Done()
    if missing := _missing(item, wanted, ("replicas", "readyReplicas")):
        return missing
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if partition:
        return _missing(item, wanted - int(partition), ("updatedReplicas",)) or Done()
    is_updated = status.get("currentRevision") == status.get("updateRevision")
    return Done() if is_updated else Pending("not all of its Pods are of the new revision")


def _daemon_set(item: Object) -> Seen:
    if "desiredNumberScheduled" not in _status(item):
        return Pending("not scheduled yet")
    wanted = _count(item, "desiredNumberScheduled")
    return _missing(item, wanted, ("updatedNumberScheduled", "numberReady", "numberAvailable")) or Done()


def _replica_set(item: Object) -> Seen:
    return _missing(item, _wanted(item), ("replicas", "readyReplicas", "availableReplicas")) or Done()


def _job(item: Object) -> Seen:
    if (failed := _condition(item, "Failed")).get("status") == "True":
        return Broken(_said(failed))
    is_complete = _condition(item, "Complete").get("status") == "True"
    return Done() if is_complete or (item.get("spec") or {}).get("suspend") else Pending("has not completed")


def _pod(item: Object) -> Seen:
    phase = _status(item).get("phase")
    if phase == "Failed":
        return Broken(str(_status(item).get("message") or "has failed"))
    if phase == "Succeeded" or _condition(item, "Ready").get("status") == "True":
        return Done()
    return Pending(next(pod_troubles([item]), f"is {phase or 'not there yet'}"))


def _claim(item: Object) -> Seen:
    phase = _status(item).get("phase")
    return Done() if phase == "Bound" else Pending(f"is {phase or 'not there yet'}, not bound")


def _definition(item: Object) -> Seen:
    refused = _condition(item, "NamesAccepted")
    if refused.get("status") == "False":
        return Broken(_said(refused))
    return Done() if _condition(item, "Established").get("status") == "True" else Pending("is not established yet")


_RULES: dict[str, Callable[[Object], Seen]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "Pod": _pod,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
}

_COUNTED = {
    "replicas": "there",
    "updatedReplicas": "updated",
    "readyReplicas": "ready",
    "availableReplicas": "available",
    "updatedNumberScheduled": "updated",
    "numberReady": "ready",
    "numberAvailable": "available",
}


def _missing(item: Object, wanted: int, counts: Iterable[str]) -> Pending | None:
    """What falls short of the wanted number first."""
    for name in counts:
        if _count(item, name) < wanted:
            return Pending(f"{_count(item, name)} of {wanted} replicas are {_COUNTED[name]}{_refused(item)}")
    return None


def _refused(item: Object) -> str:
    """Why no more Pods are made (a quota, say), as a sentence's end; empty where they are."""
    failure = _condition(item, "ReplicaFailure")
    return f"; {_said(failure)}" if failure.get("status") == "True" else ""


def _wanted(item: Object) -> int:
    replicas = (item.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _count(item: Object, name: str) -> int:
    return int(_status(item).get(name) or 0)


def _status(item: Object) -> Mapping[str, Any]:
    return item.get("status") or {}


def _condition(item: Object, name: str) -> Mapping[str, Any]:
    conditions: Iterable[Mapping[str, Any]] = _status(item).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == name), {})


def _said(about: Mapping[str, Any]) -> str:
    """Reason and message of a condition or a state, as far as there are any."""
    told = [str(about[key]) for key in ("reason", "message") if about.get(key)]
    return ": ".join(told) or "no reason given"


def _name(item: Object) -> str:
    metadata = item.get("metadata") or {}
    return "/".join(part for part in (item.get("kind", "?"), metadata.get("namespace"), metadata.get("name")) if part)
