"""What else only a real control plane says: its validation, fields' owners, rights, and Pods as no cluster has them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

from pipeline_state.deploy import dialect
from tests.payloads.helm.cases import case, deployment, in_namespace, pod, settings
from tests.payloads.helm.room import Room

_AT_ONCE = dialect.Wish(waits=False, goes_back=False)
_BACK = dialect.Wish(waits=True, goes_back=True)


def _as_installer(room: Room, *, bound: bool) -> Any:
    """As a member of the installers' group: with the rights of infra/cluster-access, or only those for namespaces."""
    if bound:
        group = ["--clusterrole", "gatestream-installer", "--group", "gatestream-installers"]
        room.kubectl("create", "rolebinding", "installer", "--namespace", room.namespace, *group)
    return ["--kube-as-user", "gatestream", "--kube-as-group", "gatestream-installers"]


@case("conflict", "real")
def _(room: Room) -> bytes:
    room.prepared(room.chart({"web": deployment()}))
    room.kubectl("scale", "deployment", "web", "--replicas=5", "--namespace", room.namespace)
    return room.upgrade(room.chart({"web": deployment(replicas=2)}), wish=_AT_ONCE)


@case("conflict-and-rollback", "real")
def _(room: Room) -> bytes:
    """The way back meets the same owner."""
    room.prepared(room.chart({"web": settings(text="a")}))
    patch = '{"data": {"text": "b"}}'
    room.kubectl("patch", "configmap", "web", "--namespace", room.namespace, "--patch", patch, "--field-manager=ada")
    return room.upgrade(room.chart({"web": settings(text="c")}), wish=_BACK)


@case("conflict-of-several", "real")
def _(room: Room) -> bytes:
    """Two managers, three fields."""
    room.prepared(room.chart({"web": deployment()}))
    place = ["deployment", "web", "--namespace", room.namespace]
    room.kubectl("scale", *place, "--replicas=5")
    room.kubectl("set", "image", *place, "web=registry.example.com/web:hotfix", "--field-manager=ada")
    patch = '{"spec": {"progressDeadlineSeconds": 60}}'
    room.kubectl("patch", *place, "--type=merge", "--patch", patch, "--field-manager=ada")
    changed = deployment(replicas=2).replace("web:1", "web:2").replace("Seconds: 600", "Seconds: 300")
    return room.upgrade(room.chart({"web": changed}), wish=_AT_ONCE)


@case("conflict-force-client-side", "real")
def _(room: Room) -> bytes:
    """A release that Helm 3 made, forced without saying that it is to be applied on the server's side."""
    room.prepared(room.chart({"web": deployment()}), *(["--server-side=false"] if room.major > 3 else []))
    return room.upgrade(room.chart({"web": deployment(replicas=2)}), "--force-conflicts", wish=_AT_ONCE)


@case("crd-missing", "real")
def _(room: Room) -> bytes:
    monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: web}\n"
    return room.upgrade(room.chart({"web": monitor}))


@case("api-version-gone", "real")
def _(room: Room) -> bytes:
    old = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n"
    return room.upgrade(room.chart({"web": old}))


@case("crd-forbidden", "real")
def _(room: Room) -> bytes:
    in_namespace(room)
    crd = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: shops, singular: shop, kind: Shop, listKind: ShopList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""
    return room.upgrade(room.chart({"web": settings()}, crds=crd), *_as_installer(room, bound=True))


@case("namespace-forbidden", "real")
def _(room: Room) -> bytes:
    """Somebody who may not make namespaces."""
    return room.upgrade(room.chart({"web": settings()}), "--kube-as-user", "nobody")


@case("look-up-forbidden", "real")
def _(room: Room) -> bytes:
    in_namespace(room)
    return room.run("history", "web", *_as_installer(room, bound=False))


@case("releases-forbidden", "real")
def _(room: Room) -> bytes:
    """The namespace may be made, but nothing in it."""
    in_namespace(room)
    return room.upgrade(room.chart({"web": settings()}), *_as_installer(room, bound=False))


@case("resource-forbidden", "real")
def _(room: Room) -> bytes:
    in_namespace(room)
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: shop}\nrules: []\n"
    return room.upgrade(room.chart({"web": role}), *_as_installer(room, bound=True))


