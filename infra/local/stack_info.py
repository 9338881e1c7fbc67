"""What a local stack is made of, and where everything of a running one is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from infra.local import ministack


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What a local stack is made of.

    kubeconfig, kube_context: a cluster of the user's own; without, the embedded one is started.
    charts_dir: bundled charts, instead of those beside the installer's code.
    port: 0 takes a free one.
    auth: MiniStack enforces the functions' roles.
    ready_after: seconds until the embedded cluster's Pods are ready.
    keeps_traces: spans of earlier stacks in the same folder are kept.
    span_summaries: functions keep summaries of spans in the journal, too, as they do on AWS.
    """

    kubeconfig: Path | None = None
    kube_context: str = ""
    charts_dir: Path | None = None
    port: int = 0
    auth: bool = False
    ready_after: float = 0.2
    keeps_traces: bool = True
    span_summaries: bool = False


@dataclass(frozen=True, slots=True)
class StackInfo:
    """Where everything of a running local stack is.

    github_secrets, circleci_secrets: the values, current first. kubeconfig, helm, traces and log are paths.
    Tables and functions are names, queues URLs, topics ARNs; the last three by their logical ids in template.yaml.
    failures_bucket: the name of the bucket for what the promoter's stream gave up.
    """

    endpoint_url: str
    region: str
    stack_name: str
    github_webhook_url: str
    circleci_webhook_url: str
    github_secrets: tuple[str, ...]
    circleci_secrets: tuple[str, ...]
    github_secrets_arn: str
    circleci_secrets_arn: str
    gates_table: str
    environments_table: str
    journal_table: str
    pipelines_table: str
    kubeconfig: str
    kube_context: str
    helm: str
    traces: str
    log: str
    queues: Mapping[str, str]
    topics: Mapping[str, str]
    functions: Mapping[str, str]
    failures_bucket: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, as `gatestream up --json` prints it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        secrets = {name: tuple(data[name]) for name in ("github_secrets", "circleci_secrets")}
        return cls(**{**data, **secrets})

    def client(self, service: str) -> Any:
        """A boto3 client of this stack."""
        return ministack.client(self.endpoint_url, service)


def where_outputs_say(outputs: Mapping[str, str], endpoint_url: str) -> dict[str, Any]:
    """The fields of StackInfo that follow from the outputs of template.yaml."""
    api = f"{endpoint_url}/_aws/execute-api/{outputs['WebhookApiId']}/live"
    return {
        "endpoint_url": endpoint_url,
        "region": ministack.REGION,
        "github_webhook_url": f"{api}/github",
        "circleci_webhook_url": f"{api}/circleci",
        "github_secrets_arn": outputs["GitHubSecretsArn"],
        "circleci_secrets_arn": outputs["CircleCISecretsArn"],
        "gates_table": outputs["GatesTable"],
        "environments_table": outputs["EnvironmentsTable"],
        "journal_table": outputs["JournalTable"],
        "pipelines_table": outputs["PipelinesTable"],
        "queues": _ending_in("QueueUrl", outputs),
        "topics": _ending_in("TopicArn", outputs),
        "functions": _ending_in("Function", outputs),
        "failures_bucket": outputs["PromoterFailuresBucket"],
    }


def _ending_in(kind: str, outputs: Mapping[str, str]) -> dict[str, str]:
    return {name.removesuffix(kind): value for name, value in outputs.items() if name.endswith(kind)}
