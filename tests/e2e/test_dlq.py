"""`gatestream dlq` on a real stack: what was given up is listed, shown, sent back, and then does what it was to do."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra.local.stack import StackInfo
from pipeline_state.model.pipelines import GateDefinition, GateSource, SourceKind
from tests.e2e.test_cli import COMMAND, Terminal
from tests.e2e.way import Way, commit, eventually

BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))


@pytest.fixture
def way(stack: StackInfo) -> Way:
    return Way(stack)


@pytest.fixture
def gatestream(way: Way) -> Terminal:
    return Terminal(way)


def push_event(way: Way, sha: str) -> str:
    data = {
        "schema": 1, "repo": way.repo, "sha": sha, "branch": "main", "before": "0" * 40,
        "pushed_at": "2026-01-01T00:00:00Z", "paths": [], "paths_complete": True,
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": f"push {sha}", "source": f"https://github.com/{way.repo}", "data": data,
        "type": "com.github.push", "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
    }  # fmt: skip
    return json.dumps(event)


def put(way: Way, queue: str, body: str, **more: Any) -> None:
    way.stack.client("sqs").send_message(QueueUrl=way.stack.queues[queue], MessageBody=body, **more)


def listed(gatestream: Terminal, queue: str) -> list[dict[str, Any]]:
    """What lies in a queue. The queues are everybody's, so each test looks for its own."""
    stack, name = gatestream.way.stack, "ApproximateNumberOfMessages"
    counted = stack.client("sqs").get_queue_attributes(QueueUrl=stack.queues[queue], AttributeNames=[name])
    if counted["Attributes"][name] == "0":
        return []
    found: list[dict[str, Any]] = gatestream.json("dlq", "list", "--queue", queue, code=1)
    return found


def mine(gatestream: Terminal, queue: str) -> list[dict[str, Any]]:
    return [letter for letter in listed(gatestream, queue) if letter["repo"] == gatestream.way.repo]


def test_what_a_function_gave_up_is_listed_and_shown_with_its_reason(gatestream: Terminal, way: Way) -> None:
    sha = commit()
    body = push_event(way, sha).replace("com.github.push", "com.github.star.created")
    put(way, "GateEvents", body)
    (letter,) = eventually(lambda: mine(gatestream, "GateEventsDeadLetters"), "the dead letter")
    assert (letter["commit"], letter["queue"]) == (sha, "GateEventsDeadLetters")
    assert "com.github.star.created" in letter["reason"]
    shown = gatestream.json("dlq", "show", letter["id"][:13])
    assert (shown["body"], shown["to"]) == (json.loads(body), "GateEvents")
    told = gatestream("dlq", "show", letter["id"]).stdout
    assert f'\n    "sha": "{sha}"' in told
    assert gatestream("dlq", "list", code=1).stdout.count(sha[:12]) == 1


def test_an_event_sent_back_ends_up_in_the_record(gatestream: Terminal, way: Way) -> None:
    sha = commit()
    put(way, "GateEventsDeadLetters", push_event(way, sha))
    (letter,) = mine(gatestream, "GateEventsDeadLetters")
    (outcome,) = gatestream.json("dlq", "redrive", letter["id"][:13])
    assert (outcome["id"], outcome["sent"], outcome["to"]) == (letter["id"], True, "GateEvents")
    assert way.recorded(sha)["branch"] == "main"
    assert "no dead letter has the id" in gatestream("dlq", "show", letter["id"], code=2).stderr


def test_a_deployed_stack_is_found_by_its_outputs(gatestream: Terminal, way: Way) -> None:
    environment = {
        "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": way.stack.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }  # fmt: skip
    sha = commit()
    put(way, "GitHubEventsUndelivered", push_event(way, sha))
    (letter,) = mine(gatestream, "GitHubEventsUndelivered")
    command = [str(COMMAND), "dlq", "redrive", letter["id"], "--stack", way.stack.stack_name, "--region", "us-east-1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 sent back to GateEvents\n", "")
    assert way.recorded(sha)["branch"] == "main"


