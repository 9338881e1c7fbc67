"""Objects in memory, each write with a new resource version, and the watches that follow the writes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import KINDS, NAMESPACE, Kind, Object
from infra.local.cluster.selectors import Matcher

_KEPT_CHANGES = 4096


@dataclass(frozen=True, slots=True)
class Change:
    """One write: ``before`` is None for a new object, ``after`` for a deleted one."""

    revision: int
    kind: Kind
    before: Object | None
    after: Object | None

    @property
    def thing(self) -> Object:
        """The object as the write left it, or was before a delete."""
        thing = self.after or self.before
        if thing is None:
            raise ValueError("a change has an object before or after it")
        return thing

    def seen_by(self, wanted: Matcher) -> tuple[str, Object] | None:
        """The watch event for somebody who follows only what is wanted."""
        was = self.before is not None and wanted(self.before)
        is_now = self.after is not None and wanted(self.after)
        if not (was or is_now):
            return None
        return ("MODIFIED" if was and is_now else "ADDED" if is_now else "DELETED"), self.thing


class Store:
    """Every object of the cluster. ``now`` gives RFC 3339 UTC in whole seconds, ``new_id`` a UUID."""

    def __init__(self, now: Callable[[], str], new_id: Callable[[], str]) -> None:
        self.now = now
        self.new_id = new_id
        self.revision = 1
        self.listeners: list[Callable[[Change], None]] = []
        self.admissions: list[Callable[[Kind, Object], None]] = []
        """Each is asked before an object is added; raises ApiError where it may not be."""
        self._objects: dict[Kind, dict[tuple[str, str], Object]] = {kind: {} for kind in KINDS}
        self._changes: deque[Change] = deque(maxlen=_KEPT_CHANGES)
        self._watches: set[asyncio.Queue[Change]] = set()

    @property
    def kinds(self) -> list[Kind]:
        """All that are served."""
        return list(self._objects)

    @property
    def custom(self) -> list[Kind]:
        """Those that are served because of a definition."""
        return self.kinds[len(KINDS) :]

    def serve(self, kind: Kind) -> None:
        """Have one kind more."""
        self._objects.setdefault(kind, {})

    def withdraw(self, kind: Kind) -> None:
        """Have a kind, and its objects, no longer."""
        self._objects.pop(kind, None)

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects[kind].get((namespace, name))

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """The object.

        :raises ApiError: 404 when there is none.
        """
        thing = self.find(kind, namespace, name)
        if thing is None:
            raise ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found')
        return thing

    def select(self, kind: Kind, namespace: str, wanted: Matcher) -> list[Object]:
        """Objects in the order of namespace and name; an empty namespace stands for all."""
        things = self._objects[kind]
        return [things[place] for place in sorted(things) if namespace in {"", place[0]} and wanted(things[place])]

    def create(self, kind: Kind, thing: Object) -> Object:
        """Add an object, with what the server stamps on its metadata.

        :raises ApiError: 404 when its namespace is missing, 409 when it exists; what an admission raises.
        """
        metadata = thing["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if kind.namespaced and self.find(NAMESPACE, "", namespace) is None:
            raise ApiError(404, "NotFound", f'namespaces "{namespace}" not found')
        if self.find(kind, namespace, name) is not None:
            raise ApiError(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists')
        for admit in self.admissions:
            admit(kind, thing)
        stamps = {"uid": self.new_id(), "creationTimestamp": self.now(), "generation": 1}
        return self._write(kind, None, {**thing, "metadata": {**metadata, **stamps}})

    def replace(self, kind: Kind, thing: Object) -> Object:
        """Write a new state of an object; the generation rises with a new spec, a write that changes nothing is none.

        :raises ApiError: 404 when it is gone, 409 when its resource version is an older one.
        """
        metadata = thing["metadata"]
        before = self.get(kind, metadata.get("namespace", ""), metadata["name"])
        old = before["metadata"]
        if metadata.get("resourceVersion", old["resourceVersion"]) != old["resourceVersion"]:
            message = f'Operation cannot be fulfilled on {kind.qualified} "{old["name"]}": the object has been modified'
            raise ApiError(409, "Conflict", f"{message}; please apply your changes to the latest version and try again")
        generation = old["generation"] + (thing.get("spec") != before.get("spec"))
        kept = {key: old[key] for key in ("uid", "creationTimestamp", "resourceVersion")}
        after = {**thing, "metadata": {**metadata, **kept, "generation": generation}}
        return before if after == before else self._write(kind, before, after)

    def delete(self, kind: Kind, thing: Object, *, dependents: bool = True) -> None:
        """Remove an object, what a namespace holds, and, unless told otherwise, what the object owns."""
        metadata = thing["metadata"]
        if self._objects[kind].pop((metadata.get("namespace", ""), metadata["name"]), None) is None:
            return
        self.revision += 1
        gone = {**thing, "metadata": {**metadata, "resourceVersion": str(self.revision)}}
        self._publish(Change(self.revision, kind, gone, None))
        for other, owned in list(self._everything()):
            inside = kind is NAMESPACE and owned["metadata"].get("namespace") == metadata["name"]
            if inside or (dependents and _is_owned(owned, metadata["uid"])):
                self.delete(other, owned)

    async def watch(self, kind: Kind, since: int, wanted: Matcher) -> AsyncIterator[tuple[str, Object]]:
        """Follow the writes after revision ``since``, for ever.

        :raises ApiError: 410 when ``since`` is so old that writes after it are forgotten.
        """
        if self._changes and self._changes[0].revision > since + 1 and len(self._changes) == _KEPT_CHANGES:
            raise ApiError(410, "Expired", f"too old resource version: {since}")
        queue: asyncio.Queue[Change] = asyncio.Queue()
        for change in self._changes:
            if change.revision > since:
                queue.put_nowait(change)
        self._watches.add(queue)
        try:
            while True:
                change = await queue.get()
                if change.kind is kind and (event := change.seen_by(wanted)):
                    yield event
        finally:
            self._watches.discard(queue)

    def _write(self, kind: Kind, before: Object | None, after: Object) -> Object:
        self.revision += 1
        metadata = {**after["metadata"], "resourceVersion": str(self.revision)}
        after = {**after, "metadata": metadata}
        self._objects[kind][metadata.get("namespace", ""), metadata["name"]] = after
        self._publish(Change(self.revision, kind, before, after))
        return after

    def _publish(self, change: Change) -> None:
        self._changes.append(change)
        for queue in self._watches:
            queue.put_nowait(change)
        for listen in self.listeners:
            listen(change)

    def _everything(self) -> Iterator[tuple[Kind, Object]]:
        return ((kind, thing) for kind, things in self._objects.items() for thing in list(things.values()))


def _is_owned(thing: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in thing["metadata"].get("ownerReferences", ()))
