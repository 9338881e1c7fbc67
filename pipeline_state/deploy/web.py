"""One way to ask the web for chart and image: https with verified certificates, bounded in time and size.

Plain http is spoken with this very machine alone. What lets us in somewhere never follows a redirect elsewhere.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import lru_cache
from ipaddress import ip_address
from typing import IO, Any
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from pipeline_state.faults import PermanentFault, TemporaryFault

MAX_BYTES = 20 * 1024 * 1024
"""Helm itself keeps a release, chart included, in a Secret of at most 1 MB; this only guards memory."""

_RETRY_SECONDS = 30.0
_THROTTLED_SECONDS = 60.0
_LONGEST_SECONDS = 900.0
_CHUNK = 256 * 1024
_THROTTLED = 429
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class Bounds:
    """seconds: how long the other side may be silent, and six times that in all. size: of the body, in bytes."""

    seconds: float = 30.0
    size: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Answer:
    """What the web said, after redirects: 2xx, 3xx and 4xx, to be judged by who asked."""

    status: int
    reason: str
    headers: Message = field(default_factory=Message)
    content: bytes = b""

    @property
    def is_good(self) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers


_USUAL = Bounds()
_OWN_MACHINE = Bounds(5.0)
_OURS = {"Accept": "*/*", "User-Agent": "gatestream"}
_NO_MORE: Mapping[str, str] = {}


def ask(
    url: str,
    what: str,
    bounds: Bounds = _USUAL,
    *,
    method: str = "GET",
    headers: Mapping[str, str] = _NO_MORE,
    authorization: str = "",
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """The answer to a GET or HEAD. what: the thing that is fetched, as a reason begins with it.

    headers: more of them, or others than ours. trust: whom, instead of those whom the system trusts. The authorization
    reaches the host of the URL alone. Raises TemporaryFault where nobody answers, or with 408, 429 or 5xx;
    PermanentFault for what is no https URL, a certificate nobody vouches for, and a body that is too large.
    """
    try:
        wanted = request.Request(url, headers=_OURS | dict(headers), method=method)  # noqa: S310 - the opener knows no other scheme than https
        if authorization:
            wanted.add_unredirected_header("Authorization", authorization)
        return _opened(wanted, what, bounds, trust)
    except HTTPError as error:
        with error:  # it holds the connection
            return _refusal(what, error)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _fault(what, error) from error


def is_loopback(host: str) -> bool:
    """Whether the host, "name" or "name:port", is this very machine."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def scheme_of(host: str) -> str:
    """How to ask a host: by https, and this very machine by http where it answers that: TLS hangs up, or says 400."""
    if not is_loopback(host):
        return "https"
    try:
        answer = ask(f"http://{host}/v2/", f"registry {host}", _OWN_MACHINE)
    except TemporaryFault as fault:
        cause = getattr(fault.__cause__, "reason", fault.__cause__)
        if isinstance(cause, http.client.BadStatusLine | ConnectionResetError | BrokenPipeError):
            return "https"
        raise
    return "https" if answer.status == _REFUSED else "http"


def _opened(wanted: request.Request, what: str, bounds: Bounds, trust: ssl.SSLContext | None) -> Answer:
    ends = time.monotonic() + 6 * bounds.seconds
    content = bytearray()
    with _opener(wanted, trust).open(wanted, timeout=bounds.seconds) as response:
        while part := response.read1(_CHUNK):
            content += part
            if len(content) > bounds.size:
                raise PermanentFault(f"{what} is larger than {bounds.size} bytes")
            if time.monotonic() > ends:
                raise TimeoutError("it came too slowly")
        if response.length:  # read1 ends without a word where the line does
            raise http.client.IncompleteRead(b"", response.length)
        return Answer(response.status, response.reason, response.headers, bytes(content))


def _refusal(what: str, error: HTTPError) -> Answer:
    if error.code in {408, _THROTTLED} or error.code >= 500:  # noqa: PLR2004 - HTTP's own numbers
        raise TemporaryFault(f"{what}: {error.code} {error.reason}", _delay(error)) from error
    return Answer(error.code, str(error.reason), error.headers)


def _delay(error: HTTPError) -> float:
    """As the other side wishes, within reason: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after, in seconds."""
    usual = _THROTTLED_SECONDS if error.code == _THROTTLED else _RETRY_SECONDS
    said = error.headers.get("Retry-After", "")
    return min(max(float(said), 1.0), _LONGEST_SECONDS) if said.isascii() and said.isdigit() else usual


def _fault(what: str, error: Exception) -> PermanentFault | TemporaryFault:
    """Of a str: not https, or not a URL at all; a ValueError that is no OSError is one that urllib could not read."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError | str):
        return PermanentFault(f"{what}: {reason}")
    if not isinstance(error, OSError | http.client.HTTPException) or isinstance(error, http.client.InvalidURL):
        return PermanentFault(f"{what}: not a URL that can be asked")
    return TemporaryFault(f"{what}: {reason}", _RETRY_SECONDS)


class _Verified(request.HTTPSHandler):
    """https, with a certificate that somebody vouches for.

    Whom the system trusts is read once that is asked: it takes 15 ms, and this machine is spoken to without.
    """

    def __init__(self, trust: ssl.SSLContext | None) -> None:
        super().__init__(context=trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self._trust = trust

    def https_open(self, req: request.Request) -> http.client.HTTPResponse:
        context = self._trust or _trust(ssl.get_default_verify_paths())
        return self.do_open(http.client.HTTPSConnection, req, context=context)


class _PlainOnThisMachine(request.HTTPHandler):
    """http, as far as the machine's own addresses."""

    def http_open(self, req: request.Request) -> http.client.HTTPResponse:
        if not is_loopback(req.host):
            raise URLError("plain http is for this machine only; use https")
        return super().http_open(req)


class _Redirects(request.HTTPRedirectHandler):
    """Redirects keep the method; an authorization goes on to the same scheme, host and port alone."""

    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> request.Request | None:
        followed = super().redirect_request(req, fp, code, msg, headers, newurl)
        if followed is None:
            return None
        followed.method = req.get_method()
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        authorization = req.unredirected_hdrs.get("Authorization")
        if authorization and (old.scheme, old.netloc) == (new.scheme, new.netloc):
            followed.add_unredirected_header("Authorization", authorization)
        return followed


def _opener(wanted: request.Request, trust: ssl.SSLContext | None) -> request.OpenerDirector:
    """An opener that knows https alone, so that no redirect leads to plain http or a file; but for a plain beginning.

    This machine is not behind a proxy.
    """
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler({} if is_loopback(wanted.host or "") else None),
        _Verified(trust),
        *([_PlainOnThisMachine()] if wanted.type == "http" else []),
        _Redirects(),
        request.HTTPErrorProcessor(),
        request.HTTPDefaultErrorHandler(),
        request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


@lru_cache(maxsize=4)
def _trust(_: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """Whom to trust, read once for each place that the environment names: reading takes longer than a request."""
    return ssl.create_default_context()
