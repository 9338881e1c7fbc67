"""The webhook functions put together: settings and clients in, a door out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from pipeline_state.events import circleci, github, signatures
from pipeline_state.events.forward import Forwarder
from pipeline_state.events.intake import Intake, Provider, Request
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.events.secrets import WebhookSecrets
from pipeline_state.settings import Settings, read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now

if TYPE_CHECKING:
    from chalice.app import Request as ChaliceRequest

GITHUB = Provider("github", signatures.GITHUB_HEADER, signatures.github_signed, github.is_ping, github.read)
CIRCLECI = Provider("circleci", signatures.CIRCLECI_HEADER, signatures.circleci_signed, circleci.is_ping, circleci.read)


def github_door() -> Intake:
    """The door of POST /github. Raises MissingSettingError."""
    settings = read_settings("github_topic_arn", "github_secrets_arn", "fallback_queue_url", "rejected_queue_url")
    return _door(GITHUB, settings, settings.github_topic_arn, settings.github_secrets_arn)


def circleci_door() -> Intake:
    """The door of POST /circleci. Raises MissingSettingError."""
    settings = read_settings("circleci_topic_arn", "circleci_secrets_arn", "fallback_queue_url", "rejected_queue_url")
    return _door(CIRCLECI, settings, settings.circleci_topic_arn, settings.circleci_secrets_arn)


def forwarder() -> Forwarder:
    """What drains the fallback queue. Raises MissingSettingError."""
    settings = read_settings("dead_letter_queue_url")
    client = Clients(settings)
    start_tracing("event_forwarder", settings, lambda: client("secretsmanager"))
    dead_letters = Queue(settings.dead_letter_queue_url, lambda: client("sqs"))
    return Forwarder(Publisher(client("sns")), dead_letters, utc_now)


def request_of(sent: ChaliceRequest | None) -> Request:
    """A request of Chalice. A body that is not the base64 or Unicode it claims to be reads as empty: unsigned."""
    if sent is None:
        return Request(b"", {})
    try:
        body = cast("bytes", sent.raw_body)
    except ValueError:
        body = b""
    return Request(body, dict(sent.headers))


def _door(provider: Provider, settings: Settings, topic_arn: str, secrets_arn: str) -> Intake:
    client = Clients(settings)
    start_tracing(f"{provider.name}_webhook", settings, lambda: client("secretsmanager"))
    return Intake(
        provider=provider,
        topic_arn=topic_arn,
        secrets=WebhookSecrets(client("secretsmanager"), secrets_arn, time.monotonic),
        publisher=Publisher(client("sns"), Queue(settings.fallback_queue_url, lambda: client("sqs"))),
        rejected=Queue(settings.rejected_queue_url, lambda: client("sqs")),
        now=utc_now,
    )
