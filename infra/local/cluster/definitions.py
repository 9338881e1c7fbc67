"""Custom resource definitions: each makes the API serve a kind more, whose fields nobody looks at.

kubernetes.io/docs, "Extend the Kubernetes API with CustomResourceDefinitions".
"""

import asyncio
from collections.abc import Iterator

from infra.local.cluster.kinds import DEFINITION, Kind, Object
from infra.local.cluster.store import Change, Store


class Definitions:
    """Follows the definitions in the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.listeners.append(self._notice)

    def _notice(self, change: Change) -> None:
        if change.kind is not DEFINITION:
            return
        if change.before is None:
            asyncio.get_running_loop().call_soon(self._establish, change.thing)
        elif change.after is None:
            for kind in kinds_of(change.thing):
                self.store.withdraw(kind)

    def _establish(self, definition: Object) -> None:
        live = self.store.find(DEFINITION, "", definition["metadata"]["name"])
        if live is None or live["metadata"]["uid"] != definition["metadata"]["uid"]:
            return
        for kind in kinds_of(live):
            self.store.serve(kind)
        now = self.store.now()
        conditions = [
            {"type": type_, "status": "True", "lastTransitionTime": now, "reason": reason}
            for type_, reason in (("NamesAccepted", "NoConflicts"), ("Established", "InitialNamesAccepted"))
        ]
        status = {"conditions": conditions, "acceptedNames": live["spec"]["names"], "storedVersions": _stored(live)}
        self.store.replace(DEFINITION, {**live, "status": status})


def kinds_of(definition: Object) -> Iterator[Kind]:
    """The kinds that a definition makes: one for each version that is served."""
    spec = definition["spec"]
    names = spec["names"]
    for version in spec["versions"]:
        if version["served"]:
            short, namespaced = tuple(names.get("shortNames", ())), spec["scope"] == "Namespaced"
            yield Kind(spec["group"], version["name"], names["kind"], names["plural"], short, namespaced=namespaced)


def _stored(definition: Object) -> list[str]:
    return [version["name"] for version in definition["spec"]["versions"] if version["storage"]]
