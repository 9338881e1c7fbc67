"""The verbs of the API: get, list, watch, create, update, patch, apply, scale and delete."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import yaml

from infra.local.cluster import jsonpatch, protobuf
from infra.local.cluster.apply import apply, track
from infra.local.cluster.defaults import completed
from infra.local.cluster.discovery import describe
from infra.local.cluster.errors import ApiError
from infra.local.cluster.http import Request, Response
from infra.local.cluster.kinds import Object, Route, route
from infra.local.cluster.merge import merge
from infra.local.cluster.selectors import matcher
from infra.local.cluster.store import Store
from infra.local.cluster.tables import table

_APPLY = "application/apply-patch+yaml"
_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


class Api:
    """Answers requests from a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def handle(self, request: Request) -> Response:
        """Answer one request.

        :raises ApiError: what the client is to be told instead.
        """
        if described := describe(request.path, self.store.custom):
            return described
        where = route(request.path, self.store.custom)
        if where.subresource:
            return self._subresource(request, where)
        if request.method == "GET":
            return self._get(request, where) if where.name else self._list(request, where)
        handlers = {"POST": self._create, "PUT": self._update, "PATCH": self._patch, "DELETE": self._delete}
        if request.method not in handlers or bool(where.name) == (request.method == "POST"):
            raise ApiError(405, "MethodNotAllowed", f"{request.method} is not served on {request.path}")
        return handlers[request.method](request, where)

    def _get(self, request: Request, where: Route) -> Response:
        thing = self.store.get(where.kind, where.namespace, where.name)
        return Response(self._shown(request, where, [thing]) or thing)

    def _list(self, request: Request, where: Route) -> Response:
        if request.query.get("watch") in {"true", "1"}:
            return Response(stream=self._events(request, where))
        items = self.store.select(where.kind, where.namespace, matcher(request.query))
        metadata = {"resourceVersion": str(self.store.revision)}
        plain = {"kind": f"{where.kind.name}List", "apiVersion": where.kind.api_version, "metadata": metadata}
        return Response(self._shown(request, where, items) or {**plain, "items": items})

    def _shown(self, request: Request, where: Route, things: list[Object]) -> Object | None:
        if "as=Table" not in request.headers.get("accept", ""):
            return None
        return table(where.kind, things, self.store.now(), str(self.store.revision))

    async def _events(self, request: Request, where: Route) -> AsyncIterator[Object]:
        seconds = request.query.get("timeoutSeconds")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(int(seconds) if seconds else None):
                try:
                    async for kind_of, thing in self._followed(request, where):
                        yield {"type": kind_of, "object": self._shown(request, where, [thing]) or thing}
                except ApiError as error:
                    yield {"type": "ERROR", "object": error.body()}

    async def _followed(self, request: Request, where: Route) -> AsyncIterator[tuple[str, Object]]:
        wanted = matcher(request.query)
        since = int(request.query.get("resourceVersion") or 0)
        streams_list = request.query.get("sendInitialEvents") == "true"
        if streams_list or not since:
            since = self.store.revision
            for thing in self.store.select(where.kind, where.namespace, wanted):
                yield "ADDED", thing
        if streams_list:
            metadata = {"resourceVersion": str(since), "annotations": _INITIAL_EVENTS_END}
            yield "BOOKMARK", {"kind": where.kind.name, "apiVersion": where.kind.api_version, "metadata": metadata}
        async for event in self.store.watch(where.kind, since, wanted):
            if where.namespace in {"", event[1]["metadata"].get("namespace")}:
                yield event

    def _create(self, request: Request, where: Route) -> Response:
        thing = completed(where, _body(request), None, self.store.new_id()[:5])
        thing = track(None, thing, self._manager(request, where, "Update"))
        return Response(thing if "dryRun" in request.query else self.store.create(where.kind, thing), 201)

    def _update(self, request: Request, where: Route) -> Response:
        live = self.store.get(where.kind, where.namespace, where.name)
        return self._replace(request, where, live, _body(request))

    def _patch(self, request: Request, where: Route) -> Response:
        if _media_type(request) == _APPLY:
            return self._apply(request, where)
        live = self.store.get(where.kind, where.namespace, where.name)
        return self._replace(request, where, live, _patched(live, request))

    def _apply(self, request: Request, where: Route) -> Response:
        live = self.store.find(where.kind, where.namespace, where.name)
        manager = self._manager(request, where, "Apply")
        thing = apply(live, _body(request), manager, force=request.query.get("force") == "true")
        thing = completed(where, thing, live, "")
        if "dryRun" in request.query:
            return Response(thing)
        if live is None:
            return Response(self.store.create(where.kind, thing), 201)
        return Response(self.store.replace(where.kind, thing))

    def _replace(self, request: Request, where: Route, live: Object, thing: Object) -> Response:
        thing = track(live, completed(where, thing, live, ""), self._manager(request, where, "Update"))
        return Response(thing if "dryRun" in request.query else self.store.replace(where.kind, thing))

    def _delete(self, request: Request, where: Route) -> Response:
        thing = self.store.get(where.kind, where.namespace, where.name)
        options = _body(request) if request.body else {}
        if "dryRun" not in request.query and not options.get("dryRun"):
            policy = options.get("propagationPolicy", request.query.get("propagationPolicy"))
            self.store.delete(where.kind, thing, dependents=policy != "Orphan")
        uid = thing["metadata"]["uid"]
        details = {"name": where.name, "kind": where.kind.plural, "group": where.kind.group, "uid": uid}
        return Response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    def _subresource(self, request: Request, where: Route) -> Response:
        if where.subresource != "scale" or not where.kind.scalable:
            raise ApiError(404, "NotFound", f"{where.kind.qualified} has no {where.subresource} here")
        live = self.store.get(where.kind, where.namespace, where.name)
        if request.method == "GET":
            return Response(_scale(live))
        new = _body(request) if request.method == "PUT" else _patched(_scale(live), request)
        thing = {**live, "spec": {**live["spec"], "replicas": new["spec"]["replicas"]}}
        return Response(_scale(self._replace(request, where, live, thing).body))

    def _manager(self, request: Request, where: Route, operation: str) -> dict[str, Any]:
        name = request.query.get("fieldManager") or request.headers.get("user-agent", "unknown").partition("/")[0]
        when = {"apiVersion": where.kind.api_version, "time": self.store.now()}
        entry = {"manager": name, "operation": operation, **when}
        return {**entry, "subresource": where.subresource} if where.subresource else entry


