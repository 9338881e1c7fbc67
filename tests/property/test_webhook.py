"""Whatever arrives at the webhooks: an answer below 500, and not a word passed on unless it was signed (part of I4)."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.circleci_webhook import app as circleci_app
from functions.github_webhook import app as github_app
from pipeline_state.events.codec import decode
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.events.secrets import WebhookSecrets
from pipeline_state.events.signatures import sign
from pipeline_state.handlers.webhook import CIRCLECI, GITHUB, Provider, Webhook

SECRET = "known to the sender"
MESSAGE_LIMIT = 256 * 1024


class World:
    """Secrets Manager, SNS and SQS as far as a webhook needs them; it remembers what it was given."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.rejected: list[str] = []

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": json.dumps({"secrets": [SECRET]})}

    def publish(self, *, Message: str, MessageAttributes: Any, **_: Any) -> None:  # noqa: N803 - boto3's names
        for text in (Message, *(value["StringValue"] for value in MessageAttributes.values())):
            assert 0 < len(text.encode()) < MESSAGE_LIMIT
        self.published.append(Message)

    def send_message(self, *, MessageBody: str, **_: Any) -> None:  # noqa: N803 - boto3's names
        assert 0 < len(MessageBody.encode()) < MESSAGE_LIMIT
        self.rejected.append(MessageBody)


def webhook(provider: Provider, world: Any) -> Webhook:
    return Webhook(
        provider=provider,
        topic_arn="topic",
        secrets=WebhookSecrets(world, "arn", lambda: 0.0),
        publisher=Publisher(world),
        rejected=Queue("url", lambda: world),
        now=lambda: datetime(2026, 3, 2, tzinfo=UTC),
    )


def post(function: Any, path: str, provider: Provider, body: Any, headers: dict[str, str]) -> tuple[int, World]:
    """The app's answer with its webhook placed in a world of its own. body: bytes go as base64, text as it is."""
    world = World()
    is_base64 = isinstance(body, bytes)
    event = {
        "headers": headers,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"httpMethod": "POST", "resourcePath": path},
        "body": base64.b64encode(body).decode() if is_base64 else body,
        "isBase64Encoded": is_base64,
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(function, "webhook", lambda: webhook(provider, world))
        answer = function.app(event, None)
    return answer["statusCode"], world


def post_github(body: Any, headers: dict[str, str]) -> tuple[int, World]:
    return post(github_app, "/github", GITHUB, body, headers)


def post_circleci(body: Any, headers: dict[str, str]) -> tuple[int, World]:
    return post(circleci_app, "/circleci", CIRCLECI, body, headers)


def github_headers(body: bytes, event: str) -> dict[str, str]:
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": "d", "X-Hub-Signature-256": f"sha256={sign(body, SECRET)}"}


def circleci_headers(body: bytes, _event: str = "") -> dict[str, str]:
    return {"Circleci-Signature": f"v1={sign(body, SECRET)}"}


any_text = st.text(st.characters())  # lone surrogates too
names = st.sampled_from(
    ["content-type", "X-GitHub-Event", "X-GitHub-Delivery", "X-Hub-Signature-256", "circleci-signature", "Accept"]
)
values = any_text | st.sampled_from(
    ["application/json", "application/x-www-form-urlencoded", "push", "sha256=", f"sha256={'0' * 64}", f"v1={'0' * 64}"]
)
senders = st.sampled_from([post_github, post_circleci])


@given(senders, st.none() | any_text | st.binary(), st.dictionaries(names | any_text, values))
@example(post_github, "", {"x-hub-signature-256": "sha256=\ud800"})
@example(post_circleci, "\ud800", {"circleci-signature": "v1=é"})
@example(post_github, None, {})
def test_what_is_not_signed_gets_an_answer_and_changes_nothing(
    send: Callable[[Any, dict[str, str]], tuple[int, World]], body: Any, headers: dict[str, str]
) -> None:
    status, world = send(body, headers)
    assert status in (401, 415)
    assert not world.published
    assert not world.rejected


paths = ["action", "ref", "before", "after", "repository.full_name", "repository.html_url", "repository.pushed_at"]
paths += [
    "check_run.head_sha",
    "check_run.name",
    "check_run.conclusion",
    "check_run.completed_at",
    "check_run.app.slug",
]
paths += ["sha", "context", "state", "updated_at", "commits", "forced", "compare", "sender.login", "starred_at"]
paths += ["id", "type", "happened_at", "workflow.name", "workflow.status", "workflow.url", "job.name", "job.status"]
paths += ["pipeline.vcs.target_repository_url", "pipeline.vcs.revision", "pipeline.vcs.branch", "project.slug"]
likely = st.sampled_from(["a" * 40, "0" * 40, "refs/heads/main", "octo-org/octo-repo", "2026-03-02T08:15:00Z"])
likely |= st.sampled_from(["https://github.com/o/r", "success", "workflow-completed", "job-completed", "x" * 3000])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | likely,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=8,
)


def nested(fields: dict[str, Any]) -> dict[str, Any]:
    """Dotted paths and their values as a payload; where two collide, the later one wins."""
    payload: dict[str, Any] = {}
    for path, value in fields.items():
        *parents, last = path.split(".")
        inner = payload
        for name in parents:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return payload


payloads = st.dictionaries(st.sampled_from(paths), likely | json_values).map(nested) | json_values
events = st.sampled_from(
    ["push", "check_run", "check_suite", "status", "workflow_run", "release", "newer_thing", "ping", "", "É"]
)


@given(st.sampled_from([(post_github, github_headers), (post_circleci, circleci_headers)]), payloads, events)
def test_what_is_signed_is_published_whole_or_refused_by_name(sender: Any, payload: Any, event: str) -> None:
    send, headers = sender
    body = json.dumps(payload).encode()
    status, world = send(body, headers(body, event))
    assert status in (200, 202, 422)
    assert len(world.published) == (status == 202)
    assert len(world.rejected) == (status == 422)
    for message in world.published:
        data: Any = decode(message).get_data()
        json.dumps(data, ensure_ascii=False).encode()


@given(senders, st.binary())
def test_bytes_that_are_signed_but_mean_nothing_are_refused(send: Any, body: bytes) -> None:
    headers = github_headers(body, "push") if send is post_github else circleci_headers(body)
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        status, world = send(body, {**headers, "Content-Type": content_type})
        assert status in (400, 422)
        assert not world.published
