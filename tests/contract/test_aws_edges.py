"""What an install reads from AWS, from the local one: secrets, parameters, charts in buckets, ECR's logins."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from infra.local.ministack import client
from pipeline_state.deploy import Workspace, charts
from pipeline_state.deploy.references import resolve
from pipeline_state.deploy.web import MAX_BYTES
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers.aws_edges import AwsEdges
from pipeline_state.handlers.workspace import workspace_of
from pipeline_state.model.pipelines import Release
from pipeline_state.settings import Settings
from pipeline_state.startup import Clients
from tests.chart_server import digest, packaged

CHART = Path(__file__).parents[2] / "infra/local/example/charts/web"
OLD, NEW = packaged(CHART, "1.0.0"), packaged(CHART, "1.0.1")


@dataclass
class Account:
    """The local AWS, with a bucket and names of our own, and the workspace of a function in it."""

    endpoint: str
    workspace: Workspace
    name: str

    def put(self, content: bytes, key: str = "web.tgz") -> str:
        """Puts a chart into the bucket; its URL."""
        client(self.endpoint, "s3").put_object(Bucket=self.name, Key=key, Body=content)
        return f"s3://{self.name}/{key}"

    def find(self, chart: str, **release: Any) -> charts.Chart:
        return charts.find(Release("web", "shop", chart, **release), self.workspace)


@pytest.fixture
def account(
    ministack: str,
    tmp_path: Path,
    patient_clients: None,  # noqa: ARG001 - set up first
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    settings = Settings(aws_region="us-east-1")
    name = f"edges-{uuid.uuid4().hex[:12]}"
    client(ministack, "s3").create_bucket(Bucket=name)
    return Account(ministack, workspace_of(settings, Clients(settings)), name)


def test_values_are_read_from_secrets_and_parameters(account: Account) -> None:
    text = json.dumps({"password": "hush-hush"})
    client(account.endpoint, "secretsmanager").create_secret(Name=account.name, SecretString=text)
    client(account.endpoint, "ssm").put_parameter(Name=f"/{account.name}/key", Value="the-key", Type="SecureString")
    values = {
        "password": {"from_secret": account.name, "key": "password"},
        "key": {"from_parameter": f"/{account.name}/key"},
    }
    resolved, secrets = resolve(values, account.workspace)
    assert resolved == {"password": "hush-hush", "key": "the-key"}
    assert {"hush-hush", "the-key"} <= set(secrets)


def test_a_secret_of_bytes_is_refused(account: Account) -> None:
    client(account.endpoint, "secretsmanager").create_secret(Name=account.name, SecretBinary=b"hush")
    with pytest.raises(PermanentFault, match="holds bytes, not a text; store it as SecretString"):
        account.workspace.fetch_secret(account.name)


def test_what_is_not_there_has_failed_with_its_name_and_what_to_look_for(account: Account) -> None:
    asked: dict[str, Callable[[], object]] = {
        "the secret 'gone' cannot be read: ResourceNotFoundException": lambda: account.workspace.fetch_secret("gone"),
        "the parameter '/gone' cannot be read: ParameterNotFound": lambda: account.workspace.fetch_parameter("/gone"),
        f"s3://{account.name}/gone.tgz cannot be read: NoSuchKey": lambda: account.find(
            f"s3://{account.name}/gone.tgz"
        ),
        f"s3://{account.name}x/a.tgz cannot be read: NoSuchBucket": lambda: account.find(f"s3://{account.name}x/a.tgz"),
    }
    for said, ask in asked.items():
        with pytest.raises(PermanentFault) as caught:
            ask()
        assert caught.value.reason.startswith(f"{said}; is it there, in the stack's region, and named like this")


def test_a_chart_in_a_bucket_is_fetched_once_until_it_changes(account: Account) -> None:
    url = account.put(OLD)
    old = account.find(url)
    assert (Path(old.place).read_bytes(), old.digest) == (OLD, digest(OLD))
    Path(old.place).write_bytes(b"marked")  # a second fetch would put it right
    assert account.find(url).place == old.place
    assert Path(old.place).read_bytes() == b"marked"
    account.put(NEW)
    assert (Path(account.find(url).place).read_bytes(), account.find(url).digest) == (NEW, digest(NEW))


def test_a_chart_in_a_bucket_is_the_one_that_was_deployed_or_refused(account: Account, tmp_path: Path) -> None:
    url = account.put(OLD)
    old = account.find(url)
    account.put(NEW)
    assert account.find(url).digest == digest(NEW)
    assert account.find(url, digest=digest(OLD)) == old
    account.workspace = replace(account.workspace, directory=tmp_path / "elsewhere")
    with pytest.raises(PermanentFault, match=f"^chart '{url}' was {digest(OLD)[:19]} when it was deployed, and is"):
        account.find(url, digest=digest(OLD))


def test_keys_may_have_all_that_s3_lets_them_have(account: Account) -> None:
    url = account.put(OLD, "charts/käse +&=%20(1).tgz")
    assert account.find(url).digest == digest(OLD)


@pytest.mark.parametrize(
    "chart", ["s3://", "s3:///web.tgz", "s3://bucket", "s3://bucket/", "s3://Bucket/a", "s3://b/a?x"]
)
def test_what_is_no_place_in_a_bucket_is_refused(chart: str, account: Account) -> None:
    with pytest.raises(PermanentFault, match=r"write s3://<bucket>/<key of a \.tgz>"):
        account.find(chart)


def test_a_login_for_ecr_is_asked_for_per_region_and_kept_for_ten_minutes(ministack: str) -> None:
    regions: list[str] = []

    def clients(service: str, region: str) -> Any:
        regions.append(region)
        return client(ministack, service)

    now = 0.0
    edges = AwsEdges(clients, clock=lambda: now)
    assert edges.registry_token("eu-west-1").startswith("AWS:")
    now = 600.0
    assert edges.registry_token("eu-west-1") == edges.registry_token("us-east-1")
    now = 601.0
    edges.registry_token("eu-west-1")
    assert regions == ["eu-west-1", "us-east-1", "eu-west-1"]


def test_a_workspace_asks_ecr_in_any_region(account: Account) -> None:
    for region in ("us-east-1", "eu-west-1"):
        assert account.workspace.registry_token(region).startswith("AWS:")


class Broken:
    """A client of which every call ends in the error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *_: str, **__: str) -> Any:
        raise self.error

    get_secret_value = get_parameter = get_object = get_authorization_token = __call__


