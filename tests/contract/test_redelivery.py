"""Missed deliveries, from GitHub's list to the next look, with a GitHub on loopback, real tables, secrets and keys."""

import base64
import json
import logging
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from infra.local import ministack as local
from pipeline_state.events.redelivery import INTERVAL, MAX_PAGES, MAX_REDELIVERIES
from pipeline_state.faults import TemporaryFault
from pipeline_state.handlers.redelivery import Redelivery, redelivery
from pipeline_state.settings import Settings
from pipeline_state.startup import Clients
from pipeline_state.table import redelivery as looks
from tests.contract.fake_github import NOON, FakeGitHub, serving
from tests.contract.table_room import TableRoom, together

TOKEN = "ghp_veryPrivate"
KEY = {"pipeline": looks.PIPELINE, "environment": looks.ENVIRONMENT}
NOTHING = {"looked": False, "failed": 0, "redelivered": 0}


@dataclass
class Secrets:
    """Secrets Manager, where a test changes what it says."""

    text: str = ""
    error: Exception | None = None

    def get_secret_value(self, **_: str) -> dict[str, str]:
        if self.error:
            raise self.error
        return {"SecretString": self.text}


@dataclass
class Sweep:
    """A function's Redelivery, at times that the test sets. ticks: what its clock says from call to call."""

    room: TableRoom
    github: FakeGitHub
    secrets: Secrets = field(default_factory=Secrets)
    kms: Any = None
    now: datetime = NOON
    ticks: Iterator[float] = field(default_factory=lambda: iter(lambda: 0.0, None))

    def __post_init__(self) -> None:
        self.say({"token": TOKEN, "organization": "myOrg", "hook_id": 7})
        clients: list[Any] = [self.secrets, self.kms]
        self.redelivery = Redelivery(
            "arn:secret", lambda: clients[0], lambda: self.kms, lambda: self.now, lambda: next(self.ticks)
        )

    def say(self, secret: dict[str, Any]) -> None:
        self.secrets.text = json.dumps({**secret, "api": self.github.url})

    def after(self, **more: float) -> dict[str, Any]:
        """What a run so much later reports. What GitHub is asked to deliver again is delivered at that time."""
        self.now += timedelta(**more)
        self.github.now = self.now
        return self.redelivery.repair()

    @property
    def item(self) -> dict[str, Any]:
        return self.room.read("environments", **KEY)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """A machine that is slow does not look like a GitHub that is silent."""
    monkeypatch.setattr("pipeline_state.events.github_api._SECONDS", 60.0)
    with serving(FakeGitHub()) as server:
        yield server


@pytest.fixture
def sweep(room: TableRoom, github: FakeGitHub) -> Iterator[Sweep]:
    """The item is one for a whole account, so each test begins and ends without it."""
    key = {name: {"S": value} for name, value in KEY.items()}
    room.client.delete_item(TableName=room.tables.names["environments"], Key=key)
    yield Sweep(room, github)
    room.client.delete_item(TableName=room.tables.names["environments"], Key=key)


def report(failed: int, redelivered: int) -> dict[str, Any]:
    return {"looked": True, "failed": failed, "redelivered": redelivered}


# what is delivered again


def test_what_github_could_not_deliver_is_delivered_again_oldest_first(sweep: Sweep, github: FakeGitHub) -> None:
    github.deliver("older", 502, ago=50)
    github.deliver("taken", 202, ago=40)
    github.deliver("refused", 422, ago=30)
    github.deliver("newer", None, ago=20)
    github.deliver("last", 202, ago=10)
    assert sweep.after() == report(2, 2)
    assert github.redelivered == ["older", "newer"]
    assert sweep.item == {**KEY, "looked_at": "2026-07-01T12:00:00Z", "due_at": "2026-07-01T13:00:00Z"}


def test_every_call_carries_the_token(sweep: Sweep, github: FakeGitHub) -> None:
    github.deliver("a", 502)
    sweep.after()
    assert github.calls == [
        "GET /orgs/myOrg/hooks/7/deliveries?per_page=100",
        "POST /orgs/myOrg/hooks/7/deliveries/10000/attempts",
    ]
    assert github.tokens == [f"Bearer {TOKEN}"] * 2


