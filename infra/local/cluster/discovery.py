"""What the API says about itself: version, discovery, and OpenAPI v3 as far as Helm and kubectl read it.

Shapes: k8s.io/api ``apidiscovery/v2``, and ``APIResourceList`` of apimachinery. Both clients look into the OpenAPI
documents only for a PATCH that takes ``fieldValidation``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from infra.local.cluster.http import Response
from infra.local.cluster.kinds import KINDS, Kind

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.1+embedded", "platform": "linux/amd64"}


def describe(path: str, more: Sequence[Kind] = ()) -> Response | None:
    """The answer to a discovery path, or None when the path is another; ``more``: kinds served beside KINDS."""
    if path in {"/api", "/apis"}:
        return Response(_groups([*KINDS, *more], core=path == "/api"), content_type=_DISCOVERY)
    if path == "/openapi/v3":
        return Response(_openapi_index([*KINDS, *more]))
    answer = {**_documents(more), **_DOCUMENTS}.get(path)
    return Response(answer()) if answer else None


def _groups(served: Sequence[Kind], *, core: bool) -> dict[str, Any]:
    kinds = [kind for kind in served if (not kind.group) == core]
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


def _resources(kinds: Sequence[Kind]) -> dict[str, Any]:
    """The older list of one group and version, which Helm still asks for before it watches."""
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


def _openapi(kinds: Sequence[Kind]) -> dict[str, Any]:
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
    paths = {
        f"{kind.root}/{'namespaces/{namespace}/' * kind.namespaced}{kind.plural}/{{name}}": {
            "patch": {"parameters": parameters, "responses": {}, "x-kubernetes-group-version-kind": _gvk(kind)}
        }
        for kind in kinds
    }
    info = {"title": "Gatestream embedded cluster", "version": str(_VERSION["gitVersion"])}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _openapi_index(kinds: Sequence[Kind]) -> dict[str, Any]:
    return {"paths": {kind.root[1:]: {"serverRelativeURL": f"/openapi/v3{kind.root}"} for kind in kinds}}


def _documents(kinds: Sequence[Kind]) -> dict[str, Callable[[], Any]]:
    """What is told of these kinds, by path."""
    by_root: dict[str, list[Kind]] = {}
    for kind in kinds:
        by_root.setdefault(kind.root, []).append(kind)
    resources = {root: partial(_resources, found) for root, found in by_root.items()}
    return {**resources, **{f"/openapi/v3{root}": partial(_openapi, found) for root, found in by_root.items()}}


_DOCUMENTS: dict[str, Callable[[], Any]] = {
    "/version": lambda: _VERSION,
    "/readyz": lambda: "ok",
    **_documents(KINDS),
}
