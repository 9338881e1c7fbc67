"""Every answer of the webhook functions, with the real Chalice apps and everything behind them on the local AWS."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from functions.circleci_webhook import app as circleci_app
from functions.github_webhook import app as github_app
from pipeline_state import tracing
from pipeline_state.events.codec import decode
from pipeline_state.events.secrets import WebhookSecrets
from pipeline_state.events.signatures import sign
from pipeline_state.settings import MissingSettingError
from pipeline_state.tracing.store import read_all
from tests.contract.webhook_stack import (
    CIRCLECI_SECRET,
    GITHUB_SECRET,
    WebhookStack,
    body_of,
    circleci_headers,
    github_headers,
    request,
    texts,
)
from tests.receivers import closed_port

PUSH, BUILD = body_of("github_push/one_commit"), body_of("circleci/workflow_github_app")
FORM = "application/x-www-form-urlencoded"


def post(app: Any, event: Mapping[str, Any]) -> tuple[int, Any]:
    answer = app.app(event, None)
    return answer["statusCode"], json.loads(answer["body"])


def post_github(body: bytes, headers: Mapping[str, str] | None = None, *, is_base64: bool = False) -> tuple[int, Any]:
    return post(github_app, request("/github", body, headers or github_headers(body), is_base64=is_base64))


def post_circleci(body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    return post(circleci_app, request("/circleci", body, headers or circleci_headers(body)))


@pytest.fixture
def stack(
    ministack: str,
    patient_clients: None,  # noqa: ARG001 - set up first
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[WebhookStack]:
    stack = WebhookStack(ministack)
    for name, value in stack.settings.items():
        monkeypatch.setenv(name, value)
    yield stack
    github_app.webhook.cache_clear()
    circleci_app.webhook.cache_clear()
    tracing.shutdown()


@pytest.fixture
def unreachable() -> Iterator[str]:
    """An address on which nobody listens."""
    with closed_port() as url:
        yield url


def test_a_signed_push_is_published_as_an_event(stack: WebhookStack) -> None:
    assert post_github(PUSH) == (202, {"id": "72d3162e-cc78-11e3-81ab-4c9367dc0958"})
    (message,) = stack.messages(stack.subscriber)
    event = decode(message["Body"])
    data: Any = event.get_data()
    commit = tracing.trace_of("octo-org/octo-repo", data["sha"])
    assert (data["repo"], data["branch"]) == ("octo-org/octo-repo", "main")
    assert event.get_extension("traceparent").startswith(f"00-{commit.trace_id}-")
    assert texts(message).keys() == {"ce-type", "ce-source", "ce-subject", "x-honeycomb-trace"}
    assert texts(message)["ce-type"] == "com.github.push"


@pytest.mark.parametrize(
    "name", ["workflow_github_oauth", "job_github_oauth", "workflow_github_app", "workflow_gitlab"]
)
def test_a_signed_build_of_either_kind_is_published_as_an_event(stack: WebhookStack, name: str) -> None:
    body = body_of(f"circleci/{name}")
    assert post_circleci(body) == (202, {"id": json.loads(body)["id"]})
    (message,) = stack.messages(stack.subscriber)
    assert texts(message)["ce-type"] == f"com.circleci.{json.loads(body)['type']}"


def test_a_form_is_read_like_json(stack: WebhookStack) -> None:
    form = urlencode({"payload": PUSH.decode()}).encode()
    headers = github_headers(form, **{"Content-Type": f"{FORM}; charset=utf-8"})
    assert post_github(form, headers)[0] == 202
    assert len(stack.messages(stack.subscriber)) == 1


@pytest.mark.usefixtures("stack")
def test_a_body_in_base64_is_the_bytes_that_were_signed() -> None:
    body = body_of("github_push/hostile_names")
    assert post_github(body, is_base64=True)[0] == 202


def test_hostile_names_reach_the_subscriber_untouched(stack: WebhookStack) -> None:
    body = body_of("github_push/hostile_names")
    assert post_github(body)[0] == 202
    (message,) = stack.messages(stack.subscriber)
    data: Any = decode(message["Body"]).get_data()
    assert data["ref"] == json.loads(body)["ref"]
    assert data["paths"] == sorted(json.loads(body)["commits"][0]["added"])
    assert texts(message)["ce-subject"] == json.loads(body)["ref"]


def test_a_redelivery_is_the_same_event(stack: WebhookStack) -> None:
    assert [post_github(PUSH)[0] for _ in range(2)] == [202, 202]
    first, again = (decode(message["Body"]) for message in stack.messages(stack.subscriber))
    identity = [(event.get_id(), event.get_source(), event.get_time(), event.get_data()) for event in (first, again)]
    assert identity[0] == identity[1]


def test_of_a_body_beyond_1_mb_only_the_normalised_part_travels(stack: WebhookStack) -> None:
    push = json.loads(PUSH)
    push["commits"] = [{**push["commits"][0], "message": "m" * 1000} for _ in range(2000)]
    body = json.dumps(push).encode()
    assert len(body) > 2**20
    assert post_github(body)[0] == 202
    (message,) = stack.messages(stack.subscriber)
    assert len(message["Body"]) < 2000


def test_the_largest_event_fits_into_a_message(stack: WebhookStack) -> None:
    push = json.loads(PUSH)
    push["commits"][0]["added"] = [f"{number:05}-{'é' * 9}" for number in range(1000)]
    push["ref"] = "refs/heads/" + "🚀" * 2000
    assert post_github(json.dumps(push).encode())[0] == 202
    (message,) = stack.messages(stack.subscriber)
    assert len(message["Body"]) + sum(map(len, texts(message).values())) < 256 * 1024


PINGS = [
    (post_github, b'{"zen": "Design for failure.", "hook_id": 7}', lambda body: github_headers(body, event="ping")),
    (post_circleci, body_of("circleci/ping"), circleci_headers),
]


@pytest.mark.parametrize("send, body, headers", PINGS, ids=["github", "circleci"])
def test_a_ping_is_answered_and_goes_nowhere(stack: WebhookStack, send: Any, body: bytes, headers: Any) -> None:
    assert send(body, headers(body)) == (200, {"message": "pong"})
    assert stack.nothing_happened()


@pytest.mark.parametrize(
    "signature", [None, "", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "ä" * 71, "sha256=\ud800"]
)
def test_a_wrong_signature_of_any_kind_gets_the_same_answer_and_leaves_nothing(
    stack: WebhookStack, signature: str | None
) -> None:
    headers = github_headers(PUSH)
    del headers["X-Hub-Signature-256"]
    if signature is not None:
        headers["X-Hub-Signature-256"] = signature
    assert post_github(PUSH, headers) == (401, {"message": "unauthorized"})
    assert stack.nothing_happened()


@pytest.mark.parametrize("signature", [None, "v1=", "v1=" + "0" * 64, f"v2={sign(BUILD, CIRCLECI_SECRET)}", "v1=ä"])
def test_the_same_holds_for_circlecis(stack: WebhookStack, signature: str | None) -> None:
    headers = {"Content-Type": "application/json"} | ({"circleci-signature": signature} if signature else {})
    assert post_circleci(BUILD, headers) == (401, {"message": "unauthorized"})
    assert stack.nothing_happened()


def test_the_signature_of_another_body_is_wrong(stack: WebhookStack) -> None:
    assert post_github(PUSH + b" ", github_headers(PUSH))[0] == 401
    assert stack.nothing_happened()


@pytest.mark.parametrize("body", ["no base64!", "\ud800"])
def test_a_body_that_is_not_what_it_claims_to_be_was_signed_by_nobody(stack: WebhookStack, body: str) -> None:
    event = request("/github", body, github_headers(PUSH), is_base64=body.isascii())
    assert post(github_app, event) == (401, {"message": "unauthorized"})
    assert stack.nothing_happened()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe{}", b"[" * 100_000, b'{"a": 1' + b"0" * 5000 + b"}", b"payload={}"]
)
def test_what_is_not_json_is_refused(stack: WebhookStack, body: bytes) -> None:
    assert post_github(body, is_base64=True) == (400, {"message": "the body is not JSON"})
    assert post(circleci_app, request("/circleci", body, circleci_headers(body), is_base64=True))[0] == 400
    assert stack.nothing_happened()


@pytest.mark.parametrize(
    "body", [b"", b"payload=", b"other=%7B%7D", b"payload=%FF", b"payload=%7B", b"&".join([b"a=b"] * 50)]
)
def test_a_form_without_json_in_its_payload_is_refused(stack: WebhookStack, body: bytes) -> None:
    assert post_github(body, github_headers(body, **{"Content-Type": FORM}))[0] == 400
    assert stack.nothing_happened()


@pytest.mark.parametrize("content_type", ["application/xml", "text/plain", "multipart/form-data", ""])
def test_an_unknown_content_type_is_refused(stack: WebhookStack, content_type: str) -> None:
    assert post_github(PUSH, github_headers(PUSH, **{"Content-Type": content_type}))[0] == 415
    assert post_circleci(BUILD, circleci_headers(BUILD, **{"Content-Type": content_type}))[0] == 415
    assert stack.nothing_happened()


def test_a_payload_without_a_field_we_need_is_refused_by_name_and_kept(stack: WebhookStack) -> None:
    body = json.dumps({**json.loads(PUSH), "after": "main", "note": "🚀" * 40_000}, ensure_ascii=False).encode()
    status, answer = post_github(body)
    assert (status, answer["field"]) == (422, "after")
    (message,) = stack.messages(stack.rejected)
    kept = json.loads(message["Body"])
    assert (kept["provider"], kept["event"], kept["field"]) == ("github", "push", "after")
    assert kept["delivery"] == "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    assert kept["payload"].rstrip("\ufffd") == body[: 64 * 1024].decode(errors="ignore")
    assert stack.nothing_happened()


def test_the_same_holds_for_a_build(stack: WebhookStack) -> None:
    body = json.dumps({**json.loads(BUILD), "workflow": {"status": "success"}}).encode()
    assert post_circleci(body) == (
        422,
        {"message": "workflow.name: expected text of 1 to 2048 characters", "field": "workflow.name"},
    )
    (message,) = stack.messages(stack.rejected)
    assert json.loads(message["Body"])["payload"] == body.decode()


def test_json_that_is_no_object_lacks_every_field(stack: WebhookStack) -> None:
    assert post_github(b"[]")[0] == 422
    assert len(stack.messages(stack.rejected)) == 1


def test_a_rejection_is_the_answer_also_when_it_cannot_be_kept(
    stack: WebhookStack, unreachable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", unreachable)
    assert post_github(b"{}")[0] == 422
    assert stack.nothing_happened()


def test_without_sns_the_fallback_queue_takes_the_event(
    stack: WebhookStack, unreachable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", unreachable)
    assert post_github(PUSH)[0] == 202
    (message,) = stack.messages(stack.fallback)
    assert decode(message["Body"]).get_type() == "com.github.push"
    assert texts(message)["topic"] == stack.topic
    assert texts(message)["ce-type"] == "com.github.push"


def test_only_without_both_the_sender_is_told_to_come_again(
    stack: WebhookStack, unreachable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", unreachable)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", unreachable)
    assert post_github(PUSH) == (503, {"message": "not taken; send it again"})
    assert post_circleci(BUILD)[0] == 503
    assert stack.nothing_happened()


def test_without_any_secret_nobody_is_let_in_and_the_sender_is_told_to_come_again(
    stack: WebhookStack, unreachable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", unreachable)
    assert post_github(PUSH)[0] == 503
    assert post_github(PUSH, {"Content-Type": "application/json"})[0] == 503
    assert stack.nothing_happened()


@pytest.mark.usefixtures("stack")
def test_every_listed_secret_signs() -> None:
    headers = github_headers(PUSH, **{"X-Hub-Signature-256": f"sha256={sign(PUSH, 'the one before')}"})
    assert post_github(PUSH, headers)[0] == 202


def test_a_secret_rotated_in_secrets_manager_is_picked_up(stack: WebhookStack) -> None:
    now = [1000.0]
    manager = stack.client("secretsmanager")
    secrets = WebhookSecrets(manager, stack.github_secrets, lambda: now[0])
    assert secrets.vouch(lambda valid: GITHUB_SECRET in valid)
    manager.put_secret_value(SecretId=stack.github_secrets, SecretString='{"secrets": ["next"]}')
    assert not secrets.vouch(lambda valid: "next" in valid)
    now[0] += 10
    assert secrets.vouch(lambda valid: "next" in valid)
    assert not secrets.vouch(lambda valid: GITHUB_SECRET in valid)


@pytest.mark.usefixtures("stack")
def test_the_steps_are_spans_in_the_commits_trace_without_payload_or_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACE_FILE", str(tmp_path / "spans"))
    post_github(PUSH)
    spans = [item["data"] for item in read_all(tmp_path / "spans")]
    trace_id = tracing.trace_of("octo-org/octo-repo", json.loads(PUSH)["after"]).trace_id
    assert {span["name"] for span in spans} == {"webhook github", "verify signature", "make event", "send event"}
    assert {span["trace.trace_id"] for span in spans} == {trace_id}
    for secret in (GITHUB_SECRET, sign(PUSH, GITHUB_SECRET), "Answer in JSON", "monalisa@example.com"):
        assert secret not in str(spans)


@pytest.mark.usefixtures("stack")
def test_neither_payload_nor_secret_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    post_github(PUSH)
    post_github(PUSH, github_headers(PUSH, **{"X-Hub-Signature-256": "sha256=" + "0" * 64}))
    post_github(b'{"token": "hunter2"}')
    written = "".join(capfd.readouterr())
    for secret in (GITHUB_SECRET, sign(PUSH, GITHUB_SECRET), "hunter2", "monalisa@example.com"):
        assert secret not in written


@pytest.mark.parametrize("path", ["github", "circleci"])
def test_a_function_without_its_settings_says_which(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compose: Callable[[], Any] = {"github": github_app.webhook, "circleci": circleci_app.webhook}[path]
    for name in (f"{path.upper()}_TOPIC_ARN", "FALLBACK_QUEUE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingSettingError, match=f"{path.upper()}_TOPIC_ARN.*FALLBACK_QUEUE_URL"):
        compose()
