"""A shop whose releases are installed for real: Helm, the embedded cluster, the queues of installer and observer."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from functions.helm_installer import app as installer_app
from functions.rollout_observer import app as observer_app
from pipeline_state.events.codec import encode
from pipeline_state.events.deployment import promoted, read_deployment
from pipeline_state.model.pipelines import Cluster, Environment, Pipeline
from pipeline_state.model.promotion import Promotion
from pipeline_state.startup import utc_now
from pipeline_state.table import leases
from pipeline_state.table.claims import claimed_promotions
from pipeline_state.table.lease import Taken
from tests.contract.function_room import FunctionRoom
from tests.contract.pump import QueueMapping, Record
from tests.contract.table_room import START, WEB, pipeline

CHARTS = Path(__file__).parents[2] / "infra/local/example/charts"
SECONDS = 90.0


@dataclass
class Shop:
    """One repository whose staging environment is a namespace of the embedded cluster."""

    functions: FunctionRoom
    kubeconfig: Path
    mapping: QueueMapping = field(init=False)
    invocations: int = 0
    seconds: float = SECONDS
    """What an invocation has left when it begins."""
    later: float = 0
    """How many seconds the observer is ahead of everybody else."""

    def __post_init__(self) -> None:
        self.namespace = self.functions.name
        self.mapping = QueueMapping(self.functions.sqs, self.functions.installs, self.invoke, batch_size=1)

    def invoke(self, records: Sequence[Record]) -> Any:
        return installer_app.install({"Records": records}, self.context("helm_installer"))

    def context(self, name: str) -> SimpleNamespace:
        """One invocation of a function."""
        self.invocations += 1
        return SimpleNamespace(
            aws_request_id=f"{self.namespace} {self.invocations}",
            get_remaining_time_in_millis=lambda: self.seconds * 1000,
            function_name=name,
        )

    def observe(self, promotion: Promotion, *, later: float = 0, received: int = 1) -> list[str]:
        """A message of the observer's queue so many seconds later; what is to be tried again.

        It is made here, since real ones are delayed; `delayed` counts those.
        """
        record = {
            "messageId": "m",
            "receiptHandle": "none",
            "body": encode(promoted(promotion, at=START)).body,
            "attributes": {
                "SentTimestamp": str(int(time.time() * 1000)),
                "ApproximateReceiveCount": str(received),
            },
        }
        self.later = later
        answer = observer_app.observe({"Records": [record]}, self.context("rollout_observer"))
        self.functions.settle()
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def observers_clock(self) -> datetime:
        return utc_now() + timedelta(seconds=self.later)

    def delayed(self) -> int:
        """Messages of the observer's queue, each of which leads to one look."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        told = self.functions.sqs.get_queue_attributes(QueueUrl=self.functions.rollouts, AttributeNames=names)
        return sum(int(told["Attributes"][name]) for name in names)

    def pipeline(self, **release: Any) -> Pipeline:
        web = replace(WEB, **{"namespace": self.namespace, "timeout": 30, **release})
        return pipeline(Environment("staging", ("build",), (), (web,), Cluster(context="gatestream-embedded")))

    def define(self, **release: Any) -> None:
        self.functions.tables.define(self.pipeline(**release))

    def promote(self, commit: str, before: str = "", second: float = 0) -> Promotion:
        """From a push and a build to a message in the installer's queue."""
        self.functions.send(
            self.functions.push(before, commit, second), self.functions.build(commit, second=second + 5)
        )
        self.functions.settle()
        state = self.functions.tables.environment()
        assert state["head"] == commit
        name = self.functions.tables.named("shop")
        return claimed_promotions(name, "staging", int(state["generation"]))[0]

    def install(self) -> None:
        """All messages through the installer, and what they lead to through the recorder."""
        self.mapping.drain()
        self.functions.settle()

    def gate(self, commit: str) -> Any:
        return self.functions.tables.record(commit).gates.get("deployed_to_staging")

    def outcomes(self) -> list[str]:
        """What the installer has said, as the recorder's queue holds it; it is taken from there."""
        return [read_deployment(event).kind for event, _ in self.functions.waiting(self.functions.events)]

    def revisions(self) -> int:
        return len(self.statuses())

    def statuses(self, release: str = "web") -> list[str]:
        """Of each revision, oldest first, in Helm's words."""
        command = ["helm", "history", release, "-n", self.namespace, "-o", "json", "--kubeconfig", str(self.kubeconfig)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return [revision["status"] for revision in json.loads(done.stdout)] if done.returncode == 0 else []

    def image(self, release: str) -> str:
        """What runs of a release, by its values."""
        command = ["helm", "get", "values", release, "-n", self.namespace, "-o", "json"]
        done = subprocess.run(
            [*command, "--kubeconfig", str(self.kubeconfig)], check=True, capture_output=True, text=True
        )
        return str(json.loads(done.stdout)["image"]["tag"])

    def take_lease(self, promotion: Promotion, owner: str = "another invocation", seconds: float = SECONDS) -> None:
        assert leases.take(promotion, owner, time.time, time.time() + seconds) == Taken()

    def receive(self) -> dict[str, Any]:
        """A message of the installer's queue, without the installer."""
        mapping = QueueMapping(self.functions.sqs, self.functions.installs, _fails, batch_size=1)
        (message,) = mapping.poll()
        return dict(message)

    def receive_and_acknowledge(self) -> dict[str, Any]:
        """The same, so that the next of its group can come."""
        message = self.receive()
        self.functions.sqs.delete_message(QueueUrl=self.functions.installs, ReceiptHandle=message["receiptHandle"])
        return message


def _fails(records: Sequence[Record]) -> Mapping[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}
