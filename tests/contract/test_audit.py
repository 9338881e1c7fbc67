"""Callers of hand edits, found in the log of a trail; where there is none, everything stays as it was."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local import ministack as local
from pipeline_state.cli.audit import with_callers, with_enders
from pipeline_state.cli.happenings import tell
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.traces.spans import Span
from pipeline_state.table.models import Tables

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
REPO, SHA = "myOrg/myApp", "a" * 40
ANN, PROMOTER = "arn:aws:iam::1:user/ann", "arn:aws:sts::1:assumed-role/PromoterRole/the-promoter"


@pytest.fixture
def stack(ministack: str) -> Stack:
    name = f"a{uuid.uuid4().hex[:12]}"
    logs = local.client(ministack, "logs")
    logs.create_log_group(logGroupName=f"/gatestream/{name}/calls")
    logs.create_log_stream(logGroupName=f"/gatestream/{name}/calls", logStreamName="trail")
    return bare(ministack, name)


def bare(endpoint: str, name: str, traces: Path | None = None) -> Stack:
    def client(service: str) -> Any:
        return local.client(endpoint, service)

    functions = {"Promoter": "the-promoter"}
    return Stack(name, local.REGION, Tables("gates"), {}, {}, client, traces=traces, functions=functions)


def called(stack: Stack, *names: str, by: str = ANN, at: datetime = NOON, commit: str = SHA, late: int = 4) -> None:
    """late: minutes until the log has it."""
    key = {"repo": REPO, "commit": commit}
    parameters = {"key": key, "expressionAttributeNames": {f"#{at}": name for at, name in enumerate(names)}}
    record = {"eventTime": at.isoformat(), "userIdentity": {"arn": by}, "requestParameters": parameters}
    event = {"timestamp": int((at + timedelta(minutes=late)).timestamp() * 1000), "message": json.dumps(record)}
    logs = stack.client("logs")
    logs.put_log_events(logGroupName=f"/gatestream/{stack.name}/calls", logStreamName="trail", logEvents=[event])


def edited(*gates: str, by: str = "unknown", at: datetime = NOON, commit: str = SHA, **more: Any) -> dict[str, Any]:
    time = (at + timedelta(milliseconds=999)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    what = dict.fromkeys(gates, "TRUE")
    return {
        "record": f"{REPO}#{commit}", "entry": f"{time}#id#/gatestream/stream", "kind": "edited by hand", "by": by,
        "verified": False, "what": what, **more,
    }  # fmt: skip


def waited(gate: str, known: str = "claimed") -> Span:
    fields = {"gatestream.kind": "wait", "wait.for": gate, "wait.known": known, "wait.ended_by": "bob"}
    start = NOON - timedelta(hours=3)
    return Span(f"waiting for {gate}", "promoter", "1", "2", start, NOON - start + timedelta(milliseconds=999), fields)


def test_an_edit_is_told_as_its_callers(stack: Stack) -> None:
    called(stack, "legal")
    called(stack, "legal", by=PROMOTER)
    (entry,) = with_callers(stack, [edited("legal", by="bob")])
    told = tell(entry)
    assert (told.by, told.verified, told.text) == (ANN, True, "edited by hand: legal = TRUE")


def test_each_edit_has_its_own_caller(stack: Stack) -> None:
    carol = "arn:aws:iam::1:user/carol"
    called(stack, "legal")
    called(stack, "scan", by=carol, at=NOON + timedelta(minutes=1))
    called(stack, "legal", by=carol, commit="b" * 40)
    found = with_callers(
        stack, [edited("legal"), edited("scan", at=NOON + timedelta(minutes=1)), edited("legal", commit="b" * 40)]
    )
    assert [entry["by"] for entry in found] == [ANN, carol, carol]


def test_the_log_is_read_as_far_as_the_edits_calls_can_be_in_it(stack: Stack) -> None:
    first, last = NOON - timedelta(days=9), NOON - timedelta(days=5)
    called(stack, "legal", at=first, late=0)
    called(stack, "scan", at=last, late=23 * 60)
    called(stack, "legal", at=last, late=3 * 24 * 60)  # by then there may be years of lines
    edits = [edited("scan", at=last), edited("legal", at=first), edited("legal", at=last)]
    assert [entry["by"] for entry in with_callers(stack, edits)] == [ANN, ANN, "unknown"]


def test_everything_else_stays_as_it_was(stack: Stack) -> None:
    called(stack, "legal")
    entries = [
        edited("scan"),
        edited("legal", verified=True, by="carol"),
        edited("legal", kind="gate set"),
        edited("legal", entry="no time#id#"),
        edited("legal", what=None),
    ]
    assert with_callers(stack, entries) == entries


def test_a_wait_was_ended_by_the_caller(stack: Stack) -> None:
    called(stack, "legal")
    for gate in ("legal", "legal to be mended"):
        (span,) = with_enders(stack, REPO, SHA, [waited(gate)])
        assert (span.fields["wait.ended_by"], span.fields["wait.known"]) == (ANN, "verified")


def test_an_address_in_the_callers_name_is_in_no_span(stack: Stack) -> None:
    called(stack, "legal", by="arn:aws:sts::1:assumed-role/sso/cleo@example.com")
    (span,) = with_enders(stack, REPO, SHA, [waited("legal")])
    assert span.fields["wait.ended_by"] == "arn:aws:sts::1:assumed-role/sso/cleo@…"


def test_waits_that_last_or_are_verified_or_are_for_something_else_stay_as_they_were(stack: Stack) -> None:
    called(stack, "legal")
    spans = [
        waited("scan"),
        waited("legal", known="verified"),
        replace(waited("legal"), fields={**waited("legal").fields, "wait.open": True}),
        replace(waited("legal"), fields={**waited("legal").fields, "gatestream.kind": "transit"}),
        waited(""),
    ]
    assert with_enders(stack, REPO, SHA, spans) == spans


@pytest.mark.parametrize("traces", [None, Path("traces.db")], ids=["without a trail", "the local stack"])
def test_without_a_trail_everything_stays_as_it_was(ministack: str, traces: Path | None) -> None:
    stack, entries = bare(ministack, "nobody", traces), [edited("legal", by="bob")]
    assert with_callers(stack, entries) == entries


def test_the_log_is_asked_once_a_minute_however_often_a_page_looks(stack: Stack) -> None:
    assert with_callers(stack, [edited("legal")])[0]["by"] == "unknown"
    called(stack, "legal")
    assert with_callers(stack, [edited("legal")])[0]["by"] == "unknown"
    assert with_callers(replace(stack, region="another"), [edited("legal")])[0]["by"] == ANN


def test_what_was_known_is_told_even_if_it_gets_too_old_while_the_rest_is_read(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0

    def pass_a_minute(**_: Any) -> None:
        nonlocal now
        now += 60

    def slow(service: str) -> Any:
        client = stack.client(service)
        client.meta.events.register("before-call", pass_a_minute)
        return client

    monkeypatch.setattr("pipeline_state.cli.audit.time", SimpleNamespace(monotonic=lambda: now))
    called(stack, "legal")
    for edits in ([edited("legal")], [edited("legal"), edited("legal", commit="b" * 40)]):
        assert with_callers(replace(stack, client=slow), edits)[0]["by"] == ANN
