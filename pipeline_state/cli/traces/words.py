"""What is said of a span beside its name and its bar, and of a trace as a whole."""

from __future__ import annotations

from pipeline_state.cli.console import printable
from pipeline_state.cli.traces.account import WHO, Account
from pipeline_state.cli.traces.durations import duration_text
from pipeline_state.cli.traces.intervals import NOTHING
from pipeline_state.cli.traces.spans import Span

_FIRST_TRY = (None, "", 0, 1, "1")


def note_of(span: Span) -> str:
    """Who ended a wait and how that is known; what went wrong; which attempt it was. Empty where all is usual."""
    told = [_attempt(span), _ending(span) if span.is_wait else "", span.error]
    return printable(" · ".join(each for each in told if each))


def who_text(span: Span) -> str:
    """The function that did it; of a wait, for whom it was."""
    return WHO.get(str(span.fields.get("wait.who")), "") if span.is_wait else printable(span.service)


def took_text(span: Span) -> str:
    """How long it took; empty where nobody knows."""
    return "" if span.is_stand_in else duration_text(span.duration)


def account_texts(count: int, account: Account) -> list[str]:
    """Sentences about a trace of so many spans."""
    waited = [f"{WHO[who]} {duration_text(each)}" for who, each in account.waited.items() if each > NOTHING]
    told = [f"{count} {'span' if count == 1 else 'spans'} in {duration_text(account.total)}"]
    told += [f"waiting for {', '.join(waited)}"] if waited else []
    told += [f"Helm {duration_text(account.helm)}"] if account.helm > NOTHING else []
    return ["; ".join(told) + ".", _unexplained(account)]


def _unexplained(account: Account) -> str:
    if account.unexplained_since is None:
        return "Every moment of it is in a span."
    since = account.unexplained_since.strftime("%H:%M:%S.%f")[:-3]
    return f"The longest stretch in no span: {duration_text(account.unexplained)}, from {since} UTC."


def _attempt(span: Span) -> str:
    attempt = span.fields.get("messaging.attempt")
    told = "" if attempt in _FIRST_TRY else f"attempt {attempt}"
    return f"{told} redriven".strip() if span.fields.get("redriven") else told


def _ending(span: Span) -> str:
    by, known = str(span.fields.get("wait.ended_by") or ""), str(span.fields.get("wait.known") or "")
    if span.is_open:
        return "still waiting"
    if not by:
        return "by whom is unknown" if known else ""
    return f"by {by}, {known}" if known else f"by {by}"
