"""What never gets ready, hooks and tests that fail, on the embedded cluster."""

from __future__ import annotations

from tests.payloads.helm.cases import case, deployment, job, pod, settings
from tests.payloads.helm.room import Room

_TWO = "\n---\n"


@case("never-ready")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment("never")}), timeout="2s")


@case("never-ready-upgrade")
def _(room: Room) -> bytes:
    room.prepared(room.chart({"web": deployment()}))
    return room.upgrade(room.chart({"web": deployment("never", replicas=2)}), timeout="2s")


@case("progress-deadline")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"web": deployment("fail")}), timeout="3s")


@case("several-never-ready")
def _(room: Room) -> bytes:
    both = [deployment("never"), deployment("never").replace("name: web", "name: worker", 1)]
    return room.upgrade(room.chart({"web": _TWO.join(both)}), timeout="2s")


@case("job-fails")
def _(room: Room) -> bytes:
    return room.upgrade(room.chart({"job": job('{cluster.gatestream.dev/ready: "fail"}')}), timeout="3s")


@case("hook-fails")
def _(room: Room) -> bytes:
    hook = job('{helm.sh/hook: "pre-install,pre-upgrade", cluster.gatestream.dev/ready: "fail"}')
    return room.upgrade(room.chart({"job": hook, "web": settings()}), timeout="3s")


@case("hook-never-ends")
def _(room: Room) -> bytes:
    hook = job('{helm.sh/hook: "pre-install,pre-upgrade", cluster.gatestream.dev/ready: "never"}')
    return room.upgrade(room.chart({"job": hook, "web": settings()}), timeout="2s")


@case("post-hook-fails")
def _(room: Room) -> bytes:
    hook = job('{helm.sh/hook: "post-install,post-upgrade", cluster.gatestream.dev/ready: "fail"}')
    return room.upgrade(room.chart({"job": hook, "web": settings()}), timeout="3s")


@case("test-never-ends")
def _(room: Room) -> bytes:
    probe = pod(annotations='{helm.sh/hook: test, cluster.gatestream.dev/ready: "never"}', name="probe")
    room.prepared(room.chart({"probe": probe, "web": settings()}))
    return room.run("test", "web", "--timeout", "2s")


@case("owned-by-another-release")
def _(room: Room) -> bytes:
    chart = room.chart({"web": settings("shared")})
    room.prepared(chart)
    return room.upgrade(chart, release="other")


@case("owned-by-nobody")
def _(room: Room) -> bytes:
    room.kubectl("create", "namespace", room.namespace)
    room.kubectl("create", "configmap", "web", "--namespace", room.namespace)
    return room.upgrade(room.chart({"web": settings()}))


@case("rollback-to-nothing")
def _(room: Room) -> bytes:
    room.prepared(room.chart({"web": settings()}))
    return room.run("rollback", "web", "7")
