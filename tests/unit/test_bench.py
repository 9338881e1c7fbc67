"""The bench's arithmetic and its last line; how fast anything is, no test says."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench import __main__ as bench
from tests.bench import (
    cluster_program,
    clusters,
    cold_import,
    decide,
    fleet,
    gate_to_ready,
    installer,
    large_repo,
    stored,
    tracing,
)
from tests.bench.aws_calls import (
    APPROVED,
    MARKED,
    PUBLISHED,
    RECEIVED,
    line,
    of_recorder_and_promoter,
    operation,
    until_published,
)
from tests.bench.figures import Figure, as_json, raw_samples
from tests.bench.installers import Installed, Installer

FUNCTIONS = Path(__file__).parents[2] / "functions"


def span(name: str, milliseconds: float, time: str = "2026-01-01T00:00:00.000000Z") -> dict[str, Any]:
    return {"time": time, "data": {"name": name, "duration_ms": milliseconds}}


def test_a_figure_compares_medians() -> None:
    figure = Figure("webhook_cpu", "ms", 1.6, samples=[30.0, 2.0, 3.0], floor_samples=[2.0, 1.0, 90.0])
    assert (figure.value, figure.floor, figure.ratio, figure.is_reached) == (3.0, 2.0, 1.5, True)


def test_an_absolute_goal_is_a_ratio_to_one_unit() -> None:
    figure = Figure("aws_calls", "calls", 24, samples=[25.0])
    assert (figure.value, figure.floor, figure.ratio, figure.is_reached) == (25.0, 1.0, 25.0, False)


def test_the_last_line_is_an_object_of_figures_by_name() -> None:
    line = as_json([Figure("gate_to_ready", "ms", 3.0, [1000 / 3], [100.0]), Figure("aws_calls", "calls", 24, [23.0])])
    assert "\n" not in line
    assert json.loads(line) == {
        "gate_to_ready": {"value": 333.333, "floor": 100.0, "ratio": 3.333, "goal": 3.0},
        "aws_calls": {"value": 23.0, "floor": 1.0, "ratio": 23.0, "goal": 24},
    }


def test_every_sample_is_shown_in_the_order_it_was_taken() -> None:
    shown = raw_samples(Figure("webhook_cpu", "ms", 1.6, samples=[3.0, 2.5], floor_samples=[1.0, 2.0]))
    assert shown == ["webhook_cpu (ms): 3.00 2.50", "webhook_cpu, floor (ms): 1.00 2.00"]


def test_every_function_has_a_goal_for_its_import() -> None:
    assert set(cold_import.GOALS) == {path.parent.name for path in FUNCTIONS.glob("*/app.py")}


@pytest.mark.parametrize("wanted", [[], ["cold_import"], ["cold_import.promoter"], ["webhook_cpu", "cold_import"]])
def test_a_figure_is_asked_for_by_name_or_by_the_part_before_its_dot(wanted: list[str]) -> None:
    assert bench.is_wanted("cold_import.promoter", wanted)


@pytest.mark.parametrize("wanted", [["cold_import.gate_recorder"], ["cold"], ["webhook_cpu"]])
def test_what_is_not_asked_for_is_not_shown(wanted: list[str]) -> None:
    assert not bench.is_wanted("cold_import.promoter", wanted)


def test_a_figure_that_does_not_exist_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["speed"])
    assert "no figure speed; there are cold_import, " in capsys.readouterr().err


def test_ready_is_when_helms_upgrade_ended() -> None:
    spans = [span("helm history", 50), span("helm upgrade", 1500, "2026-01-01T00:00:10.250000Z")]
    assert gate_to_ready.ready_at(spans) == pytest.approx(1767225611.75)


def test_the_installers_own_time_is_what_its_helm_processes_leave() -> None:
    spans = [span("install", 400), span("release look-up", 60), span("helm history", 50), span("helm upgrade", 320)]
    assert gate_to_ready.beyond_helm(spans) == pytest.approx(30)


@pytest.mark.parametrize("helms", [0, 3])
def test_an_install_with_another_number_of_helm_processes_proves_nothing(helms: int) -> None:
    with pytest.raises(ValueError, match=f"ran {helms} Helm processes"):
        gate_to_ready.beyond_helm([span("install", 400), *[span("helm upgrade", 10)] * helms])


@pytest.mark.parametrize(
    "headers, body, called",
    [
        ({"X-Amz-Target": "DynamoDB_20120810.TransactWriteItems"}, b"{}", "dynamodb TransactWriteItems"),
        ({"X-Amz-Target": "AmazonSQS.SendMessage"}, b"{}", "sqs SendMessage"),
        ({}, b"Action=Publish&TopicArn=arn&Version=2010-03-31", "sns Publish"),
    ],
)
def test_a_call_is_named_by_its_service_and_operation(headers: dict[str, str], body: bytes, called: str) -> None:
    service = called.partition(" ")[0]
    signed = f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"
    assert operation({"Authorization": signed, **headers}, body) == called


READ, WRITTEN = line("GateRecorder", "dynamodb TransactGetItems"), line("GateRecorder", "dynamodb TransactWriteItems")
CLAIMED = line("Promoter", "dynamodb TransactWriteItems")


def test_a_change_is_the_recorders_and_the_promoters_and_nobody_elses() -> None:
    notes = [RECEIVED, READ, WRITTEN, APPROVED, CLAIMED, line("HelmInstaller", "sns Publish")]
    assert of_recorder_and_promoter(notes) == [READ, WRITTEN, CLAIMED]


def test_a_promotion_ends_with_the_mark_and_leaves_out_what_the_installer_has_recorded_meanwhile() -> None:
    notes = [READ, WRITTEN, CLAIMED, PUBLISHED, WRITTEN, MARKED, READ, WRITTEN, CLAIMED]
    assert until_published(notes) == [READ, WRITTEN, CLAIMED, PUBLISHED, MARKED]


def test_many_stored_commits_are_compared_with_few_and_many_waiting_ones_too() -> None:
    found: stored.Found = {
        "change": {"few": [(10.0, 3)], "many": [(11.0, 3)]},
        "sweep": {"few": [(40.0, 17)], "many": [(42.0, 18)]},
        "great_sweep": {"few": [(90.0, 20)], "many": [(84.0, 21)]},
    }
    figures = {figure.name: figure for figure in stored.figures(found, {"few": 10, "many": 1000})}
    compared = {name: (figure.value, figure.floor) for name, figure in figures.items()}
    assert compared == {
        "flat": (11.0, 10.0),
        "sweep": (42.0, 40.0),
        "sweep.calls": (18.0, 17.0),
        "sweep.growth": (84.0, 42.0),
    }
    assert figures["flat"].details[1] == "a gate change beside 1,000 stored commits: 3 calls of DynamoDB"
    assert figures["sweep.calls"].details[1::2] == [
        "a sweep of 20 waiting commits beside 1,000 stored commits: 18 calls of DynamoDB, 0.90 for each of them",
        "a sweep of 200 waiting commits beside 1,000 stored commits: 21 calls of DynamoDB, 0.10 for each of them",
    ]


def test_what_is_decided_has_fifty_gates_and_is_not_done_with_at_the_first_of_ten_environments() -> None:
    case = decide.make_case()
    assert len(case.record.gates) == 50
    assert [each.kind for each in case.decide()] == ["Frozen", *["Promote"] * 3] * 2 + ["Frozen", "Promote"]


UPGRADE = Installed(
    kind="Deployed",
    reason="",
    ms=410.0,
    helm_ms=390.0,
    import_ms=230.0,
    ready_ms=280.0,
    steps={"release look-up": 9.0, "helm upgrade": 300.0},
    peak_kb=54 * 1024,
    helm_peak_kb=99 * 1024,
)


def test_an_install_is_compared_with_the_bare_command_and_with_what_the_original_took() -> None:
    figures = {each.name: each for each in installer.figures("real", [UPGRADE], [500.0], [UPGRADE])}
    assert {name: (figure.value, figure.floor) for name, figure in figures.items()} == {
        "installer_warm_ms.real": (20.0, 1.0),
        "installer_cold_ms.real": (300.0, 1.0),
        "helm.real": (300.0, 500.0),
    }
    assert [line for figure in figures.values() for line in figure.details] == [
        "a first install on the real cluster: 690 ms with Helm; import 230, clients and tracing 50, install() 20 ms",
        "an install on the real cluster: 410 ms, 0.82 × the bare command, 42 times faster than the original's 17.4 s",
        "its look-up of the release: 9 ms, 0.02 × the bare command",
    ]


def test_a_fleets_batches_are_told_by_the_release_and_by_the_minute() -> None:
    hungry = replace(UPGRADE, helm_peak_kb=120 * 1024)
    figure = fleet.figure("real", 100, [20.0, 40.0], [40.0, 80.0], [UPGRADE, hungry])
    assert (figure.name, figure.samples, figure.floor_samples) == ("fleet.real", [200.0, 400.0], [400.0, 800.0])
    assert figure.details == [
        "200 releases on the real cluster: 200 a minute, 100 by xargs",
        "memory of an installer, at most: 54 MB, and 120 MB of a Helm process",
    ]


def test_without_a_real_control_plane_its_figures_are_left_out_and_standard_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert clusters.names() == ["embedded"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"figures of the real control plane are left out: KUBEBUILDER_ASSETS={tmp_path} has no etcd")


def test_api_documents_grow_to_a_real_api_servers_size_and_still_say_what_they_said() -> None:
    small = {"openapi": "3.0.0", "paths": {"/apis/apps/v1": {"patch": {}}}, "components": {"schemas": {}}}
    text = cluster_program.enlarged(small, 100_000)
    assert 100_000 <= len(text) < 105_000
    assert json.loads(text)["paths"] == small["paths"]


def process(program: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_release_that_is_not_deployed_proves_nothing() -> None:
    failed = json.dumps({**asdict(UPGRADE), "kind": "Failed", "reason": "chart not found"})
    with process(f"input(); print({failed!r})") as asked, pytest.raises(ValueError, match="Failed: chart not found"):
        Installer(asked).install("shop", "web", "4f2c9e")


def test_an_installer_that_has_ended_is_not_waited_for() -> None:
    with process("input(); raise SystemExit(3)") as asked, pytest.raises(ValueError, match="ended with code 3"):
        Installer(asked).install("shop", "web", "4f2c9e")


def test_tracing_is_compared_with_none_function_by_function_and_a_dead_endpoint_with_half_a_second() -> None:
    cpu = {"off": [2.0], "nowhere": [2.1], "store": [2.2], "honeycomb": [2.3], "otlp": [2.4]}
    dead = {"dead": [459.0], "dead.known": [3.1], "dead.off": [3.0]}
    figures = {each.name: each for each in tracing.figures({"github_webhook": {**cpu, **dead}, "gate_recorder": cpu})}
    compared = {name: (figure.value, figure.floor, figure.goal) for name, figure in figures.items()}
    assert len(compared) == 10
    assert compared["tracing_cpu.gate_recorder.otlp"] == (2.4, 2.0, 1.25)
    assert compared["dead_endpoint"] == (459.0, 1.0, 500.0)
    assert compared["dead_endpoint.known"] == (3.1, 3.0, 1.25)


def test_the_message_that_tracing_is_measured_with_names_a_commit_that_is_yet_to_be_made() -> None:
    (record,) = tracing.build()["Records"]
    assert json.loads(record["body"])["data"]["sha"] == "<commit>"


def test_a_large_repository_is_compared_with_a_small_one() -> None:
    found = {"page": {"few": [40.0], "many": [44.0]}, "behind": {"few": [10.0], "many": [11.0]}}
    page, behind = large_repo.figures(found, 100, 10_000)
    assert (page.name, page.value, page.floor) == ("repository.page", 44.0, 40.0)
    assert behind.ratio == pytest.approx(1.1)
    assert page.details == ["a repository of 10,000 commits, against one of 100"]
