from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from pipeline_state.deploy.kubernetes import Endpoint, endpoint

URL = "https://api.example.com:6443"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": {"server": URL, **(cluster or {})}}, {"name": "other", "cluster": {}}],
        "users": [{"name": "other", "user": {}}, {"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "y", "context": {"cluster": "c", "user": "nobody"}},
        ],
        "current-context": "x",
    }


@pytest.mark.parametrize(
    "cluster,user,expected",
    [
        ({}, {}, Endpoint(URL)),
        ({}, {"token": "t"}, Endpoint(URL, token="t")),
        ({"certificate-authority-data": encoded("CA")}, {"token": "t"}, Endpoint(URL, "CA", "t")),
        (
            {},
            {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")},
            Endpoint(URL, certificate="CERT\nKEY"),
        ),
    ],
)
@pytest.mark.parametrize("context", [None, "x"])
def test_a_kubeconfig_that_says_all_by_itself_is_understood(
    cluster: dict[str, Any], user: dict[str, Any], expected: Endpoint, context: str | None
) -> None:
    found = config(cluster, user)
    assert endpoint(json.dumps(found), context) == expected
    assert endpoint(yaml.safe_dump(found), context) == expected


@pytest.mark.parametrize(
    "cluster",
    [
        {"certificate-authority": "/etc/ca.pem"},
        {"insecure-skip-tls-verify": True},
        {"tls-server-name": "other.example.com"},
        {"proxy-url": "http://proxy.example.com"},
        {"certificate-authority-data": "no base64, so there"},
        {"certificate-authority-data": base64.b64encode(b"\xff").decode()},
        {"certificate-authority-data": 1},
    ],
)
def test_a_cluster_that_asks_for_more_is_left_to_helm(cluster: dict[str, Any]) -> None:
    assert endpoint(json.dumps(config(cluster))) is None


@pytest.mark.parametrize(
    "user",
    [
        {"exec": {"command": "aws"}},
        {"auth-provider": {"name": "oidc"}},
        {"tokenFile": "/run/token"},
        {"username": "u", "password": "p"},
        {"client-certificate": "/etc/client.pem"},
        {"token": "t", "as": "somebody else"},
    ],
)
def test_a_user_who_needs_more_is_left_to_helm(user: dict[str, Any]) -> None:
    assert endpoint(json.dumps(config(user=user))) is None


@pytest.mark.parametrize("context", ["nowhere", "y"])
def test_names_that_lead_nowhere_are_left_to_helm(context: str) -> None:
    assert endpoint(json.dumps(config()), context) is None


@pytest.mark.parametrize("text", ["", "[]", "text", "{", "a: b: c", '{"contexts": 1}', '{"contexts": [1]}', "[" * 9])
def test_what_is_no_kubeconfig_is_left_to_helm(text: str) -> None:
    assert endpoint(text) is None


def test_of_two_with_one_name_the_first_counts_as_it_does_to_helm() -> None:
    found = config()
    found["clusters"].append({"name": "c", "cluster": {"server": "https://second.example.com"}})
    assert endpoint(json.dumps(found)) == Endpoint(URL)


def test_what_lets_us_in_is_not_printed() -> None:
    assert "hush" not in repr(Endpoint(URL, token="hush", certificate="hush"))
