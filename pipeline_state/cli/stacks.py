"""The stack a command is about: the local one by its state folder, a deployed one by its CloudFormation outputs."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline_state import aws
from pipeline_state.cli.console import USAGE, CommandError
from pipeline_state.table.models import Tables, connect

if TYPE_CHECKING:
    from boto3 import Session


@dataclass(frozen=True, slots=True)
class Stack:
    """Where everything of a stack is.

    secret_arns, webhook_urls: by provider, "github" and "circleci". traces: the file of spans, on the local stack only.
    parameters: a deployed stack's, by name. client: makes boto3 clients by service name.
    queues, functions: URLs and names by their logical ids in template.yaml, as far as the stack's outputs tell them.
    failures_bucket: what the promoter's stream gave up.
    """

    name: str
    region: str
    tables: Tables
    webhook_urls: Mapping[str, str]
    secret_arns: Mapping[str, str]
    client: Callable[[str], Any]
    traces: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    failures_bucket: str = ""

    def connect(self) -> None:
        """Point the tables' models at this stack."""
        connect(self.tables)

    def secret(self, provider: str) -> str:
        """The current webhook secret of a provider. Raises CommandError when there is none yet."""
        arn = self.secret_arns[provider]
        found = json.loads(self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
        secrets = found.get("secrets") if isinstance(found, dict) else None
        if not secrets:
            raise CommandError(f'{arn} holds no webhook secret; put {{"secrets": ["…"]}} there')
        return str(secrets[0])

    def identity(self) -> str:
        """Who is asking: the ARN that AWS knows the caller by; on the local stack, the user of this machine."""
        if self.traces is not None:
            return _user()
        arn: str = self.client("sts").get_caller_identity()["Arn"]
        return arn


def _user() -> str:
    """The user of this machine; a container may run as one without a name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def local_package() -> ModuleType:
    """infra.local.stack, which is part of the checkout and not of the installed package. Raises CommandError."""
    try:
        from infra.local import stack
    except ModuleNotFoundError as error:
        message = "the local stack comes with Gatestream's checkout, not with this installation"
        raise CommandError(f"{message}; name a deployed one: --stack NAME", USAGE) from error
    return stack


def local(state_dir: Path) -> Stack:
    """The local stack that is on. Raises CommandError and NoStackError."""
    return local_from(local_package().read(state_dir))


def local_from(info: Any) -> Stack:
    """The local stack that an infra.local StackInfo tells of."""
    return Stack(
        name=info.stack_name,
        region=info.region,
        tables=Tables(
            gates=info.gates_table,
            environments=info.environments_table,
            journal=info.journal_table,
            pipelines=info.pipelines_table,
            region=info.region,
            endpoint_url=info.endpoint_url,
            access_key="test",
            secret_key="test",  # noqa: S106 - worth nothing anywhere
        ),
        webhook_urls={"github": info.github_webhook_url, "circleci": info.circleci_webhook_url},
        secret_arns={"github": info.github_secrets_arn, "circleci": info.circleci_secrets_arn},
        client=info.client,
        traces=Path(info.traces),
        queues=info.queues,
        functions=info.functions,
        failures_bucket=info.failures_bucket,
    )


def deployed(name: str, region: str | None, profile: str | None) -> Stack:
    """A stack that SAM deployed. Raises CommandError, and botocore's errors where AWS does not answer."""
    session: Any = aws.session(profile_name=profile, region_name=region)
    if not session.region_name:
        raise CommandError("no AWS region is set; add --region", USAGE)
    described = _described(session, name)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    missing = [key for key in _OUTPUTS if key not in outputs]
    if missing:
        raise CommandError(f"{name} has no output {missing[0]}, so it is not a stack of Gatestream (or an older one)")
    return Stack(
        name=name,
        region=session.region_name,
        tables=_tables(session, outputs),
        webhook_urls={"github": outputs["GitHubWebhookUrl"], "circleci": outputs["CircleCIWebhookUrl"]},
        secret_arns={"github": outputs["GitHubSecretsArn"], "circleci": outputs["CircleCISecretsArn"]},
        client=session.client,
        parameters={each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])},
        queues=_ending_in("QueueUrl", outputs),
        functions=_ending_in("Function", outputs),
        failures_bucket=outputs.get("PromoterFailuresBucket", ""),
    )


_OUTPUTS = (
    "GatesTable",
    "EnvironmentsTable",
    "JournalTable",
    "PipelinesTable",
    "GitHubWebhookUrl",
    "CircleCIWebhookUrl",
    "GitHubSecretsArn",
    "CircleCISecretsArn",
)


def _ending_in(kind: str, outputs: Mapping[str, str]) -> dict[str, str]:
    return {name.removesuffix(kind): value for name, value in outputs.items() if name.endswith(kind)}


def _described(session: Session, name: str) -> Mapping[str, Any]:
    try:
        (stack,) = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise CommandError(
            f"no stack {name} in {session.region_name}; deploy it, or check --stack and --region"
        ) from error
    return stack


def _tables(session: Session, outputs: Mapping[str, str]) -> Tables:
    """The tables with the session's own credentials, which may come from a profile that PynamoDB knows nothing of."""
    credentials = session.get_credentials()
    if credentials is None:
        raise CommandError("no AWS credentials found; sign in, or name a profile: --profile")
    keys = credentials.get_frozen_credentials()
    return Tables(
        gates=outputs["GatesTable"],
        environments=outputs["EnvironmentsTable"],
        journal=outputs["JournalTable"],
        pipelines=outputs["PipelinesTable"],
        region=str(session.region_name),
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token,
    )
