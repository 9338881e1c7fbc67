"""As whom a registry knows us: a Docker config.json in a secret, or what ECR gives to our role.

The file's form: https://docs.docker.com/reference/cli/docker/login/#credential-stores, without stores and helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_state.deploy.terms import Workspace
from pipeline_state.faults import PermanentFault

DOCKER_HUB = "registry-1.docker.io"
HUB_NAMES = frozenset({"docker.io", "index.docker.io", DOCKER_HUB})
"""What Docker Hub is called: in image names, in Docker's config.json, and where its registry answers."""

_ECR = re.compile(
    r"\d{12}\.dkr(?:\.ecr|-ecr|\.ecr-fips|-ecr-fips)\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d+)"
    r"\.(?:amazonaws\.com|amazonaws\.com\.cn|on\.aws|on\.amazonwebservices\.com\.cn)"
)
"""https://docs.aws.amazon.com/general/latest/gr/ecr.html; of the whole host, for it decides who gets the password."""


@dataclass(frozen=True, slots=True)
class Login:
    """User and password for a registry."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of the Authorization header: https://www.rfc-editor.org/rfc/rfc7617."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def ecr_region(host: str) -> str:
    """The region of an ECR host; empty for any other registry."""
    match = _ECR.fullmatch(host)
    return match["region"] if match else ""


def login(host: str, repository: str, secret: str, workspace: Workspace) -> Login | None:
    """As whom to ask for the repository; None for a registry that nothing is known about.

    secret: the release's `registry_secret`; where it names the registry it goes before ECR's own. Raises PermanentFault
    for a secret that is no config.json, and what the workspace's edges raise.
    """
    if secret and (found := _entry(secret, workspace.fetch_secret(secret), f"{host}/{repository}")):
        return found
    region = ecr_region(host)
    if not region:
        return None
    user, _, password = workspace.registry_token(region).partition(":")
    return Login(user, password)


def _entry(secret: str, text: str, place: str) -> Login | None:
    """The entry with the longest name that the place begins with: a host, or a host and a part of the path."""
    auths = _auths(secret, text)
    names = {_normal(name): entry for name, entry in auths.items()}
    fitting = [name for name in names if f"{place}/".startswith(f"{name}/")]
    return _login(secret, names[max(fitting, key=len)]) if fitting else None


def _auths(secret: str, text: str) -> Mapping[str, Any]:
    try:
        auths = json.loads(text)["auths"]
    except (ValueError, LookupError, TypeError):
        auths = None
    if not isinstance(auths, dict):
        raise PermanentFault(
            f'registry secret {secret!r}: not a Docker config.json; write {{"auths": {{"<host>": {{"username": "…",'
            ' "password": "…"}}}'
        )
    return auths


def _normal(name: str) -> str:
    """An entry's name without what Docker writes around it: "https://index.docker.io/v1/" is Docker Hub."""
    host, _, path = re.sub(r"^https?://|/(?:v[12]/?)?$", "", name).partition("/")
    host = DOCKER_HUB if host in HUB_NAMES else host
    return f"{host}/{path}" if path else host


def _login(secret: str, entry: object) -> Login:
    """From the entry's username and password, or from both in one, which is what `docker login` writes."""
    given = entry if isinstance(entry, dict) else {}
    user, password = given.get("username"), given.get("password")
    if not (isinstance(user, str) and isinstance(password, str)):
        user, _, password = _decoded(given.get("auth")).partition(":")
    if not (user and password):
        raise PermanentFault(
            f"registry secret {secret!r}: an entry needs username and password, or auth, which is both in base64"
        )
    return Login(user, password)


def _decoded(auth: object) -> str:
    try:
        return base64.b64decode(auth, validate=True).decode() if isinstance(auth, str) else ""
    except (binascii.Error, ValueError):
        return ""
