"""Topics, queues and secrets around the webhook functions, and requests to them as API Gateway makes them."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import ministack
from pipeline_state.events.signatures import sign

PAYLOADS = Path(__file__).parent.parent / "payloads"
GITHUB_SECRET, CIRCLECI_SECRET = "github's secret", "circleci's secret"


def body_of(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def github_headers(body: bytes, event: str = "push", **more: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={sign(body, GITHUB_SECRET)}",
        **more,
    }


def circleci_headers(body: bytes, **more: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "circleci-signature": f"v1={sign(body, CIRCLECI_SECRET)}", **more}


def request(path: str, body: bytes | str, headers: Mapping[str, str], *, is_base64: bool = False) -> dict[str, Any]:
    """An event of API Gateway's REST API (Lambda proxy integration)."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": "POST",
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"httpMethod": "POST", "resourcePath": path, "stage": "v1", "requestId": "r"},
        "body": body if isinstance(body, str) else base64.b64encode(body).decode() if is_base64 else body.decode(),
        "isBase64Encoded": is_base64,
    }


@dataclass
class WebhookStack:
    """What template.yaml gives the webhook functions, in a MiniStack. topic feeds the queue subscriber."""

    endpoint_url: str
    name: str = field(default_factory=lambda: f"w{uuid.uuid4().hex[:12]}")

    def __post_init__(self) -> None:
        self.topic = self.client("sns").create_topic(Name=self.name)["TopicArn"]
        self.subscriber, self.fallback, self.rejected, self.dead_letters = (
            self.queue(kind) for kind in ("subscriber", "fallback", "rejected", "dead-letters")
        )
        self.subscribe(self.topic, self.subscriber)
        self.github_secrets = self.secret("github", GITHUB_SECRET, "the one before")
        self.circleci_secrets = self.secret("circleci", CIRCLECI_SECRET)

    def client(self, service: str) -> Any:
        return ministack.client(self.endpoint_url, service)

    def queue(self, kind: str, **attributes: str) -> str:
        suffix = ".fifo" if attributes.get("FifoQueue") else ""
        url: str = self.client("sqs").create_queue(QueueName=f"{self.name}-{kind}{suffix}", Attributes=attributes)[
            "QueueUrl"
        ]
        return url

    def subscribe(self, topic: str, queue_url: str) -> None:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        arn = answer["Attributes"]["QueueArn"]
        attributes = {"RawMessageDelivery": "true"}
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)

    def secret(self, kind: str, *secrets: str) -> str:
        value = json.dumps({"secrets": secrets})
        arn: str = self.client("secretsmanager").create_secret(Name=f"{self.name}-{kind}", SecretString=value)["ARN"]
        return arn

    @property
    def settings(self) -> dict[str, str]:
        """The functions' environment."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": ministack.REGION,
            "GITHUB_TOPIC_ARN": self.topic,
            "CIRCLECI_TOPIC_ARN": self.topic,
            "FALLBACK_QUEUE_URL": self.fallback,
            "REJECTED_QUEUE_URL": self.rejected,
            "DEAD_LETTER_QUEUE_URL": self.dead_letters,
            "GITHUB_SECRETS_ARN": self.github_secrets,
            "CIRCLECI_SECRETS_ARN": self.circleci_secrets,
        }

    def messages(self, queue_url: str) -> list[dict[str, Any]]:
        """What is in the queue; SNS delivers before its publish returns, so there is nothing to wait for."""
        everything = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "AttributeNames": ["All"]}
        found: list[dict[str, Any]] = []
        while (
            batch := self.client("sqs")
            .receive_message(QueueUrl=queue_url, WaitTimeSeconds=0, **everything)
            .get("Messages")
        ):
            found += batch
        return found

    def nothing_happened(self) -> bool:
        return not any(self.messages(url) for url in (self.subscriber, self.fallback, self.rejected, self.dead_letters))


def texts(message: Mapping[str, Any]) -> dict[str, str]:
    """A message's attributes as plain texts."""
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
