"""What is sent is what GitHub and CircleCI would send: the receivers' own check of signatures takes it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from pipeline_state.cli import webhooks
from pipeline_state.cli.console import CommandError
from pipeline_state.cli.stacks import Stack
from pipeline_state.events.signatures import circleci_signed, github_signed
from pipeline_state.table.models import Tables
from tests.receivers import closed_port

BODY = b'{"type": "workflow-completed",  "spaced": "as is \xc3\xa9"}'


class Secrets:
    """Secrets Manager with one secret for everybody."""

    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": json.dumps({"secrets": ["current", "previous"]})}


class Receiver(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b'{"id": "x"}')

    def log_message(self, *_: Any) -> None:
        """Not in the tests' output."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def stack_of(port: int) -> Stack:
    urls = {name: f"http://127.0.0.1:{port}/live/{name}" for name in ("github", "circleci")}
    return Stack("s", "us-east-1", Tables("gates"), urls, {"github": "a", "circleci": "b"}, lambda _: Secrets())


def test_a_github_webhook_has_its_headers_and_a_signature_of_the_raw_body(receiver: Receiver) -> None:
    answer = webhooks.send(stack_of(receiver.server_port), "github", BODY, event="check_run", delivery="d1")
    assert (answer.status, answer.body, answer.is_accepted) == (202, '{"id": "x"}', True)
    ((path, headers, body),) = receiver.seen
    assert (path, body) == ("/live/github", BODY)
    assert (headers["x-github-event"], headers["x-github-delivery"]) == ("check_run", "d1")
    assert github_signed(body, headers["x-hub-signature-256"], ["current"])


def test_a_circleci_webhook_has_its_headers_and_a_signature_of_the_raw_body(receiver: Receiver) -> None:
    webhooks.send(stack_of(receiver.server_port), "circleci", BODY)
    ((path, headers, body),) = receiver.seen
    assert (path, body, headers["circleci-event-type"]) == ("/live/circleci", BODY, "workflow-completed")
    assert circleci_signed(body, headers["circleci-signature"], ["current"])


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"type": "a\\r\\nx: y"}', b'{"type": "\xc3\xa9"}'])
def test_any_bytes_can_be_sent(receiver: Receiver, body: bytes) -> None:
    assert webhooks.send(stack_of(receiver.server_port), "circleci", body, secret="s").is_accepted
    assert receiver.seen[0][2] == body


def test_another_secret_may_sign(receiver: Receiver) -> None:
    webhooks.send(stack_of(receiver.server_port), "github", BODY, secret="other")
    assert github_signed(BODY, receiver.seen[0][1]["x-hub-signature-256"], ["other"])


def test_nobody_answering_is_told() -> None:
    with closed_port() as url, pytest.raises(CommandError, match="does not answer"):
        webhooks.send(stack_of(int(url.rpartition(":")[2])), "github", BODY)
