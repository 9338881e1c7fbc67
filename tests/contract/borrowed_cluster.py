"""Any cluster that a kubeconfig leads to, lent to the installer's cases: what they need is made there, and goes again.

Whoever lends it must be its administrator. Its Kubernetes must have MutatingAdmissionPolicy (1.36), which leads the
cases' Pods, and no others, to a node of their own that kwok simulates: their images exist nowhere.
"""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from infra.local.control_plane import assets
from infra.local.control_plane.access import Client, write_config, write_kubeconfig
from infra.local.control_plane.children import Children
from infra.local.control_plane.furnish import ROLES, until
from infra.local.control_plane.programs import STAGES
from tests.contract.clusters import ClusterUnderTest, role_binding

LABEL = "tests.gatestream.dev/run"
_HOURS = 6
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_NODES, _NAMESPACES = "/api/v1/nodes", "/api/v1/namespaces"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_POLICIES, _POLICY_BINDINGS = (
    f"{_ADMISSION}/mutatingadmissionpolicies",
    f"{_ADMISSION}/mutatingadmissionpolicybindings",
)


@contextmanager
def borrowed(kubeconfig: Path, directory: Path) -> Iterator[ClusterUnderTest]:
    """The cluster of a kubeconfig's current context, for the length of the block. directory: a new folder.

    Raises ApiError where its administrator may not do what is needed.
    """
    name = f"gatestream-tests-{uuid.uuid4().hex[:8]}"
    with ExitStack() as later:
        admin_kubeconfig = later.enter_context(_proxy(kubeconfig, directory))
        admin = Client.of(admin_kubeconfig)
        for kind in (_NODES, f"{_RBAC}/clusterroles", f"{_RBAC}/clusterrolebindings", _POLICIES, _POLICY_BINDINGS):
            later.callback(_remove, admin, kind, name)
        later.enter_context(_kwok(admin_kubeconfig, directory, name))
        later.callback(_remove, admin, _NAMESPACES, name)  # while their Pods have a kubelet
        account = _let_in(admin, name)
        _lead_pods(admin, name)
        admin.request("POST", _NODES, _node(name))
        until(lambda: "True" in _readiness(admin, name), "a simulated node", lambda: None)
        until(lambda: _is_led(admin, name), "the policy's effect", lambda: None)
        installers = _installers(kubeconfig, directory, _token(admin, account))
        role = f"{name}-gatestream-installer"
        yield ClusterUnderTest(
            "kubeconfig", installers, admin_kubeconfig, installer=account, role=role, labels={LABEL: name}
        )


@contextmanager
def _proxy(kubeconfig: Path, directory: Path) -> Iterator[Path]:
    """A kubeconfig that needs no key: kubectl, which knows every way to log in, does so behind 127.0.0.1."""
    command = [_kubectl(), "proxy", "--kubeconfig", str(kubeconfig), "--port", "0", "--reject-paths", "^$"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy, ExitStack() as later:
        later.callback(proxy.kill)
        assert proxy.stdout is not None
        line = proxy.stdout.readline()  # Starting to serve on 127.0.0.1:40001
        yield write_kubeconfig(directory / "admin.kubeconfig", f"http://{line.split()[-1]}", None, {})


def _let_in(admin: Client, name: str) -> dict[str, str]:
    """The installer's ServiceAccount, with the roles that are shipped, under names of their own; who it is."""
    home = {"metadata": {"name": name, "labels": {LABEL: name}}}
    admin.request("POST", _NAMESPACES, home)
    admin.request("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "installer"}})
    account = {"kind": "ServiceAccount", "name": "installer", "namespace": name}
    for role in yaml.safe_load_all(ROLES.read_text()):
        own = {"name": f"{name}-{role['metadata']['name']}", "labels": {LABEL: name}}
        if role["kind"] == "ClusterRole":
            admin.request("POST", f"{_RBAC}/clusterroles", {**role, "metadata": own})
        else:
            bound = {**role_binding(f"{name}-{role['roleRef']['name']}", account), "metadata": own}
            admin.request("POST", f"{_RBAC}/clusterrolebindings", bound)
    return account


def _token(admin: Client, account: dict[str, str]) -> str:
    path = f"/api/v1/namespaces/{account['namespace']}/serviceaccounts/{account['name']}/token"
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _HOURS * 3600},
    }
    return str(admin.request("POST", path, asked)["status"]["token"])


