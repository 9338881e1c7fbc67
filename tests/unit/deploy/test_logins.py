"""Who gets which login: the entries of a config.json, and ECR's hosts, which alone get what our role has."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_state.deploy import Workspace
from pipeline_state.deploy.logins import Login, ecr_region, login
from pipeline_state.faults import PermanentFault

ANN = {"username": "ann", "password": "hush:hush"}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def asked(host: str, repository: str, auths: Any, *, text: str | None = None) -> Login | None:
    content = json.dumps({"auths": auths}) if text is None else text
    workspace = Workspace(
        Path(), Path(), fetch_secret=lambda _: content, registry_token=lambda region: f"AWS:token of {region}"
    )
    return login(host, repository, "login", workspace)


@pytest.mark.parametrize("entry", [ANN, {"auth": encoded("ann:hush:hush")}, {**ANN, "auth": "ignored"}])
def test_an_entry_is_a_user_and_a_password_or_both_in_one(entry: dict[str, str]) -> None:
    assert asked("ghcr.io", "team/web", {"ghcr.io": entry}) == Login("ann", "hush:hush")


@pytest.mark.parametrize(
    "name", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/", "http://ghcr.io/v2/", "ghcr.io/team", "ghcr.io/team/web"]
)
def test_an_entry_is_of_a_host_or_of_a_part_of_it(name: str) -> None:
    assert asked("ghcr.io", "team/web", {name: ANN}) == Login("ann", "hush:hush")


@pytest.mark.parametrize("name", ["ghcr.io.example.com", "hcr.io", "ghcr.io:443", "ghcr.io/tea", "ghcr.io/other", ""])
def test_an_entry_of_another_host_or_part_is_not_used(name: str) -> None:
    assert asked("ghcr.io", "team/web", {name: ANN}) is None


def test_the_entry_that_says_most_is_used() -> None:
    auths = {"ghcr.io": {"auth": encoded("a:1")}, "ghcr.io/team": ANN, "ghcr.io/team/web2": {"auth": encoded("c:3")}}
    assert asked("ghcr.io", "team/web", auths) == Login("ann", "hush:hush")


@pytest.mark.parametrize(
    "name", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
)
def test_docker_hub_goes_by_all_its_names(name: str) -> None:
    assert asked("registry-1.docker.io", "library/nginx", {name: ANN}) == Login("ann", "hush:hush")


@pytest.mark.parametrize("text", ["", "hush", "[]", '"hush"', "{}", '{"auths": []}', '{"auths": null}', "5"])
def test_a_secret_that_is_no_config_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(PermanentFault, match="registry secret 'login': not a Docker config") as caught:
        asked("ghcr.io", "team/web", {}, text=text)
    assert "hush" not in caught.value.reason
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "entry",
    [
        *(None, [], {}, {"username": "ann"}, {"password": "hush"}),
        *(
            {"auth": "%"},
            {"auth": 5},
            {"auth": encoded("hush")},
            {"auth": encoded(":hush")},
            {"auth": encoded("hush:")},
        ),
        {"auth": base64.b64encode(b"\xff:hush").decode()},
    ],
)
def test_an_entry_that_is_no_login_is_refused_and_not_shown(entry: Any) -> None:
    with pytest.raises(PermanentFault, match="registry secret 'login': an entry needs username and password") as caught:
        asked("ghcr.io", "team/web", {"ghcr.io": entry})
    assert "hush" not in caught.value.reason


def test_a_login_does_not_show_its_password() -> None:
    assert "hush" not in repr(Login("ann", "hush"))


@pytest.mark.parametrize("host, region", [
    ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
    ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1"),
    ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
    ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
])  # fmt: skip
def test_ecr_is_asked_for_a_login_in_its_own_region(host: str, region: str) -> None:
    assert asked(host, "web", {"ghcr.io": ANN}) == Login("AWS", f"token of {region}")


def test_a_login_of_ones_own_goes_before_ecrs() -> None:
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert asked(host, "web", {host: ANN}) == Login("ann", "hush:hush")


@pytest.mark.parametrize("host", [
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.com",
    "example.com.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com:8443",
    "123456789012.dkr.ecr.eu-west-1xamazonaws.com",
    "123456789012.dkr.ecr.example.com#.eu-west-1.amazonaws.com",
    "123.dkr.ecr.eu-west-1.amazonaws.com",
    "public.ecr.aws",
    "ghcr.io",
])  # fmt: skip
def test_nobody_else_gets_what_our_role_has(host: str) -> None:
    assert ecr_region(host) == ""
    assert asked(host, "web", {}) is None
