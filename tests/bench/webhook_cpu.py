"""`webhook_cpu`: what the webhook's handler burns on an event, against HMAC, json.loads and one publication."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.local import stack
from infra.local.process import ROOT
from tests.bench.figures import Figure
from tests.bench.lambda_runtime import LambdaRuntime

GOAL = 1.6
EVENTS, QUICK_EVENTS = 200, 20
PAYLOAD = ROOT / "tests" / "payloads" / "github_push" / "several_commits.json"
PROGRAM = Path(__file__).with_name("webhook_cpu_program.py")


def measure(*, quick: bool) -> Iterator[Figure]:
    """Both publish to a topic that nobody listens to, so that nothing else happens meanwhile."""
    with TemporaryDirectory() as folder, stack.running(Path(folder) / "stack") as info:
        topic = info.client("sns").create_topic(Name="nobody-listens")["TopicArn"]
        wanted = {
            "body": PAYLOAD.read_text(encoding="utf-8"),
            "secret": info.github_secrets[0],
            "topic": topic,
            "events": QUICK_EVENTS if quick else EVENTS,
        }
        printed = LambdaRuntime.make(Path(folder) / "lambda").run(
            PROGRAM.read_text(encoding="utf-8"),
            "github_webhook",
            json.dumps(wanted),
            AWS_ENDPOINT_URL=info.endpoint_url,
            GITHUB_TOPIC_ARN=topic,
            GITHUB_SECRETS_ARN=info.github_secrets_arn,
            FALLBACK_QUEUE_URL=info.queues["FallbackEvents"],
            REJECTED_QUEUE_URL=info.queues["RejectedEvents"],
            TRACE_FILE=str(Path(folder) / "traces.db"),
            METRICS_NAMESPACE=f"Gatestream/{info.stack_name}",
        )
    found = json.loads(printed.splitlines()[-1])
    yield Figure("webhook_cpu", "ms", GOAL, found["handler"], found["floor"])
