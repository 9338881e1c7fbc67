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


LOOK_UP = "query: failed to query with labels: "
SECRETS = LOOK_UP + 'Get "https://10.0.0.1/api/v1/namespaces/shop/secrets?labelSelector=name%3Dweb": '
READING = LOOK_UP + "unexpected error when reading response body. Please retry. Original error: "
TIMED_OUT = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"

BROKEN_LINES = [
    # https://github.com/golang/go/blob/go1.25.0/src/net/http/client.go, setRequestCancel
    SECRETS + TIMED_OUT,
    SECRETS + "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
    SECRETS + "context deadline exceeded",
    # https://github.com/golang/go/blob/go1.25.0/src/net/http/h2_bundle.go, http2StreamError and http2errFromPeer
    SECRETS + "stream error: stream ID 17; INTERNAL_ERROR; received from peer",
    LOOK_UP + "stream error: stream ID 17; INTERNAL_ERROR; received from peer",
    SECRETS + 'http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=""',
    SECRETS + "http2: client connection lost",
    READING + "http2: client connection lost",
    # https://github.com/golang/go/blob/go1.25.0/src/net/http/transport.go
    SECRETS + "http: server closed idle connection",
    SECRETS + "net/http: TLS handshake timeout",
    SECRETS + "unexpected EOF",
    # https://github.com/golang/go/blob/go1.25.0/src/syscall/zerrors_linux_amd64.go, ETIMEDOUT
    SECRETS + "dial tcp 10.0.0.1:443: connect: connection timed out",
    SECRETS + "read tcp 10.0.0.9:51234->10.0.0.1:443: read: connection timed out",
    # EAI_AGAIN, as glibc says it
    SECRETS + "dial tcp: lookup api.example.com: Temporary failure in name resolution",
    # https://github.com/kubernetes/client-go/blob/v0.34.0/rest/request.go, tryThrottle and transformResponse
    LOOK_UP + "client rate limiter Wait returned an error: context deadline exceeded",
    LOOK_UP + "client rate limiter Wait returned an error: rate: Wait(n=1) would exceed context deadline",
    LOOK_UP
    + "stream error when reading response body, may be caused by closed connection. Please retry. Original error:"
    " stream error: stream ID 5; INTERNAL_ERROR",
    # https://github.com/kubernetes/client-go/blob/v0.34.0/discovery/aggregated_discovery.go
    "unable to build kubernetes objects from release manifest: metrics.k8s.io/v1beta1: stale GroupVersion discovery",
]


@pytest.mark.parametrize("said", BROKEN_LINES)
def test_what_go_and_its_kubernetes_client_say_of_a_broken_line_passes_by_itself(said: str) -> None:
    found = fault_of(f"Error: {said}".encode())
    assert isinstance(found, TemporaryFault)
    assert found.delay_seconds == 30


UPGRADE = "release web failed, and has been rolled back due to rollback-on-failure being set: "
APPLY = UPGRADE + "server-side apply failed for object shop/throttler apps/v1, Kind=Deployment: "


@pytest.mark.parametrize(
    "said",
    [
        "execution error at (web/templates/web.yaml:1:3): set web.throttle to a number; i/o timeout; http2: no: EOF",
        "parse error at (web/templates/throttling.yaml:5): unexpected EOF",
        "YAML parse error on web/templates/broken pipe.yaml: error converting YAML to JSON: yaml: line 2: EOF",
        "values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n- '/broken pipe'",
        "unexpected EOF",  # a chart's archive that breaks off
        APPLY + 'Deployment.apps "throttler" is invalid: spec.selector: Invalid value: {}: field is immutable',
        APPLY + 'strict decoding error: unknown field "spec.throttleSeconds"',
        APPLY + "failed to create typed patch object (shop/throttler; apps/v1, Kind=Deployment): .spec.http2: field not"
        " declared in schema",
        APPLY + 'deployments.apps "throttler" is forbidden: exceeded quota: throttling, requested: pods=1',
        UPGRADE + "client rate limiter Wait returned an error: context deadline exceeded",  # of Helm 3's own wait
        "UPGRADE FAILED: client rate limiter Wait returned an error: rate: Wait(n=1) would exceed context deadline",
    ],
)
def test_names_and_texts_of_a_chart_are_not_taken_for_what_a_broken_machine_says(said: str) -> None:
    assert isinstance(fault_of(f"Error: {said}".encode()), PermanentFault)


@pytest.mark.parametrize("code", ["ThrottlingException", "Throttling", "Rate exceeded", "toomanyrequests"])
def test_what_aws_throttles_passes_after_a_minute(code: str) -> None:
    found = fault_of(f"Error: GET failed: {code}: slow down".encode())
    assert isinstance(found, TemporaryFault)
    assert found.delay_seconds == 60


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
