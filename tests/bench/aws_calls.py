"""`aws_calls`: what the functions ask of AWS between a push and its commit's being deployed, call by call.

`aws_calls.gate_change`: what recorder and promoter ask when a build opens a gate and another one stays closed.
`aws_calls.hand_change`: what the promoter asks when a person opens a gate, and another one stays closed.
`aws_calls.promotion`: what recorder and promoter ask when a build opens the last gate, until the claim is published.

Each function is given an endpoint of its own that notes the call and passes it on to MiniStack. What services do among
themselves (mappings that poll queues, SNS that fills them) does not pass there and does not count. One environment, one
push, one build, one approval, which is a call of the user's and counts; warm functions, which keep their secrets.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from infra.local.stack import StackInfo
from tests.bench.deployments import ENVIRONMENT, next_commit, warm_stack, way_to_one_environment
from tests.bench.figures import Figure
from tests.e2e.way import Way, eventually

GOAL, CHANGE_GOAL, HAND_GOAL, PROMOTION_GOAL = 24, 3, 2, 6
APPROVAL = "approval_from_legal"
QUIET_SECONDS = 0.7
FUNCTIONS = ("GitHubWebhook", "CircleCIWebhook", "GateRecorder", "Promoter", "HelmInstaller")
_SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")


def line(who: str, what: str) -> str:
    return f"{who:16} {what}"


RECEIVED = line("CircleCIWebhook", "sns Publish")
PERSON = ("a person", "dynamodb UpdateItem")
APPROVED = line(*PERSON)
PUBLISHED, MARKED = line("Promoter", "sns Publish"), line("Promoter", "dynamodb UpdateItem")


@dataclass(slots=True)
class Calls:
    """Notes in the order in which the calls came: who, service, operation. last: when, by time.monotonic."""

    notes: list[str] = field(default_factory=list)
    last: float = 0.0

    def note(self, who: str, what: str) -> None:
        self.notes.append(line(who, what))
        self.last = time.monotonic()

    def take(self) -> list[str]:
        """The notes so far, which are new from then on."""
        taken, self.notes = self.notes, []
        return taken

    def cease(self) -> None:
        """Returns when nobody has asked anything for a while."""
        eventually(lambda: time.monotonic() - self.last > QUIET_SECONDS, "silence")


def measure(*, quick: bool) -> Iterator[Figure]:  # noqa: ARG001 - counting is quick
    """A first commit warms the functions up; the calls of the second and third are counted, and printed."""
    with warm_stack() as info, ExitStack() as proxies:
        calls = Calls()
        for function in FUNCTIONS:
            proxies.enter_context(noted(info, function, calls))
        way = way_to_one_environment(info, APPROVAL)
        first = deploy(way, "", calls)
        calls.notes.clear()
        second = deploy(way, first, calls)
        whole = calls.take()
        by_hand, promoting = approve_first(way, second, calls)
    change = whole[whole.index(RECEIVED) : whole.index(APPROVED)]
    yield figure("aws_calls", GOAL, whole)
    yield figure("aws_calls.gate_change", CHANGE_GOAL, of_recorder_and_promoter(change))
    yield figure("aws_calls.hand_change", HAND_GOAL, of_recorder_and_promoter(by_hand))
    yield figure("aws_calls.promotion", PROMOTION_GOAL, until_published(of_recorder_and_promoter(promoting)))


def figure(name: str, goal: float, notes: list[str]) -> Figure:
    """How many calls it was, with each of them."""
    listed = [f"{name} {number:3} {note}" for number, note in enumerate(notes, 1)]
    return Figure(name, "calls", goal, [float(len(notes))], details=listed)


def of_recorder_and_promoter(notes: list[str]) -> list[str]:
    return [note for note in notes if note.startswith(("GateRecorder", "Promoter"))]


def until_published(notes: list[str]) -> list[str]:
    """Without what installing brings about: what the recorder asks from then on, and the promoter after its mark."""
    published = notes.index(PUBLISHED)
    marked = next(i for i, note in enumerate(notes) if i > published and note == MARKED)
    return notes[:published] + [note for note in notes[published : marked + 1] if note.startswith("Promoter")]


def approve_first(way: Way, before: str, calls: Calls) -> tuple[list[str], list[str]]:
    """A commit that is approved before it is built: what the approval asks for, and what the build does."""
    sha = next_commit(way, before)
    calls.cease()
    calls.notes.clear()
    calls.note(*PERSON)
    way.column(sha, APPROVAL, "TRUE")
    calls.cease()
    by_hand = calls.take()
    way.build(sha)
    way.deployed(sha, ENVIRONMENT)
    calls.cease()
    return by_hand, calls.take()


def deploy(way: Way, before: str, calls: Calls) -> str:
    """A commit from push to deployed, one step after the other, and whatever anybody asks afterwards."""
    sha = next_commit(way, before)
    calls.cease()
    way.build(sha)
    calls.cease()
    calls.note(*PERSON)
    way.column(sha, APPROVAL, "TRUE")
    way.deployed(sha, ENVIRONMENT)
    calls.cease()
    return sha


@contextmanager
def noted(info: StackInfo, function: str, calls: Calls) -> Iterator[None]:
    """The function's calls are noted for the length of the block."""
    address = urlsplit(info.endpoint_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            calls.note(function, operation(dict(self.headers), body))
            upstream = http.client.HTTPConnection(address.hostname or "", address.port)
            upstream.request("POST", self.path, body, dict(self.headers))
            self.answer(upstream.getresponse())
            upstream.close()

        def answer(self, response: http.client.HTTPResponse) -> None:
            body = response.read()
            self.send_response_only(response.status)
            for name, value in response.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the calls are the log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _give_endpoint(info, function, f"http://127.0.0.1:{server.server_port}")
        try:
            yield
        finally:
            server.shutdown()


def operation(headers: dict[str, str], body: bytes) -> str:
    """Service and operation of a signed request of AWS's JSON or query protocol."""
    service = _SERVICE.search(headers.get("Authorization", ""))
    action = headers.get("X-Amz-Target", "").rpartition(".")[2] or parse_qs(body.decode()).get("Action", ["?"])[0]
    return f"{service[1] if service else '?'} {action}"


def _give_endpoint(info: StackInfo, function: str, url: str) -> None:
    functions, name = info.client("lambda"), info.functions[function]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"AWS_ENDPOINT_URL": url}}
    )
