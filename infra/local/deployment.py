"""Deploys template.yaml into MiniStack by CloudFormation, as `sam deploy` does: packages to S3, then the stack."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.package import with_uploads

STACK_NAME = "gatestream"
BUCKET = "gatestream-packages"
CREATE_SECONDS = 60.0
POLL_SECONDS = 0.02


class DeploymentError(Exception):
    """CloudFormation refused the template or gave up; names the resource and says why."""


def deploy(
    client: Callable[[str], Any], template: str, packages: Mapping[str, bytes], parameters: Mapping[str, str]
) -> dict[str, str]:
    """The outputs of the stack, once it is complete. `client` makes boto3 clients by service name.

    Raises DeploymentError.
    """
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for name, content in packages.items():
        s3.put_object(Bucket=BUCKET, Key=f"{name}.zip", Body=content)
    uploaded = with_uploads(template, {name: f"s3://{BUCKET}/{name}.zip" for name in packages})
    s3.put_object(Bucket=BUCKET, Key="template.yaml", Body=uploaded.encode())
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK_NAME,
        TemplateURL=f"{s3.meta.endpoint_url}/{BUCKET}/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    return _outputs(cloudformation)


def _outputs(cloudformation: Any) -> dict[str, str]:
    deadline = time.monotonic() + CREATE_SECONDS
    while time.monotonic() < deadline:
        (stack,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        if stack["StackStatus"] != "CREATE_IN_PROGRESS":
            raise DeploymentError(
                _reasons(cloudformation) or f"{stack['StackStatus']}: {stack.get('StackStatusReason')}"
            )
        time.sleep(POLL_SECONDS)
    raise DeploymentError(f"the stack was not complete after {CREATE_SECONDS:.0f} s")


def _reasons(cloudformation: Any) -> str:
    events = cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    return "; ".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'failed')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    )
