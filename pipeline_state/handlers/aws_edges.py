"""What an install reads from AWS: secrets, parameters, charts in buckets, logins for ECR.

AWS's errors become the two faults here, without anything of what was read.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from pipeline_state.deploy.aws_errors import code_of, passes
from pipeline_state.deploy.web import MAX_BYTES
from pipeline_state.faults import PermanentFault, TemporaryFault

_RETRY_SECONDS = 5.0
_KEEP_SECONDS = 600.0
"""How long a login for ECR is used; it would do for 12 hours."""


@dataclass(slots=True)
class AwsEdges:
    """clients: a boto3 client by the service's name and, where it is not the stack's own, the region."""

    clients: Callable[..., Any]
    clock: Callable[[], float] = time.monotonic
    _logins: dict[str, tuple[float, str]] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        """The text of a Secrets Manager secret."""
        with _asking(f"the secret {name!r}", "secretsmanager:GetSecretValue"):
            text = self.clients("secretsmanager").get_secret_value(SecretId=name).get("SecretString")
        if text is None:
            raise PermanentFault(f"the secret {name!r} holds bytes, not a text; store it as SecretString")
        return str(text)

    def parameter(self, name: str) -> str:
        """The text of an SSM parameter, decrypted."""
        with _asking(f"the parameter {name!r}", "ssm:GetParameter"):
            found = self.clients("ssm").get_parameter(Name=name, WithDecryption=True)
        return str(found["Parameter"]["Value"])

    def object(self, bucket: str, key: str, is_kept: Callable[[str], bool]) -> tuple[str, bytes | None]:
        """An S3 object's ETag and content; the content of an ETag that is kept already stays where it is."""
        what = f"s3://{bucket}/{key}"
        with _asking(what, "s3:GetObject (and s3:ListBucket: without it S3 says the same of what is not there)"):
            answer = self.clients("s3").get_object(Bucket=bucket, Key=key)
            tag, body = str(answer["ETag"]), answer["Body"]
            try:
                content = None if is_kept(tag) else body.read(MAX_BYTES + 1)
            finally:
                body.close()
        if content is not None and len(content) > MAX_BYTES:
            raise PermanentFault(f"{what} is larger than {MAX_BYTES} bytes")
        return tag, content

    def registry_token(self, region: str) -> str:
        """User and password for ECR in that region, as "user:password", asked for every ten minutes."""
        until, login = self._logins.get(region, (0.0, ""))
        if not login or until < self.clock():
            login = self._new_login(region)
            self._logins[region] = self.clock() + _KEEP_SECONDS, login
        return login

    def _new_login(self, region: str) -> str:
        with _asking(f"a login for ECR in {region}", "ecr:GetAuthorizationToken"):
            (found,) = self.clients("ecr", region).get_authorization_token()["authorizationData"]
        return base64.b64decode(found["authorizationToken"]).decode()


@contextmanager
def _asking(what: str, action: str) -> Iterator[None]:
    """An answer that AWS gave is final unless it says otherwise; no answer at all never is."""
    try:
        yield
    except ClientError as error:
        code = code_of(error)
        if passes(error):
            raise TemporaryFault(f"{what} cannot be read for now: {code}", _RETRY_SECONDS) from error
        raise PermanentFault(f"{what} cannot be read: {code}; {_remedy(code, action)}") from error
    except (BotoCoreError, ResponseParserError, OSError) as error:
        raise TemporaryFault(f"{what} was not reached: {type(error).__name__}", _RETRY_SECONDS) from error


def _remedy(code: str, action: str) -> str:
    if "Denied" in code or "Unauthorized" in code or "Forbidden" in code or code == "403":
        return f"let the installer's role do {action} on it, and kms:Decrypt with its key; see the stack's parameters"
    return "is it there, in the stack's region, and named like this in pipelines.yaml?"
