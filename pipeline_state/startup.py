"""What every function does once, at its cold start: clients of AWS and tracing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state import aws, metrics, tracing
from pipeline_state.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


_BOUNDED = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
"""Two tries of at most 3 s each: GitHub waits 10 s for its answer, and boto3's own bounds are minutes."""

_session = cache(aws.session)
_log = logging.getLogger(__name__)


def aws_client(service: str, settings: Settings) -> Any:
    """A boto3 client whose calls end within seconds, whatever the other side does."""
    return _session().client(service, region_name=settings.aws_region, config=_BOUNDED)  # type: ignore[call-overload]


class Clients:
    """A client per service, made when first asked for: making the first costs some 30 ms."""

    def __init__(self, settings: Settings) -> None:
        self._make = cache(lambda service: aws_client(service, settings))

    def __call__(self, service: str) -> Any:
        """The client of a service, by boto3's name for it."""
        return self._make(service)


def utc_now() -> datetime:
    """The current time, aware."""
    return datetime.now(UTC)


def start_tracing(service: str, settings: Settings, secrets: Callable[[], SecretsManagerClient]) -> None:
    """Spans go wherever the settings name a place: Honeycomb, an OTLP endpoint, the store; where several, to all.

    Where a key cannot be read they do not go. Their summaries go to the journal where these are wanted and the function
    has one. What the function counts goes to CloudWatch, under the stack's namespace.
    """
    metrics.configure(settings.metrics_namespace, service)
    tracing.configure(service, *_sinks(settings, secrets), sample_rate=settings.sample_rate)


def _sinks(settings: Settings, secrets: Callable[[], SecretsManagerClient]) -> Iterator[tracing.Sink]:
    if settings.honeycomb_key_arn and (key := _secret(settings.honeycomb_key_arn, secrets)):
        yield tracing.HoneycombSink(key, settings.honeycomb_api_host, settings.honeycomb_dataset)
        yield tracing.MarkerSink(key, settings.honeycomb_api_host, settings.honeycomb_dataset)
    if settings.otlp_endpoint and (sink := _otlp_sink(settings, secrets)):
        yield sink
    if settings.span_summaries == "true" and settings.journal_table:
        from pipeline_state.table.summaries import SummarySink  # noqa: PLC0415 - PynamoDB, which webhooks do without

        yield SummarySink()
    if settings.trace_file:
        yield tracing.StoreSink(Path(settings.trace_file))


def _otlp_sink(settings: Settings, secrets: Callable[[], SecretsManagerClient]) -> tracing.OtlpSink | None:
    headers = _secret(settings.otlp_headers_arn, secrets) if settings.otlp_headers_arn else ""
    try:
        return None if headers is None else tracing.OtlpSink(settings.otlp_endpoint, headers)
    except ValueError as error:
        _log.error("no tracing by OTLP: %s", error)
        return None


def _secret(arn: str, secrets: Callable[[], SecretsManagerClient]) -> str | None:
    try:
        return secrets().get_secret_value(SecretId=arn)["SecretString"].strip()
    except (BotoCoreError, ClientError, KeyError) as fault:
        _log.error("no tracing there: %s not read: %s", arn, type(fault).__name__)
        return None
