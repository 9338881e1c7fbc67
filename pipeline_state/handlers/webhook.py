"""From a webhook's request to its answer: the same steps for every provider.

Nothing is parsed before its signature is checked, and the answer to a wrong one never says what was wrong.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import parse_qs

from pipeline_state import metrics, tracing
from pipeline_state.events import circleci, github, signatures
from pipeline_state.events.codec import sendable
from pipeline_state.events.payload import UnprocessableError
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.events.secrets import WebhookSecrets
from pipeline_state.faults import TemporaryFault
from pipeline_state.handlers import hops
from pipeline_state.settings import Settings, read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now

if TYPE_CHECKING:
    from chalice.app import Request as ChaliceRequest
    from cloudevents.core.v1.event import CloudEvent

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_KEPT = 64 * 1024

_REJECTED = {
    400: metrics.REJECTED_UNREADABLE,
    401: metrics.REJECTED_UNSIGNED,
    422: metrics.REJECTED_INCOMPLETE,
    503: metrics.NOT_TAKEN,
}

_log = logging.getLogger(__name__)


class NotJsonError(Exception):
    """The body, or the form's field `payload`, is not JSON."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the sender sent. body: the very bytes; headers: names in lower case."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender gets back."""

    status: int
    body: Mapping[str, str]


class Read(Protocol):
    """Headers, parsed JSON and the time of receipt in, CloudEvent out; raises UnprocessableError."""

    def __call__(self, headers: Mapping[str, str], content: object, received_at: datetime, /) -> CloudEvent: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """What tells GitHub from CircleCI. is_ping: whether headers and parsed JSON are only a test of the connection."""

    name: str
    title: str
    signature_header: str
    is_signed: Callable[[bytes, str | None, Sequence[str]], bool]
    is_ping: Callable[[Mapping[str, str], object], bool]
    read: Read


@dataclass(frozen=True, slots=True)
class Webhook:
    """What receives a provider's requests. now: the current time, aware."""

    provider: Provider
    topic_arn: str
    secrets: WebhookSecrets
    publisher: Publisher
    rejected: Queue
    now: Callable[[], datetime]

    def receive(self, request: Request) -> Answer:
        """The answer: 202 once the event is safe, 200 to a ping, 400, 401, 422 or 503 as `Answer.body` says."""
        fields: tracing.Fields = {
            "span.kind": "server",
            "faas.trigger": "http",
            "http.request.body.size": len(request.body),
        }
        with tracing.message_span(f"webhook {self.provider.name}", parent=None, fields=fields):
            tracing.add_field("http.request.body.size", len(request.body))
            try:
                answer = self._answer(request)
            except NotJsonError:
                answer = Answer(400, {"message": "the body is not JSON"})
            except UnprocessableError as fault:
                answer = self._reject(request, fault)
            except TemporaryFault as fault:
                _log.error("webhook %s: %s", self.provider.name, fault.reason)
                answer = Answer(503, {"message": "not taken; send it again"})
            tracing.add_field("http.response.status_code", answer.status)
        metrics.count(metrics.EVENTS_RECEIVED, providers=self.provider.name)
        if answer.status in _REJECTED:
            metrics.count(_REJECTED[answer.status])
        return answer

    def _answer(self, request: Request) -> Answer:
        received_at = self.now()
        with tracing.span("verify signature"):
            signature = request.headers.get(self.provider.signature_header)
            if not self.secrets.vouch(lambda secrets: self.provider.is_signed(request.body, signature, secrets)):
                return Answer(401, {"message": "unauthorized"})
        with tracing.span("make event"):
            content = parse(request)
            if self.provider.is_ping(request.headers, content):
                return Answer(200, {"message": "pong"})
            event = self.provider.read(request.headers, content, received_at)
        self._publish(event, received_at)
        return Answer(202, {"id": event.get_id()})

    def _publish(self, event: CloudEvent, received_at: datetime) -> None:
        """Within the trace of the commit that the event is about, where it is about one."""
        data: Any = event.get_data()
        tracing.add_fields(hops.of_event(event))
        if "repo" in data and "sha" in data:
            commit = tracing.trace_of(data["repo"], data["sha"])
            tracing.adopt(commit)
            tracing.add_fields(hops.of_commit(data["repo"], data["sha"]))
            hops.delivered(event, self.provider.title, parent=commit, now=received_at)
        self.publisher.publish(event, self.topic_arn)

    def _reject(self, request: Request, fault: UnprocessableError) -> Answer:
        """422. What was sent is kept for whoever has to find out why; failing to keep it does not change the answer."""
        kept = {
            "reason": fault.reason,
            "field": fault.field,
            "provider": self.provider.name,
            "event": request.headers.get("x-github-event") or request.headers.get("circleci-event-type") or "",
            "delivery": request.headers.get("x-github-delivery", ""),
            "received_at": self.now().isoformat(),
            "payload": request.body[:_KEPT].decode(errors="replace"),
        }
        try:
            self.rejected.send(sendable(json.dumps(kept, ensure_ascii=False)))
        except TemporaryFault as lost:
            _log.error("rejected webhook %s not kept: %s", self.provider.name, lost.reason)
        return Answer(422, {"message": fault.reason, "field": fault.field})


GITHUB = Provider("github", "GitHub", signatures.GITHUB_HEADER, signatures.github_signed, github.is_ping, github.read)
CIRCLECI = Provider(
    "circleci", "CircleCI", signatures.CIRCLECI_HEADER, signatures.circleci_signed, circleci.is_ping, circleci.read
)


def github_webhook() -> Webhook:
    """What answers POST /github, put together from the settings. Raises MissingSettingError."""
    settings = read_settings("github_topic_arn", "github_secrets_arn", "fallback_queue_url", "rejected_queue_url")
    return _webhook(GITHUB, settings, settings.github_topic_arn, settings.github_secrets_arn)


def circleci_webhook() -> Webhook:
    """What answers POST /circleci, put together from the settings. Raises MissingSettingError."""
    settings = read_settings("circleci_topic_arn", "circleci_secrets_arn", "fallback_queue_url", "rejected_queue_url")
    return _webhook(CIRCLECI, settings, settings.circleci_topic_arn, settings.circleci_secrets_arn)


def request_of(sent: ChaliceRequest | None) -> Request:
    """A request of Chalice. A body that is not the base64 or Unicode it claims to be reads as empty: unsigned."""
    if sent is None:
        return Request(b"", {})
    try:
        body = cast("bytes", sent.raw_body)
    except ValueError:
        body = b""
    return Request(body, dict(sent.headers))


def _webhook(provider: Provider, settings: Settings, topic_arn: str, secrets_arn: str) -> Webhook:
    clients = Clients(settings)
    start_tracing(f"{provider.name}_webhook", settings, lambda: clients("secretsmanager"))
    return Webhook(
        provider=provider,
        topic_arn=topic_arn,
        secrets=WebhookSecrets(clients("secretsmanager"), secrets_arn, time.monotonic),
        publisher=Publisher(clients("sns"), Queue(settings.fallback_queue_url, lambda: clients("sqs"))),
        rejected=Queue(settings.rejected_queue_url, lambda: clients("sqs")),
        now=utc_now,
    )


def parse(request: Request) -> object:
    """The JSON in a body, or in the field `payload` of a form. Raises NotJsonError."""
    try:
        text = request.body.decode()
        if request.headers.get("content-type", JSON).lower().startswith(FORM):
            text = parse_qs(text, strict_parsing=True, errors="strict", max_num_fields=16)["payload"][0]
        return json.loads(text)
    except (ValueError, LookupError, RecursionError) as fault:
        raise NotJsonError from fault
