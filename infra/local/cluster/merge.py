"""How a change merges into an object: the rules that apply, strategic merge patch and merge patch share.

Which items of a list are the same, and which maps are replaced as a whole, is said by the ``+listMapKey``, ``+mapType``
and ``+structType`` markers of k8s.io/api; here by field name. Merge patch: RFC 7386, which replaces every list.
Strategic merge patch: k8s.io/community, "Strategic Merge Patch"; its directives about order are ignored.
"""

import json
from typing import Any

_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_DEFAULTS = {"protocol": "TCP"}
_ATOMIC = {"matchLabels", "nodeSelector", "selector"}


def merge(live: Any, change: Any, field: str = "", *, keyed: bool = True) -> Any:
    """The live value with the change in it; None removes a field, ``$patch: delete`` a list's item.

    :param field: the name under which both stand, which decides how lists merge.
    :param keyed: whether items of lists are matched by their keys; otherwise lists are replaced.
    """
    if isinstance(change, dict):
        kept = live if isinstance(live, dict) and not is_atomic(field) else {}
        changes = {name: value for name, value in change.items() if not name.startswith("$")}
        merged = {name: merge(kept.get(name), value, name, keyed=keyed) for name, value in changes.items()}
        return {name: value for name, value in {**kept, **merged}.items() if value is not None}
    keys = keys_of(field, change) if keyed else ()
    if not keys:
        return change
    before = {identity(item, keys): item for item in live or ()}
    after = {identity(item, keys): item for item in change}
    gone = {place for place, item in after.items() if item.get("$patch") == "delete"}
    merged = {place: merge(before.get(place), item) for place, item in after.items()}
    return [item for place, item in {**before, **merged}.items() if place not in gone]


def keys_of(field: str, items: Any) -> tuple[str, ...]:
    """The fields that tell the items of a list apart; empty when the list is replaced as a whole."""
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        return ()
    if field == "ports":
        return ("containerPort" if "containerPort" in items[0] else "port", "protocol")
    keys = _KEYS.get(field, ())
    return keys if all(key in item for item in items for key in keys) else ()


def is_atomic(field: str) -> bool:
    """Whether the map in this field is replaced as a whole."""
    return field in _ATOMIC


def identity(item: dict[str, Any], keys: tuple[str, ...]) -> str:
    """An item's place in a list, in the notation of managed fields: ``k:{"name":"web"}``."""
    return "k:" + json.dumps({key: item.get(key, _DEFAULTS.get(key)) for key in keys}, separators=(",", ":"))
