"""EKS without its command-line tools: DescribeCluster for the address, a presigned STS request as the token.

https://docs.aws.amazon.com/eks/latest/userguide/cluster-auth.html; the token's form is the AWS IAM authenticator's:
https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from pipeline_state import aws
from pipeline_state.deploy.aws_errors import passes
from pipeline_state.faults import PermanentFault, TemporaryFault

if TYPE_CHECKING:
    from boto3 import Session

_KEEP_SECONDS = 600.0
_RETRY_SECONDS = 30.0
_BOUNDED = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
"""boto3's own bounds are minutes, which Helm would lack in the end."""


@dataclass(frozen=True, slots=True)
class _Door:
    """What DescribeCluster said, and as whom to knock."""

    endpoint: str
    authority: str
    region: str
    credentials: Credentials
    until: float


_doors: dict[tuple[str, str | None, str | None], _Door] = {}


def kubeconfig(cluster: str, *, region: str | None, role: str | None) -> str:
    """A kubeconfig, as JSON, with a token that is good for 15 minutes.

    The cluster's address and the assumed role are kept for 10 minutes. Raises PermanentFault (no such cluster, not
    allowed) and TemporaryFault (AWS throttles, does not answer, or credentials have run out).
    """
    key = (cluster, region, role)
    door = _doors.get(key)
    try:
        if door is None or door.until < time.monotonic():
            door = _doors[key] = _knock(cluster, region, role)
        return _document(door, token(cluster, door.region, door.credentials.get_frozen_credentials()))
    except (ClientError, BotoCoreError) as error:
        _raise(cluster, error)
    except ResponseParserError as error:  # a load balancer's page
        raise TemporaryFault(f"EKS cluster {cluster!r}: what AWS answered is not its own", _RETRY_SECONDS) from error


def token(cluster: str, region: str, credentials: ReadOnlyCredentials) -> str:
    """The bearer token: a GetCallerIdentity request, signed for this cluster, that the cluster sends on to STS."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = f"https://sts.{region}.{suffix}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest(method="GET", url=url, headers={"x-k8s-aws-id": cluster})
    SigV4QueryAuth(credentials, "sts", region, expires=60).add_auth(request)
    return "k8s-aws-v1." + base64.urlsafe_b64encode(str(request.url).encode()).decode().rstrip("=")


def _knock(cluster: str, region: str | None, role: str | None) -> _Door:
    session = _session(region, role)
    found = session.client("eks", config=_BOUNDED).describe_cluster(name=cluster)["cluster"]
    credentials = session.get_credentials()
    if credentials is None or "endpoint" not in found:
        raise TemporaryFault(f"EKS cluster {cluster!r} has no address yet, or we no credentials", _RETRY_SECONDS)
    return _Door(
        endpoint=found["endpoint"],
        authority=found["certificateAuthority"]["data"],
        region=session.region_name,
        credentials=credentials,
        until=time.monotonic() + _KEEP_SECONDS,
    )


def _session(region: str | None, role: str | None) -> Session:
    session = aws.session(region_name=region)
    if not role:
        return session
    assumed = session.client("sts", config=_BOUNDED).assume_role(RoleArn=role, RoleSessionName="gatestream")[
        "Credentials"
    ]
    return aws.session(
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
        region_name=session.region_name,
    )


def _document(door: _Door, bearer: str) -> str:
    name = "eks"
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": name, "cluster": {"server": door.endpoint, "certificate-authority-data": door.authority}}
            ],
            "users": [{"name": name, "user": {"token": bearer}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )


def _raise(cluster: str, error: ClientError | BotoCoreError) -> NoReturn:
    """AWS's own sentence; an answer it gave is final unless it says otherwise, no answer at all never is."""
    sentence = f"EKS cluster {cluster!r}: {error}"
    if not isinstance(error, ClientError) or passes(error):
        raise TemporaryFault(sentence, _RETRY_SECONDS) from error
    raise PermanentFault(sentence) from error
