"""The kinds that the embedded cluster serves, and the API paths that lead to them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.cluster.errors import ApiError

Object = dict[str, Any]
"""A Kubernetes object as its JSON says. What the store holds is never changed in place."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API, as discovery describes it."""

    group: str
    version: str
    name: str
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    in_all: bool = False
    scalable: bool = False

    @property
    def api_version(self) -> str:
        """``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """``/api/v1`` or ``/apis/apps/v1``."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    @property
    def qualified(self) -> str:
        """The name error messages use: ``secrets`` or ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACE = Kind("", "v1", "Namespace", "namespaces", ("ns",), namespaced=False)
SECRET = Kind("", "v1", "Secret", "secrets")
POD = Kind("", "v1", "Pod", "pods", ("po",), in_all=True)
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments", ("deploy",), in_all=True, scalable=True)
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets", ("rs",), in_all=True)
JOB = Kind("batch", "v1", "Job", "jobs", in_all=True)
RESOURCE_QUOTA = Kind("", "v1", "ResourceQuota", "resourcequotas", ("quota",))
DEFINITION = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    ("crd", "crds"),
    namespaced=False,
)

KINDS = (
    NAMESPACE,
    SECRET,
    POD,
    Kind("", "v1", "ConfigMap", "configmaps", ("cm",)),
    Kind("", "v1", "Event", "events", ("ev",)),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", ("pvc",)),
    RESOURCE_QUOTA,
    Kind("", "v1", "Service", "services", ("svc",), in_all=True),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", ("sa",)),
    DEFINITION,
    DEPLOYMENT,
    REPLICA_SET,
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", ("hpa",), in_all=True),
    JOB,
    Kind("batch", "v1", "CronJob", "cronjobs", ("cj",), in_all=True),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", ("ing",)),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", ("netpol",)),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", ("pdb",)),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
)
_BY_ROUTE = {(kind.root, kind.plural): kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request points: a collection when ``name`` is empty, all namespaces when ``namespace`` is."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def route(path: str, more: Iterable[Kind] = ()) -> Route:
    """Read an API path; ``more``: the kinds that are served beside KINDS.

    :raises ApiError: 404 when no kind is served there.
    """
    parts = path.strip("/").split("/")
    length = 2 if parts[0] == "api" else 3
    root, rest = "/" + "/".join(parts[:length]), parts[length:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:  # noqa: PLR2004 - namespaces/NAME/PLURAL
        namespace, rest = rest[1], rest[2:]
    kind = _found(root, rest[0], more) if rest else None
    if kind is None or len(rest) > 3:  # noqa: PLR2004 - PLURAL/NAME/SUBRESOURCE
        raise ApiError(404, "NotFound", "the server could not find the requested resource")
    return Route(kind, namespace, _at(rest, 1), _at(rest, 2))


def _found(root: str, plural: str, more: Iterable[Kind]) -> Kind | None:
    own = (kind for kind in more if (kind.root, kind.plural) == (root, plural))
    return _BY_ROUTE.get((root, plural)) or next(own, None)


def _at(parts: Sequence[str], index: int) -> str:
    return parts[index] if index < len(parts) else ""
