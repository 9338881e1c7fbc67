"""What the admission of a real control plane refuses: quotas, limits, policies, webhooks."""

from __future__ import annotations

import base64
import json
from subprocess import CalledProcessError
from typing import Any

from tests.certificates import write_certificate
from tests.payloads.helm.cases import applied, case, deployment, in_namespace, pod, settings
from tests.payloads.helm.faulty_api import Fault, Handler, plain, serving
from tests.payloads.helm.room import Room


def _quota(room: Room, hard: dict[str, str], used: dict[str, str]) -> None:
    """A quota, counted already: where no controller runs, nobody else does."""
    in_namespace(room)
    about = {"name": "small", "namespace": room.namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": about, "spec": {"hard": hard}}
    room.kubectl("apply", "-f", "-", given=quota)
    counted = {**quota, "status": {"hard": hard, "used": used}}
    room.kubectl("replace", "--subresource=status", "-f", "-", given=counted)


@case("quota-exceeded", "real")
def _(room: Room) -> bytes:
    _quota(room, {"count/configmaps": "1"}, {"count/configmaps": "1"})
    return room.upgrade(room.chart({"web": settings()}))


@case("quota-of-limits", "real")
def _(room: Room) -> bytes:
    """A quota on memory refuses Pods that do not say how much they want."""
    _quota(room, {"requests.memory": "1Gi"}, {"requests.memory": "0"})
    return room.upgrade(room.chart({"web": pod()}))


@case("limit-range", "real")
def _(room: Room) -> bytes:
    in_namespace(room)
    limits = {"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]}
    about = {"name": "small", "namespace": room.namespace}
    room.kubectl(
        "apply", "-f", "-", given={"apiVersion": "v1", "kind": "LimitRange", "metadata": about, "spec": limits}
    )
    return room.upgrade(room.chart({"web": pod(', resources: {limits: {memory: "1Gi"}}')}))


@case("pod-security", "real")
def _(room: Room) -> bytes:
    in_namespace(room, **{"pod-security.kubernetes.io/enforce": "restricted"})
    return room.upgrade(room.chart({"web": pod()}))


@case("policy-denies", "real")
def _(room: Room) -> bytes:
    in_namespace(room, team=room.namespace)
    name = f"images-{room.namespace}"
    own = {"matchLabels": {"team": room.namespace}}
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    registry = "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.internal/'))"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"namespaceSelector": own, "resourceRules": [rule]},
            "validations": [{"expression": registry, "message": "images come from registry.internal"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    probe = ["create", "deployment", "probe", "--image=x", "--namespace", room.namespace, "--dry-run=server"]
    with applied(room, policy, binding):
        room.until(lambda: _is_refused(room, *probe))
        return room.upgrade(room.chart({"web": deployment()}))


def _is_refused(room: Room, *command: str) -> bool:
    try:
        room.kubectl(*command)
    except CalledProcessError:
        return True
    return False


def _webhook(room: Room, **client: str) -> dict[str, Any]:
    """A webhook that is asked about new Deployments of the namespace."""
    in_namespace(room, team=room.namespace)
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    hook = {
        "name": "images.example.com",
        "clientConfig": client,
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"team": room.namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    about = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**about, "metadata": {"name": f"images-{room.namespace}"}, "webhooks": [hook]}


def _through(room: Room, webhook: dict[str, Any]) -> bytes:
    """An upgrade, once the API server asks the webhook."""
    probe = ["create", "deployment", "probe", "--image=x", "--namespace", room.namespace, "--dry-run=server"]
    with applied(room, webhook):
        room.until(lambda: _is_refused(room, *probe))
        return room.upgrade(room.chart({"web": deployment()}))


@case("webhook-unreachable", "real")
def _(room: Room) -> bytes:
    return _through(room, _webhook(room, url="https://127.0.0.1:1/validate"))


@case("webhook-denies", "real")
def _(room: Room) -> bytes:
    certificate = write_certificate(room.directory / "certificate.pem")
    with serving("", Fault("POST", "", _deny), certificate=certificate) as policy:
        bundle = base64.b64encode(certificate.read_bytes()).decode()
        return _through(room, _webhook(room, url=f"{policy.url}/validate", caBundle=bundle))


def _deny(handler: Handler) -> None:
    request = json.loads(handler.body)["request"]
    response = {"uid": request["uid"], "allowed": False, "status": {"code": 403, "message": "images come from here"}}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    plain(200, json.dumps(review), **{"Content-Type": "application/json"})(handler)
