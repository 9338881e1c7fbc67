"""What a user does with a stack: signed webhooks, columns in a table, and looking at what comes of it."""

import hashlib
import hmac
import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from boto3.dynamodb.types import TypeDeserializer

from infra.local.stack import StackInfo
from pipeline_state.model.pipelines import Cluster, Environment, GateDefinition, Pipeline, Release
from pipeline_state.table.definitions import load_definitions, save_definitions
from pipeline_state.table.models import Tables, connect
from pipeline_state.tracing import trace_of
from pipeline_state.tracing.store import read, read_all

CHART = "charts/web"

PLANTED, ADDRESS = "planted in a payload", "planted@mail.example.com"
"""What webhooks carry, and no span ever."""

PATIENCE = 120.0
"""Seconds: long enough for the sweeper to mend what nobody was woken for."""

RESTS = 30.0
"""Seconds after one sweep in which the next is not begun: they begin a minute apart, and none takes so long as this."""

Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None], what: str) -> Found:
    """The first thing that a look finds, within a generous time."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {PATIENCE:.0f} s")


def commit() -> str:
    return hashlib.sha1(uuid.uuid4().bytes, usedforsecurity=False).hexdigest()


@dataclass
class Way:
    """One repository on one stack."""

    stack: StackInfo
    repo: str = field(default_factory=lambda: f"Org/app-{uuid.uuid4().hex[:8]}")
    clock: int = field(default_factory=lambda: int(time.time()) - 1)
    """When it was last pushed to, in whole seconds as GitHub tells it; so the first push is not ahead of the clock."""

    def __post_init__(self) -> None:
        names = (self.stack.gates_table, self.stack.environments_table, self.stack.journal_table)
        tables = Tables(*names, self.stack.pipelines_table, self.stack.region, access_key="test", secret_key="test")
        connect(replace(tables, endpoint_url=self.stack.endpoint_url))

    @property
    def namespace(self) -> str:
        return self.repo.split("/")[1]

    def release(self, name: str = "web", **changes: Any) -> Release:
        return replace(Release(name, self.namespace, CHART), **changes)

    def environment(self, name: str, *gates: str, after: tuple[str, ...] = (), **changes: Any) -> Environment:
        release = self.release(name)
        cluster = Cluster(context=self.stack.kube_context)
        return replace(Environment(name, gates, after, (release,), cluster), **changes)

    def define(self, *environments: Environment, gates: tuple[GateDefinition, ...] = (), **changes: Any) -> None:
        pipeline = replace(Pipeline(self.repo, self.repo, gates=gates, environments=environments), **changes)
        version = load_definitions(self.repo).version
        save_definitions(self.repo, [pipeline], after=version, by="test", at_time="2026-01-01T00:00:00Z")

    def push(self, after: str, before: str = "", branch: str = "main", **changes: Any) -> str:
        """Each a second after the last, so that their order is plain. The answer is the event's id."""
        self.clock += 1
        repository = {"full_name": self.repo, "html_url": f"https://github.com/{self.repo}", "pushed_at": self.clock}
        payload = {
            "ref": f"refs/heads/{branch}",
            "before": before or "0" * 40,
            "after": after,
            "created": not before,
            "deleted": False,
            "forced": False,
            "commits": [],
            "head_commit": {"id": after, "message": PLANTED, "author": {"name": "mona", "email": ADDRESS}},
            "repository": repository,
            "sender": {"login": "octocat"},
            "pusher": {"name": "octocat", "email": ADDRESS},
        }
        status, answer = self.github("push", payload | changes)
        assert status == 202, answer
        return str(answer["id"])

    def build(
        self, revision: str, status: str = "success", *, name: str = "build", repo: str = "", at: str = ""
    ) -> None:
        payload = {
            "type": "workflow-completed",
            "id": str(uuid.uuid4()),
            "happened_at": at or "2026-01-01T10:00:00Z",
            "workflow": {"id": "w", "name": name, "status": status, "stopped_at": at or "2026-01-01T10:00:00Z"},
            "pipeline": {
                "id": "p",
                "vcs": {
                    "revision": revision,
                    "target_repository_url": f"https://github.com/{repo or self.repo}",
                    "commit": {"subject": PLANTED, "author": {"name": "mona", "email": ADDRESS}},
                },
            },
            "project": {"id": "j", "name": "app", "slug": f"gh/{repo or self.repo}"},
            "organization": {"id": "o", "name": "Org"},
        }
        body = json.dumps(payload).encode()
        digest = hmac.new(self.stack.circleci_secrets[0].encode(), body, hashlib.sha256).hexdigest()
        answer = post(self.stack.circleci_webhook_url, body, {"circleci-signature": f"v1={digest}"})
        assert answer[0] == 202, answer

    def github(self, event: str, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        body = json.dumps(payload).encode()
        digest = hmac.new(self.stack.github_secrets[0].encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-github-event": event, "x-github-delivery": str(uuid.uuid4())}
        return post(self.stack.github_webhook_url, body, headers | {"x-hub-signature-256": f"sha256={digest}"})

    def column(self, sha: str, name: str, value: Any) -> None:
        """What anybody with IAM rights can do with any AWS tool."""
        raw = (
            {"BOOL": value}
            if isinstance(value, bool)
            else {"N": str(value)}
            if isinstance(value, int)
            else {"S": value}
        )
        self.stack.client("dynamodb").update_item(
            TableName=self.stack.gates_table,
            Key={"repo": {"S": self.repo}, "commit": {"S": sha}},
            UpdateExpression="SET #gate = :value",
            ExpressionAttributeNames={"#gate": name},
            ExpressionAttributeValues={":value": raw},
        )

    def item(self, sha: str) -> dict[str, Any]:
        key = {"repo": {"S": self.repo}, "commit": {"S": sha}}
        found = self.stack.client("dynamodb").get_item(TableName=self.stack.gates_table, Key=key, ConsistentRead=True)
        return {name: TypeDeserializer().deserialize(value) for name, value in found.get("Item", {}).items()}

    def recorded(self, sha: str, name: str = "sequence") -> dict[str, Any]:
        return eventually(lambda: item if name in (item := self.item(sha)) else None, f"{name} of {sha[:12]}")

    def deployed(self, sha: str, environment: str, status: str = "TRUE") -> dict[str, Any]:
        """The deployed gate once it is what is expected; the record as it is otherwise."""
        gate = f"deployed_to_{environment}"
        value = self.recorded(sha, gate)[gate]
        assert value["status"] == status, value
        return dict(value)

    def helm(self, *arguments: str) -> Any:
        command = [self.stack.helm, *arguments, "--kubeconfig", self.stack.kubeconfig, "--namespace", self.namespace]
        return json.loads(subprocess.run([*command, "--output", "json"], check=True, capture_output=True).stdout)

    def looked_at(self, sha: str, times: int = 1) -> None:
        """Returns once somebody has looked so often whether the commit can go on."""
        trace, check = trace_of(self.repo, sha).trace_id, "check for promotion"
        what = f"{check} of {sha[:12]}, {times} times"
        eventually(lambda: [span["name"] for span in self.spans(trace)].count(check) >= times, what)

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        return [item["data"] for item in read(Path(self.stack.traces), trace_id)]


@contextmanager
def unswept(stack: StackInfo) -> Iterator[None]:
    """A block in which only streams and queues wake anybody; it may last longer than a minute."""
    scheduler = stack.client("scheduler")
    eventually(lambda: rests(stack), "a while without a sweep")  # one that is under way would go on
    names = [schedule["Name"] for schedule in scheduler.list_schedules()["Schedules"]]

    def turn(state: str) -> None:
        for name in names:
            told = scheduler.get_schedule(Name=name)
            given = {key: told[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
            scheduler.update_schedule(**given, State=state)

    turn("DISABLED")
    try:
        yield
    finally:
        turn("ENABLED")


def rests(stack: StackInfo) -> bool:
    """Whether the sweeper's schedule is new, or a sweep has ended just now: MiniStack logs what has ended."""
    sweeper, since = stack.functions["Sweeper"], time.time() - RESTS
    group = stack.client("lambda").get_function_configuration(FunctionName=sweeper)["LoggingConfig"]["LogGroup"]
    ended = stack.client("logs").filter_log_events(logGroupName=group, startTime=int(since * 1000))["events"]
    schedules = stack.client("scheduler").list_schedules()["Schedules"]
    (made,) = (each["CreationDate"] for each in schedules if each["Target"]["Arn"].endswith(f":{sweeper}"))
    return bool(ended) or made.timestamp() > since


def leaked(stack: StackInfo) -> list[str]:
    """What was to stay secret, of all that the functions' spans say."""
    written = json.dumps(read_all(Path(stack.traces)), ensure_ascii=False)
    secrets = [*stack.github_secrets, *stack.circleci_secrets, PLANTED, ADDRESS, "-----BEGIN"]
    return [secret for secret in secrets if secret in written]


def post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    request = Request(url, body, {"content-type": "application/json", **headers})  # noqa: S310 - loopback
    try:
        with urlopen(request) as answer:  # noqa: S310 - loopback
            return answer.status, json.load(answer)
    except HTTPError as refusal:
        return refusal.code, json.load(refusal)
