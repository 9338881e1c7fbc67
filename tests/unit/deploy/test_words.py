"""What Helm printed on standard error, recorded from Helm 4.3.1 and 3.19.0, and what we make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy.advice import next_step
from pipeline_state.deploy.words import MAX_BYTES, added, fault_of, scrub, sentence
from pipeline_state.faults import PermanentFault, TemporaryFault

SAMPLES = json.loads(Path(__file__).with_name("helm_stderr.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["stderr"][-60:])
def test_what_helm_printed_is_a_failure_or_passes_by_itself(sample: dict[str, Any]) -> None:
    found = fault_of(sample["stderr"].encode())
    verdict = PermanentFault if sample["verdict"] == "failed" else TemporaryFault
    assert type(found) is verdict
    said, _, step = found.reason.partition("\nNext: ")
    assert said == sample["stderr"].removeprefix("Error: ")
    assert step == next_step(said)
    assert getattr(found, "delay_seconds", None) == sample.get("delay")


@pytest.mark.parametrize(
    "stderr,expected",
    [
        ("WARNING: Kubernetes configuration file is group-readable.\nError: no\n", "no"),
        ('level=WARN msg="this chart is deprecated"\nError: no', "no"),
        ("Flag --atomic has been deprecated, use --rollback-on-failure instead\nError: no", "no"),
        ("Error: first\nError: second: a\n\n\t* b", "second: a\n\t* b"),
        ("panic: runtime error\ngoroutine 1", "panic: runtime error\ngoroutine 1"),
        ("", "Helm ended without a word"),
        ("Error: ", "Helm ended without a word"),
    ],
)
def test_only_helms_own_sentence_is_kept(stderr: str, expected: str) -> None:
    assert sentence(stderr.encode()) == expected


def test_a_long_sentence_is_cut_at_a_character() -> None:
    said = sentence(("Error: x" + "é" * MAX_BYTES).encode())
    assert len(said.encode()) == MAX_BYTES - 1
    assert said.endswith("é")


def test_bytes_that_are_no_text_are_no_problem() -> None:
    assert sentence(b"Error: \xff\xfe") == "\N{REPLACEMENT CHARACTER}" * 2


@pytest.mark.parametrize(
    "text,expected",
    [
        ("token hush-hush was refused", "token *** was refused"),
        ("Authorization: Bearer abc.DEF-1_2", "Authorization: Bearer ***"),
        ("k8s-aws-v1.aHR0cHM6Ly9zdHM is old", "k8s-aws-v1.*** is old"),
        ("pull https://me:pa55@registry.example.com/v2", "pull https://***@registry.example.com/v2"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2ln", "jwt eyJ***"),
        ("nothing to hide: http://127.0.0.1:8080/a", "nothing to hide: http://127.0.0.1:8080/a"),
    ],
)
def test_secrets_are_blotted_out(text: str, expected: str) -> None:
    assert scrub(text, ["hush-hush", "hush"]) == expected


def test_what_was_done_about_it_is_told_before_the_next_step() -> None:
    assert added("helm test: no\nNext: look at the Pod", "rolled back") == (
        "helm test: no; rolled back\nNext: look at the Pod"
    )
    assert added("not ready", "rolled back") == "not ready; rolled back"