@pytest.mark.parametrize("kept", ["in the queue", "in the bucket"])
def test_a_change_sent_back_to_the_promoter_promotes(gatestream: Terminal, way: Way, kept: str) -> None:
    sha = commit()
    way.push(sha)
    way.recorded(sha)
    way.column(sha, "build", "TRUE")
    way.looked_at(sha, times=2)  # at the push and at the column: nothing is on its way any more
    way.define(way.environment("staging", "build"), gates=(BUILD,))  # which by itself wakes nobody
    time.sleep(0.5)
    assert "_claim_staging" not in way.item(sha)
    change = stream_record(way, sha)
    if kept == "in the queue":
        put(way, "PromoterDeadLetters", json.dumps(change))
        found = mine(gatestream, "PromoterDeadLetters")
    else:
        key = f"aws/lambda/{sha}"
        payload = json.dumps({"version": "1.0", "payload": json.dumps({"Records": [change]})})
        way.stack.client("s3").put_object(Bucket=way.stack.failures_bucket, Key=key, Body=payload.encode())
        found = eventually(lambda: noticed(gatestream, key), "the notice")
        (seen,) = gatestream.json("dlq", "show", found[0]["id"])["changes"]
        assert seen == change
    (outcome,) = gatestream.json("dlq", "redrive", found[0]["id"])
    assert (outcome["sent"], outcome["to"]) == (True, "Promoter")
    way.deployed(sha, "staging")


def noticed(gatestream: Terminal, key: str) -> list[dict[str, Any]]:
    return [letter for letter in listed(gatestream, "PromoterDeadLetters") if letter["reason"].endswith(key)]


def stream_record(way: Way, sha: str) -> dict[str, Any]:
    """A change of the record, as the stream's mapping hands it over."""
    keys = {"repo": {"S": way.repo}, "commit": {"S": sha}}
    image = {**keys, "build": {"S": "TRUE"}}
    told = {
        "Keys": keys, "NewImage": image, "OldImage": keys, "SequenceNumber": "1", "SizeBytes": 1,
        "ApproximateCreationDateTime": int(time.time()), "StreamViewType": "NEW_AND_OLD_IMAGES",
    }  # fmt: skip
    return {
        "eventID": sha, "eventName": "MODIFY", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": way.stack.region, "dynamodb": told,
        "eventSourceARN": f"arn:aws:dynamodb:{way.stack.region}:000000000000:table/{way.stack.gates_table}/stream/x",
    }  # fmt: skip


@contextmanager
def without_installer(way: Way) -> Iterator[str]:
    """Promotions go to a queue of the test's own for a while, whose URL this is."""
    sns, sqs = way.stack.client("sns"), way.stack.client("sqs")
    topic = way.stack.topics["PromotionEvents"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    fifo = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName=f"{way.namespace}.fifo", Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    raw = {"RawMessageDelivery": "true"}
    mine = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)["SubscriptionArn"]
    try:
        yield url
    finally:
        sns.unsubscribe(SubscriptionArn=mine)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=subscription["Endpoint"], Attributes=raw)


def test_a_promotion_sent_back_is_installed(gatestream: Terminal, way: Way) -> None:
    sha, sqs = commit(), way.stack.client("sqs")
    way.define(way.environment("staging", "build"), gates=(BUILD,))
    with without_installer(way) as url:
        way.push(sha)
        way.build(sha)
        (lost,) = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the promotion")
    put(way, "InstallsDeadLetters", lost["Body"], MessageGroupId="g", MessageDeduplicationId=sha)
    (letter,) = mine(gatestream, "InstallsDeadLetters")
    assert (letter["commit"], letter["queue"]) == (sha, "InstallsDeadLetters")
    (outcome,) = gatestream.json("dlq", "redrive", letter["id"])
    assert (outcome["sent"], outcome["to"]) == (True, "Installs")
    way.deployed(sha, "staging")


def test_a_rejected_webhook_is_listed_and_cannot_be_sent_back(gatestream: Terminal, way: Way) -> None:
    delivered, _ = way.github("push", {"ref": f"refs/heads/{way.namespace}", "after": commit()})
    assert delivered == 422
    found = [
        each
        for each in listed(gatestream, "RejectedEvents")
        if way.namespace in json.dumps(gatestream.json("dlq", "show", each["id"])["body"])
    ]
    assert found[0]["reason"].startswith("github sent it without what is needed: ")
    told = gatestream("dlq", "redrive", found[0]["id"], code=1).stdout
    assert "have the provider deliver it once more" in told


@pytest.mark.parametrize("arguments", [
    ["redrive"], ["redrive", "--all", "some-id"], ["redrive", "no-such-id"], ["list", "--queue", "Installs"],
    ["show", "no-such-id"],
], ids=" ".join)  # fmt: skip
def test_what_cannot_be_understood_is_told_in_one_line(gatestream: Terminal, arguments: list[str]) -> None:
    told = gatestream("dlq", *arguments, code=2)
    assert (told.stdout, told.stderr.count("\n")) == ("", 1)


def test_an_empty_queue_is_no_trouble(gatestream: Terminal) -> None:
    assert gatestream("dlq", "list", "--queue", "PromotionEventsUndelivered").stdout == "no dead letters\n"
    assert gatestream.json("dlq", "list", "--queue", "PromotionEventsUndelivered") == []
    assert gatestream.json("dlq", "redrive", "--queue", "PromotionEventsUndelivered") == []
