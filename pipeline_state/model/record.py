"""A commit's record: its place on its branches, its gates, and what has been claimed for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pipeline_state.model.gates import is_gate
from pipeline_state.model.order import Place
from pipeline_state.model.promotion import AUTOMATIC

CLAIM = "_claim_"
WRITTEN = "_set_"
BRANCHES = "_branches"
LAST_WRITE = "_last_write"


@dataclass(frozen=True, slots=True)
class Claim:
    """A promotion this commit has been given.

    generation: the environment's, raised by this very claim. promotions: event ids by release name.
    published: whether their publication has been confirmed.
    pushed_at: when the push it was claimed for had happened (RFC 3339), by `Place.pushed_by`.
    by: "gatestream", or the person who asked for it. told_at: when it was last published (RFC 3339).
    repeats: how often it was published again since nothing came of it.
    """

    environment_key: str
    generation: int
    at: str
    promotions: Mapping[str, str]
    published: bool
    pushed_at: str | None = None
    by: str = AUTOMATIC
    told_at: str | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One item of the Gates table, read so that no hand edit can make it unreadable.

    gates: raw values by column. claims: by environment key. written: by gate, what our own writers last wrote there
    and when. problems: what could not be understood, one sentence each.
    """

    repo: str
    commit: str
    branches: Mapping[str, Place] = field(default_factory=dict)
    gates: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    written: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read_record(item: Mapping[str, Any]) -> Record:
    """The record in an item (plain Python values), whatever people have done to it."""
    problems: list[str] = []
    claims = {}
    for name, value in item.items():
        if name.startswith(CLAIM):
            claim = read_claim(name, value)
            if claim is None:
                problems.append(f"{name} is not a claim; restore it from the journal or remove it")
            else:
                claims[claim.environment_key] = claim
    return Record(
        repo=str(item["repo"]),
        commit=str(item["commit"]),
        branches=_places(item.get(BRANCHES), problems),
        gates={name: value for name, value in item.items() if is_gate(name)},
        claims=claims,
        written={
            name.removeprefix(WRITTEN): value
            for name, value in item.items()
            if name.startswith(WRITTEN) and isinstance(value, Mapping)
        },
        problems=tuple(problems),
    )


def read_claim(name: str, value: object) -> Claim | None:
    """The claim in an attribute, whose name begins with `CLAIM`; None where people have made something else of it."""
    if not isinstance(value, Mapping):
        return None
    generation, at, promotions = value.get("generation"), value.get("at"), value.get("promotions")
    if not (isinstance(generation, int | Decimal) and isinstance(at, str) and isinstance(promotions, Mapping)):
        return None
    repeats = value.get("repeats")
    return Claim(
        environment_key=name.removeprefix(CLAIM),
        generation=int(generation),
        at=at,
        promotions=promotions,
        published=bool(value.get("published")),
        pushed_at=_text(value.get("pushed_at")),
        by=_text(value.get("by")) or AUTOMATIC,
        told_at=_text(value.get("told_at")),
        repeats=int(repeats) if isinstance(repeats, int | Decimal) else 0,
    )


def note_of(value: object, written: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What was last written to a gate's column, where the column still holds it; empty otherwise."""
    return written if written and written.get("value") == value else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _places(value: object, problems: list[str]) -> dict[str, Place]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        problems.append(f"{BRANCHES} is not a map of branches; the next push of this commit restores it")
        return {}
    places = {}
    for branch, entry in value.items():
        place = Place.from_dict(entry)
        if place is None:
            problems.append(f"{BRANCHES}.{branch} is not a place in a branch's order; the next push restores it")
        else:
            places[branch] = place
    return places
