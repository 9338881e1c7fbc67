"""`tracing_cpu.<function>.<where>`: what a handler burns with tracing on, against the same without any.

where: nowhere (spans are made only), the local store, Honeycomb or an OTLP endpoint, on loopback. Of the functions the
webhook does least, and the recorder most that every event passes.
`dead_endpoint`: an event when neither Honeycomb nor the OTLP endpoint answers, in wall time.
`dead_endpoint.known`: one while both are known to be dead, against one without tracing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local import stack
from infra.local.process import ROOT
from infra.local.stack import StackInfo
from pipeline_state.events.signatures import sign
from tests.bench.figures import Figure
from tests.bench.lambda_runtime import LambdaRuntime
from tests.receivers import HoneycombReceiver, OtlpReceiver, black_hole, listening

CPU_GOAL, DEAD_GOAL, KNOWN_GOAL = 1.25, 500.0, 1.25
EVENTS, QUICK_EVENTS = 200, 20
PAYLOAD = ROOT / "tests" / "payloads" / "github_push" / "several_commits.json"
PROGRAM = Path(__file__).with_name("tracing_program.py")
WHERE = ("nowhere", "store", "honeycomb", "otlp")


def measure(*, quick: bool) -> Iterator[Figure]:
    """In one process for each function, by turns; the receivers are in this one, and their CPU time does not count."""
    with ExitStack() as room:
        folder = Path(room.enter_context(TemporaryDirectory()))
        info = room.enter_context(stack.running(folder / "stack"))
        to = {
            "store": str(folder / "traces.db"),
            "honeycomb": room.enter_context(listening(HoneycombReceiver())).url,
            "otlp": room.enter_context(listening(OtlpReceiver())).url,
            "dead": room.enter_context(black_hole()),
        }
        runtime = LambdaRuntime.make(folder / "lambda")
        found = {}
        for function, event in {"github_webhook": push(info), "gate_recorder": build()}.items():
            given = {
                "function": function,
                "event": json.dumps(event),
                "to": to,
                "events": QUICK_EVENTS if quick else EVENTS,
            }
            printed = runtime.run(PROGRAM.read_text(encoding="utf-8"), function, json.dumps(given), **environment(info))
            found[function] = json.loads(printed.splitlines()[-1])
    yield from figures(found)


def figures(found: Mapping[str, Mapping[str, Sequence[float]]]) -> Iterator[Figure]:
    """Of each function's samples by what was on."""
    for function, samples in found.items():
        for where in WHERE:
            yield Figure(f"tracing_cpu.{function}.{where}", "ms", CPU_GOAL, samples[where], samples["off"])
    webhook = found["github_webhook"]
    yield Figure("dead_endpoint", "ms", DEAD_GOAL, webhook["dead"])
    yield Figure("dead_endpoint.known", "ms", KNOWN_GOAL, webhook["dead.known"], webhook["dead.off"])


def environment(info: StackInfo) -> dict[str, str]:
    """Of both functions. The webhook publishes to a topic that nobody listens to, so that nothing else happens."""
    return {
        "AWS_ENDPOINT_URL": info.endpoint_url,
        "GITHUB_TOPIC_ARN": info.client("sns").create_topic(Name="nobody-listens")["TopicArn"],
        "GITHUB_SECRETS_ARN": info.github_secrets_arn,
        "FALLBACK_QUEUE_URL": info.queues["FallbackEvents"],
        "REJECTED_QUEUE_URL": info.queues["RejectedEvents"],
        "DEAD_LETTER_QUEUE_URL": info.queues["GateEventsDeadLetters"],
        "GATE_EVENTS_QUEUE_URL": info.queues["GateEvents"],
        "GATES_TABLE": info.gates_table,
        "ENVIRONMENTS_TABLE": info.environments_table,
        "JOURNAL_TABLE": info.journal_table,
        "PIPELINES_TABLE": info.pipelines_table,
    }


def push(info: StackInfo) -> dict[str, Any]:
    """GitHub's request, as API Gateway's REST API hands it on."""
    body = PAYLOAD.read_bytes()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={sign(body, info.github_secrets[0])}",
    }
    return {
        "resource": "/github",
        "path": "/github",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"httpMethod": "POST", "resourcePath": "/github", "stage": "live", "requestId": "r"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def build() -> dict[str, Any]:
    """A message of the recorder's queue about a commit that is yet to be named: CircleCI has built it."""
    event = {
        "specversion": "1.0",
        "id": "3888f21b-eaa7-38e3-8f3d-75a63bba8895",
        "source": "https://app.circleci.com/pipelines/github/myOrg/myApp",
        "type": "com.circleci.workflow-completed",
        "subject": "build",
        "time": "2026-03-01T12:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "schema": 1,
            "repo": "myOrg/myApp",
            "sha": "<commit>",
            "name": "build",
            "app": "circleci",
            "status": "success",
            "completed_at": "2026-03-01T12:00:00Z",
        },
    }
    record = {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": json.dumps(event),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1772366400000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:GateEvents",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record]}
