"""The whole way from the webhooks to Helm in one process, and the spans that it leaves."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local import ministack
from pipeline_state import tracing
from pipeline_state.deploy import Install
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.events.secrets import WebhookSecrets
from pipeline_state.handlers.webhook import CIRCLECI, GITHUB, Answer, Provider, Request, Webhook
from tests.contract.way_room import WayRoom, new_room
from tests.contract.webhook_stack import CIRCLECI_SECRET, GITHUB_SECRET, body_of, circleci_headers, github_headers
from tests.span_file import FileSink
from tests.span_tree import tree


@dataclass
class SpanRoom:
    """A `WayRoom` behind both webhooks. file: where every function's spans go."""

    way: WayRoom
    file: Path

    def __post_init__(self) -> None:
        self.topic = self.way.sns.create_topic(Name=f"{self.way.name}-webhooks")["TopicArn"]
        self.way.subscribe(self.topic, self.way.events)
        self.secrets = ministack.client(self.way.tables.tables.endpoint_url, "secretsmanager")
        self._webhooks = {each.name: self._webhook(each) for each in (GITHUB, CIRCLECI)}
        self.way.releases.meanwhile = _helm

    @property
    def repo(self) -> str:
        return self.way.repo

    # what comes in

    def push(self, commit: str, before: str = "") -> None:
        payload = json.loads(body_of("github_push/one_commit"))
        payload |= {"before": before or "0" * 40, "after": commit}
        payload["repository"] |= {"full_name": self.repo, "pushed_at": int(self.way.clock.now.timestamp())}
        body = json.dumps(payload).encode()
        headers = {name.lower(): text for name, text in github_headers(body).items()}
        self._post("github", body, headers | {"x-github-delivery": f"push-{commit}"})

    def build(self, commit: str, status: str = "success") -> None:
        payload = json.loads(body_of("circleci/workflow_github_app"))
        now = self.way.clock.now.isoformat()
        payload |= {"id": f"{status}-{commit}", "happened_at": now}
        payload["workflow"] |= {"status": status, "stopped_at": now}
        told = payload["pipeline"]["trigger_parameters"]
        told["git"] |= {"checkout_url": f"https://github.com/{self.repo}", "checkout_sha": commit}
        told["github_app"] |= {"repo_full_name": self.repo, "commit_sha": commit, "checkout_sha": commit}
        body = json.dumps(payload).encode()
        self._post("circleci", body, {name.lower(): text for name, text in circleci_headers(body).items()})

    def edit(self, commit: str, **columns: Any) -> None:
        """What somebody does with a tool of their own."""
        self.way.tables.edit(commit, **columns)

    def go_on(self, seconds: float) -> None:
        """Time passes and everything settles."""
        self.way.clock.go_on(seconds)
        self.way.settle()

    def _post(self, provider: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.way.clock.go_on(1)
        with self.way.calls.counted():
            answer: Answer = self._webhooks[provider].receive(Request(body, headers))
        assert answer.status == 202, answer

    # what it leaves

    def spans(self, commit: str = "") -> list[dict[str, Any]]:
        """All so far, or those of one commit's trace, as items of Honeycomb's batch API."""
        tracing.flush()
        items = [json.loads(line) for line in self.file.read_text().splitlines()]
        wanted = tracing.trace_of(self.repo, commit).trace_id if commit else None
        return [item for item in items if wanted in {None, item["data"]["trace.trace_id"]}]

    def tree(self, commit: str) -> str:
        return tree([item["data"] for item in self.spans(commit)])

    # how it is made

    def _webhook(self, provider: Provider) -> Webhook:
        secret = {"github": GITHUB_SECRET, "circleci": CIRCLECI_SECRET}[provider.name]
        name = f"{self.way.name}-{provider.name}"
        arn = self.secrets.create_secret(Name=name, SecretString=json.dumps({"secrets": [secret]}))["ARN"]
        return Webhook(
            provider=provider,
            topic_arn=self.topic,
            secrets=WebhookSecrets(self.secrets, arn, time.monotonic),
            publisher=Publisher(self.way.our_sns),
            rejected=Queue("nowhere", lambda: self.way.our_sqs),
            now=self.way.clock,
        )


@contextmanager
def span_room(endpoint: str, patch: pytest.MonkeyPatch, file: Path, *more: tracing.Sink) -> Iterator[SpanRoom]:
    """One with tables of its own, whose spans go to a file, and to more places."""
    tracing.configure("way", FileSink(file), *more)
    try:
        yield SpanRoom(new_room(endpoint, patch), file)
    finally:
        tracing.shutdown()


def _helm(_: Install) -> None:
    with tracing.span("helm upgrade"):
        pass
