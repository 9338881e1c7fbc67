"""Runs where a webhook function runs: the handler and the floor in turn; prints the CPU time of each, in ms.

Given the raw body of a push, the secret it is signed with, a topic, and how many events to measure.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import boto3

sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - log lines cost what they cost; __stdout__ is for the result
app = __import__("app").app  # the function's, found beside the layer on this process's path

WARM_UP = 10
GIVEN: dict[str, Any] = json.loads(sys.argv[1])
BODY: str = GIVEN["body"]
KEY: bytes = GIVEN["secret"].encode()
SIGNATURE = "sha256=" + hmac.new(KEY, BODY.encode(), hashlib.sha256).hexdigest()
SNS = boto3.client("sns")


def request() -> dict[str, Any]:
    """An event of API Gateway's REST API (Lambda proxy integration, binary bodies as template.yaml has them)."""
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": SIGNATURE,
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
        "body": base64.b64encode(BODY.encode()).decode(),
        "isBase64Encoded": True,
    }


def handler() -> None:
    answer = app(request(), None)
    if answer["statusCode"] != 202:
        raise SystemExit(f"the webhook was answered with {answer}")


def floor() -> None:
    made = "sha256=" + hmac.new(KEY, BODY.encode(), hashlib.sha256).hexdigest()
    if hmac.compare_digest(made, SIGNATURE):
        json.loads(BODY)
        SNS.publish(TopicArn=GIVEN["topic"], Message=BODY)


samples: dict[str, list[float]] = {"handler": [], "floor": []}
for turn in range(WARM_UP + GIVEN["events"]):
    for work in (handler, floor):
        begun = time.process_time()
        work()
        if turn >= WARM_UP:
            samples[work.__name__].append(1000 * (time.process_time() - begun))
print(json.dumps(samples), file=sys.__stdout__)
