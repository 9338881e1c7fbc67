"""Server-side apply: merging what one manager wants into an object, and remembering who set which field.

Rules: kubernetes.io/docs, "Server-Side Apply". A field set is a set of paths in the notation of ``FieldsV1``.
"""

import json
from collections.abc import Iterator
from typing import Any

from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import Object
from infra.local.cluster.merge import identity, is_atomic, keys_of, merge

Path = tuple[str, ...]
Fields = frozenset[Path]
Manager = dict[str, Any]

_STAMPS = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
_UNMANAGED = {("f:apiVersion",), ("f:kind",), ("f:status",), *(("f:metadata", f"f:{name}") for name in _STAMPS)}


def apply(live: Object | None, wanted: Object, manager: Manager, *, force: bool) -> Object:
    """The object after ``manager`` (name, time, API version) applied ``wanted`` to it.

    Fields that the manager applied before and wants no more go, unless another manager has them too.

    :raises ApiError: 409 naming the fields that others have set to other values, unless ``force``.
    """
    mine = fields_of(wanted)
    entries = _managers(live)
    others = [entry for entry in entries if not _is_same(entry, manager)]
    mine_before = _union(entry for entry in entries if _is_same(entry, manager))
    theirs = _union(others)
    taken = {path for path in mine if not _is_item(path) and value_at(live, path) != value_at(wanted, path)}
    clashes = [(entry, path) for entry in others for path in sorted(read_fields(entry) & taken)]
    if clashes and not force:
        raise _conflict(clashes)
    merged = merge(live or {}, wanted)
    for path in sorted(mine_before - mine, key=len):  # the shortest first: an item of a list goes before what is in it
        if not any(other[: len(path)] == path for other in mine | theirs):
            merged = _without(merged, path)
    kept = [_with_fields(entry, read_fields(entry) - taken) for entry in others]
    return _managed(live, merged, [*kept, _with_fields(manager, mine)])


def track(live: Object | None, new: Object, manager: Manager) -> Object:
    """The object with the fields that a create, update or patch changed noted as the manager's.

    Who manages what may itself be what is changed.
    """
    now = fields_of(new)
    changed = frozenset(path for path in now if _is_changed(value_at(live, path), value_at(new, path), path))
    entries = _managers(new) or _managers(live)
    mine = _union(entry for entry in entries if _is_same(entry, manager)) & now
    others = [entry for entry in entries if not _is_same(entry, manager)]
    kept = [_with_fields(entry, (read_fields(entry) & now) - changed) for entry in others]
    return _managed(live, new, [*kept, _with_fields(manager, mine | changed)])


def _is_changed(before: Any, after: Any, path: Path) -> bool:
    return before is None if _is_item(path) else before != after


def fields_of(thing: Object) -> Fields:
    """The paths of all fields that managers can have; list items with keys have a path of their own."""
    return frozenset(path for path in _paths(thing, ()) if not {path[:1], path[:2]} & _UNMANAGED)


def _paths(value: Any, path: Path) -> Iterator[Path]:
    field = path[-1][2:] if path else ""
    if isinstance(value, dict) and value and not is_atomic(field):
        for name, inner in value.items():
            yield from _paths(inner, (*path, f"f:{name}"))
    elif keys := keys_of(field, value):
        for item in value:
            place = (*path, identity(item, keys))
            yield place
            yield from _paths(item, place)
    else:
        yield path


def value_at(value: Any, path: Path) -> Any:
    """The value at a path, None when there is none."""
    field = ""
    for step in path:
        if step.startswith("f:"):
            field = step[2:]
            value = value.get(field) if isinstance(value, dict) else None
        else:
            keys = keys_of(field, value)
            value = next((item for item in value or () if keys and identity(item, keys) == step), None)
    return value


def read_fields(entry: Manager) -> Fields:
    """The field set of an entry of ``managedFields``."""
    return frozenset(_read(entry.get("fieldsV1", {}), ()))


def _read(tree: dict[str, Any], path: Path) -> Iterator[Path]:
    for step, inner in tree.items():
        if step == ".":
            yield path
        elif inner:
            yield from _read(inner, (*path, step))
        else:
            yield (*path, step)


def _with_fields(manager: Manager, fields: Fields) -> Manager:
    tree: dict[str, Any] = {}
    for path in sorted(fields):  # a path sorts before those inside it
        inner = tree
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
        inner[path[-1]] = {".": {}} if _is_item(path) else {}
    return {**manager, "fieldsType": "FieldsV1", "fieldsV1": tree}


def _without(value: Any, path: Path, field: str = "") -> Any:
    step, rest = path[0], path[1:]
    if step.startswith("f:") and isinstance(value, dict) and step[2:] in value:
        name = step[2:]
        inner = _without(value[name], rest, name) if rest else None
        return {key: inner if key == name else old for key, old in value.items() if key != name or inner}
    if isinstance(value, list):
        keys = keys_of(field, value)
        left = [item if identity(item, keys) != step else rest and _without(item, rest) for item in value]
        return [item for item in left if item]
    return value


def _managed(live: Object | None, thing: Object, entries: list[Manager]) -> Object:
    """Note the managers; one whose fields are the same as before keeps its time, so that nothing changes."""
    before = _managers(live)
    same = [
        next((old for old in before if _is_same(old, entry) and old["fieldsV1"] == entry["fieldsV1"]), entry)
        for entry in entries
    ]
    entries = [entry for entry in same if entry["fieldsV1"]]
    return {**thing, "metadata": {**thing["metadata"], "managedFields": entries}}


def _managers(live: Object | None) -> list[Manager]:
    return list((live or {"metadata": {}})["metadata"].get("managedFields", ()))


def _is_same(entry: Manager, manager: Manager) -> bool:
    return all(entry.get(key) == manager.get(key) for key in ("manager", "operation", "subresource"))


def _is_item(path: Path) -> bool:
    return path[-1].startswith("k:")


def _union(entries: Any) -> Fields:
    return frozenset[Path]().union(*(read_fields(entry) for entry in entries))


def _conflict(clashes: list[tuple[Manager, Path]]) -> ApiError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_described(entry)}", "field": _dotted(path)}
        for entry, path in clashes
    ]
    count = f"{len(causes)} conflict{'s' * (len(causes) > 1)}"
    listed = ", ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    return ApiError(409, "Conflict", f"Apply failed with {count}: {listed}", causes)


def _described(entry: Manager) -> str:
    subresource = f' with subresource "{entry["subresource"]}"' if "subresource" in entry else ""
    return f'"{entry["manager"]}"{subresource} using {entry["apiVersion"]}'


def _dotted(path: Path) -> str:
    return "".join(f".{step[2:]}" if step.startswith("f:") else _bracketed(json.loads(step[2:])) for step in path)


def _bracketed(keys: dict[str, Any]) -> str:
    return f"[{','.join(f'{name}={json.dumps(value)}' for name, value in keys.items())}]"
