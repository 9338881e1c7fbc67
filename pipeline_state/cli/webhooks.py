"""Sends a payload as GitHub or CircleCI would: signed, with their headers, over HTTP."""

from __future__ import annotations

import http.client
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pipeline_state.cli.console import CommandError
from pipeline_state.events.signatures import CIRCLECI_HEADER, GITHUB_HEADER, sign

if TYPE_CHECKING:
    from pipeline_state.cli.stacks import Stack

Provider = Literal["github", "circleci"]

_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook's endpoint said. delivery: the id that the event was sent with."""

    status: int
    body: str
    delivery: str

    @property
    def is_accepted(self) -> bool:
        """Whether GitHub or CircleCI would count it as delivered."""
        return http.client.OK <= self.status < http.client.MULTIPLE_CHOICES


def send(
    stack: Stack,
    provider: Provider,
    body: bytes,
    *,
    event: str = "push",
    delivery: str | None = None,
    secret: str | None = None,
) -> Answer:
    """Post a payload to a stack's webhook, signed with its current secret unless another one is given.

    event: GitHub's name of it (X-GitHub-Event). delivery: its id; a new one unless given. Raises CommandError when
    nobody answers.
    """
    delivery = delivery or str(uuid.uuid4())
    signature = sign(body, secret if secret is not None else stack.secret(provider))
    headers = {"Content-Type": "application/json", "User-Agent": "gatestream"}
    if provider == "github":
        headers |= {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery, GITHUB_HEADER: f"sha256={signature}"}
    else:
        headers |= {"circleci-event-type": _circleci_type(body), CIRCLECI_HEADER: f"v1={signature}"}
    status, answer = _post(stack.webhook_urls[provider], body, headers)
    return Answer(status, answer, delivery)


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_SECONDS)
    try:
        connection.request("POST", parts.path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"{url} does not answer: {error}; is the stack on?") from error
    finally:
        connection.close()


def _circleci_type(body: bytes) -> str:
    """CircleCI repeats the payload's type in a header."""
    try:
        payload = json.loads(body)
    except ValueError:
        return ""
    type_ = payload.get("type") if isinstance(payload, dict) else None
    return type_ if isinstance(type_, str) and type_.isprintable() and type_.isascii() else ""
