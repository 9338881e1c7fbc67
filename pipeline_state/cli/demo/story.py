"""The way of one commit: a push, a column that somebody adds, a build, the wait, the approval, the releases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from infra.local.kube import Kube
from pipeline_state.cli import facts, webhooks
from pipeline_state.cli.definitions import applying
from pipeline_state.cli.demo.cluster import deployments
from pipeline_state.cli.demo.example import GATE, Example
from pipeline_state.cli.demo.hops import decision_after
from pipeline_state.cli.demo.stage import Stage
from pipeline_state.cli.demo.waiting import LateError, wait_for
from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.traces.spans import Span, spans_of

PROMOTED = "Promoted"
WAIT = "Wait"

Status = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that the steps need. waited: what was said while the commit waited, by environment."""

    stage: Stage
    stack: Stack
    dynamodb: Any
    kube: Kube
    example: Example
    waited: dict[str, str] = field(default_factory=dict)

    def tell(self) -> None:
        """The whole way. Raises LateError when it stops anywhere, KubeError, and the errors of AWS clients."""
        self.stage.chapter("The pipeline")
        self._apply()
        self.stage.chapter("A push")
        self._push()
        self.stage.chapter("A gate nobody declared")
        self._add_gate()
        self.stage.chapter("A green build")
        self._build()
        self.stage.chapter("The approval")
        self._approve()
        for environment in self.example.environments:
            self._follow(environment)

    def status(self) -> Status:
        """What `gatestream status REPO COMMIT --json` prints now."""
        return facts.status_of(self.example.repo, self.example.commit, _now())

    def spans(self) -> list[Span]:
        """The spans of the commit's trace so far."""
        return spans_of(self.stack, self.example.repo, self.example.commit)

    def _apply(self) -> None:
        with self.stage.step("pipelines.yaml applied"):
            for change in applying.plan((self.example.pipeline,), _now()):
                applying.apply(change, "gatestream demo", _now())
        for environment in self.example.pipeline.environments:
            needs = (*environment.gates, *(self.example.pipeline.deployed_gate(name) for name in environment.after))
            self.stage.say(f"{environment.name:<12} needs {', '.join(needs)}")

    def _push(self) -> None:
        self._post("github", "GitHub's push, signed, to POST /github", self.example.push)
        with self.stage.step("recorded in DynamoDB"):
            wait_for("the record of the push", lambda: self._item().get("branch"))
        self.stage.say(f"{self.example.repo} {self.example.commit}")

    def _add_gate(self) -> None:
        with self.stage.step(f"{GATE} added with a plain update-item"):
            self._update_gate("")
        self.stage.quote(self._aws_command(""))

    def _build(self) -> None:
        self._post("circleci", "CircleCI's workflow-completed, signed, to POST /circleci", self.example.build)
        (gate,) = (gate.name for gate in self.example.pipeline.gates)
        with self.stage.step(f"{gate} opened"):
            wait_for(f"the gate {gate}", lambda: self._passed(gate))
        with self.stage.step("the promoter looked, and the commit waits") as step:
            decided = wait_for("the promoter's check after the build", lambda: self._decided_after(gate))
            if decided != WAIT:
                raise LateError(f"the commit should wait for {GATE}, but the promoter decided: {decided}")
            step.text = "the promoter looked; the commit waits"
        for environment in self.status()["environments"]:
            self.waited[environment["name"]] = environment["reason"]
            self.stage.say(f"{environment['name']:<12} {environment['reason']}", "yellow")

    def _approve(self) -> None:
        with self.stage.step(f"{GATE} = TRUE, with the same update-item"):
            self._update_gate("TRUE")

    def _follow(self, name: str) -> None:
        """A commit on its way into an environment."""
        with self.stage.step(f"promoted to {name}"):
            wait_for(f"the promotion to {name}", lambda: self._environment(name, "promoted_at"))
        environment = self.example.pipeline.environment(name)
        namespaces = [release.namespace for release in environment.releases] if environment else []
        with self.stage.step(f"helm upgrade --install, and deployed to {name}"):
            wait_for(f"the deployment to {name}", lambda: self._environment(name, "deployed_at"), seconds=180)
        for each in deployments(self.kube, namespaces):
            self.stage.say(f"{each.name}: {each.ready}/{each.wanted} ready, {each.image}")

    def _post(self, provider: webhooks.Provider, text: str, body: bytes) -> None:
        with self.stage.step(text) as step:
            answer = webhooks.send(self.stack, provider, body)
            if not answer.is_accepted:
                raise LateError(f"the {provider} webhook answered {answer.status}: {answer.body}")
            step.text += f": {answer.status}"

    def _update_gate(self, value: str) -> None:
        self.dynamodb.update_item(
            TableName=self.stack.tables.gates,
            Key={"repo": {"S": self.example.repo}, "commit": {"S": self.example.commit}},
            UpdateExpression=f"SET {GATE} = :value",
            ExpressionAttributeValues={":value": {"S": value}},
        )

    def _aws_command(self, value: str) -> str:
        """The same in a shell."""
        return (
            f"aws dynamodb update-item --table-name {self.stack.tables.gates} \\\n"
            f"  --endpoint-url {self.dynamodb.meta.endpoint_url} \\\n"
            f'  --key \'{{"repo": {{"S": "{self.example.repo}"}},\n'
            f'          "commit": {{"S": "{self.example.commit}"}}}}\' \\\n'
            f"  --update-expression 'SET {GATE} = :value' \\\n"
            f"  --expression-attribute-values '{json.dumps({':value': {'S': value}})}'"
        )

    def _item(self) -> Mapping[str, Any]:
        key = {"repo": {"S": self.example.repo}, "commit": {"S": self.example.commit}}
        found = self.dynamodb.get_item(TableName=self.stack.tables.gates, Key=key, ConsistentRead=True)
        item: Mapping[str, Any] = found.get("Item", {})
        return item

    def _passed(self, name: str) -> bool | None:
        return any(gate["name"] == name and gate["status"] == "passed" for gate in self.status()["gates"]) or None

    def _decided_after(self, gate: str) -> str | None:
        """What the promoter decided about the first environment when this gate had changed."""
        return decision_after(self.spans(), gate, self.example.environments[0])

    def _environment(self, name: str, moment: str) -> str | None:
        """When the environment's moment was, if it was. Raises LateError when the deployment failed."""
        status = self.status()
        deployed = f"deployed_to_{name}"
        for gate in status["gates"]:
            if gate["name"] == deployed and gate["status"] == "failed":
                raise LateError(f"the deployment to {name} failed: {gate['reason']}")
        return next((each[moment] for each in status["environments"] if each["name"] == name), None)


def _now() -> datetime:
    return datetime.now(UTC)
