"""Resource quotas, as far as they count objects: kubernetes.io/docs, "Resource Quotas".

What asks for CPU, memory or storage is not counted, since nothing runs here.
"""

import asyncio
from collections.abc import Iterator

from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import RESOURCE_QUOTA, Kind, Object
from infra.local.cluster.store import Change, Store


class Quotas:
    """Refuses what exceeds a quota of its namespace, and keeps the quotas' statuses."""

    def __init__(self, store: Store) -> None:
        self.store = store
        store.admissions.append(self._admit)
        store.listeners.append(self._notice)

    def _admit(self, kind: Kind, thing: Object) -> None:
        namespace = thing["metadata"].get("namespace", "")
        for quota in self._of(namespace):
            hard = quota.get("spec", {}).get("hard", {})
            for resource in names_of(kind) & hard.keys():
                used = len(self.store.select(kind, namespace, _anything))
                if used >= int(hard[resource]):
                    raise _exceeded(kind, thing, quota, resource, used)

    def _notice(self, change: Change) -> None:
        namespace = change.thing["metadata"].get("namespace", "")
        if namespace and (change.before is None or change.after is None) and any(self._of(namespace)):
            asyncio.get_running_loop().call_soon(self._count, namespace)

    def _count(self, namespace: str) -> None:
        for quota in list(self._of(namespace)):
            hard = quota.get("spec", {}).get("hard", {})
            used = {
                resource: str(len(self.store.select(kind, namespace, _anything)))
                for kind in self.store.kinds
                for resource in names_of(kind) & hard.keys()
            }
            self.store.replace(RESOURCE_QUOTA, {**quota, "status": {"hard": hard, "used": used}})

    def _of(self, namespace: str) -> Iterator[Object]:
        yield from self.store.select(RESOURCE_QUOTA, namespace, _anything) if namespace else ()


def names_of(kind: Kind) -> set[str]:
    """How a quota may name the objects of a kind: ``count/deployments.apps``; for those of the core ``pods``, too."""
    return {f"count/{kind.qualified}", *([] if kind.group else [kind.plural])}


def _exceeded(kind: Kind, thing: Object, quota: Object, resource: str, used: int) -> ApiError:
    limit, about = quota["spec"]["hard"][resource], quota["metadata"]["name"]
    counts = f"requested: {resource}=1, used: {resource}={used}, limited: {resource}={limit}"
    refused = f'{kind.qualified} "{thing["metadata"]["name"]}" is forbidden'
    return ApiError(403, "Forbidden", f"{refused}: exceeded quota: {about}, {counts}")


def _anything(_: Object) -> bool:
    return True
