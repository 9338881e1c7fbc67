"""The journal's entries as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_state.cli.console import said
from pipeline_state.cli.spans import seconds_in, took
from pipeline_state.model.decision import TAKEN_BACK
from pipeline_state.model.entries import CLAIMED, EMPTY_REMOVED, GATE_SET

REDRIVEN = "dead letter sent back"
"""Kind of the entry of `gatestream dlq redrive`."""

APPLIED = "applied"
"""Kind of the entry of `gatestream pipelines apply`."""

PROMOTED = {
    "promote": "promoted",
    "rollback": "promoted by rollback",
    "redeploy": "redeployed",
    "override": "promoted by override",
}
"""What each action has done with a commit."""

PIPELINES = "pipelines"
"""What stands for the commit in the key of a repository's entries about its pipelines."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_STATUSES = {"TRUE": "passed", "FALSE": "failed", "": "pending"}
_PROVIDERS = {"com.github.": "GitHub", "com.circleci.": "CircleCI"}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened. time: RFC 3339. verified: whether `by` is known or only claimed.

    repo, commit: empty where it happened to no commit, or to all repositories.
    """

    time: str
    repo: str
    commit: str
    kind: str
    text: str
    by: str
    verified: bool
    what: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def tell(entry: Mapping[str, Any]) -> Told:
    """What an entry of the journal (plain values) tells."""
    repo, _, last = str(entry["record"]).rpartition("#")
    commit = last if _COMMIT.fullmatch(last) else ""
    kind, what = str(entry.get("kind", "")), entry.get("what")
    told = what if isinstance(what, Mapping) else {}
    time, _, id_and_source = str(entry["entry"]).partition("#")
    return Told(
        time=time,
        repo=repo if commit or last == PIPELINES else str(told.get("repo", "")),
        commit=commit,
        kind=kind,
        text=_sentence(kind, told),
        by=str(entry.get("by") or _sender(kind, id_and_source)),
        verified=entry.get("verified") is True,
        what=told,
    )


def _sender(kind: str, id_and_source: str) -> str:
    """Who an event came from, where it names nobody."""
    if "#/gatestream/pipelines/" in id_and_source:
        return "gatestream"
    return next((name for prefix, name in _PROVIDERS.items() if kind.startswith(prefix)), "")


def _sentence(kind: str, what: Mapping[str, Any]) -> str:
    told = {name: "removed" if value is None else said(value) for name, value in what.items()}
    if kind in _SENTENCES:
        return _SENTENCES[kind](told)
    if "release" in told:
        return _release(told)
    if "name" in told:
        provider = next((name for prefix, name in _PROVIDERS.items() if kind.startswith(prefix)), kind)
        event = kind.split(".")[2] if provider != kind else "result"
        return f"{provider} {event.partition('-')[0].replace('_', ' ')} {told['name']}: {told.get('status')}"
    return f"{kind} {_pairs(told)}".strip()


def _gate_set(what: Mapping[str, str]) -> str:
    status = what.get("status", "")
    return _why(f"gate {what.get('gate')} set to {_STATUSES.get(status, status)}", what)


def _claimed(what: Mapping[str, str]) -> str:
    done = PROMOTED.get(what.get("action", ""), PROMOTED["promote"])
    return _why(f"{done} to {what.get('environment')}, generation {what.get('generation')}", what)


def _release(what: Mapping[str, str]) -> str:
    """What became of a release of a promotion."""
    release, outcome, reason = (what.get(name, "") for name in ("release", "outcome", "reason"))
    place = f"in {what.get('environment')}"
    if reason.startswith(_DONE_TO_IT) or outcome == "applied":
        told = f"{release} {place} {reason or outcome}"
    else:
        told = _why(f"{release} {outcome} {place}{_measured(what)}", what)
    return f"{told}; put right first: {what['healed']}" if what.get("healed") else told


_DONE_TO_IT = ("applied as", "taken back", "not begun")
"""What a reason begins with that says itself what became of the release."""


def _measured(what: Mapping[str, str]) -> str:
    """How long it took, and which revision it is."""
    seconds = seconds_in(what.get("seconds"))
    after = f" after {took(seconds)}" if seconds else ""
    facts = [f"revision {what['revision']}" if what.get("revision") else "", what.get("chart", "")]
    told = ", ".join(filter(None, facts))
    return f"{after} ({told})" if told else after


def _until(what: Mapping[str, str]) -> str:
    return f" until {what['until']}" if what.get("until") else ""


def _why(told: str, what: Mapping[str, str]) -> str:
    return f"{told}: {what['reason']}" if what.get("reason") else told


def _pairs(what: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value or 'empty'}" for name, value in what.items())


_SENTENCES: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "com.github.push": lambda what: (
        f"pushed to {what.get('branch')}{' by force' if what.get('forced') == 'true' else ''}"
    ),
    CLAIMED: _claimed,
    "frozen": lambda what: _why(f"{what.get('environment')} frozen{_until(what)}", what),
    "unfrozen": lambda what: _why(f"{what.get('environment')} unfrozen", what),
    "held": lambda what: _why(f"{what.get('environment')} held", what),
    "released": lambda what: _why(f"{what.get('environment')} released", what),
    "stopped": lambda what: _why(f"everything stopped{_until(what)}", what),
    "started": lambda _: "everything started",
    APPLIED: lambda what: f"pipelines applied, version {what.get('version')}",
    "edited by hand": lambda what: f"edited by hand: {_pairs(what)}",
    EMPTY_REMOVED: lambda what: f"empty gates removed, for pipelines without them: {', '.join(what)}",
    GATE_SET: _gate_set,
    TAKEN_BACK: lambda what: f"{what.get('gate')}: {what.get('reason') or TAKEN_BACK}",
    REDRIVEN: lambda what: _why(f"dead letter of {what.get('queue')} sent back to {what.get('to')}", what),
}
