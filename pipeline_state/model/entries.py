"""The journal's entries, taken apart: what happened, when that was learned, and who did it as far as is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipeline_state.model.times import parse_time

PUSHED = "com.github.push"
CLAIMED = "claimed"
EDITED = "edited by hand"
GATE_SET = "gate set"
EMPTY_REMOVED = "empty gates removed"
"""Kinds of entries beside results, which have their event's type, and closures, which `model.closures` knows."""

Known = Literal["verified", "claimed", "unknown", ""]
"""How well it is known who did something: our own function or a signed call says so, somebody's word, or nothing."""

_NOBODY = ("", "unknown")

KEPT = 200
"""Characters of a value that somebody wrote, of which the journal keeps what decisions look at first."""

_EVIDENCE = ("expires_at", "at", "by", "reason", "url")


@dataclass(frozen=True, slots=True)
class Doer:
    """Who did something; nobody did what a clock did."""

    by: str = ""
    known: Known = ""


PIPELINE = Doer("gatestream", "verified")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. place: repository and commit, or pipeline and environment.

    at: when the pipeline learned of it. time: RFC 3339, of what it tells. id: makes an order of those of one moment.
    """

    place: tuple[str, str]
    kind: str
    at: datetime
    time: str
    id: str
    doer: Doer
    what: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A text in what it tells; empty where there is none."""
        value = self.what.get(name)
        return value if isinstance(value, str) else ""


def read_entry(raw: Mapping[str, Any]) -> Entry | None:
    """The entry in plain values as `table.journal.history` gives them; None for what has no time of ours.

    A push and an edit are taken to have been known when they happened: their times begin and end what others wait for.
    Whichever of its two times is the earlier one counts then, since not all of them are from one clock.
    """
    time, _, id_ = str(raw.get("entry", "")).partition("#")
    moment, written = parse_time(time), parse_time(raw.get("written_at"))
    if moment is None:
        return None
    kind, what = str(raw.get("kind", "")), raw.get("what")
    at = min(moment, written or moment) if kind in {PUSHED, EDITED} else written or moment
    repo, _, last = str(raw.get("record", "")).rpartition("#")
    told = what if isinstance(what, Mapping) else {}
    return Entry(
        (repo, last), kind, at, time, id_, doer_of(str(raw.get("by") or ""), raw.get("verified") is True), told
    )


def doer_of(by: str, verified: bool) -> Doer:  # noqa: FBT001 - as the journal has it
    """Who did it, by what an entry or a gate's evidence says."""
    if by in _NOBODY:
        return Doer("", "unknown")
    return Doer(by, "verified" if verified else "claimed")


def kept_value(value: Any) -> Any:
    """A gate's value as an entry of an edit keeps it: status and evidence as far as there is room; all else as text."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, Mapping):
        return str(value)[:KEPT]
    kept = {"status": str(value["status"])[:KEPT]} if "status" in value else {}
    for name in (name for name in _EVIDENCE if isinstance(value.get(name), str)):
        kept[name] = value[name][: KEPT - sum(map(len, kept.values()))]
    return kept
