import json
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from pipeline_state.events.secrets import WebhookSecrets
from pipeline_state.faults import TemporaryFault


class Vault:
    """Secrets Manager as far as it matters here: one value, which may change or be out of reach; reads are counted."""

    def __init__(self, *secrets: str) -> None:
        self.value: str | None = ""
        self.reads = 0
        self.rotate(*secrets)

    def rotate(self, *secrets: str) -> None:
        self.value = json.dumps({"secrets": secrets})

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        self.reads += 1
        if self.value is None:
            raise EndpointConnectionError(endpoint_url="https://secretsmanager")
        return {"SecretString": self.value}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def vault() -> Vault:
    return Vault("current", "previous")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secrets(vault: Vault, clock: Clock) -> WebhookSecrets:
    return WebhookSecrets(vault, "arn", clock)  # type: ignore[arg-type]


def by(secret: str) -> Any:
    def is_signed(valid: Sequence[str]) -> bool:
        return secret in valid

    return is_signed


def test_all_listed_secrets_are_valid_at_once_and_read_once(secrets: WebhookSecrets, vault: Vault) -> None:
    assert secrets.vouch(by("current"))
    assert secrets.vouch(by("previous"))
    assert vault.reads == 1


def test_a_rotated_secret_is_found_by_the_first_webhook_that_needs_it(
    secrets: WebhookSecrets, vault: Vault, clock: Clock
) -> None:
    assert secrets.vouch(by("current"))
    vault.rotate("next", "current")
    clock.now += 10
    assert secrets.vouch(by("next"))
    assert vault.reads == 2


def test_a_flood_of_forgeries_reads_at_most_once_in_10_seconds(
    secrets: WebhookSecrets, vault: Vault, clock: Clock
) -> None:
    for _ in range(300):
        assert not secrets.vouch(by("forged"))
        assert secrets.vouch(by("current"))
        clock.now += 0.1
    assert vault.reads == 3


def test_a_withdrawn_secret_is_refused_after_5_minutes_at_the_latest(
    secrets: WebhookSecrets, vault: Vault, clock: Clock
) -> None:
    assert secrets.vouch(by("previous"))
    vault.rotate("current")
    clock.now += 299
    assert not secrets.vouch(by("previous"))


def test_a_moment_without_secrets_manager_rejects_no_real_webhook(
    secrets: WebhookSecrets, vault: Vault, clock: Clock
) -> None:
    assert secrets.vouch(by("current"))
    vault.value = None
    for age in (240, 250, 299):
        clock.now = 1000 + age
        assert secrets.vouch(by("current"))


def test_no_secret_is_used_for_more_than_5_minutes(secrets: WebhookSecrets, vault: Vault, clock: Clock) -> None:
    assert secrets.vouch(by("current"))
    vault.value = None
    clock.now += 300
    with pytest.raises(TemporaryFault, match="no webhook secret can be read"):
        secrets.vouch(by("current"))


def test_it_recovers_as_soon_as_secrets_manager_does(secrets: WebhookSecrets, vault: Vault, clock: Clock) -> None:
    vault.value = None
    with pytest.raises(TemporaryFault):
        secrets.vouch(by("current"))
    vault.rotate("current")
    clock.now += 10
    assert secrets.vouch(by("current"))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "not json",
        "[]",
        '{"secrets": []}',
        '{"secrets": [""]}',
        '{"secrets": [" "]}',
        '{"secrets": "current"}',
        '{"secrets": ["current", null]}',
        '{"secret": "current"}',
        '{"secrets": ["\\ud800"]}',
    ],
)
def test_a_value_that_could_let_anybody_in_is_no_secret(
    secrets: WebhookSecrets, vault: Vault, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    vault.value = value
    with pytest.raises(TemporaryFault):
        secrets.vouch(by(""))
    assert "current" not in caplog.text
