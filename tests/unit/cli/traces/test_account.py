"""Where the time of a trace went is added up and told."""

import pytest

from pipeline_state.cli.traces.account import account_of, unexplained
from pipeline_state.cli.traces.spans import Span
from pipeline_state.cli.traces.words import account_texts, note_of
from tests.unit.cli.traces.made import NOON, at, span, wait

WAY = [
    span("commit", 0, 0, **{"meta.span_type": "root"}),
    span("record gates", 0, 1),
    wait("build", 1, 60, "ci"),
    wait("legal", 1, 3600),
    wait("security", 1800, 3600),
    span("claim", 5400, 1),
    span("helm upgrade", 5402.5, 10),
]


def test_two_waits_side_by_side_count_once_for_people_and_each_kind_for_itself() -> None:
    waited = {who: each.total_seconds() for who, each in account_of(WAY).waited.items()}
    assert waited == {"ci": 60, "people": 5399, "pipeline": 0}


def test_the_longest_stretch_that_no_span_explains_is_found() -> None:
    assert unexplained(WAY) == (1.5, at(5401))


def test_waits_explain_and_a_root_over_everything_does_not() -> None:
    root = span("commit", 0, 10, **{"meta.span_type": "root"})
    assert unexplained([root, span("a", 0, 1), wait("b", 1, 4), span("c", 8, 2)]) == (3, at(5))


@pytest.mark.parametrize("spans", [[], [span("a", 0, 1)], [span("a", 0, 2), span("b", 1, 5)]])
def test_where_there_is_no_gap_all_is_explained(spans: list[Span]) -> None:
    assert unexplained(spans) == (0, None)


def test_an_account_is_told_in_sentences() -> None:
    assert account_texts(len(WAY), account_of(WAY)) == [
        "7 spans in 1 h 30 min; waiting for CI 1 min, people 1 h 29 min; Helm 10.00 s.",
        "The longest stretch in no span: 1.50 s, from 13:30:01.000 UTC.",
    ]
    assert account_texts(1, account_of([span("a", 0, 1)])) == ["1 span in 1.00 s.", "Every moment of it is in a span."]


def test_an_account_is_told_to_programs_in_seconds() -> None:
    assert account_of(WAY).to_json() == {
        "total_seconds": 5412.5,
        "waiting_for_ci_seconds": 60,
        "waiting_for_people_seconds": 5399,
        "waiting_for_pipeline_seconds": 0,
        "helm_seconds": 10,
        "unexplained_seconds": 1.5,
        "unexplained_since": at(5401).isoformat(),
    }
    assert account_of([]).to_json()["total_seconds"] == 0


@pytest.mark.parametrize(
    "spanned, note",
    [
        (span("a", 0, 1), ""),
        (span("a", 0, 1, error="KeyError"), "KeyError"),
        (span("a", 0, 1, error="TemporaryFault", error_detail="table throttled"), "table throttled"),
        (span("a", 0, 1, **{"messaging.attempt": 1}), ""),
        (span("a", 0, 1, **{"messaging.attempt": 3, "error": "KeyError"}), "attempt 3 · KeyError"),
        (span("a", 0, 1, **{"messaging.attempt": 2, "redriven": True}), "attempt 2 redriven"),
        (wait("legal", 0, 1, ended_by="ann", known="claimed"), "by ann, claimed"),
        (wait("legal", 0, 1, known="unknown"), "by whom is unknown"),
        (wait("a window", 0, 1), ""),
        (wait("legal", 0, 1, open=True), "still waiting"),
    ],
)
def test_a_span_is_noted_upon_where_something_is_unusual(spanned: Span, note: str) -> None:
    assert note_of(spanned) == note
    assert spanned.start == NOON
