"""Waits that are found when a trace is read, beside the spans that were sent."""

from dataclasses import replace

import pytest

from pipeline_state.cli.traces import waiting
from pipeline_state.cli.traces.spans import Span
from pipeline_state.cli.traces.waiting import wait_span, with_waits
from pipeline_state.model.waits import Wait
from pipeline_state.tracing import trace_of
from tests.unit.model.histories import A, at

STOP = Wait("the end of the stop of everything", "people", "staging", at(60), at(90), "bea", "verified")
ROOT = trace_of("o/r", A)


def read(monkeypatch: pytest.MonkeyPatch, found: list[Wait], sent: list[Span]) -> list[Span]:
    monkeypatch.setattr(waiting, "_waits", lambda *_: tuple(found))
    return with_waits(sent, "o/r", A, at(1000))


def test_what_two_environments_wait_for_in_the_same_words_is_two_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = replace(STOP, environment="production", start=at(70))
    sent = wait_span(replace(STOP, start=at(61)), ROOT, at(1000))
    assert read(monkeypatch, [STOP, elsewhere], [sent]) == [sent, wait_span(elsewhere, ROOT, at(1000))]
    assert read(monkeypatch, [STOP, replace(STOP, start=at(90), end=at(99))], [sent])[1:] == (
        [wait_span(replace(STOP, start=at(90), end=at(99)), ROOT, at(1000))]
    )


def test_the_span_of_a_wait_holds_no_address() -> None:
    span = wait_span(
        Wait("cleo@example.com", "people", "staging", at(0), at(9), "dan@example.com", "claimed"), ROOT, at(9)
    )
    assert (span.name, span.fields["name"]) == ("waiting for cleo@…",) * 2
    assert (span.fields["wait.for"], span.fields["wait.ended_by"]) == ("cleo@…", "dan@…")
