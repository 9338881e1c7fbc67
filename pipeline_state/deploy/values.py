"""Chart values as data: the commit put in its place, and JSON that Helm's YAML reader takes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline_state.faults import PermanentFault

_DOT = re.compile(r"(?<!\\)\.")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def with_commit(values: Mapping[str, Any], path: str, commit: str) -> dict[str, Any]:
    """A copy of the values with the commit at the dotted path ("image.tag"; a dot within a key is written as in --set).

    Raises PermanentFault when something on the path is not a map.
    """
    return _placed(values, [key.replace("\\.", ".") for key in _DOT.split(path)], commit, path)


def _placed(values: Mapping[str, Any], keys: list[str], commit: str, path: str) -> dict[str, Any]:
    key, *rest = keys
    if not rest:
        return {**values, key: commit}
    below = values.get(key)
    if below is not None and not isinstance(below, Mapping):
        raise PermanentFault(
            f"image_tag {path!r}: the value {key!r} is {type(below).__name__}, not a map;"
            " name the place of the tag in pipelines.yaml, e.g. image.tag"
        )
    return {**values, key: _placed(below or {}, rest, commit, path)}


def fingerprint(values: Mapping[str, Any]) -> str:
    """What tells values apart, as 32 hex digits: the same for the same values, in whatever order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def as_yaml(document: bytes) -> bytes:
    """The JSON document as YAML that Helm reads the same way.

    json.dumps writes a character beyond U+FFFF as two surrogate escapes. YAML takes each escape for a character of its
    own and refuses them (https://yaml.org/spec/1.2.2/#57-escaped-characters), so everything printable travels as it is.
    """
    text = json.dumps(json.loads(document), ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()
