"""EKS through the real boto3, against an endpoint that answers as EKS and STS do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from pipeline_state.deploy import eks
from pipeline_state.faults import PermanentFault, TemporaryFault

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ROLE = "arn:aws:iam::123456789012:role/installer"
CLUSTER = {"endpoint": "https://ABC.gr7.eu-west-1.eks.amazonaws.com", "certificateAuthority": {"data": "Q0E="}}
ASSUMED = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


class Handler(BaseHTTPRequestHandler):
    """DescribeCluster answers with the server's status and body; everything posted is taken for AssumeRole."""

    server: Aws

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = json.dumps(self.server.body) if self.server.page is None else self.server.page
        self._answer(self.server.status, body, self.server.code)

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.server.asked.append(f"{form['Action']} {form['RoleArn']}")
        self._answer(self.server.sts_status, ASSUMED if self.server.sts_status == 200 else "")

    def _answer(self, status: int, body: str, code: str = "") -> None:
        self.send_response(status)
        self.send_header("x-amzn-ErrorType", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


class Aws(ThreadingHTTPServer):
    """EKS and STS. page: what EKS answers instead of body, where it is not JSON. asked: the requests in order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.code, self.sts_status = 200, "", 200
        self.page: str | None = None
        self.body: dict[str, Any] = {"cluster": CLUSTER}
        self.asked: list[str] = []


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with Aws() as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{aws.server_port}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patient = eks._BOUNDED.merge(Config(read_timeout=60))  # noqa: SLF001 - so that no call is made twice
        monkeypatch.setattr(eks, "_BOUNDED", patient)
        thread = threading.Thread(target=aws.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield aws
        aws.shutdown()
        thread.join()


@pytest.fixture
def cluster() -> str:
    """A name that no other test has left in the process's memory."""
    return f"shop-{uuid.uuid4()}"


def presigned(bearer: str) -> str:
    encoded = bearer.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def signature(url: str, cluster: str, region: str) -> str:
    """SigV4 query authentication, computed by the book.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    parts = urlsplit(url)
    query = {name: value for name, value in parse_qsl(parts.query) if name != "X-Amz-Signature"}
    canonical = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))
    headers = f"host:{parts.hostname}\nx-k8s-aws-id:{cluster}\n"
    request = f"GET\n/\n{canonical}\n{headers}\nhost;x-k8s-aws-id\n{hashlib.sha256(b'').hexdigest()}"
    scope = f"{query['X-Amz-Date'][:8]}/{region}/sts/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


@pytest.mark.parametrize(
    "region,host",
    [
        ("eu-west-1", "sts.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_token_is_a_signed_request_for_this_cluster_alone(region: str, host: str) -> None:
    url = presigned(eks.token("shop", region, ReadOnlyCredentials("AKIA", SECRET, "session")))
    query = dict(parse_qsl(urlsplit(url).query))
    assert urlsplit(url).hostname == host
    assert (query["Action"], query["X-Amz-Expires"], query["X-Amz-SignedHeaders"]) == (
        "GetCallerIdentity",
        "60",
        "host;x-k8s-aws-id",
    )
    assert query["X-Amz-Signature"] == signature(url, "shop", region)
    assert query["X-Amz-Signature"] != signature(url, "other", region)


def test_the_kubeconfig_names_the_cluster_its_authority_and_a_token(aws: Aws, cluster: str) -> None:
    found = json.loads(eks.kubeconfig(cluster, region=None, role=None))
    assert found["clusters"][0]["cluster"] == {
        "server": CLUSTER["endpoint"],
        "certificate-authority-data": "Q0E=",
    }
    assert presigned(found["users"][0]["user"]["token"]).startswith("https://sts.eu-west-1.amazonaws.com/?")
    assert found["current-context"] == found["contexts"][0]["name"]
    assert aws.asked == [f"/clusters/{cluster}"]


def test_the_cluster_is_described_once_and_every_install_gets_a_token_of_its_own(aws: Aws, cluster: str) -> None:
    first, second = (json.loads(eks.kubeconfig(cluster, region="eu-north-1", role=ROLE)) for _ in range(2))
    assert aws.asked == [f"AssumeRole {ROLE}", f"/clusters/{cluster}"]
    assert first["clusters"] == second["clusters"]
    assert "sts.eu-north-1" in presigned(second["users"][0]["user"]["token"])


def test_with_a_role_the_token_is_the_roles(aws: Aws, cluster: str) -> None:
    found = json.loads(eks.kubeconfig(cluster, region=None, role=ROLE))
    query = dict(parse_qsl(urlsplit(presigned(found["users"][0]["user"]["token"])).query))
    assert query["X-Amz-Credential"].startswith("ASIAROLE/")
    assert query["X-Amz-Security-Token"] == "session"
    assert aws.asked[0] == f"AssumeRole {ROLE}"


def test_a_cluster_that_does_not_exist_has_failed_in_awss_words(aws: Aws, cluster: str) -> None:
    aws.status, aws.code = 404, "ResourceNotFoundException"
    aws.body = {"message": f"No cluster found for name: {cluster}."}
    with pytest.raises(PermanentFault, match=f"No cluster found for name: {cluster}"):
        eks.kubeconfig(cluster, region=None, role=None)


@pytest.mark.parametrize("status,code", [(403, "AccessDeniedException"), (400, "InvalidParameterException")])
def test_a_refusal_has_failed(status: int, code: str, aws: Aws, cluster: str) -> None:
    aws.status, aws.code, aws.body = status, code, {"message": "no"}
    with pytest.raises(PermanentFault, match=code):
        eks.kubeconfig(cluster, region=None, role=None)


@pytest.mark.parametrize(
    "status,code",
    [
        (429, "ThrottlingException"),
        (400, "RequestLimitExceeded"),
        (500, "ServerException"),
        (500, "InternalError"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailable"),
        (503, "SlowDown"),
        (403, "ExpiredTokenException"),
    ],
)
def test_what_aws_cannot_just_now_is_tried_again(status: int, code: str, aws: Aws, cluster: str) -> None:
    aws.status, aws.code, aws.body = status, code, {"message": "later"}
    with pytest.raises(TemporaryFault, match=code) as caught:
        eks.kubeconfig(cluster, region=None, role=None)
    assert caught.value.delay_seconds > 0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("page", ["", "<html><body>Service Unavailable</body></html>"], ids=["nothing", "HTML"])
def test_what_a_load_balancer_answers_for_aws_is_tried_again(status: int, page: str, aws: Aws, cluster: str) -> None:
    aws.status, aws.page = status, page
    with pytest.raises(TemporaryFault, match=cluster):
        eks.kubeconfig(cluster, region=None, role=None)


@pytest.mark.parametrize("status", [429, 503])
def test_sts_that_cannot_just_now_is_tried_again(status: int, aws: Aws, cluster: str) -> None:
    aws.sts_status = status
    with pytest.raises(TemporaryFault, match=cluster):
        eks.kubeconfig(cluster, region=None, role=ROLE)


def test_a_cluster_being_made_is_tried_again(aws: Aws, cluster: str) -> None:
    aws.body = {"cluster": {"name": cluster, "status": "CREATING"}}
    with pytest.raises(TemporaryFault, match="no address yet"):
        eks.kubeconfig(cluster, region=None, role=None)


def test_aws_out_of_reach_is_tried_again(aws: Aws, cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(TemporaryFault, match="Could not connect"):
        eks.kubeconfig(cluster, region=None, role=None)
    assert aws.asked == []
