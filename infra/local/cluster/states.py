"""The ReplicaSets and Pods of a Deployment, and the statuses of all of them, as pure functions.

What makes a Deployment ready or failed is read by clients from its status: kubernetes.io/docs, "Deployment status".
"""

from typing import Any

from infra.local.cluster.kinds import DEPLOYMENT, POD, REPLICA_SET, Kind, Object

_HASH = "pod-template-hash"


def replica_set(deployment: Object, template_hash: str) -> Object:
    """The ReplicaSet of the Deployment's present Pod template."""
    spec = deployment["spec"]
    name = deployment["metadata"]["name"]
    labels = {**_labels(spec["template"]), _HASH: template_hash}
    template = {**spec["template"], "metadata": {**spec["template"].get("metadata", {}), "labels": labels}}
    selector = {"matchLabels": {**spec["selector"].get("matchLabels", {}), _HASH: template_hash}}
    made = _owned_by(DEPLOYMENT, deployment, REPLICA_SET, f"{name}-{template_hash}", labels)
    return {**made, "spec": {"replicas": 0, "selector": selector, "template": template}, "status": {}}


def pod(owner: Object, suffix: str) -> Object:
    """A new Pod of a ReplicaSet."""
    template = owner["spec"]["template"]
    name = f"{owner['metadata']['name']}-{suffix}"
    made = _owned_by(REPLICA_SET, owner, POD, name, _labels(template))
    made["metadata"]["annotations"] = template["metadata"].get("annotations") or {}
    spec = {**template["spec"], "nodeName": "embedded"}
    status = {"phase": "Pending", **_containers(spec, "ContainerCreating")}
    return {**made, "spec": spec, "status": status}


def settled_pod(thing: Object, ready: str, now: str) -> Object:
    """The status of a Pod when its delay is over: running, or, when it is to run once only, succeeded."""
    if ready != "yes":  # what crashes has run; what has no image has not: kubernetes.io/docs, "Pod Lifecycle"
        phase, reason = ("Running", "CrashLoopBackOff") if ready == "fail" else ("Pending", "ImagePullBackOff")
        return {
            "phase": phase,
            "conditions": _conditions({"Ready": "False"}, now),
            **_containers(thing["spec"], reason),
        }
    phase = "Running" if thing["spec"].get("restartPolicy", "Always") == "Always" else "Succeeded"
    conditions = dict.fromkeys(("PodScheduled", "Initialized", "ContainersReady", "Ready"), "True")
    return {
        "phase": phase,
        "podIP": "10.244.0.1",
        "conditions": _conditions(conditions, now),
        **_containers(thing["spec"], ""),
    }


def settled_job(_: Object, ready: str, now: str) -> Object:
    """The status of a Job when its delay is over."""
    if ready == "yes":
        conditions = _conditions({"Complete": "True"}, now)
        return {"succeeded": 1, "startTime": now, "completionTime": now, "conditions": conditions}
    return {"failed": 1, "startTime": now, "conditions": _conditions({"Failed": "True"}, now, "BackoffLimitExceeded")}


def replica_failure(replica_set: Object, refusal: str, now: str) -> list[Object]:
    """The condition of a ReplicaSet whose Pods are refused; one that it has stays, since each Pod has a new name."""
    if not refusal:
        return []
    condition = _condition("ReplicaFailure", "True", now, "FailedCreate", None)
    return failures_of(replica_set) or [{**condition, "message": refusal}]


def failures_of(replica_set: Object) -> list[Object]:
    """The conditions of a ReplicaSet, all of which say what went wrong."""
    return list(replica_set["status"].get("conditions", ()))


def replica_set_status(pods: list[Object], generation: int, conditions: list[Object]) -> Object:
    """The status of a ReplicaSet with these Pods."""
    ready = sum(is_ready(pod) for pod in pods)
    counts = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
    told = {**_told(counts), "replicas": len(pods), "observedGeneration": generation}
    return {**told, **({"conditions": conditions} if conditions else {})}


def deployment_status(
    deployment: Object, pods: list[Object], new: list[Object], now: str, failures: list[Object]
) -> Object:
    """The status of a Deployment with these Pods, of which ``new`` are of its present template.

    :param failures: the conditions of its ReplicaSet.
    """
    wanted = deployment["spec"]["replicas"]
    ready, new_ready = sum(is_ready(pod) for pod in pods), sum(is_ready(pod) for pod in new)
    progressing = ("True", "ReplicaSetUpdated")
    if "False" in map(_readiness, new):
        progressing = ("False", "ProgressDeadlineExceeded")
    elif new_ready == wanted == len(pods):
        progressing = ("True", "NewReplicaSetAvailable")
    available = ("True", "MinimumReplicasAvailable") if ready >= wanted else ("False", "MinimumReplicasUnavailable")
    counts = {"replicas": len(pods), "updatedReplicas": len(new), "readyReplicas": ready, "availableReplicas": ready}
    old = {condition["type"]: condition for condition in deployment.get("status", {}).get("conditions", ())}
    conditions = [
        _condition(type_, status, now, reason, old.get(type_))
        for type_, (status, reason) in (("Available", available), ("Progressing", progressing))
    ]
    generation = deployment["metadata"]["generation"]
    observed = {"observedGeneration": generation, "conditions": [*conditions, *failures]}
    return {**observed, **_told({**counts, "unavailableReplicas": max(wanted - ready, 0)})}


def _told(counts: dict[str, int]) -> dict[str, int]:
    """The counts as the API server tells them: none where there is none."""
    return {name: count for name, count in counts.items() if count}


def is_ready(pod: Object) -> bool:
    """Whether the Pod's Ready condition is true."""
    return _readiness(pod) == "True"


def _readiness(pod: Object) -> str:
    """The Ready condition: empty while a Pod is starting, false when it is stuck."""
    conditions = pod["status"].get("conditions", ())
    return next((condition["status"] for condition in conditions if condition["type"] == "Ready"), "")


def _owned_by(owner_kind: Kind, owner: Object, kind: Kind, name: str, labels: dict[str, str]) -> Object:
    reference = {
        "apiVersion": owner_kind.api_version,
        "kind": owner_kind.name,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [reference],
    }
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def _containers(spec: Object, waiting: str) -> dict[str, Any]:
    """Container statuses: waiting for the named reason, or running when there is none."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    shared = {"ready": not waiting, "restartCount": int(waiting == "CrashLoopBackOff"), "state": state}
    names = [{"name": container["name"], "image": container.get("image", "")} for container in spec["containers"]]
    return {"containerStatuses": [{**name, **shared} for name in names]}


def _conditions(statuses: dict[str, str], now: str, reason: str = "") -> list[Object]:
    return [_condition(type_, status, now, reason, None) for type_, status in statuses.items()]


def _condition(type_: str, status: str, now: str, reason: str, old: Object | None) -> Object:
    if old is not None and (old["status"], old.get("reason", "")) == (status, reason):
        return old
    return {"type": type_, "status": status, "lastTransitionTime": now, "lastUpdateTime": now, "reason": reason}


def _labels(template: Object) -> dict[str, str]:
    return dict(template.get("metadata", {}).get("labels") or {})
