"""Kubernetes' protobuf bodies of the few kinds that clients write with a typed client, which sends nothing else.

Field numbers: ``generated.proto`` of k8s.io/api/core/v1 and of k8s.io/apimachinery (``meta/v1`` and ``runtime``).
"""

import base64
from collections.abc import Iterator
from typing import Any, Literal

from infra.local.cluster.errors import ApiError

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _BYTES = 0, 2

Type = Literal["text", "base64", "number", "texts", "map of text", "map of base64"]
Message = dict[int, "tuple[str, Type | Message]"]

_METADATA: Message = {
    1: ("name", "text"),
    2: ("generateName", "text"),
    3: ("namespace", "text"),
    6: ("resourceVersion", "text"),
    11: ("labels", "map of text"),
    12: ("annotations", "map of text"),
}
_KINDS: dict[str, Message] = {
    "ConfigMap": {1: ("metadata", _METADATA), 2: ("data", "map of text"), 3: ("binaryData", "map of base64")},
    "DeleteOptions": {1: ("gracePeriodSeconds", "number"), 4: ("propagationPolicy", "text"), 5: ("dryRun", "texts")},
    "Namespace": {1: ("metadata", _METADATA)},
    "Secret": {
        1: ("metadata", _METADATA),
        2: ("data", "map of base64"),
        3: ("type", "text"),
        4: ("stringData", "map of text"),
    },
    "ServiceAccount": {1: ("metadata", _METADATA)},
}


def decode(body: bytes) -> dict[str, Any]:
    """The object as its JSON would say it.

    :raises ApiError: 415 when the kind is not one of the few, 400 when the body breaks off.
    """
    envelope = dict(_fields(body.removeprefix(_MAGIC)))
    kind_of = {number: _text(value) for number, value in _fields(envelope.get(1, b""))}
    kind = kind_of.get(2, "")
    if kind not in _KINDS:
        raise ApiError(415, "UnsupportedMediaType", f"the embedded cluster reads {kind or 'this body'} as JSON only")
    return {"apiVersion": kind_of.get(1, "v1"), "kind": kind, **_message(envelope.get(2, b""), _KINDS[kind])}


def _message(data: int | bytes, message: Message) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for number, value in _fields(data):
        name, type_ = message.get(number, ("", "text"))
        if isinstance(type_, dict):
            result[name] = _message(value, type_)
        elif type_.startswith("map of "):
            key, inner = (dict(_fields(value)).get(part, b"") for part in (1, 2))
            result.setdefault(name, {})[_text(key)] = _base64(inner) if type_.endswith("base64") else _text(inner)
        elif type_ == "texts":
            result.setdefault(name, []).append(_text(value))
        elif name and value:
            result[name] = value if type_ == "number" else _text(value)
    return result


def _text(value: int | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _base64(value: int | bytes) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else b"").decode()


def _fields(data: int | bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field; of the wire types only the two that these messages use."""
    if isinstance(data, int):
        raise ApiError(400, "BadRequest", "the protobuf body has a number where a message belongs")
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == _VARINT:
            yield tag >> 3, value
        elif tag & 7 == _BYTES and at + value <= len(data):
            yield tag >> 3, data[at : at + value]
            at += value
        else:
            raise ApiError(400, "BadRequest", f"the protobuf body cannot be read at byte {at}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    for end, byte in enumerate(data[at : at + 10], at + 1):
        result |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint has its top bit clear
            return result, end
    raise ApiError(400, "BadRequest", f"the protobuf body breaks off at byte {at}")