def _scale(thing: Object) -> Object:
    kept = {key: thing["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    selector = ",".join(f"{key}={value}" for key, value in thing["spec"]["selector"].get("matchLabels", {}).items())
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": kept,
        "spec": {"replicas": thing["spec"]["replicas"]},
        "status": {"replicas": thing.get("status", {}).get("replicas", 0), "selector": selector},
    }


def _patched(live: Object, request: Request) -> Object:
    keyed = {"application/merge-patch+json": False, "application/strategic-merge-patch+json": True}
    media_type = _media_type(request)
    if media_type == jsonpatch.MEDIA_TYPE:
        changed: Object = jsonpatch.patched(live, json.loads(request.body))
        return changed
    if media_type not in keyed:
        raise ApiError(415, "UnsupportedMediaType", f"the embedded cluster cannot patch with {media_type}")
    patched: Object = merge(live, _body(request), keyed=keyed[media_type])
    return patched


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "application/json").partition(";")[0]


def _body(request: Request) -> Object:
    if _media_type(request) == protobuf.MEDIA_TYPE:
        return protobuf.decode(request.body)
    try:
        body = json.loads(request.body) if request.body[:1] == b"{" else yaml.safe_load(request.body)
    except (ValueError, yaml.YAMLError) as error:
        raise ApiError(400, "BadRequest", f"the body is neither JSON nor YAML: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "BadRequest", "the body is no object")
    return {"metadata": {}, **body}
