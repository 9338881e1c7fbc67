"""What the API says about itself: version, discovery, and OpenAPI v3 as far as Helm and kubectl read it.

Shapes: k8s.io/api ``apidiscovery/v2``, and ``APIResourceList`` of apimachinery. Both clients look into the OpenAPI
documents only for a PATCH that takes ``fieldValidation``.
"""

from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Any

from infra.local.cluster.http import Response
from infra.local.cluster.kinds import KINDS, Kind

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.1+embedded", "platform": "linux/amd64"}


def describe(path: str) -> Response | None:
    """The answer to a discovery path, or None when the path is another."""
    if path in {"/api", "/apis"}:
        return Response(_groups(core=path == "/api"), content_type=_DISCOVERY)
    answer = _DOCUMENTS.get(path)
    return Response(answer()) if answer else None


def _groups(*, core: bool) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if (not kind.group) == core]
    items = [_group(group, list(members)) for group, members in groupby(kinds, key=lambda kind: kind.group)]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _group(name: str, kinds: list[Kind]) -> dict[str, Any]:
    version = {"version": kinds[0].version, "freshness": "Current", "resources": [_resource(kind) for kind in kinds]}
    return {"metadata": {"name": name} if name else {}, "versions": [version]}


def _resource(kind: Kind) -> dict[str, Any]:
    scale = {
        "subresource": "scale",
        "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        "verbs": ["get", "patch", "update"],
    }
    return {
        "resource": kind.plural,
        "responseKind": _gvk(kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.name.lower(),
        "verbs": _VERBS,
        "shortNames": list(kind.short),
        "categories": ["all"] if kind.in_all else [],
        "subresources": [scale] if kind.scalable else [],
    }


def _resources(root: str) -> dict[str, Any]:
    """The older list of one group and version, which Helm still asks for before it watches."""
    kinds = [kind for kind in KINDS if kind.root == root]
    resources = [
        {
            "name": kind.plural,
            "singularName": kind.name.lower(),
            "kind": kind.name,
            "namespaced": kind.namespaced,
            "verbs": _VERBS,
        }
        for kind in kinds
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": kinds[0].api_version, "resources": resources}


def _gvk(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}


def _openapi(root: str) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if kind.root == root]
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
    paths = {
        f"{kind.root}/{'namespaces/{namespace}/' * kind.namespaced}{kind.plural}/{{name}}": {
            "patch": {"parameters": parameters, "responses": {}, "x-kubernetes-group-version-kind": _gvk(kind)}
        }
        for kind in kinds
    }
    info = {"title": "Gatestream embedded cluster", "version": str(_VERSION["gitVersion"])}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _openapi_index() -> dict[str, Any]:
    return {"paths": {root[1:]: {"serverRelativeURL": f"/openapi/v3{root}"} for root in _ROOTS}}


_ROOTS = tuple(dict.fromkeys(kind.root for kind in KINDS))
_DOCUMENTS: dict[str, Callable[[], Any]] = {
    "/version": lambda: _VERSION,
    "/readyz": lambda: "ok",
    "/openapi/v3": _openapi_index,
    **{root: partial(_resources, root) for root in _ROOTS},
    **{f"/openapi/v3{root}": partial(_openapi, root) for root in _ROOTS},
}
