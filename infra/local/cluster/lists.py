"""How lists and maps inside objects merge: by which keys items are the same, and what is replaced as a whole.

Source: the ``+listType``, ``+listMapKey``, ``+mapType`` and ``+structType`` markers of k8s.io/api, by field name.
"""

import json
from typing import Any

Item = dict[str, Any]

_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "secrets": ("name",),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_DEFAULTS = {"protocol": "TCP"}
_ATOMIC = {"matchLabels", "nodeSelector", "selector"}


def keys_of(field: str, items: Any) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value
    """The fields that tell the items of a list apart; empty when the list is replaced as a whole."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return ()
    if field == "ports" and items:
        return ("containerPort" if "containerPort" in items[0] else "port", "protocol")
    keys = _KEYS.get(field, ())
    return keys if all(key in item for item in items for key in keys) else ()


def is_atomic(field: str) -> bool:
    """Whether the map in this field is replaced as a whole."""
    return field in _ATOMIC


def identity(item: Item, keys: tuple[str, ...]) -> str:
    """An item's place in a list, in the notation of managed fields: ``k:{"name":"web"}``."""
    return "k:" + json.dumps({key: item.get(key, _DEFAULTS.get(key)) for key in keys}, separators=(",", ":"))