def test_all_pages_back_to_the_last_look_are_read_and_no_further(sweep: Sweep, github: FakeGitHub) -> None:
    github.page = 10
    for minute in range(72 * 60, 0, -60):
        github.deliver(f"{minute}", 502 if minute in {120, 4200, 4320} else 202, ago=minute)
    assert sweep.after() == report(2, 2), "what is 72 hours old may be gone before it is asked for"
    assert github.redelivered == ["4200", "120"]
    github.calls.clear()
    assert sweep.after(hours=1) == report(0, 0)
    assert github.calls == ["GET /orgs/myOrg/hooks/7/deliveries?per_page=100"]


def test_what_goes_on_failing_is_tried_three_times_an_hour_apart(sweep: Sweep, github: FakeGitHub) -> None:
    github.answers = 502
    github.deliver("a", 502, ago=1)
    assert [sweep.after(hours=1) for _ in range(6)] == [report(1, 1)] * 3 + [report(0, 0)] * 3
    github.answers = 202
    assert sweep.after(days=1) == report(0, 0)
    assert github.redelivered == ["a"] * 3
    made = [call.split("/")[-2] for call in github.calls if call.startswith("POST")]
    assert made == ["10000", "10001", "10002"], "of each attempt the newest, which GitHub keeps longest"


def test_an_outage_costs_a_try_an_hour_and_all_are_delivered_after_it(sweep: Sweep, github: FakeGitHub) -> None:
    github.answers = 503
    for number in range(6):
        github.deliver(f"{number}", 503, ago=60 - number)
    assert [sweep.after(hours=1) for _ in range(6)] == [report(6, 1)] * 6
    assert sorted(github.redelivered) == ["0", "1", "2", "3", "4", "5"]
    github.answers = 202
    assert sweep.after(minutes=5) == report(6, 0)
    assert sweep.after(minutes=55) == report(6, 1)
    assert sweep.after(minutes=4) == NOTHING
    assert sweep.after(minutes=1) == report(5, 5)
    assert sweep.item["looked_at"] == "2026-07-01T19:05:00Z"


def test_more_than_a_look_may_redeliver_is_left_for_the_next_in_five_minutes(sweep: Sweep, github: FakeGitHub) -> None:
    for number in range(MAX_REDELIVERIES + 5):
        github.deliver(f"{number}", 502, ago=100 - number)
    github.deliver("up again", 202)
    assert sweep.after() == report(MAX_REDELIVERIES + 5, MAX_REDELIVERIES)
    assert "looked_at" not in sweep.item
    assert sweep.after(minutes=4) == NOTHING
    assert sweep.after(minutes=1) == report(5, 5)
    assert github.redelivered == [f"{number}" for number in range(MAX_REDELIVERIES + 5)]
    assert sweep.item["looked_at"] == "2026-07-01T12:05:00Z"


def test_more_than_a_look_may_read_is_gone_on_with_where_it_stopped(sweep: Sweep, github: FakeGitHub) -> None:
    github.page = 2
    for number in range(2 * MAX_PAGES + 20):
        github.deliver(f"{number}", 502 if number in {3, 70} else 202, ago=500 - number)
    assert sweep.after() == report(1, 1)
    assert github.redelivered == ["70"]
    assert sweep.item["begun_at"] == "2026-07-01T12:00:00Z"
    assert sweep.after(minutes=5) == report(1, 1)
    assert github.redelivered == ["70", "3"]
    assert sweep.item == {**KEY, "looked_at": "2026-07-01T12:00:00Z", "due_at": "2026-07-01T13:05:00Z"}


def test_what_was_delivered_again_is_known_where_only_its_first_attempt_is_listed(
    sweep: Sweep, github: FakeGitHub
) -> None:
    github.page = 2
    github.deliver("a", 502, ago=500)
    for number in range(2 * MAX_PAGES):
        github.deliver(f"{number}", 202, ago=400 - number)
    github.deliver("a", 202, ago=1, redelivery=True)
    assert [sweep.after(), sweep.after(minutes=5)] == [report(0, 0), report(0, 0)]
    assert github.redelivered == []
    assert sweep.item["looked_at"] == "2026-07-01T12:00:00Z"


