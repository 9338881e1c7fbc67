"""The clusters that the installer's cases run against: the embedded one, and a real control plane.

A test run has one control plane, whatever the number of its workers: on two cores, starting it costs more than sharing
it. Whoever needs it first starts it; the process that runs the tests owns it, and ends it.
"""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from infra.local import cluster, control_plane
from infra.local.control_plane import assets
from infra.local.control_plane.access import Client, write_kubeconfig
from infra.local.control_plane.furnish import until
from infra.local.control_plane.plane import STATE

NAMES = os.environ.get("GATESTREAM_CLUSTERS", "embedded real").split()
REQUIRED = "GATESTREAM_REQUIRE_CONTROL_PLANE"
NONE = "no real control plane"
_RUN = "GATESTREAM_TEST_RUN"
_RBAC = "rbac.authorization.k8s.io"
INSTALLERS = {"kind": "Group", "name": "gatestream-installers", "apiGroup": _RBAC}


@dataclass(frozen=True, slots=True)
class ClusterUnderTest:
    """One of NAMES.

    kubeconfig: the installer's, whose user has a token, and the rights of infra/cluster-access in the namespaces that
    `new_namespace` makes. admin_kubeconfig: of whoever may do everything. plane: the real one's processes. installer:
    who is bound to the installer's role; the embedded cluster knows no rights. role: that role's name. labels: those of
    the namespaces.
    """

    name: str
    kubeconfig: Path
    admin_kubeconfig: Path
    plane: control_plane.Plane | None = None
    installer: Mapping[str, str] | None = None
    role: str = "gatestream-installer"
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the API is."""
        return str(self._installers_config()["clusters"][0]["cluster"]["server"])

    @property
    def token(self) -> str:
        """The installer's."""
        return str(self._installers_config()["users"][0]["user"]["token"])

    def get(self, path: str) -> Any:
        """What the administrator sees there; raises ApiError."""
        return self.request("GET", path)

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """What the API tells the administrator; raises ApiError."""
        return Client.of(self.admin_kubeconfig).request(method, path, body, content_type)

    def first(self, path: str) -> Any:
        """Waits for something in this list, or, with a selector, for something that it selects; the object."""
        joint = "&" if "?" in path else "?"
        watch = f"{path}{joint}watch=true&timeoutSeconds=240"
        with Client.of(self.admin_kubeconfig).open("GET", watch) as response:
            line = response.readline()
        assert line, f"nothing in {path} within four minutes"
        event = json.loads(line)
        assert event["type"] == "ADDED", event
        return event["object"]

    def new_namespace(self) -> str:
        """A namespace in which the installer may install."""
        name = f"shop-{uuid.uuid4().hex[:12]}"
        self.request("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(self.labels)}})
        if self.installer:
            path = f"/apis/{_RBAC}/v1/namespaces/{name}/rolebindings"
            self.request("POST", path, role_binding(self.role, self.installer))
            until(lambda: self._may_install(name), "the role binding's effect", lambda: None)
        return name

    def _may_install(self, namespace: str) -> bool:
        """Whether the binding has come through: the authoriser follows the role bindings, a little behind."""
        asked = {"namespace": namespace, "verb": "list", "resource": "secrets"}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        review = Client.of(self.kubeconfig).request("POST", path, {"spec": {"resourceAttributes": asked}})
        return bool(review["status"]["allowed"])

    def _installers_config(self) -> Any:
        return json.loads(self.kubeconfig.read_text())


def role_binding(role: str, subject: Mapping[str, str]) -> dict[str, Any]:
    """Gives a ClusterRole to somebody, where the binding is."""
    ref = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
    return {"metadata": {"name": role}, "roleRef": ref, "subjects": [dict(subject)]}


def missing() -> str:
    """Why there is no real control plane, as a sentence; empty if there can be one."""
    return assets.find().missing


def go_without(reason: str) -> NoReturn:
    """Skip what needs a real control plane, unless whoever runs the tests insists on it."""
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(f"{NONE}: {reason}")


def described() -> str:
    """Which control plane there is, or why there is none."""
    found = assets.find()
    if found.missing or os.environ.get(assets.VARIABLE):
        return found.missing or f"{assets.VARIABLE}={found.folder}"
    known = assets.versions()
    return f"Kubernetes {known['kube-apiserver']}, etcd {known['etcd']}, kwok {known['kwok']}"


def embedded(running: cluster.Cluster, directory: Path) -> ClusterUnderTest:
    """The embedded cluster, whose user has a token although nobody asks for it."""
    kubeconfig = write_kubeconfig(directory / "kubeconfig", running.url, None, {"token": secrets.token_urlsafe(32)})
    return ClusterUnderTest("embedded", kubeconfig, running.kubeconfig)


def real(plane: control_plane.Plane) -> ClusterUnderTest:
    """A control plane, whose users in the group gatestream-installers are the installer."""
    return ClusterUnderTest("real", plane.kubeconfig, plane.admin_kubeconfig, plane, INSTALLERS)


def shared_plane() -> control_plane.Plane:
    """The run's control plane; started by whoever asks first. Raises PlaneError."""
    owner, place = os.environ[_RUN].split(":", 1)
    directory = Path(place) / "plane"
    with (Path(place) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / STATE).exists():
            shutil.rmtree(directory, ignore_errors=True)  # what somebody else has tried in vain
            control_plane.start(directory, owner=int(owner))
    return control_plane.load(directory)


@contextmanager
def run() -> Iterator[None]:
    """A test run: what its processes share, and an end for it. In a worker of a run: nothing."""
    if os.environ.get(_RUN):
        yield
        return
    place = Path(tempfile.mkdtemp(prefix="gatestream-tests-"))
    os.environ[_RUN] = f"{os.getpid()}:{place}"
    try:
        yield
    finally:
        del os.environ[_RUN]
        if (place / "plane" / STATE).exists():
            control_plane.load(place / "plane").stop()
        shutil.rmtree(place, ignore_errors=True)
