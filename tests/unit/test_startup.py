"""Where a function's spans go, by its settings; a key that cannot be read stops nothing but its own place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline_state import tracing
from pipeline_state.settings import Settings
from pipeline_state.startup import start_tracing
from pipeline_state.tracing.setup import process
from pipeline_state.tracing.sinks import MarkerSink, Sink

KEY, HEADERS = "arn:key", "arn:headers"


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    yield
    tracing.shutdown()


def sinks(settings: Settings, **secrets: str) -> tuple[Sink, ...]:
    """What is set up, given the texts of secrets by the last part of their ARNs."""

    def read(SecretId: str) -> dict[str, str]:  # noqa: N803 - as boto3 has it
        name = SecretId.rpartition(":")[2]
        if name not in secrets:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": secrets[name]}

    client: Any = SimpleNamespace(get_secret_value=read)
    start_tracing("promoter", settings, lambda: client)
    assert process.made_from
    return process.made_from[1]


def test_without_a_place_spans_go_nowhere() -> None:
    assert sinks(Settings()) == ()


def test_spans_go_to_each_place_that_is_named(tmp_path: Path) -> None:
    settings = Settings(
        honeycomb_key_arn=KEY,
        honeycomb_dataset="set",
        otlp_endpoint="http://collector:4318",
        otlp_headers_arn=HEADERS,
        trace_file=str(tmp_path / "traces.db"),
    )
    assert sinks(settings, key="abc\n", headers="x-key=def\n") == (
        tracing.HoneycombSink("abc", dataset="set"),
        MarkerSink("abc", dataset="set"),
        tracing.OtlpSink("http://collector:4318", "x-key=def"),
        tracing.StoreSink(tmp_path / "traces.db"),
    )


def test_an_otlp_endpoint_needs_no_headers() -> None:
    settings = Settings(otlp_endpoint="http://collector:4318")
    assert sinks(settings) == (tracing.OtlpSink("http://collector:4318"),)


@pytest.mark.parametrize(
    "secrets, complaint",
    [
        ({}, "no tracing there: arn:headers not read: ClientError"),
        ({"headers": "hunter2"}, "no tracing by OTLP: OTLP's headers are neither"),
    ],
    ids=["not there", "malformed"],
)
def test_without_its_headers_nothing_goes_to_an_endpoint_and_the_log_says_so(
    secrets: dict[str, str], complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(otlp_endpoint="http://collector:4318", otlp_headers_arn=HEADERS)
    assert sinks(settings, **secrets) == ()
    assert caplog.messages[0].startswith(complaint)
    assert "hunter2" not in caplog.text


def test_without_its_key_nothing_goes_to_honeycomb(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(honeycomb_key_arn=KEY, otlp_endpoint="http://collector:4318")
    assert sinks(settings) == (tracing.OtlpSink("http://collector:4318"),)
    assert caplog.messages == ["no tracing there: arn:key not read: ClientError"]
