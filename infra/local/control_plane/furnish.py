"""What a new control plane needs before it is of use: answers, a node, and the roles that this repository ships."""

import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

import yaml

from infra.local.control_plane.access import ApiError, Client

ROLES = Path(__file__).parents[2] / "cluster-access" / "installer.yaml"
NODES = 2
_SECONDS = 90.0
_POLL_SECONDS = 0.03
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_NOT_YET = (OSError, HTTPException, ApiError)


class FurnishError(Exception):
    """The control plane did not get ready in time; says what was waited for."""


def until(done: Callable[[], bool], what: str, check: Callable[[], None]) -> None:
    """Returns once `done`; what it raises of the network and the API counts as not yet.

    check: raises what makes waiting pointless. Raises FurnishError when time is up.
    """
    deadline = time.monotonic() + _SECONDS
    while not _holds(done):
        check()
        if time.monotonic() > deadline:
            raise FurnishError(f"{what}: not within {_SECONDS:.0f} seconds")
        time.sleep(_POLL_SECONDS)


def answers(api: Client) -> bool:
    """Whether the API server says that it is ready."""
    with api.open("GET", "/readyz") as response:
        return response.status == HTTPStatus.OK


def furnish(api: Client, check: Callable[[], None]) -> None:
    """Makes nodes and roles, and waits until kwok and the controllers are at work.

    Raises FurnishError, ApiError, and whatever `check` raises.
    """
    for number in range(1, NODES + 1):
        api.request("POST", "/api/v1/nodes", _node(f"simulated-{number}"))
    for role in yaml.safe_load_all(ROLES.read_text()):
        api.request("POST", f"{_RBAC}/{role['kind'].lower()}s", role)
    until(lambda: _nodes_are_ready(api), "nodes that are ready", check)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    until(lambda: bool(api.get(account)), "the account that a controller makes in each namespace", check)


def _holds(done: Callable[[], bool]) -> bool:
    try:
        return done()
    except _NOT_YET:
        return False


def _node(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


def _nodes_are_ready(api: Client) -> bool:
    conditions = [node["status"].get("conditions", []) for node in api.get("/api/v1/nodes")["items"]]
    return all(any(c["type"] == "Ready" and c["status"] == "True" for c in each) for each in conditions)
