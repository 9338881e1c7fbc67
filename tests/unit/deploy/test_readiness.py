"""Whether a release is ready, by the objects that the API server shows, in every state their controllers report."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_state.deploy.readiness import pod_troubles, readiness
from pipeline_state.model.rollout import Broken, Done, Pending, Seen


def item(kind: str, status: dict[str, Any], spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    about = {"name": "web", "namespace": "shop", "generation": 2} | metadata
    return {"kind": kind, "metadata": about, "spec": spec or {}, "status": status}


def condition(name: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": name, "status": status, "reason": reason, "message": message}


REFUSED = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: small")
AVAILABLE = {"conditions": [condition("Available", "True", "MinimumReplicasAvailable")]}
THREE = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
SETS = {"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "currentRevision": "b", "updateRevision": "b"}
DAEMONS = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2}
SLOW = condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out progressing")


@pytest.mark.parametrize(
    "kind,status,spec,expected",
    [
        ("Deployment", THREE | AVAILABLE, {"replicas": 3}, Done()),
        ("Deployment", {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}, {}, Done()),
        ("Deployment", {}, {"replicas": 0}, Done()),
        ("Deployment", {}, {}, Pending("0 of 1 replicas are updated")),
        ("Deployment", THREE | {"updatedReplicas": 2}, {"replicas": 3}, Pending("2 of 3 replicas are updated")),
        ("Deployment", THREE | {"readyReplicas": 1}, {"replicas": 3}, Pending("1 of 3 replicas are ready")),
        ("Deployment", THREE | {"availableReplicas": None}, {"replicas": 3}, Pending("0 of 3 replicas are available")),
        ("Deployment", THREE | {"replicas": 5}, {"replicas": 3}, Pending("2 old replicas still run")),
        (
            "Deployment",
            THREE | {"observedGeneration": 1},
            {"replicas": 3},
            Pending("its controller has not seen the change yet"),
        ),
        ("Deployment", THREE | {"observedGeneration": 2} | AVAILABLE, {"replicas": 3}, Done()),
        (
            "Deployment",
            {"conditions": [SLOW]},
            {"replicas": 3},
            Broken("ProgressDeadlineExceeded: has timed out progressing"),
        ),
        (
            "Deployment",
            THREE | {"conditions": [condition("Available", "False", "MinimumReplicasUnavailable")]},
            {"replicas": 3},
            Pending("MinimumReplicasUnavailable"),
        ),
        (
            "Deployment",
            THREE | {"updatedReplicas": 2, "conditions": [REFUSED]},
            {"replicas": 3},
            Pending("2 of 3 replicas are updated; FailedCreate: exceeded quota: small"),
        ),
        (
            "Deployment",
            THREE | {"updatedReplicas": 2, "conditions": [REFUSED | {"status": "False"}]},
            {"replicas": 3},
            Pending("2 of 3 replicas are updated"),
        ),
        (
            "Deployment",
            {"conditions": [SLOW, REFUSED]},
            {"replicas": 3},
            Broken(
                "ProgressDeadlineExceeded: has timed out progressing; FailedCreate: exceeded quota: small",
            ),
        ),
        (
            "ReplicaSet",
            {"replicas": 1, "conditions": [REFUSED]},
            {"replicas": 2},
            Pending("1 of 2 replicas are there; FailedCreate: exceeded quota: small"),
        ),
        ("StatefulSet", SETS, {"replicas": 2}, Done()),
        ("StatefulSet", {}, {"updateStrategy": {"type": "OnDelete"}}, Done()),
        ("StatefulSet", SETS | {"readyReplicas": 0}, {"replicas": 2}, Pending("0 of 2 replicas are ready")),
        (
            "StatefulSet",
            SETS | {"currentRevision": "a"},
            {"replicas": 2},
            Pending("not all of its Pods are of the new revision"),
        ),
        (
            "StatefulSet",
            SETS | {"currentRevision": "a", "updatedReplicas": 1},
            {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
            Done(),
        ),
        (
            "StatefulSet",
            SETS | {"updatedReplicas": 0},
            {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
            Pending("0 of 1 replicas are updated"),
        ),
        ("DaemonSet", DAEMONS, {}, Done()),
        ("DaemonSet", {}, {}, Pending("not scheduled yet")),
        ("DaemonSet", DAEMONS | {"numberReady": 1}, {}, Pending("1 of 2 replicas are ready")),
        ("ReplicaSet", {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}, {}, Done()),
        ("ReplicaSet", {"replicas": 1}, {}, Pending("0 of 1 replicas are ready")),
        ("Job", {"conditions": [condition("Complete", "True")]}, {}, Done()),
        ("Job", {"active": 1}, {}, Pending("has not completed")),
        ("Job", {}, {"suspend": True}, Done()),
        (
            "Job",
            {"conditions": [condition("Failed", "True", "BackoffLimitExceeded")]},
            {},
            Broken("BackoffLimitExceeded"),
        ),
        ("Pod", {"phase": "Succeeded"}, {}, Done()),
        ("Pod", {"phase": "Running", "conditions": [condition("Ready", "True")]}, {}, Done()),
        ("Pod", {"phase": "Running", "conditions": [condition("Ready", "False")]}, {}, Pending("is Running")),
        ("Pod", {}, {}, Pending("is not there yet")),
        ("Pod", {"phase": "Failed", "message": "out of memory"}, {}, Broken("out of memory")),
        ("Pod", {"phase": "Failed"}, {}, Broken("has failed")),
        ("PersistentVolumeClaim", {"phase": "Bound"}, {}, Done()),
        ("PersistentVolumeClaim", {"phase": "Pending"}, {}, Pending("is Pending, not bound")),
        ("CustomResourceDefinition", {"conditions": [condition("Established", "True")]}, {}, Done()),
        ("CustomResourceDefinition", {}, {}, Pending("is not established yet")),
        (
            "CustomResourceDefinition",
            {"conditions": [condition("NamesAccepted", "False", "ListKindConflict")]},
            {},
            Broken("ListKindConflict"),
        ),
        (
            "Certificate",
            {"conditions": [condition("Ready", "False", "DoesNotExist", "no secret")]},
            {},
            Pending("DoesNotExist: no secret"),
        ),
        ("Certificate", {"conditions": [condition("Ready", "True")]}, {}, Done()),
        ("Kustomization", {"conditions": [condition("Stalled", "True")]}, {}, Broken("no reason given")),
        (
            "Kustomization",
            {"conditions": [condition("Reconciling", "True", "Progressing")]},
            {},
            Pending("Progressing"),
        ),
        ("ConfigMap", {}, {}, Done()),
        ("Service", {"loadBalancer": {}}, {"type": "ClusterIP"}, Done()),
    ],
)
def test_an_object_alone(kind: str, status: dict[str, Any], spec: dict[str, Any], expected: Seen) -> None:
    seen = readiness([item(kind, status, spec)])
    if isinstance(expected, Done):
        assert seen == expected
    else:
        assert seen == type(expected)(f"{kind}/shop/web: {expected.why}")


def test_what_has_no_status_at_all_is_there() -> None:
    assert readiness([{"kind": "ConfigMap", "metadata": {"name": "settings"}}]) == Done()
    assert readiness([{"kind": "Deployment", "metadata": {"name": "web"}, "status": None, "spec": None}]) == Pending(
        "Deployment/web: 0 of 1 replicas are updated"
    )


def test_what_is_being_deleted_is_not_ready() -> None:
    leaving = item("ConfigMap", {}, deletionTimestamp="2026-11-27T07:00:00Z")
    assert readiness([leaving]) == Pending("ConfigMap/shop/web: is being deleted")


def test_nothing_is_ready_while_anything_is_not_and_what_is_broken_counts_first() -> None:
    ready, waits = item("ConfigMap", {}), item("Job", {"active": 1}, name="migrate")
    broken = item("Deployment", {"conditions": [SLOW]}, name="api")
    assert readiness([ready, waits]) == Pending("Job/shop/migrate: has not completed")
    assert readiness([waits, broken, ready]) == Broken(
        "Deployment/shop/api: ProgressDeadlineExceeded: has timed out progressing"
    )
    assert readiness([]) == Done()


def pod(name: str, *containers: tuple[str, dict[str, Any]], **status: Any) -> dict[str, Any]:
    states = [{"name": container, "state": state} for container, state in containers]
    return item("Pod", {"containerStatuses": states, **status}, name=name)


PULL = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "web:1"'}}
STARTS = {"waiting": {"reason": "ContainerCreating"}}
RUNS = {"running": {"startedAt": "2026-11-27T07:00:00Z"}}


def test_what_is_missing_is_explained_by_the_pods() -> None:
    waits = item("Deployment", {}, {"replicas": 1})
    assert readiness([waits], [pod("web-1", ("web", PULL))]) == Pending(
        "Deployment/shop/web: 0 of 1 replicas are updated; "
        'Pod/shop/web-1: container web: ImagePullBackOff: Back-off pulling image "web:1"'
    )


def test_pods_alone_keep_nothing_back() -> None:
    assert readiness([item("ConfigMap", {})], [pod("old", ("web", PULL))]) == Done()


def test_a_pod_tells_of_its_containers_and_of_the_scheduler_and_not_of_an_ordinary_start() -> None:
    crash = {"waiting": {"reason": "CrashLoopBackOff"}}
    unscheduled = condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")
    pods = [
        pod("starts", ("web", STARTS), ("side", RUNS)),
        pod("waits", conditions=[unscheduled]),
        pod("init", initContainerStatuses=[{"name": "migrate", "state": crash}]),
    ]
    assert list(pod_troubles(pods)) == [
        "Pod/shop/waits: Unschedulable: 0/3 nodes are available",
        "Pod/shop/init: container migrate: CrashLoopBackOff",
    ]


def test_of_many_troubles_a_few_are_told() -> None:
    waits = [item("Job", {"active": 1}, name=f"job-{number}") for number in range(9)]
    crowd = [pod(f"web-{number}", ("web", PULL)) for number in range(9)]
    seen = readiness(waits, crowd)
    assert isinstance(seen, Pending)
    assert (seen.why.count("Job/"), seen.why.count("Pod/")) == (3, 3)
