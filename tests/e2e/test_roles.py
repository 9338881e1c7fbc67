"""Under MiniStack's enforcement of IAM each function's role lets it do its work, and nothing beside it."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from infra.local import stack as local_stack
from infra.local.process import ROOT
from infra.local.stack import StackInfo, StackOptions
from pipeline_state.model.environments import Freeze
from pipeline_state.model.pipelines import GateDefinition, GateSource, SourceKind
from pipeline_state.table import holds, summaries, waiting
from pipeline_state.table.definitions import load_definitions
from pipeline_state.table.journal import Happening
from pipeline_state.tracing import trace_of
from tests.e2e.watch import eventually
from tests.e2e.way import Way, commit, unswept

pytestmark = pytest.mark.e2e

ENTRY = {"record": {"S": "trace#probed"}, "entry": {"S": "1"}, "repo": {"S": "myOrg/probed"}, "commit": {"S": "c" * 40}}
KEY = {"repo": {"S": "myOrg/probed"}, "commit": {"S": "c" * 40}}

PROBE = """
import boto3
from botocore.exceptions import ClientError

def app(event, context):
    try:
        getattr(boto3.client(event["service"]), event["call"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
"""
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """A stack that enforces roles, and whose sweeper comes when it is called."""
    charts = ROOT / "infra" / "local" / "example" / "charts"
    options = StackOptions(auth=True, charts_dir=charts, span_summaries=True)
    with local_stack.running(tmp_path_factory.mktemp("guarded"), options=options) as info, unswept(info):
        yield info


def put_back(stack: StackInfo, repo: str, sha: str) -> None:
    """A check's result that the webhook could not publish."""
    time = "2026-03-02T08:20:00Z"
    data = {"repo": repo, "sha": sha, "name": "checks", "app": "ci", "status": "success", "completed_at": time}
    event = {
        "specversion": "1.0",
        "id": "c1",
        "source": f"https://github.com/{repo}",
        "type": "com.github.check_run.completed",
        "time": time,
        "data": data,
    }
    texts = {"topic": stack.topics["GitHubEvents"], "ce-type": event["type"]}
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
    queue = stack.queues["FallbackEvents"]
    stack.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(event), MessageAttributes=attributes)


def message_with(stack: StackInfo, queue: str, text: str) -> dict[str, Any]:
    """The message of a queue whose body has the text, once it is there."""
    sqs, wanted = stack.client("sqs"), {"QueueUrl": stack.queues[queue], "MessageAttributeNames": ["All"]}

    def look() -> list[dict[str, Any]]:
        messages = sqs.receive_message(**wanted, MaxNumberOfMessages=10).get("Messages", [])
        return [message for message in messages if text in message["Body"]]

    found: dict[str, Any] = eventually(stack, look)[0]
    return found


def test_the_roles_suffice_for_the_whole_way(guarded: StackInfo) -> None:
    way, sha = Way(guarded), commit()
    build = GateDefinition("build_done", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build"))
    checks = GateDefinition("checks_done", GateSource(SourceKind.GITHUB_CHECK, "checks"))
    way.define(way.environment("production", "build_done", "checks_done"), gates=(build, checks))
    way.push(sha)
    way.build(sha)
    put_back(guarded, way.repo, sha)
    eventually(guarded, lambda: "deployed_to_production" in way.item(sha))
    assert way.deployed(sha, "production")["releases"]["production"]["status"] == "TRUE"
    eventually(guarded, lambda: services(way, sha) >= {"gate_recorder", "promoter", "helm_installer"})
    assert services(way, sha) == {"gate_recorder", "promoter", "helm_installer"}


def services(way: Way, sha: str) -> set[str]:
    """Whose spans the journal has summaries of; the webhooks' it has not."""
    found = summaries.read(trace_of(way.repo, sha).trace_id)
    return {item["data"]["service.name"] for item in found}


def test_the_roles_suffice_for_a_freeze_that_ends_and_for_the_sweep(guarded: StackInfo) -> None:
    way, sha = Way(guarded), commit()
    way.define(way.environment("production"))
    [pipeline] = load_definitions(way.repo).pipelines
    by = Happening(
        pipeline.name, "production", "2026-01-01T00:00:00Z", "freeze", "test", "frozen", "ann", verified=True
    )
    holds.freeze(pipeline, "production", Freeze("ann"), by)
    way.push(sha)
    way.recorded(sha)
    assert swept(guarded)["waiting"] >= 1
    assert "_claim_production" not in way.item(sha)
    holds.unfreeze(pipeline, "production", replace(by, id="unfreeze", kind="unfrozen"))
    way.deployed(sha, "production")
    assert swept(guarded)["settled"] >= 1
    assert waiting.of_repo(way.repo) == []


def swept(stack: StackInfo) -> dict[str, Any]:
    """What the sweeper answers when it is woken."""
    answer = stack.client("lambda").invoke(FunctionName=stack.functions["Sweeper"])
    report: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, report
    assert report["faults"] == 0
    return report


def test_the_roles_suffice_for_what_goes_wrong(guarded: StackInfo) -> None:
    status, _ = Way(guarded).github("push", {"ref": "refs/heads/incomplete"})
    assert status == 422
    assert message_with(guarded, "RejectedEvents", "refs/heads/incomplete")
    sqs, group = guarded.client("sqs"), {"MessageGroupId": "g", "MessageDeduplicationId": "no event"}
    for queue in ("GateEvents", "FallbackEvents", "Installs"):
        ordered = group if queue == "Installs" else {}
        sqs.send_message(QueueUrl=guarded.queues[queue], MessageBody=f"no event for {queue}", **ordered)
        given_up = message_with(guarded, f"{queue}DeadLetters", f"no event for {queue}")
        assert given_up["MessageAttributes"]["reason"]["StringValue"]


def call(stack: StackInfo, verb: str, name: str) -> dict[str, Any]:
    """What the probe is to do with the queue, topic, secret or table of that logical id."""
    fifo = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if name.startswith(("Promotion", "Installs")) else {}
    table = {
        "TableName": getattr(stack, f"{name.lower()}_table", ""),
        "Key": KEY if name == "Gates" else {"repo": KEY["repo"]},
    }
    put = {"PutRequest": {"Item": ENTRY}}
    update = {"UpdateExpression": "SET legal = :yes", "ExpressionAttributeValues": {":yes": {"S": "TRUE"}}}
    history = {"KeyConditionExpression": "#r = :r", "ExpressionAttributeNames": {"#r": "record"}}
    history |= {"ExpressionAttributeValues": {":r": {"S": "myOrg/myApp"}}}
    secret = f"{name.lower().removesuffix('secrets')}_secrets_arn"
    service, operation, arguments = {
        "publish": ("sns", "publish", {"TopicArn": stack.topics.get(name), "Message": "{}", **fifo}),
        "send": ("sqs", "send_message", {"QueueUrl": stack.queues.get(name), "MessageBody": "{}", **fifo}),
        "read": ("secretsmanager", "get_secret_value", {"SecretId": getattr(stack, secret, "")}),
        "update": ("dynamodb", "update_item", {**table, **update}),
        "delete": ("dynamodb", "delete_item", table),
        "query": ("dynamodb", "query", {"TableName": table["TableName"], **history}),
        "batch": (
            "dynamodb",
            "batch_write_item",
            {"RequestItems": {table["TableName"]: [put]}},
        ),
    }[verb]
    return {"service": service, "call": operation, "arguments": arguments}


CALLS = [
    ("GitHubWebhook", "read", "GitHubSecrets", True),
    ("GitHubWebhook", "publish", "GitHubEvents", True),
    ("GitHubWebhook", "send", "FallbackEvents", True),
    ("GitHubWebhook", "read", "CircleCISecrets", False),
    ("GitHubWebhook", "publish", "CircleCIEvents", False),
    ("GitHubWebhook", "update", "Gates", False),
    ("GitHubWebhook", "batch", "Journal", False),
    ("CircleCIWebhook", "read", "CircleCISecrets", True),
    ("CircleCIWebhook", "publish", "CircleCIEvents", True),
    ("CircleCIWebhook", "send", "RejectedEvents", True),
    ("CircleCIWebhook", "read", "GitHubSecrets", False),
    ("CircleCIWebhook", "send", "GateEvents", False),
    ("CircleCIWebhook", "update", "Gates", False),
    ("EventForwarder", "publish", "CircleCIEvents", True),
    ("EventForwarder", "publish", "PromotionEvents", False),
    ("EventForwarder", "update", "Gates", False),
    ("GateRecorder", "update", "Gates", True),
    ("GateRecorder", "delete", "Gates", False),
    ("GateRecorder", "batch", "Journal", True),
    ("GateRecorder", "batch", "Gates", False),
    ("GateRecorder", "publish", "PromotionEvents", False),
    ("Promoter", "send", "PromoterDeadLetters", True),
    ("Promoter", "send", "Installs", False),
    ("Promoter", "update", "Pipelines", False),
    ("Promoter", "delete", "Gates", False),
    ("Promoter", "query", "Journal", True),
    ("HelmInstaller", "query", "Journal", False),
    ("Sweeper", "publish", "PromotionEvents", True),
    ("Sweeper", "publish", "DeploymentEvents", False),
    ("Sweeper", "update", "Gates", True),
    ("Sweeper", "delete", "Gates", False),
    ("Sweeper", "update", "Pipelines", False),
    ("HelmInstaller", "publish", "DeploymentEvents", True),
    ("HelmInstaller", "update", "Gates", False),
    ("HelmInstaller", "batch", "Journal", True),
    ("HelmInstaller", "read", "GitHubSecrets", False),
]


@pytest.fixture(scope="module")
def probes(guarded: StackInfo) -> Mapping[str, str]:
    """For each function, one that makes any call it is asked for, under the same role."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", PROBE)
    functions = guarded.client("lambda")
    made = {}
    for name, real in guarded.functions.items():
        role = functions.get_function_configuration(FunctionName=real)["Role"]
        runs = {"Runtime": "python3.11", "Handler": "app.app", "Timeout": 30, "Code": {"ZipFile": code.getvalue()}}
        made[name] = functions.create_function(FunctionName=f"probe-{name}", Role=role, **runs)["FunctionName"]
    return made


@pytest.mark.parametrize("function, verb, name, is_allowed", CALLS)
def test_a_role_allows_what_its_function_needs_and_no_more(
    function: str,
    verb: str,
    name: str,
    is_allowed: bool,  # noqa: FBT001 - a column of the table
    guarded: StackInfo,
    probes: Mapping[str, str],
) -> None:
    asked = json.dumps(call(guarded, verb, name))
    answer = guarded.client("lambda").invoke(FunctionName=probes[function], Payload=asked)["Payload"].read()
    assert json.loads(answer) in ({"allowed"} if is_allowed else DENIED)