def _installers(kubeconfig: Path, directory: Path, token: str) -> Path:
    view = [
        _kubectl(),
        "config",
        "view",
        "--kubeconfig",
        str(kubeconfig),
        "--minify",
        "--flatten",
        "--raw",
        "-o",
        "json",
    ]
    told = json.loads(subprocess.run(view, check=True, capture_output=True, text=True).stdout)
    return write_config(directory / "kubeconfig", told["clusters"][0]["cluster"], {"token": token})


def _lead_pods(admin: Client, name: str) -> None:
    """Pods of the namespaces with our label are put on our node."""
    change = (
        f'[JSONPatch{{op: "add", path: "/spec/nodeSelector", value: {{"{LABEL}": "{name}"}}}},'
        ' JSONPatch{op: "add", path: "/spec/tolerations", value: [Object.spec.tolerations{operator: "Exists"}]}]'
    )
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {LABEL: name}},
            "resourceRules": [pods],
        },
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": change}}],
        "reinvocationPolicy": "Never",
        "failurePolicy": "Fail",
    }
    metadata = {"name": name, "labels": {LABEL: name}}
    admin.request("POST", _POLICIES, {"metadata": metadata, "spec": spec})
    binding = {"metadata": metadata, "spec": {"policyName": name}}
    admin.request("POST", _POLICY_BINDINGS, binding)


def _is_led(admin: Client, name: str) -> bool:
    """Whether a Pod would come to our node now: API servers learn of a policy a little later than they store it."""
    pod = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "probe", "image": "probe"}]}}
    told = admin.request("POST", f"{_NAMESPACES}/{name}/pods?dryRun=All", pod)
    return bool(told["spec"].get("nodeSelector") == {LABEL: name})


@contextmanager
def _kwok(kubeconfig: Path, directory: Path, name: str) -> Iterator[None]:
    flags = ["--config", str(STAGES), "--manage-nodes-with-label-selector", f"{LABEL}={name}", "-v", "WARN"]
    lease = ["--node-lease-duration-seconds", "40"]  # without which the cluster takes the node for dead
    command = [assets.find().program("kwok"), "--kubeconfig", str(kubeconfig), *flags, *lease]
    children = Children({"kwok": command}, directory)
    children.start("kwok")
    try:
        yield
    finally:
        children.stop()


def _node(name: str) -> dict[str, Any]:
    """One that only our Pods are led to: the taint keeps others away."""
    taint = {"key": LABEL, "value": name, "effect": "NoSchedule"}
    return {"metadata": {"name": name, "labels": {LABEL: name}}, "spec": {"taints": [taint]}}


def _readiness(admin: Client, name: str) -> list[str]:
    conditions = admin.get(f"/api/v1/nodes/{name}")["status"].get("conditions", [])
    return [condition["status"] for condition in conditions if condition["type"] == "Ready"]


def _remove(admin: Client, kind: str, name: str) -> None:
    """What of a kind carries our label; returns when it is gone."""
    selected = f"{kind}?labelSelector={LABEL}={name}"
    for thing in admin.get(selected)["items"]:
        admin.request("DELETE", f"{kind}/{thing['metadata']['name']}")
    until(lambda: not admin.get(selected)["items"], f"the end of {kind} of {name}", lambda: None)


def _kubectl() -> str:
    found = shutil.which("kubectl")
    assert found is not None
    return found
