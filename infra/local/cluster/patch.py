"""Merge patch (RFC 7386), JSON patch (RFC 6902: add, replace, remove) and strategic merge patch.

Strategic merge: k8s.io/community, "Strategic Merge Patch". Of its directives ``$patch: delete|replace`` and
``$deleteFromPrimitiveList`` are followed; order directives are ignored.
"""

from typing import Any

from infra.local.cluster.errors import ApiError
from infra.local.cluster.kinds import Object
from infra.local.cluster.lists import identity, keys_of


def patched(live: Object, patch: Any, content_type: str) -> Object:  # noqa: ANN401 - any JSON value
    """The object after the patch.

    :raises ApiError: 415 for another kind of patch, 422 for a JSON patch that does not fit.
    """
    if content_type == "application/merge-patch+json":
        return _checked(_merge(live, patch))
    if content_type == "application/strategic-merge-patch+json":
        return _checked(_strategic(live, patch, ""))
    if content_type == "application/json-patch+json":
        return _checked(_json_patch(live, patch))
    raise ApiError(415, "UnsupportedMediaType", f"cannot patch with {content_type}")


def _checked(thing: Any) -> Object:  # noqa: ANN401 - any JSON value
    if not isinstance(thing, dict) or not isinstance(thing.get("metadata"), dict):
        raise ApiError(422, "Invalid", "the patch leaves no object")
    return thing


def _merge(live: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON value
    if not isinstance(patch, dict):
        return patch
    live = live if isinstance(live, dict) else {}
    merged = live | {name: _merge(live.get(name), inner) for name, inner in patch.items()}
    return {name: inner for name, inner in merged.items() if patch.get(name, inner) is not None}


def _strategic(live: Any, patch: Any, field: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(patch, list):
        return _strategic_list(live if isinstance(live, list) else [], patch, field)
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {name: inner for name, inner in patch.items() if name != "$patch"}
    merged = dict(live) if isinstance(live, dict) else {}
    for name, inner in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            list_name = name.partition("/")[2]
            merged[list_name] = [item for item in merged.get(list_name, ()) if item not in inner]
        elif inner is None:
            merged.pop(name, None)
        elif not name.startswith("$"):
            merged[name] = _strategic(merged.get(name), inner, name)
    return merged


def _strategic_list(live: list[Any], patch: list[Any], field: str) -> list[Any]:
    keys = keys_of(field, [item for item in patch if item != {"$patch": "replace"}])
    if {"$patch": "replace"} in patch or not keys:
        return [item for item in patch if item != {"$patch": "replace"}]
    merged = {identity(item, keys): item for item in live}
    for item in patch:
        place = identity(item, keys)
        if item.get("$patch") == "delete":
            merged.pop(place, None)
        else:
            merged[place] = _strategic(merged.get(place), item, "")
    return list(merged.values())


def _json_patch(live: Any, steps: Any) -> Any:  # noqa: ANN401 - any JSON value
    for step in steps:
        if step["op"] not in {"add", "replace", "remove"}:
            raise ApiError(422, "Invalid", f"the JSON patch operation {step['op']} is not served")
        names = [name.replace("~1", "/").replace("~0", "~") for name in step["path"].split("/")[1:]]
        live = _set_at(live, names, step)
    return live


def _set_at(value: Any, names: list[str], step: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    if not names:
        return step.get("value")
    name, rest = names[0], names[1:]
    if isinstance(value, list):
        return _set_item(value, len(value) if name == "-" else int(name), rest, step)
    if not isinstance(value, dict) or (name not in value and (rest or step["op"] != "add")):
        raise ApiError(422, "Invalid", f"the JSON patch path {step['path']} is not there")
    if step["op"] == "remove" and not rest:
        return {key: inner for key, inner in value.items() if key != name}
    return {**value, name: _set_at(value.get(name), rest, step)}


def _set_item(items: list[Any], at: int, rest: list[str], step: dict[str, Any]) -> list[Any]:
    if rest:
        return [*items[:at], _set_at(items[at], rest, step), *items[at + 1 :]]
    skipped = 0 if step["op"] == "add" else 1
    new = [] if step["op"] == "remove" else [step["value"]]
    return [*items[:at], *new, *items[at + skipped :]]
