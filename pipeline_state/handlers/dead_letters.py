"""What a dead letter tells whoever finds it: why it lies there, and which commit it is about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pipeline_state.events.codec import Attributes, attribute, sendable
from pipeline_state.events.publish import TOPIC

REASON = "reason"
ABOUT = ("repo", "commit", "pipeline", "environment")
"""What a dead letter may be about, also the names of the attributes that say so."""

DIED_AT = "died-at"
"""The attribute of a message that was sent back: when it had come into the dead-letter queue, in epoch milliseconds."""

OURS = frozenset((REASON, DIED_AT, *ABOUT))
"""The attributes that a message has as a dead letter only."""

_MOST_ATTRIBUTES = 10
"""Of a message, by SQS's quotas."""

_FIRST = (TOPIC, "x-honeycomb-trace")
"""Of the attributes that a message came with, those that it cannot be sent on without come first."""

_LONGEST_REASON, _LONGEST_NAME = 2_000, 256
"""Characters."""

_LONGEST_BODY = 250_000
"""Bytes of a stream record's letter; every queue takes 262,144 with the attributes, newer ones more."""

_LONGEST_VALUE = 1_000
"""Characters of a column in a letter that would be too long."""


def describe(record: Mapping[str, Any], reason: str) -> Attributes:
    """The attributes of a record's dead letter: the reason, what it is about, and those that the message came with."""
    ours = {REASON: attribute(reason[:_LONGEST_REASON])}
    ours |= {name: attribute(value) for name, value in about_record(record).items()}
    theirs = _given(record.get("messageAttributes"))
    names = sorted(theirs, key=lambda name: (name not in _FIRST, name))[: _MOST_ATTRIBUTES - len(ours)]
    return ours | {name: theirs[name] for name in names}


def body_of(record: Mapping[str, Any]) -> str:
    """The body of a record's dead letter: a message's own, or the stream record as JSON.

    Where that is more than a queue takes, columns that did not change are left out and long values are replaced by
    their length and hash. That still wakes the promoter, which reads the record itself.
    """
    if "body" in record:
        return str(record["body"])
    whole = _json(record)
    return whole if len(whole.encode()) <= _LONGEST_BODY else _json({**record, "dynamodb": _shortened(record)})


def about(body: str) -> dict[str, str]:
    """Repository and commit, or pipeline and environment, of a message or stream record in JSON; what can be told."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return _of_change(found) if isinstance(found, dict) and "dynamodb" in found else _of_event(found)


def about_record(record: Mapping[str, Any]) -> dict[str, str]:
    """The same of a message or stream record as Lambda hands it over."""
    return about(str(record["body"])) if "body" in record else _of_change(record)


def _of_change(record: Mapping[str, Any]) -> dict[str, str]:
    """The keys of the item that changed."""
    keys = _inner(record, "dynamodb", "Keys")
    return _named({name: _inner(keys, name).get("S") for name in ABOUT})


def _of_event(event: object) -> dict[str, str]:
    """An event's own repository and commit, or those of the promotion in it."""
    data = _inner(event, "data")
    for promotion in (_inner(data, "customData", "promotion"), _inner(data, "subject", "content", "promotion")):
        if promotion:
            return _named({name: promotion.get(name) for name in ("repo", "commit")})
    return _named({"repo": data.get("repo"), "commit": data.get("sha")})


def _named(values: Mapping[str, object]) -> dict[str, str]:
    return {name: value[:_LONGEST_NAME] for name, value in values.items() if isinstance(value, str) and value}


def _inner(value: object, *names: str) -> Mapping[str, Any]:
    """The object at the end of that path; empty where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _given(attributes: object) -> Attributes:
    """The texts that a message came with, in the shape to send them; Lambda shows them in one of its own."""
    found = {}
    for name, value in attributes.items() if isinstance(attributes, Mapping) else ():
        text = value.get("stringValue") if isinstance(value, Mapping) else None
        if name not in OURS and isinstance(text, str) and text:
            found[name] = attribute(text)
    return found


def _shortened(record: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(record["dynamodb"])
    old, new = _inner(told, "OldImage"), _inner(told, "NewImage")
    for image, values, others in (("OldImage", old, new), ("NewImage", new, old)):
        if image in told:
            changed = {name: value for name, value in values.items() if value != others.get(name)}
            told[image] = {name: _short(value) for name, value in changed.items()}
    return told


def _short(value: Any) -> Any:
    text = _json(value)
    if len(text) <= _LONGEST_VALUE:
        return value
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"S": f"left out: {len(text)} characters with the SHA-256 {digest}"}


def _json(value: Any) -> str:
    return sendable(json.dumps(value, ensure_ascii=False))