def aws_error(code: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "hush"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


def each_edge(broken: object) -> list[Callable[[], object]]:
    edges = AwsEdges(lambda *_: broken)
    return [
        lambda: edges.secret("name"),
        lambda: edges.parameter("name"),
        lambda: edges.object("bucket", "key", lambda _: False),
        lambda: edges.registry_token("eu-west-1"),
    ]


@pytest.mark.parametrize("error", [
    aws_error("ThrottlingException"), aws_error("Throttling"), aws_error("SlowDown", 503), aws_error("Whatever", 500),
    aws_error("TooManyRequestsException"), aws_error("ExpiredTokenException"), aws_error("RequestTimeout"),
    EndpointConnectionError(endpoint_url="https://aws"), ReadTimeoutError(endpoint_url="https://aws"),
    NoCredentialsError(), ConnectionResetError(), aws_error("429", 429), ResponseParserError("a page: hush"),
], ids=lambda error: str(error)[:40])  # fmt: skip
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    for ask in each_edge(Broken(error)):
        with pytest.raises(TemporaryFault) as caught:
            ask()
        assert caught.value.delay_seconds == 5
        assert "hush" not in caught.value.reason


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"])
def test_what_we_may_not_do_has_failed_and_names_the_right_that_is_missing(code: str) -> None:
    rights = ["secretsmanager:GetSecretValue", "ssm:GetParameter", "s3:GetObject", "ecr:GetAuthorizationToken"]
    for ask, right in zip(each_edge(Broken(aws_error(code))), rights, strict=True):
        with pytest.raises(
            PermanentFault, match=f"cannot be read: {code}; let the installer's role do {right} .*on it"
        ):
            ask()


def test_an_object_that_breaks_off_is_tried_again_and_one_without_end_refused() -> None:
    class Store:
        """A bucket's only object."""

        def __init__(self, body: io.BytesIO) -> None:
            self.body = body

        def get_object(self, **_: str) -> dict[str, Any]:
            return {"ETag": '"1"', "Body": self.body}

    class Torn(io.BytesIO):
        def read(self, *_: int | None) -> bytes:
            raise ReadTimeoutError(endpoint_url="https://aws")

    torn, endless = Torn(), io.BytesIO(bytes(MAX_BYTES + 1))
    with pytest.raises(TemporaryFault, match="was not reached: ReadTimeoutError"):
        AwsEdges(lambda *_: Store(torn)).object("bucket", "key", lambda _: False)
    with pytest.raises(PermanentFault, match=f"s3://bucket/key is larger than {MAX_BYTES} bytes"):
        AwsEdges(lambda *_: Store(endless)).object("bucket", "key", lambda _: False)
    assert torn.closed
    assert endless.closed
