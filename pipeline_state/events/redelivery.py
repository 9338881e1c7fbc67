"""Webhooks that GitHub could not deliver: found in its list of deliveries, and delivered again.

GitHub tries once, keeps the last three days, and lists every attempt. Attempts of one delivery share its `guid`, which
is also the event's id: what arrives twice counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from pipeline_state.events.github_api import GitHub, RefusedCall
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.times import parse_time

INTERVAL = timedelta(hours=1)
"""Between two looks. A look costs a call for every hundred deliveries, and a token has 5,000 calls an hour."""

SOON = timedelta(minutes=5)
"""Until the next look when this one failed or left something over."""

MAX_TRIES = 3
"""Redeliveries of one delivery; what is refused four times with INTERVAL in between, a person has to look at."""

MARGIN = INTERVAL * MAX_TRIES
"""How far a look goes back behind the one before it, so that a delivery is still seen at its last try."""

KEPT = timedelta(days=3) - INTERVAL
"""GitHub lists and redelivers three days; an hour less, so that none gets too old between the look and the call."""

MAX_PAGES = 30
"""Of a hundred deliveries each: more than most hooks have in MARGIN. The rest is for the next look."""

MAX_REDELIVERIES = 40
"""In one look. With SOON in between below the 500 an hour, and 80 a minute, that GitHub allows of calls that write."""

_READING, _PATIENCE = 10.0, 20.0
"""Seconds after which a look reads no further page, and begins no further call: it is part of a longer run."""

_ONE_ONLY = frozenset({400, 404, 410, 422})
"""Answers to a redelivery that may be about this delivery alone."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver a webhook. status_code: what our side answered, 0 for nothing."""

    id: int
    guid: str
    delivered_at: datetime
    is_redelivery: bool
    status_code: int

    @property
    def succeeded(self) -> bool:
        """Whether it was answered with 2xx."""
        return 200 <= self.status_code < 300  # noqa: PLR2004 - HTTP's own numbers

    @property
    def may_get_better(self) -> bool:
        """Whether a later attempt may succeed: any other 4xx is our answer to what was sent, and will be the same."""
        return self.status_code in {0, 408, 429} or self.status_code >= 500  # noqa: PLR2004 - the same


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a look went.

    failed: deliveries that need another try; redelivered: those that got one. cursor: where the next look has to begin,
    "" for the newest delivery. is_over: everything since the last look was seen to. fault: what ended the look early.
    """

    failed: int = 0
    redelivered: int = 0
    cursor: str = ""
    is_over: bool = False
    fault: PermanentFault | TemporaryFault | None = None


def missed(attempts: Iterable[Attempt], since: datetime) -> list[list[Attempt]]:
    """The deliveries to try again, each as its attempts, all oldest first.

    None that succeeded once, was refused last, or had MAX_TRIES. The first attempt has to be among those given and not
    before `since`: then all are, and the tries are counted right.
    """
    deliveries: dict[str, dict[int, Attempt]] = defaultdict(dict)
    for attempt in attempts:
        deliveries[attempt.guid][attempt.id] = attempt  # pages move while they are read: one may be told twice
    ordered = [sorted(each.values(), key=_age) for each in deliveries.values()]
    return sorted((each for each in ordered if _is_missed(each, since)), key=lambda each: _age(each[0]))


def chosen(deliveries: Sequence[list[Attempt]], attempts: Sequence[Attempt], now: datetime) -> list[list[Attempt]]:
    """Those of the missed deliveries to try now, oldest first: MAX_REDELIVERIES, if our side is up.

    attempts: all that are known. Our side is down when the newest of them found nobody, or somebody who could not take
    it. Then one delivery an hour is tried, to see whether it still is, and the one with the most tries left: so that an
    outage does not use up the tries of all.
    """
    if not attempts or not max(attempts, key=_age).may_get_better:
        return list(deliveries[:MAX_REDELIVERIES])
    tried_lately = any(each.is_redelivery and now - each.delivered_at < INTERVAL - SOON for each in attempts)
    return [] if tried_lately else sorted(deliveries, key=len)[:1]


class Deliveries:
    """The deliveries of one hook. clock: seconds, never going back."""

    def __init__(self, github: GitHub, hook: str, clock: Callable[[], float]) -> None:
        self._github = github
        self._path = f"{hook}/deliveries"
        self._clock = clock
        self._began = clock()

    def repair(self, now: datetime, since: datetime, cursor: str = "") -> Outcome:
        """Look for missed deliveries from a cursor back to a time, and have some delivered again. Raises nothing."""
        try:
            # What was delivered again stands further up in the list than where an earlier look has stopped.
            again = self._read(since, "", redelivery="true")[0] if cursor else []
            attempts, rest = self._read(since, cursor)
        except TemporaryFault as fault:
            return Outcome(cursor=cursor, fault=fault)
        except PermanentFault as fault:  # perhaps GitHub does not know the cursor any more
            return Outcome(fault=fault)
        known = [*again, *attempts]
        failed = missed(known, since)
        look = Outcome(failed=len(failed), cursor=cursor)
        tried, look = self._redeliver(chosen(failed, known, now), look)
        if look.fault or tried < len(failed):
            return look
        return replace(look, cursor=rest, is_over=not rest)

    def _read(self, since: datetime, cursor: str, **only: str) -> tuple[list[Attempt], str]:
        """Attempts back to a time, and the cursor of the rest if there was too much for one look."""
        found: list[Attempt] = []
        for _ in range(MAX_PAGES):
            query = {"per_page": "100", **only, **({"cursor": cursor} if cursor else {})}
            answer = self._github.call("GET", f"{self._path}?{urlencode(query)}")
            page = _page(answer.content)
            found += [attempt for attempt in page if attempt.delivered_at >= since]
            if not page or page[-1].delivered_at < since:  # newest first
                return found, ""
            cursor = next_cursor(answer.link)
            if not cursor or self._clock() - self._began > _READING:
                break
        return found, cursor

    def _redeliver(self, deliveries: Iterable[list[Attempt]], look: Outcome) -> tuple[int, Outcome]:
        """How many were seen to, and the look with what came of it. What GitHub refuses of one alone is passed over."""
        tried, refused = 0, None
        for attempts in deliveries:
            if self._clock() - self._began > _PATIENCE:
                break
            try:
                self._github.call("POST", f"{self._path}/{attempts[-1].id}/attempts")
                look = replace(look, redelivered=look.redelivered + 1)
            except TemporaryFault as fault:
                return tried, replace(look, fault=fault)
            except RefusedCall as fault:
                if fault.status not in _ONE_ONLY:
                    return tried, replace(look, fault=fault)
                refused = fault
            tried += 1
        return tried, look if look.redelivered or not refused else replace(look, fault=refused)


def next_cursor(link: str) -> str:
    """The cursor of the next page in a Link header, "" on the last. Of the URL there, nothing else is used."""
    for part in link.split(","):
        url, _, relation = part.partition(";")
        if relation.strip() == 'rel="next"':
            return parse_qs(urlsplit(url.strip(" <>")).query).get("cursor", [""])[0]
    return ""


def _page(content: Any) -> list[Attempt]:
    """A page of the list. Raises PermanentFault when GitHub answers in another form."""
    try:
        return [_attempt(each) for each in content]
    except (TypeError, LookupError, ValueError) as error:
        raise PermanentFault("GitHub's list of deliveries has not the form that is documented") from error


def _attempt(given: Any) -> Attempt:
    delivered_at = parse_time(given["delivered_at"])
    if delivered_at is None:
        raise ValueError("delivered_at")
    status = given["status_code"] or 0
    return Attempt(int(given["id"]), str(given["guid"]), delivered_at, given["redelivery"] is True, int(status))


def _is_missed(attempts: Sequence[Attempt], since: datetime) -> bool:
    first, last = attempts[0], attempts[-1]
    tries = sum(attempt.is_redelivery for attempt in attempts)
    is_whole = not first.is_redelivery and first.delivered_at >= since
    return is_whole and tries < MAX_TRIES and last.may_get_better and not any(each.succeeded for each in attempts)


def _age(attempt: Attempt) -> tuple[datetime, int]:
    return attempt.delivered_at, attempt.id
