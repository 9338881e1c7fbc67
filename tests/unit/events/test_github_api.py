"""What the secret for redelivery may say, and what never leaves it."""

import json
from typing import Any

import pytest

from pipeline_state.events.github_api import Access, read_access
from pipeline_state.faults import PermanentFault

TOKEN = "ghp_veryPrivate"
HOOK = {"token": TOKEN, "organization": "myOrg", "hook_id": 123}
APP = {"app_id": 77, "kms_key_id": "arn:aws:kms:eu-west-1:123456789012:key/1-2"}


def test_an_organisations_hook_is_read_with_its_token() -> None:
    assert read_access(json.dumps(HOOK)) == Access("https://api.github.com", "/orgs/myOrg/hooks/123", token=TOKEN)


def test_an_apps_hook_is_read_with_its_key() -> None:
    expected = Access("https://api.github.com", "/app/hook", app_id="77", kms_key_id=APP["kms_key_id"])  # type: ignore[arg-type]
    assert read_access(json.dumps(APP)) == expected


@pytest.mark.parametrize("number", ["123", " 123\n"])
def test_a_number_may_be_written_as_text(number: object) -> None:
    assert read_access(json.dumps({**HOOK, "hook_id": number})).hook == "/orgs/myOrg/hooks/123"


@pytest.mark.parametrize("api", ["https://github.example.com/api/v3", "https://github.example.com:8443/api/v3/"])
def test_github_enterprise_has_a_base_url(api: str) -> None:
    assert read_access(json.dumps({**HOOK, "api": api})).api == api.rstrip("/")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no token": ({"organization": "myOrg", "hook_id": 1}, "token is missing"),
    "an empty token": ({**HOOK, "token": " "}, "token is wrong"),
    "a token of two lines": ({**HOOK, "token": f"{TOKEN}\nX: y"}, "token is wrong"),
    "a token that is no text": ({**HOOK, "token": [TOKEN]}, "token is wrong"),
    "no organisation": ({"token": TOKEN, "hook_id": 1}, "organization is missing"),
    "a path for an organisation": ({**HOOK, "organization": "a/../b"}, "organization is wrong"),
    "a hook that is no number": ({**HOOK, "hook_id": True}, "hook_id is wrong"),
    "an app without a key": ({"app_id": 1}, "kms_key_id is missing"),
    "an app and a token": ({**APP, "token": TOKEN}, "app_id and token"),
    "plain http": ({**HOOK, "api": "http://github.example.com"}, "api is wrong"),
    "loopback by name": ({**HOOK, "api": "http://127.0.0.1.example.com"}, "api is wrong"),
    "credentials in the URL": ({**HOOK, "api": f"https://{TOKEN}@example.com"}, "api is wrong"),
    "a query in the URL": ({**HOOK, "api": "https://example.com/?a=b"}, "api is wrong"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_secret_of_another_shape_names_the_field_and_quotes_nothing(wrong: str) -> None:
    given, expected = WRONG[wrong]
    with pytest.raises(PermanentFault, match=expected) as raised:
        read_access(json.dumps(given))
    assert TOKEN not in f"{raised.value!r}"


@pytest.mark.parametrize("text", ["", TOKEN, f'"{TOKEN}"', "[]", "null", "[" * 100_000], ids=range(6))
def test_a_secret_that_is_no_object_says_so_and_quotes_nothing(text: str) -> None:
    with pytest.raises(PermanentFault, match="not a JSON object") as raised:
        read_access(text)
    assert raised.value.__context__ is None
    assert TOKEN not in f"{raised.value!r}"


def test_the_token_is_not_shown_with_what_holds_it() -> None:
    assert TOKEN not in f"{read_access(json.dumps(HOOK))}"