@case("namespace-terminating", "real")
def _(room: Room) -> bytes:
    """Something in it is not done yet with being deleted."""
    in_namespace(room)
    held = {"name": "held", "namespace": room.namespace, "finalizers": ["example.com/held"]}
    thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": held}
    room.kubectl("apply", "-f", "-", given=thing)
    room.kubectl("delete", "namespace", room.namespace, "--wait=false")
    try:
        return room.upgrade(room.chart({"web": settings()}))
    finally:
        patch = '{"metadata": {"finalizers": []}}'
        room.kubectl("patch", "configmap", "held", "-n", room.namespace, "--type=merge", "-p", patch)


@case("field-immutable", "real")
def _(room: Room) -> bytes:
    room.prepared(room.chart({"web": deployment()}))
    return room.upgrade(room.chart({"web": deployment(labels="app: shop")}), wish=_AT_ONCE)


@case("field-unknown", "real")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": settings() + "dta: {}\n"}))


@case("value-invalid", "real")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment().replace("name: web,", "name: Web_,")}))


@case("release-too-large", "real")
def _(room: Room) -> bytes:
    """Of what cannot be compressed: Helm keeps the whole chart in one Secret of at most 1 MiB."""
    path = room.chart({"web": settings()})
    _fill(path, 1_500_000)
    return room.upgrade(path)


@case("request-too-large", "real")
def _(room: Room) -> bytes:
    path = room.chart({"web": settings()})
    _fill(path, 4_000_000)
    return room.upgrade(path)


def _fill(chart: str, size: int) -> None:
    (Path(chart) / "noise.bin").write_bytes(Random(1).randbytes(size))  # noqa: S311 - nothing secret


@case("manifest-too-large", "real")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": settings(text="x" * 3_200_000)}))


@case("token-refused", "real")
def _(room: Room) -> bytes:
    config = room.config("expired", user={"token": "k8s-aws-v1.ZXhwaXJlZA"})
    return room.upgrade(room.chart({"web": settings()}), kubeconfig=config)


@case("token-refused-at-look-up", "real")
def _(room: Room) -> bytes:
    config = room.config("expired", user={"token": "k8s-aws-v1.ZXhwaXJlZA"})
    return room.run("history", "web", kubeconfig=config)


@case("token-missing", "real")
def _(room: Room) -> bytes:
    """Where a cluster lets in those who show nothing; others refuse them as they refuse a token."""
    nobody = ["--kube-as-user", "system:anonymous", "--kube-as-group", "system:unauthenticated"]
    return room.upgrade(room.chart({"web": settings()}), *nobody)


@case("crash-loop", "real")
def _(room: Room) -> bytes:
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container=web"}
    return _with_pod(room, {"phase": "Running", "containerStatuses": [_container(waiting)]})


@case("image-pull", "real")
def _(room: Room) -> bytes:
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "registry.example.com/web:1"'}
    return _with_pod(room, {"phase": "Pending", "containerStatuses": [_container(waiting)]})


def _container(waiting: dict[str, str]) -> dict[str, Any]:
    about = {"name": "web", "image": "registry.example.com/web:1", "imageID": "", "ready": False, "restartCount": 3}
    return {**about, "state": {"waiting": waiting}}


def _with_pod(room: Room, status: dict[str, Any]) -> bytes:
    """A chart with a bare Pod whose status becomes that."""
    chart = room.chart({"web": pod()})
    in_namespace(room)
    flags = ["--timeout", "3s", *dialect.upgrade(room.major, _BACK)]
    return _after(room, room.start("upgrade", "web", chart, *flags), status)


def _after(room: Room, process: Popen[bytes], status: dict[str, Any]) -> bytes:
    """What Helm says once its Pod has that status."""
    room.until(lambda: "pod/web" in room.kubectl("get", "pods", "--output", "name", "--namespace", room.namespace))
    ready = {"type": "Ready", "status": "False"}
    target = ["pod", "web", "--namespace", room.namespace, "--subresource=status", "--type=merge"]
    room.kubectl("patch", *target, "--patch", json.dumps({"status": {**status, "conditions": [ready]}}))
    _, said = process.communicate(timeout=60)
    return said


@case("test-pod-fails", "real")
def _(room: Room) -> bytes:
    room.prepared(room.chart({"probe": pod(annotations="{helm.sh/hook: test}"), "web": settings()}))
    process = room.start("test", "web", "--timeout", "5s")
    return _after(room, process, {"phase": "Failed", "message": "exit code 1"})


@case("kubeconfig-exec-missing", "real")
def _(room: Room) -> bytes:
    path = room.config("exec")
    config = json.loads(path.read_text())
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws", "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    path.write_text(json.dumps(config))
    return room.upgrade(room.chart({"web": deployment()}), kubeconfig=path)
