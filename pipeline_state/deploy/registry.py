"""The reading half of an OCI registry: is a tag there, and what is behind it.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull; tokens by
https://distribution.github.io/distribution/spec/auth/token/. Of the libraries, oras takes 130 ms to import and
python-dxf 90, for requests; urllib is there anyway.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from functools import cache, cached_property
from urllib.parse import urlencode, urlsplit

from pipeline_state.deploy import web
from pipeline_state.deploy.logins import DOCKER_HUB, HUB_NAMES, Login, ecr_region, login
from pipeline_state.deploy.terms import Workspace
from pipeline_state.deploy.web import Answer, Bounds
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.model.pipelines import DIGEST

SECONDS = 5.0
"""How long a registry may be silent."""

_RETRY_SECONDS = 30.0
_TEXT = Bounds(SECONDS, 4 * 1024 * 1024)
"""Of everything but a blob; the specification's own limit for manifests."""

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json"
)

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?")
_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_BEARER = re.compile(r"\bBearer\s+(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository. host: where its registry answers. name: as in the registry's API."""

    host: str
    name: str


def of_image(image: str) -> Repository:
    """From "registry.example.com/web"; "nginx" and "docker.io/nginx" are Docker Hub's, as Docker reads names.

    Raises PermanentFault for what is no repository, a tag or digest included.
    """
    first, slash, rest = image.partition("/")
    has_host = slash and (not {".", ":"}.isdisjoint(first) or first == "localhost")
    host, name = (first, rest) if has_host else (DOCKER_HUB, image)
    return _checked(host, name if host not in HUB_NAMES or "/" in name else f"library/{name}", image)


def of_chart(chart: str) -> Repository:
    """From "registry.example.com/charts/web": as Helm reads names, the first part is always a host.

    Raises PermanentFault as `of_image` does.
    """
    host, _, name = chart.partition("/")
    return _checked(host, name, chart)


def _checked(host: str, name: str, text: str) -> Repository:
    if not (_HOST.fullmatch(host) and _NAME.fullmatch(name)):
        raise PermanentFault(
            f"{text!r} is not a repository: write host/name in lower case, without tag, e.g. registry.example.com/web"
        )
    return Repository(DOCKER_HUB if host in HUB_NAMES else host, name)


def connect(repository: Repository, secret: str, workspace: Workspace, what: str) -> Registry:
    """The registry of a repository. secret: of a login, if there is one.

    what: the thing that is asked for, as a reason begins with it.
    """
    return Registry(repository, lambda: login(repository.host, repository.name, secret, workspace), what)


class Registry:
    """One repository, for the time of one piece of work: the login is looked up when it is first needed, and once.

    Raises TemporaryFault where the registry does not answer, throttles or is broken; PermanentFault where it does not
    let us in, or what it says cannot be read.
    """

    def __init__(self, repository: Repository, login: Callable[[], Login | None], what: str) -> None:
        self._host = repository.host
        self._name = repository.name
        self._login = cache(login)
        self._what = what
        self._authorization = ""

    @cached_property
    def _base(self) -> str:
        return f"{web.scheme_of(self._host)}://{self._host}/v2/{self._name}"

    def digest(self, reference: str) -> str | None:
        """The digest behind a tag, by one HEAD request; empty where the registry keeps it to itself, None if absent."""
        answer = self._ask(f"{self._base}/manifests/{reference}", _TEXT, method="HEAD", accept=_MANIFESTS)
        if answer.status == _NOT_FOUND:
            return None
        told = str(self._good(answer).headers.get("Docker-Content-Digest", ""))
        return told if DIGEST.fullmatch(told) else ""

    def manifest(self, reference: str) -> bytes | None:
        """The manifest behind a tag or digest, verified in the latter case; None where there is none."""
        answer = self._ask(f"{self._base}/manifests/{reference}", _TEXT, accept=_MANIFESTS)
        if answer.status == _NOT_FOUND:
            return None
        content = self._good(answer).content
        if DIGEST.fullmatch(reference):
            self._verify(content, reference)
        return content

    def blob(self, digest: str, seconds: float = 30.0) -> bytes:
        """The content of that digest, verified."""
        content = self._good(self._ask(f"{self._base}/blobs/{digest}", Bounds(seconds))).content
        self._verify(content, digest)
        return content

    def _ask(self, url: str, bounds: Bounds, *, method: str = "GET", accept: str = "*/*") -> Answer:
        """The answer; asked a second time, as somebody, where nobody in particular gets none.

        Some registries say of what is private that it is not there. ECR knows no anonymous.
        """
        if not self._authorization and ecr_region(self._host):
            self._authorization = self._basic()
        answer = self._send(url, bounds, method, accept)
        if answer.status == _NOT_FOUND and not self._authorization and (basic := self._basic()):
            self._authorization = basic
            answer = self._send(url, bounds, method, accept)
        if answer.status == _UNAUTHORIZED and not self._authorization.startswith("Bearer"):
            self._authorization, was = self._answer_to(answer.headers), self._authorization
            answer = self._send(url, bounds, method, accept) if self._authorization != was else answer
        return answer

    def _send(self, url: str, bounds: Bounds, method: str, accept: str) -> Answer:
        headers = {"Accept": accept}
        return web.ask(url, self._what, bounds, method=method, headers=headers, authorization=self._authorization)

    def _answer_to(self, headers: Message) -> str:
        """The Authorization that the registry asks for: https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate."""
        challenges = ", ".join(str(each) for each in headers.get_all("WWW-Authenticate", []))
        bearer = _BEARER.search(challenges)
        return self._token(dict(_PARAMETER.findall(bearer[1]))) if bearer else self._basic()

    def _token(self, challenge: dict[str, str]) -> str:
        scope = challenge.get("scope") or f"repository:{self._name}:pull"
        query = {"service": challenge.get("service", ""), "scope": scope}
        realm = challenge.get("realm", "")
        self._check_realm(realm)
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        answer = self._good(web.ask(url, self._what, _TEXT, authorization=self._basic()))
        try:
            said = json.loads(answer.content)
            return f"Bearer {said.get('token') or said['access_token']}"
        except (ValueError, LookupError, AttributeError):
            # Not chained: the parser's error holds what it could not read.
            raise PermanentFault(f"{self._what}: the registry's login answers without a token") from None

    def _check_realm(self, realm: str) -> None:
        """Passwords go to https alone; a registry on this machine may send us on to this machine."""
        place = urlsplit(realm)
        both_here = web.is_loopback(place.netloc) and web.is_loopback(self._host)
        if place.scheme != "https" and not (place.scheme == "http" and both_here):
            raise PermanentFault(f"{self._what}: the registry's login is not at an https URL")

    def _basic(self) -> str:
        found = self._login()
        return found.basic if found else ""

    def _good(self, answer: Answer) -> Answer:
        if answer.is_good:
            return answer
        said = f"{self._what}: {answer.status} {answer.reason}"
        if answer.status not in {_UNAUTHORIZED, _FORBIDDEN}:
            raise PermanentFault(said)
        if ecr_region(self._host):
            raise PermanentFault(
                f"{said}; let the installer's role read the repository (ecr:BatchGetImage, ecr:GetDownloadUrlForLayer)"
            )
        raise PermanentFault(
            f"{said}; there is no such repository, or it is private: give registry_secret in pipelines.yaml, a secret"
            f" whose login for {self._host} may read it"
        )

    def _verify(self, content: bytes, digest: str) -> None:
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise TemporaryFault(f"{self._what}: came damaged, not as {digest}", _RETRY_SECONDS)
