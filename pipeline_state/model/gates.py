"""What a value in a gate's column means.

A gate is a top-level attribute of a record that people and machines write with whatever tool they like, so reading
never fails: what is not understood counts as pending and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pipeline_state.model.times import parse_time

NAMED_ATTRIBUTES = frozenset({"repo", "commit", "branch", "pushed_at", "sequence", "honeycomb_trace"})
"""Attributes of a record that say who it is; every other one without a leading underscore is a gate."""

_NO_STATUS = "unrecognised value: a map without `status`"
_USABLE_NAME = re.compile(r"[A-Za-z0-9.\-/:][A-Za-z0-9_.\-/:]*")


class GateStatus(StrEnum):
    """The three things a gate can be."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate of one record, as understood at one moment.

    by, at (RFC 3339), reason and url are the evidence given with the status, where any was given.
    note says why a value counts as pending although somebody wrote something.
    """

    name: str
    status: GateStatus
    by: str | None = None
    at: str | None = None
    reason: str | None = None
    url: str | None = None
    expires_at: str | None = None
    note: str | None = None


def is_gate(attribute: str) -> bool:
    """Whether a top-level attribute of a record is a gate."""
    return not attribute.startswith("_") and attribute not in NAMED_ATTRIBUTES


def name_problem(name: str) -> str | None:
    """Why a name cannot be given to a gate, or None if it can."""
    if name in NAMED_ATTRIBUTES:
        return f"{name!r} is an attribute of every record, not a gate; choose another name"
    if not _USABLE_NAME.fullmatch(name):
        return f"{name!r} cannot be a gate's name; use letters, digits and _ . - / : and no leading underscore"
    return None


def read_gate(name: str, value: Any, now: datetime) -> Gate:
    """The gate that a column's value stands for at a moment.

    value: "" pending, "TRUE" (any case) or True passed, "FALSE" or False failed, or a map with `status` holding one of
    these beside its evidence. Anything else, and a name that cannot be used, is pending with a note.
    """
    problem = name_problem(name)
    if problem:
        return Gate(name, GateStatus.PENDING, note=problem)
    if isinstance(value, Mapping):
        return _from_map(name, value, now)
    status, note = _status(value)
    return Gate(name, status, note=note)


def _from_map(name: str, value: Mapping[str, Any], now: datetime) -> Gate:
    status, note = _status(value["status"]) if "status" in value else (GateStatus.PENDING, _NO_STATUS)
    expires_at = _text(value.get("expires_at"))
    if status is GateStatus.PASSED and expires_at:
        expiry = parse_time(expires_at)
        if expiry is None:
            status, note = GateStatus.PENDING, f"unrecognised expires_at {expires_at[:80]!r}"
        elif expiry <= now:
            status, note = GateStatus.PENDING, f"expired at {expires_at}"
    evidence = {key: _text(value.get(key)) for key in ("by", "at", "reason", "url")}
    return Gate(name, status, **evidence, expires_at=expires_at, note=note)


def _status(value: object) -> tuple[GateStatus, str | None]:
    if isinstance(value, bool):
        return (GateStatus.PASSED if value else GateStatus.FAILED), None
    if isinstance(value, str):
        match value.strip().upper():
            case "":
                return GateStatus.PENDING, None
            case "TRUE":
                return GateStatus.PASSED, None
            case "FALSE":
                return GateStatus.FAILED, None
    return GateStatus.PENDING, f"unrecognised value {str(value)[:80]!r}; use TRUE, FALSE or an empty string"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
