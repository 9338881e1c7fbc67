"""What is counted becomes at most one line an invocation, in CloudWatch's embedded metric format."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_state import metrics
from pipeline_state.metrics import ALL, MOST_VALUES, count, invocation, measure

NAMESPACE = "Gatestream/test"
COUNTS = [metric for metric in ALL if metric.unit == "Count"]
DURATIONS = [metric for metric in ALL if metric.unit == "Seconds"]


@pytest.fixture(autouse=True)
def counting() -> Iterator[None]:
    metrics.configure(NAMESPACE, "promoter")
    yield
    metrics.configure("", "")


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def check_format(document: dict[str, Any]) -> None:
    """The specification's rules for what we use of it."""
    about = document["_aws"]
    assert set(about) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(about["Timestamp"], int)
    (directive,) = about["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert 1 <= len(directive["Namespace"]) <= 1024
    assert directive["Dimensions"] == [[]]  # one set, which may be empty
    assert 1 <= len(directive["Metrics"]) <= 100
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert len(set(names)) == len(names)
    for metric in directive["Metrics"]:
        assert set(metric) == {"Name", "Unit"}
        value = document[metric["Name"]]
        values = value if isinstance(value, list) else [value]
        assert 1 <= len(values) <= 100
        assert all(isinstance(each, int | float) and math.isfinite(each) for each in values)
    assert len(json.dumps(document)) < 256 * 1024


def test_an_invocation_writes_one_line_with_all_that_it_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation("request-1"):
        count(metrics.PROMOTIONS, commits="myOrg/myApp@aaa", environments="staging")
        count(metrics.PROMOTIONS, commits="myOrg/myApp@aaa", environments="production")
        count(metrics.GATE_CHANGES, 3)
        measure(metrics.PROMOTION_LAG, 1.23456)
        measure(metrics.PROMOTION_LAG, 0.5)
    (line,) = lines(capsys.readouterr().out)
    check_format(line)
    del line["_aws"]
    assert line == {
        "function": "promoter",
        "request_id": "request-1",
        "commits": ["myOrg/myApp@aaa"],
        "environments": ["staging", "production"],
        "Promotions": 2,
        "GateChanges": 3,
        "PromotionLag": [1.235, 0.5],
    }


def test_metrics_are_filed_under_the_stacks_namespace_with_their_units(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation():
        count(metrics.RETRIES)
        measure(metrics.HELM_DURATION, 2)
    (line,) = lines(capsys.readouterr().out)
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": NAMESPACE,
            "Dimensions": [[]],
            "Metrics": [{"Name": "Retries", "Unit": "Count"}, {"Name": "HelmDuration", "Unit": "Seconds"}],
        }
    ]


def test_what_counted_nothing_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation("request-1"):
        count(metrics.RETRIES, 0)
    assert capsys.readouterr().out == ""


def test_an_invocation_that_fails_writes_what_it_had_counted(capsys: pytest.CaptureFixture[str]) -> None:
    @invocation("request-1")
    def fail() -> None:
        count(metrics.DEAD_LETTERS)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (line,) = lines(capsys.readouterr().out)
    assert line["DeadLetters"] == 1


def test_nothing_of_one_invocation_is_in_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation("request-1"):
        count(metrics.RETRIES, commits="myOrg/myApp@aaa")
    with invocation("request-2"):
        count(metrics.RETRIES)
    _, second = lines(capsys.readouterr().out)
    assert (second["request_id"], second["Retries"]) == ("request-2", 1)
    assert "commits" not in second


def test_what_was_counted_outside_of_an_invocation_is_in_none(capsys: pytest.CaptureFixture[str]) -> None:
    count(metrics.RETRIES, 5)
    with invocation():
        count(metrics.RETRIES)
    (line,) = lines(capsys.readouterr().out)
    assert line["Retries"] == 1


def test_without_a_namespace_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.configure("", "promoter")
    with invocation():
        count(metrics.RETRIES)
        measure(metrics.HELM_DURATION, 1)
    assert capsys.readouterr().out == ""


def test_an_array_that_is_full_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation():
        for number in range(2 * MOST_VALUES + 1):
            measure(metrics.PROMOTION_LAG, number)
    written = lines(capsys.readouterr().out)
    for line in written:
        check_format(line)
    assert [value for line in written for value in line["PromotionLag"]] == list(range(2 * MOST_VALUES + 1))


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf])
def test_what_is_no_duration_is_not_measured(seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    with invocation():
        measure(metrics.HELM_DURATION, seconds)
    assert capsys.readouterr().out == ""


def test_what_a_line_is_about_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation():
        for number in range(100):
            count(metrics.GATE_CHANGES, commits=f"{number}{'x' * 1000}")
    (line,) = lines(capsys.readouterr().out)
    assert len(line["commits"]) == 20
    assert max(map(len, line["commits"])) == 200
    assert line["GateChanges"] == 100


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError("no space left")


@pytest.mark.parametrize("stream", [Broken(), None])
def test_output_that_cannot_be_written_disturbs_nobody(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", stream or closed)
    with invocation():
        count(metrics.RETRIES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    counted=st.lists(st.tuples(st.sampled_from(COUNTS), st.integers(0, 10**9)), max_size=30),
    measured=st.lists(st.tuples(st.sampled_from(DURATIONS), st.floats(0, 1e6)), max_size=250),
    about=st.text(max_size=300),
)
def test_every_line_keeps_to_the_format_and_nothing_is_lost(
    counted: list[tuple[metrics.Metric, int]],
    measured: list[tuple[metrics.Metric, float]],
    about: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with invocation("request-1"):
        for metric, number in counted:
            count(metric, number, commits=about)
        for metric, seconds in measured:
            measure(metric, seconds, environments=about)
    written = lines(capsys.readouterr().out)
    for line in written:
        check_format(line)
    for metric in COUNTS:
        total = sum(number for each, number in counted if each == metric)
        assert sum(line.get(metric.name, 0) for line in written) == total
    for metric in DURATIONS:
        expected = [round(seconds, 3) for each, seconds in measured if each == metric]
        assert [value for line in written for value in line.get(metric.name, [])] == expected


def test_metrics_have_names_of_their_own() -> None:
    assert len({metric.name for metric in ALL}) == len(ALL)
    assert {name for name in dir(metrics) if isinstance(getattr(metrics, name), metrics.Metric)} == {
        name for name in dir(metrics) if getattr(metrics, name) in ALL
    }


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_no_line_looks_like_what_the_filters_of_the_logs_look_for(metric: metrics.Metric) -> None:
    assert not any(word in metric.name.lower() for word in ("unexpected", "stuck", "missed deliveries"))
