"""GitHub's REST API: who calls it, and one call. Nothing here ever shows a token."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message
from http.client import HTTPException
from typing import Any, Protocol
from urllib import request
from urllib.error import HTTPError
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state.faults import PermanentFault, TemporaryFault

PUBLIC_API = "https://api.github.com"

_SECONDS = 5.0
"""For a connection and for each wait on it; GitHub answers within one."""

_MAX_BYTES = 5 * 1024 * 1024
"""A page of a hundred deliveries has some 50 KB; this only guards memory."""

_MINUTE = 60.0
_HOUR = 3600.0
_API = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._/-]*)?|http://127\.0\.0\.1(:\d+)?")
_HINTS = {
    401: "the token is refused: put one that is valid into the secret",
    403: "the token may not do this: it wants admin:org_hook, or write access to the organisation's webhooks",
    404: "there is no such hook, or the token may not see it: compare organization and hook_id with GitHub's",
}


class RefusedCall(PermanentFault):
    """GitHub refuses a call for good. status: what it answered, a number of HTTP."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Signer(Protocol):
    """What signs for a GitHub App: boto3's client of KMS."""

    def sign(self, **request: Any) -> Mapping[str, Any]:
        """KMS's `Sign`."""


@dataclass(frozen=True, slots=True)
class Access:
    """Which hook is meant, and what proves that we may look after it.

    hook: its path in the API at the base URL `api`. Either a token, or an App's id and the KMS key that signs for it.
    """

    api: str
    hook: str
    token: str = field(default="", repr=False)
    app_id: str = ""
    kms_key_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What GitHub answered. content: its parsed JSON, None where there was no body; link: the header, or ""."""

    content: Any
    link: str


def read_access(text: str) -> Access:
    """What a secret says, of an organisation's hook or of an App's. Raises PermanentFault naming the wrong field.

    {"token": "…", "organization": "…", "hook_id": 123} or {"app_id": 123, "kms_key_id": "…"}; "api" is the base URL of
    a GitHub Enterprise Server. The fault never quotes a value.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None  # the error would quote the secret, and hang on to what is raised here
    if not isinstance(given, dict):
        raise PermanentFault("the secret for redelivery is not a JSON object; README, Missed deliveries, shows it")
    api = _text(given, "api", _API).rstrip("/") if "api" in given else PUBLIC_API
    if "app_id" in given:
        if "token" in given:
            raise PermanentFault("the secret for redelivery has app_id and token: keep one of them")
        app_id, key = _text(given, "app_id", re.compile(r"[\w.-]+")), _text(given, "kms_key_id", re.compile(r"[!-~]+"))
        return Access(api, "/app/hook", app_id=app_id, kms_key_id=key)
    organization = quote(_text(given, "organization", re.compile(r"[\w-]+")))
    hook_id = _text(given, "hook_id", re.compile(r"[0-9]+"))
    token = _text(given, "token", re.compile(r"[!-~]+"))  # anything else would break the header, and be quoted by it
    return Access(api, f"/orgs/{organization}/hooks/{hook_id}", token=token)


def bearer(access: Access, kms: Callable[[], Signer], now: datetime) -> str:
    """The token to call with: the one given, or one made for the App that holds for nine minutes.

    KMS signs that, so that the App's private key is in no function and no secret. Raises TemporaryFault.
    """
    if access.token:
        return access.token
    times = {
        "iat": int((now - timedelta(seconds=60)).timestamp()),
        "exp": int((now + timedelta(minutes=9)).timestamp()),
    }
    unsigned = f"{_segment({'alg': 'RS256', 'typ': 'JWT'})}.{_segment({**times, 'iss': access.app_id})}"
    try:
        signed = kms().sign(
            KeyId=access.kms_key_id,
            Message=unsigned.encode(),
            MessageType="RAW",
            SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
        )
    except (BotoCoreError, ClientError) as fault:
        code = fault.response["Error"]["Code"] if isinstance(fault, ClientError) else type(fault).__name__
        raise TemporaryFault(f"KMS did not sign for the GitHub App: {code}", _MINUTE) from fault
    return f"{unsigned}.{_base64(signed['Signature'])}"


class GitHub:
    """Calls of one API with one token. now: the time at the calls, aware, to tell how long a rate limit holds."""

    def __init__(self, api: str, token: str, now: datetime) -> None:
        self._api = api
        self._token = token
        self._now = now
        self._opener = _opener(api)

    def call(self, method: str, path: str) -> Answer:
        """One call. Raises RefusedCall, or TemporaryFault with the time after which to come back.

        Redirects are not followed: they would take the token along to another host.
        """
        asked = request.Request(self._api + path, method=method)  # noqa: S310 - _API allows https and loopback only
        asked.add_header("Accept", "application/vnd.github+json")
        asked.add_header("User-Agent", "gatestream")  # GitHub wants one
        asked.add_header("Authorization", f"Bearer {self._token}")
        shown = f"GitHub, {method} {path.partition('?')[0]}"
        try:
            with self._opener.open(asked, timeout=_SECONDS) as response:
                body = response.read(_MAX_BYTES)
                return Answer(json.loads(body) if body else None, response.headers.get("link", ""))
        except HTTPError as error:
            with error:  # it holds the connection
                raise _refusal(shown, error.code, error.headers, self._now) from error
        except (OSError, HTTPException) as error:
            raise TemporaryFault(f"{shown}: {getattr(error, 'reason', type(error).__name__)}", _MINUTE) from error
        except (ValueError, RecursionError) as error:
            raise TemporaryFault(f"{shown}: the answer is not JSON", _MINUTE) from error


def _text(given: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    """A field as text; whole numbers may be written as numbers."""
    value = given.get(name)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not form.fullmatch(text.strip()):
        state = "wrong" if name in given else "missing"
        raise PermanentFault(f"the secret for redelivery: {name} is {state}; README, Missed deliveries, shows it")
    return text.strip()


def _segment(part: Mapping[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _opener(api: str) -> request.OpenerDirector:
    """An opener that knows the API's scheme alone, and neither redirects nor files."""
    https = (request.ProxyHandler(), request.HTTPSHandler())
    scheme = https if api.startswith("https:") else (request.HTTPHandler(),)
    opener = request.OpenerDirector()
    for handler in (*scheme, request.HTTPErrorProcessor(), request.HTTPDefaultErrorHandler(), request.UnknownHandler()):
        opener.add_handler(handler)
    return opener


def _refusal(shown: str, status: int, headers: Message, now: datetime) -> RefusedCall | TemporaryFault:
    """What an answer other than 2xx means."""
    exhausted = headers.get("x-ratelimit-remaining") == "0"
    if status == 429 or (status == 403 and (exhausted or "retry-after" in headers)):  # noqa: PLR2004 - HTTP's numbers
        return TemporaryFault(f"{shown}: GitHub's rate limit is reached", _delay(headers, now))
    if status == 408 or status >= 500:  # noqa: PLR2004 - the same
        return TemporaryFault(f"{shown}: {status}", _MINUTE)
    if status < 400:  # noqa: PLR2004 - the same
        return RefusedCall(f"{shown}: moved; put the organisation's name, or api, as it is now into the secret", status)
    return RefusedCall(f"{shown}: {status}; {_HINTS.get(status, 'GitHub does not take the call')}", status)


def _delay(headers: Message, now: datetime) -> float:
    """Seconds to wait after a rate limit, as GitHub documents them; at most an hour, after which every limit is new."""
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdecimal():
        seconds = float(after)
    elif headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        seconds = float(reset) - now.timestamp()
    else:
        seconds = _MINUTE
    return min(max(seconds, 1.0), _HOUR)
