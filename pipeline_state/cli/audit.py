"""Who made an edit by hand, where a trail keeps the calls that write to the table of gates: see infra/audit."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state.cli.traces.intervals import Interval
from pipeline_state.model.entries import EDITED
from pipeline_state.model.times import parse_time
from pipeline_state.model.waits import TO_BE_MENDED
from pipeline_state.tracing.outbox import scrub

if TYPE_CHECKING:
    from pipeline_state.cli.stacks import Stack
    from pipeline_state.cli.traces.spans import Span

Entry = dict[str, Any]

_APART = timedelta(seconds=2)
"""Between a call and the change it made: both are known to the second."""

_DELIVERED = timedelta(days=1)
"""From a call to its line in the log, at most: minutes as a rule, says CloudTrail, and nothing guaranteed."""

_AT_ONCE = 8
_REMEMBERED = 60.0
"""Seconds."""

GROUP = "/gatestream/{stack}/calls"
"""The log group of a stack's trail, as infra/audit/template.yaml names it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that somebody made with a tool of their own. at: to the second."""

    repo: str
    commit: str
    gates: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """A write that succeeded. by: the caller's ARN. words: what the request names: keys, columns, and no values."""

    at: datetime
    by: str
    words: str

    def may_have_made(self, edit: Edit) -> bool:
        """Whether it names all of the edit, at its time."""
        if abs(self.at - edit.at) > _APART:
            return False
        return all(_is_named(word, self.words) for word in (edit.repo, edit.commit, *edit.gates))


def with_callers(stack: Stack, entries: Iterable[Entry]) -> list[Entry]:
    """Entries of the journal; edits whose caller the trail knows are verified as that caller's."""
    found = list(entries)
    edits = {at: edit for at, entry in enumerate(found) if (edit := _edit_in(entry))}
    for at, by in _callers(stack, edits).items():
        found[at] = {**found[at], "by": by, "verified": True}
    return found


def with_enders(stack: Stack, repo: str, commit: str, spans: Iterable[Span]) -> list[Span]:
    """Spans of a commit; waits that an edit ended whose caller the trail knows were ended by that caller.

    As in every span, an e-mail address in the caller's name is cut to the name in it.
    """
    found = list(spans)
    edits = {at: edit for at, span in enumerate(found) if (edit := _edit_after(span, repo, commit))}
    for at, by in _callers(stack, edits).items():
        told: dict[str, object] = {**found[at].fields, "wait.ended_by": by, "wait.known": "verified"}
        scrub(told)
        found[at] = replace(found[at], fields=told)
    return found


def caller(edit: Edit, calls: Iterable[Call]) -> str:
    """The one who made an edit; empty where that was nobody known, or one of several."""
    callers = {call.by for call in calls if call.may_have_made(edit)}
    return callers.pop() if len(callers) == 1 else ""


def read_call(text: str, functions: Collection[str]) -> Call | None:
    """The call in a record of CloudTrail; None for what failed, and for those of our own functions, by their names.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/understanding-ddb-log-entries.html
    """
    try:
        record = json.loads(text)
        at, identity = parse_time(record["eventTime"]), record["userIdentity"]
        by = str(identity.get("arn") or identity.get("invokedBy") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    if at is None or not by or record.get("errorCode") or by.rpartition("/")[2] in functions:
        return None
    return Call(at, by, json.dumps(record.get("requestParameters"), ensure_ascii=False))


def _is_named(word: str, words: str) -> bool:
    """Whether it stands there, and not just within a longer name; a part of its value may follow (`legal.status`)."""
    return re.search(rf"(?<![\w./:-]){re.escape(word)}(?![\w/:-])", words) is not None


def _callers(stack: Stack, edits: Mapping[int, Edit]) -> dict[int, str]:
    """By the edit's place. Nobody where there is no trail; the local stack has none."""
    if not edits or stack.traces is not None:
        return {}
    calls = _calls(stack, list(edits.values()))
    return {at: by for at, edit in edits.items() if (by := caller(edit, calls))}


def _calls(stack: Stack, edits: Collection[Edit]) -> list[Call]:
    """All calls that name a commit of these, as far as they can have made one of its edits."""
    logs, functions = stack.client("logs"), frozenset(stack.functions.values())
    times = _times(edits)

    def read(commit: str) -> list[Call]:
        with suppress(BotoCoreError, ClientError):  # no trail, or no right to read it
            return list(_calls_about(logs, stack.name, commit, times[commit], functions))
        return []

    places = {commit: (stack.region, stack.name, commit, *each) for commit, each in times.items()}
    found = {commit: known for commit, place in places.items() if (known := _memory.calls(place)) is not None}
    unknown = [commit for commit in places if commit not in found]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for commit, calls in zip(unknown, threads.map(read, unknown), strict=True):
            _memory.keep(places[commit], calls)
            found[commit] = calls
    return [call for calls in found.values() for call in calls]


def _times(edits: Iterable[Edit]) -> dict[str, Interval]:
    """When the log can have lines about the edits of each commit: it is as long as the table is old."""
    found: dict[str, Interval] = {}
    for edit in edits:
        start, end = edit.at - _APART, edit.at + _DELIVERED
        first, last = found.get(edit.commit, (start, end))
        found[edit.commit] = min(first, start), max(last, end)
    return found


_Place = tuple[str, str, str, datetime, datetime]


class _Memory:
    """What was read in the last minute: pages look every few seconds, and a trail takes minutes to tell anything."""

    def __init__(self) -> None:
        self._kept: dict[_Place, tuple[float, list[Call]]] = {}

    def calls(self, place: _Place) -> list[Call] | None:
        until, calls = self._kept.get(place, (0.0, None))
        return calls if time.monotonic() < until else None

    def keep(self, place: _Place, calls: list[Call]) -> None:
        now = time.monotonic()
        self._kept = {each: kept for each, kept in self._kept.items() if now < kept[0]}
        self._kept[place] = now + _REMEMBERED, calls


_memory = _Memory()


def _calls_about(logs: Any, stack: str, commit: str, time: Interval, functions: Collection[str]) -> Iterator[Call]:
    start, end = (int(moment.timestamp() * 1000) for moment in time)
    asked = {"filterPattern": f'"{commit}"', "startTime": start, "endTime": end}
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP.format(stack=stack), **asked):
        for event in page["events"]:
            if call := read_call(event["message"], functions):
                yield call


def _edit_in(entry: Mapping[str, Any]) -> Edit | None:
    repo, _, commit = str(entry["record"]).rpartition("#")
    at, what = parse_time(str(entry["entry"]).partition("#")[0]), entry.get("what")
    if entry.get("kind") != EDITED or entry.get("verified") is True or at is None or not isinstance(what, Mapping):
        return None
    return Edit(repo, commit, tuple(map(str, what)), at.replace(microsecond=0))


def _edit_after(span: Span, repo: str, commit: str) -> Edit | None:
    """The edit that ended a wait; of the gates only the one that it was for is known."""
    gate = str(span.fields.get("wait.for") or "").removesuffix(TO_BE_MENDED)
    if not span.is_wait or span.is_open or span.fields.get("wait.known") not in {"claimed", "unknown"} or not gate:
        return None
    return Edit(repo, commit, (gate,), span.end.replace(microsecond=0))