def test_a_cursor_that_github_does_not_know_any_more_begins_the_look_anew(sweep: Sweep, github: FakeGitHub) -> None:
    sweep.room.change("environments", KEY, {"cursor": "v1_gone", "begun_at": "2026-06-30T12:00:00Z"})
    github.deliver("a", 502)
    assert sweep.after() == report(0, 0)
    assert sweep.after(minutes=5) == report(1, 1)
    assert sweep.item["looked_at"] == "2026-07-01T12:05:00Z"


def test_a_list_that_takes_too_long_to_read_is_gone_on_with_where_it_stopped(sweep: Sweep, github: FakeGitHub) -> None:
    github.page = 1
    for number in range(4):
        github.deliver(f"{number}", 502 if number == 0 else 202, ago=9 - number)
    sweep.ticks = iter([0.0, 9.0, 11.0])  # it begins, and looks at the clock after each page
    assert sweep.after() == report(0, 0)
    assert [call[:3] for call in github.calls] == ["GET", "GET"]
    assert sweep.item["cursor"] == "v1_10001"
    sweep.ticks = iter(lambda: 0.0, None)
    assert sweep.after(minutes=5) == report(1, 1)


def test_a_look_after_more_than_three_days_goes_back_three_days_only(sweep: Sweep, github: FakeGitHub) -> None:
    sweep.room.change("environments", KEY, {"looked_at": "2026-06-01T12:00:00Z"})
    github.deliver("too old", 502, ago=72 * 60)
    github.deliver("old", 502, ago=70 * 60)
    assert sweep.after() == report(1, 1)
    assert github.redelivered == ["old"]


def test_a_look_that_takes_too_long_redelivers_no_more(sweep: Sweep, github: FakeGitHub) -> None:
    for number in range(3):
        github.deliver(f"{number}", 502, ago=9 - number)
    github.deliver("up again", 202)
    sweep.ticks = iter([0.0, 19.0, 20.0, 21.0])  # it begins, and looks at the clock before each redelivery
    assert sweep.after() == report(3, 2)
    sweep.ticks = iter(lambda: 0.0, None)
    assert sweep.after(minutes=5) == report(1, 1)


# when


def test_between_two_looks_is_an_hour(sweep: Sweep, github: FakeGitHub) -> None:
    assert sweep.after() == report(0, 0)
    github.deliver("a", 502)
    assert [sweep.after(minutes=1) for _ in range(59)] == [NOTHING] * 59
    assert sweep.after(minutes=1) == report(1, 1)


def test_of_many_sweepers_at_once_one_looks(sweep: Sweep, github: FakeGitHub) -> None:
    github.deliver("a", 502)
    reports = together(6, lambda _: sweep.redelivery.repair())
    assert sorted(reports, key=lambda each: bool(each["looked"])) == [NOTHING] * 5 + [report(1, 1)]
    assert github.redelivered == ["a"]


def test_a_claim_that_is_sent_twice_since_its_answer_got_lost_is_one(sweep: Sweep) -> None:
    first, second, another = (looks.claim(owner, sweep.now, INTERVAL) for owner in ("me", "me", "another"))
    assert first == second == looks.Look("me", None, "", NOON)
    assert another is None


def test_only_its_owner_ends_a_look(sweep: Sweep) -> None:
    claimed = looks.claim("me", sweep.now, INTERVAL)
    before = sweep.item
    looks.finish(looks.Look("another", None, "", NOON))
    looks.give_back(looks.Look("another", None, "", NOON), NOON)
    assert claimed
    assert sweep.item == before


def test_a_sweeper_that_died_while_looking_hinders_the_next_for_an_hour(sweep: Sweep) -> None:
    looks.claim("dead", sweep.now, INTERVAL)
    assert sweep.after(minutes=59) == NOTHING
    assert sweep.after(minutes=1) == report(0, 0)


def test_times_that_somebody_made_unreadable_are_as_none(sweep: Sweep, github: FakeGitHub) -> None:
    sweep.room.change("environments", KEY, {"looked_at": "yesterday", "cursor": ""})
    github.deliver("a", 502, ago=70 * 60)
    assert sweep.after() == report(1, 1)


# what goes wrong


