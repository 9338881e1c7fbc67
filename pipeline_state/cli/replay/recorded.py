"""The journal as a history that can be replayed.

Entries that an older version wrote tell less. What they lack is taken as whatever leaves a promotion possible: all
pipelines are touched, any app may have reported, and it was learned when it happened.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline_state.model.entries import CLAIMED, EDITED, EMPTY_REMOVED, GATE_SET, PUSHED
from pipeline_state.model.environments import Freeze
from pipeline_state.model.history import Claimed, Edited, Ended, Fact, Froze, Pinned, Pushed, Reported
from pipeline_state.model.order import NO_COMMIT, Push
from pipeline_state.model.pipelines import SourceKind
from pipeline_state.model.promotion import AUTOMATIC, Action
from pipeline_state.model.results import OUTCOMES, Result, source_kind
from pipeline_state.model.times import parse_time
from pipeline_state.table import journal
from pipeline_state.table.snapshot import EVERYTHING

Entry = Mapping[str, Any]

_READERS = 8
"""Commits that are read at once; the client has ten connections."""


@dataclass(frozen=True, slots=True)
class History:
    """facts: in the order in which the pipeline learned of them. vague: entries of which not all is known."""

    facts: tuple[Fact, ...]
    vague: int = 0


def read_history(
    repo: str,
    commits: Collection[str],
    environments: Iterable[tuple[str, str]],
    seen: Callable[[Iterable[list[dict[str, Any]]]], Iterable[list[dict[str, Any]]]] = list,
) -> History:
    """What the journal tells of commits and of environments (pipeline and name), and of stops of everything.

    seen: passes on what has been read of one commit after the other. Raises TemporaryFault.
    """
    with ThreadPoolExecutor(_READERS) as readers:
        told = [*seen(readers.map(lambda commit: list(journal.history(repo, commit)), commits))]
        closed = readers.map(lambda key: list(journal.history(*key)), [*environments, EVERYTHING])
        entries = [entry for found in [*told, *closed] for entry in found]
    return history_of(entries, commits)


def history_of(entries: Iterable[Entry], commits: Collection[str]) -> History:
    """The facts in entries of the journal (plain values) that are about some commits.

    A push that came after another commit than these begins its branch: what was before is not known.
    """
    known = {*commits}
    found: list[tuple[tuple[datetime, str], Fact]] = []
    vague = 0
    for entry in entries:
        try:
            fact = _fact(entry)
        except (KeyError, TypeError, ValueError):  # anybody may have written there
            vague += 1
            continue
        if fact is not None:
            vague += _is_vague(entry)
            found.append(((fact.at, str(entry["entry"])), _begun(fact, known)))
    found.sort(key=lambda each: each[0])
    return History(tuple(fact for _, fact in found), vague)


@dataclass(frozen=True, slots=True)
class _Told:
    """An entry taken apart.

    time: of what it tells. at: when the pipeline learned of it. key: what it is about. is_old: whether it was written
    before entries told when they were.
    """

    kind: str
    by: str
    what: Entry
    time: str
    at: datetime
    key: tuple[str, str]
    is_old: bool

    @property
    def commit(self) -> str:
        return self.key[1]

    def text(self, name: str) -> str:
        return str(self.what.get(name) or "")


def _fact(entry: Entry) -> Fact | None:
    """What an entry tells; None for what decides nothing. Raises KeyError, TypeError or ValueError for one not ours."""
    what, time = entry["what"], str(entry["entry"]).partition("#")[0]
    at = parse_time(entry.get("written_at")) or parse_time(time)
    if at is None or not isinstance(what, Mapping):
        raise TypeError
    repo, _, commit = str(entry["record"]).rpartition("#")
    is_old = "written_at" not in entry
    told = _Told(str(entry["kind"]), str(entry.get("by") or ""), what, time, at, (repo, commit), is_old)
    if told.kind in _KINDS:
        return _KINDS[told.kind](told)
    if source := source_kind(told.kind):
        return _result(told, source)
    return _end(told) if "outcome" in what else _closing(told)


def _push(told: _Told) -> Pushed:
    paths = told.what.get("paths")
    is_whole = told.what.get("paths_complete") is True and isinstance(paths, list)
    known = tuple(map(str, paths)) if is_whole and paths is not None else None
    push = Push(told.text("before") or NO_COMMIT, told.commit, told.text("pushed_at") or told.time, known)
    return Pushed(told.at, str(told.what["branch"]), push)


def _result(told: _Told, source: SourceKind) -> Reported:
    name, status = str(told.what["name"]), str(told.what["status"])
    result = Result(source, name, told.text("app"), status, told.text("completed_at") or told.time)
    return Reported(told.at, told.commit, result, is_app_known="app" in told.what)


def _gate_set(told: _Told) -> Edited:
    value = {name: value for name, value in told.what.items() if name != "gate"}
    return Edited(told.at, told.commit, {str(told.what["gate"]): value}, str(told.what["at"]))


def _edits(told: _Told) -> Edited:
    values = {gate: _read_old(value) if told.is_old else value for gate, value in told.what.items()}
    return Edited(told.at, told.commit, values, told.time)


def _claim(told: _Told) -> Claimed:
    place = (str(told.what["pipeline"]), str(told.what["environment"]), int(told.what["generation"]))
    action, holds = Action(told.what.get("action", Action.PROMOTE)), told.what.get("holds") is True
    return Claimed(told.at, told.commit, *place, told.by or AUTOMATIC, action, told.text("reason"), holds)


def _end(told: _Told) -> Ended | None:
    what, outcome = told.what, told.what["outcome"]
    if outcome not in OUTCOMES or outcome == "applied":  # which is no end yet, and changes nothing at the gate
        return None
    place = (str(what["pipeline"]), str(what["environment"]), str(what["release"]))
    return Ended(told.at, told.commit, *place, int(what["generation"]), OUTCOMES[outcome], told.time)


def _closing(told: _Told) -> Froze | Pinned | None:
    """What begins or ends a freeze or a hold; None for any other kind of entry."""
    key = ("", "") if told.key == EVERYTHING else told.key
    match told.kind:
        case "frozen" | "stopped":
            return Froze(told.at, *key, Freeze(told.by or "somebody", told.text("until"), told.text("reason")))
        case "unfrozen" | "started":
            return Froze(told.at, *key, None)
        case "held":
            return Pinned(told.at, *key, told.by or "somebody", told.text("reason"))
        case "released":
            return Pinned(told.at, *key, "")
    return None


_KINDS: Mapping[str, Callable[[_Told], Fact]] = {
    PUSHED: _push,
    GATE_SET: _gate_set,
    EDITED: _edits,
    EMPTY_REMOVED: _edits,
    CLAIMED: _claim,
}


def _read_old(value: Any) -> Any:
    """A value as older versions kept it: as Python writes it, cut off somewhere."""
    if value == "removed":
        return None
    try:
        read = ast.literal_eval(value) if isinstance(value, str) and value.startswith("{") else value
    except (SyntaxError, ValueError):
        return value
    return read if isinstance(read, Mapping) else value


def _is_vague(entry: Entry) -> bool:
    """Whether an older version wrote it, which did not tell when it did, nor all of pushes and results."""
    missing = "pushed_at" if entry["kind"] == "com.github.push" else "app" if source_kind(entry["kind"]) else None
    return "written_at" not in entry or (missing is not None and missing not in entry["what"])


def _begun(fact: Fact, known: Collection[str]) -> Fact:
    if isinstance(fact, Pushed) and fact.push.before not in known:
        return replace(fact, push=replace(fact.push, before=NO_COMMIT))
    return fact
