"""Kubernetes' protobuf bodies of the few kinds that clients write with a typed client (they send nothing else).

Field numbers: ``generated.proto`` of k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1 and pkg/runtime.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any

from infra.local.cluster.errors import ApiError

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Value = int | bytes
Read = Callable[[Value], Any]
Message = dict[int, tuple[str, Read]]


def _text(value: Value) -> str:
    return bytes(value).decode() if isinstance(value, bytes) else str(value)


def _base64(value: Value) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else b"").decode()


def _number(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _flag(value: Value) -> bool:
    return bool(value)


class _Map:
    """A map field: each occurrence is one entry, key in field 1, value in field 2."""

    def __init__(self, read: Read) -> None:
        self.read = read

    def __call__(self, value: Value) -> dict[str, Any]:
        entry = dict(_fields(value))
        return {_text(entry.get(1, b"")): self.read(entry.get(2, b""))}


class _List:
    """A repeated field."""

    def __init__(self, read: Read) -> None:
        self.read = read

    def __call__(self, value: Value) -> list[Any]:
        return [self.read(value)]


def _message(message: Message) -> Read:
    return lambda value: _decode(value, message)


_OWNER: Message = {
    1: ("kind", _text),
    3: ("name", _text),
    4: ("uid", _text),
    5: ("apiVersion", _text),
    6: ("controller", _flag),
}
_METADATA: Message = {
    1: ("name", _text),
    2: ("generateName", _text),
    3: ("namespace", _text),
    5: ("uid", _text),
    6: ("resourceVersion", _text),
    11: ("labels", _Map(_text)),
    12: ("annotations", _Map(_text)),
    13: ("ownerReferences", _List(_message(_OWNER))),
    14: ("finalizers", _List(_text)),
}
_KINDS: dict[str, Message] = {
    "Namespace": {1: ("metadata", _message(_METADATA))},
    "Secret": {
        1: ("metadata", _message(_METADATA)),
        2: ("data", _Map(_base64)),
        3: ("type", _text),
        4: ("stringData", _Map(_text)),
        5: ("immutable", _flag),
    },
    "ConfigMap": {
        1: ("metadata", _message(_METADATA)),
        2: ("data", _Map(_text)),
        3: ("binaryData", _Map(_base64)),
        4: ("immutable", _flag),
    },
    "ServiceAccount": {1: ("metadata", _message(_METADATA))},
    "DeleteOptions": {
        1: ("gracePeriodSeconds", _number),
        4: ("propagationPolicy", _text),
        5: ("dryRun", _List(_text)),
    },
}


def decode(body: bytes) -> dict[str, Any]:
    """The object as its JSON would say it.

    :raises ApiError: 415 when the body is not Kubernetes protobuf or its kind is not one of the few.
    """
    envelope = dict(_fields(body.removeprefix(_MAGIC))) if body.startswith(_MAGIC) else {}
    kind_of = {number: _text(value) for number, value in _fields(envelope.get(1, b""))}
    kind = kind_of.get(2, "")
    if kind not in _KINDS:
        raise ApiError(415, "UnsupportedMediaType", f"the embedded cluster reads {kind or 'this body'} as JSON only")
    return {"apiVersion": kind_of.get(1, "v1"), "kind": kind, **_decode(envelope.get(2, b""), _KINDS[kind])}


def _decode(value: Value, message: Message) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for number, raw in _fields(value):
        if number not in message:
            continue
        name, read = message[number]
        new = read(raw)
        if isinstance(read, _Map):
            result.setdefault(name, {}).update(new)
        elif isinstance(read, _List):
            result.setdefault(name, []).extend(new)
        elif new not in ("", {}):
            result[name] = new
    return result


def _fields(value: Value) -> Iterator[tuple[int, Value]]:
    data = value if isinstance(value, bytes) else b""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        size = {_FIXED64: 8, _FIXED32: 4}.get(tag & 7)
        if tag & 7 == _VARINT:
            number, at = _varint(data, at)
            yield tag >> 3, number
            continue
        if tag & 7 == _BYTES:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            raise ApiError(400, "BadRequest", f"the protobuf body breaks off at byte {at}")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while at < len(data):
        byte = data[at]
        result |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint has its top bit clear
            return result, at
    raise ApiError(400, "BadRequest", f"the protobuf body breaks off at byte {at}")