TROUBLES: dict[str, tuple[int, dict[str, str], float, str]] = {
    "a secondary rate limit": (403, {"retry-after": "1200"}, 20, "rate limit"),
    "a primary rate limit": (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1782908400"}, 20, "rate limit"),
    "a limit without a time": (429, {}, 5, "rate limit"),
    "a limit until a date": (429, {"retry-after": "Wed, 01 Jul 2026 12:20:00 GMT"}, 5, "rate limit"),
    "a limit for days": (429, {"retry-after": "999999"}, 60, "rate limit"),
    "an outage": (502, {}, 5, "502"),
    "a token that expired": (401, {}, 5, "token is refused"),
    "a token that may not": (403, {"x-ratelimit-remaining": "4999"}, 5, "admin:org_hook"),
    "a hook that is gone": (404, {}, 5, "no such hook"),
    "an organisation with a new name": (301, {"location": "http://127.0.0.1:9/other"}, 5, "moved"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_with_the_list_is_told_and_tried_again_later(
    sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    status, headers, minutes, sentence = TROUBLES[trouble]
    github.deliver("a", 502)
    github.trouble = lambda _method, _path: (status, headers, {"message": TOKEN})
    assert sweep.after() == report(0, 0)
    assert [(record.levelno, sentence in record.message) for record in caplog.records] == [(logging.ERROR, True)]
    assert TOKEN not in caplog.text
    github.trouble = lambda _method, _path: None
    assert sweep.after(minutes=minutes - 1) == NOTHING
    assert sweep.after(minutes=1) == report(1, 1)


@pytest.mark.parametrize("status", [403, 429, 500])
def test_trouble_on_the_way_leaves_the_rest_for_later(sweep: Sweep, github: FakeGitHub, status: int) -> None:
    for number in range(3):
        github.deliver(f"{number}", 502, ago=9 - number)
    github.deliver("up again", 202)
    github.trouble = lambda _, path: (status, {"retry-after": "1"}, {}) if "10001" in path else None
    assert sweep.after() == report(3, 1)
    assert "looked_at" not in sweep.item
    github.trouble = lambda _method, _path: None
    assert sweep.after(minutes=5) == report(2, 2)
    assert github.redelivered == ["0", "1", "2"]


def test_what_github_will_not_deliver_again_is_passed_over(sweep: Sweep, github: FakeGitHub) -> None:
    for number in range(3):
        github.deliver(f"{number}", 502, ago=9 - number)
    github.deliver("up again", 202)
    github.trouble = lambda _, path: (422, {}, {}) if "10001" in path else None
    assert sweep.after() == report(3, 2)
    assert github.redelivered == ["0", "2"]
    assert "looked_at" in sweep.item


def test_a_token_that_may_read_only_is_told(sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture) -> None:
    github.deliver("a", 502)
    github.trouble = lambda method, _: (404, {}, {}) if method == "POST" else None
    assert sweep.after() == report(1, 0)
    assert "the token may not see it" in caplog.text
    assert "looked_at" not in sweep.item


@pytest.mark.parametrize("content", [b"<html>", b"", {"message": "hello"}, [{"id": 1}], [{"guid": None}], ["text"]])
def test_an_answer_of_another_form_is_told(sweep: Sweep, github: FakeGitHub, content: object) -> None:
    github.trouble = lambda _method, _path: (200, {}, content)
    assert sweep.after() == report(0, 0)
    assert sweep.item["due_at"] == "2026-07-01T12:05:00Z"


def test_a_github_that_is_not_there_is_told_and_asked_again(
    sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    there = github.url
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        github.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        sweep.say({"token": TOKEN, "organization": "myOrg", "hook_id": 7})
        assert sweep.after() == report(0, 0)
    assert "refused" in caplog.text
    github.url = there
    sweep.say({"token": TOKEN, "organization": "myOrg", "hook_id": 7})
    github.deliver("a", 502)
    assert sweep.after(minutes=5) == report(1, 1)


def test_a_github_that_does_not_answer_is_not_waited_for(
    sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_state.events.github_api._SECONDS", 0.1)
    ended = threading.Event()
    github.trouble = lambda _method, _path: (500, {}, ended.wait())
    try:
        assert sweep.after() == report(0, 0)
    finally:
        ended.set()
    assert "timed out" in caplog.text.lower() or "TimeoutError" in caplog.text
    assert sweep.item["due_at"] == "2026-07-01T12:05:00Z"


def test_something_that_speaks_no_http_is_told(
    sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    github.trouble = lambda _method, _path: (0, {}, b"hello\r\n")
    assert sweep.after() == report(0, 0)
    assert "BadStatusLine" in caplog.text
    assert sweep.item["due_at"] == "2026-07-01T12:05:00Z"


def test_a_connection_that_breaks_off_is_tried_again(
    sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    github.trouble = lambda _method, _path: (200, {"content-length": "70000"}, b"[")
    assert sweep.after() == report(0, 0)
    assert "not JSON" in caplog.text
    assert sweep.item["due_at"] == "2026-07-01T12:05:00Z"


@pytest.mark.parametrize(
    "text", [TOKEN, "{}", json.dumps({"token": TOKEN, "hook_id": 1})], ids=["bare", "empty", "half"]
)
def test_a_secret_of_another_shape_is_told_without_its_text_and_read_again(
    sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    right, sweep.secrets.text = sweep.secrets.text, text
    assert sweep.after() == report(0, 0)
    assert "the secret for redelivery" in caplog.text
    assert TOKEN not in caplog.text
    assert github.calls == []
    sweep.secrets.text = right
    assert sweep.after(minutes=5) == report(0, 0)
    assert sweep.item["looked_at"] == "2026-07-01T12:05:00Z"


@pytest.mark.parametrize(
    "error", [ClientError({"Error": {"Code": "X"}}, "GetSecretValue"), EndpointConnectionError(endpoint_url="x")]
)
def test_a_secret_out_of_reach_is_told_and_read_again(
    sweep: Sweep, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    sweep.secrets.error = error
    assert sweep.after() == report(0, 0)
    assert f"not read: {type(error).__name__}" in caplog.text
    assert sweep.item["due_at"] == "2026-07-01T12:05:00Z"


def test_a_table_out_of_reach_breaks_nothing(
    sweep: Sweep, github: FakeGitHub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise TemporaryFault("DynamoDB did not take the request: EndpointConnectionError")

    monkeypatch.setattr(looks, "claim", unreachable)
    assert sweep.after() == NOTHING
    assert "missed deliveries: DynamoDB did not take the request" in caplog.text
    assert github.calls == []


# what comes from AWS


def test_without_a_secret_there_is_nothing_to_look_after() -> None:
    assert redelivery(Settings(), Clients(Settings())) is None


@pytest.mark.usefixtures("sweep", "patient_clients")
def test_the_settings_name_the_secret(ministack: str, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    made = local.client(ministack, "secretsmanager").create_secret(
        Name=f"redelivery-{uuid.uuid4().hex}",
        SecretString=json.dumps({"token": TOKEN, "organization": "myOrg", "hook_id": 7, "api": github.url}),
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    settings = Settings(github_redelivery_arn=made["ARN"])
    found = redelivery(settings, Clients(settings))
    assert found
    assert found.repair() == report(0, 0)
    assert github.tokens == [f"Bearer {TOKEN}"]


def test_a_github_app_is_signed_for_by_kms(
    sweep: Sweep, ministack: str, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    sweep.kms = local.client(ministack, "kms")
    key = sweep.kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    github.hook = "/app/hook"
    github.deliver("a", 502)
    sweep.say({"app_id": 77, "kms_key_id": key})
    assert sweep.after() == report(1, 1)
    assert github.calls == ["GET /app/hook/deliveries?per_page=100", "POST /app/hook/deliveries/10000/attempts"]
    head, claims, signature = github.tokens[0].removeprefix("Bearer ").split(".")
    assert read(head) == {"alg": "RS256", "typ": "JWT"}
    began = int(NOON.timestamp())
    assert read(claims) == {"iat": began - 60, "exp": began + 540, "iss": "77"}
    public = cast("RSAPublicKey", load_der_public_key(sweep.kms.get_public_key(KeyId=key)["PublicKey"]))
    public.verify(decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), SHA256())
    assert signature not in caplog.text


def test_a_key_that_is_not_there_is_told(
    sweep: Sweep, ministack: str, github: FakeGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    sweep.kms = local.client(ministack, "kms")
    sweep.say({"app_id": 77, "kms_key_id": "no-such-key"})
    assert sweep.after() == report(0, 0)
    assert "KMS did not sign for the GitHub App: NotFoundException" in caplog.text
    assert github.calls == []
    assert sweep.item["due_at"] == "2026-07-01T12:05:00Z"


def read(segment: str) -> Any:
    return json.loads(decoded(segment))


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
