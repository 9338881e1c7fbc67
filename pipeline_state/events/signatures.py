"""Who may speak: HMAC-SHA256 of the raw body, as GitHub and CircleCI sign their webhooks.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
https://circleci.com/docs/guides/integration/outbound-webhooks/ (section "Validate webhooks")
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

GITHUB_HEADER = "x-hub-signature-256"
CIRCLECI_HEADER = "circleci-signature"

_GITHUB = re.compile(r"sha256=([0-9a-f]{64})")
_CIRCLECI_V1 = re.compile(r"v1=([0-9a-f]{64})")


def github_signed(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether `X-Hub-Signature-256` proves that one of the secrets signed the body. Anything malformed: False."""
    match = _GITHUB.fullmatch(header or "")
    return match is not None and _signed(body, [match[1]], secrets)


def circleci_signed(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """The same for `circleci-signature`: a comma-separated list of versions, of which v1 is the one that exists."""
    matches = (_CIRCLECI_V1.fullmatch(part.strip()) for part in (header or "").split(","))
    return _signed(body, [match[1] for match in matches if match], secrets)


def sign(body: bytes, secret: str) -> str:
    """The signature's 64 hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _signed(body: bytes, given: Sequence[str], secrets: Sequence[str]) -> bool:
    """Every secret is tried, whichever fits, so that the time taken tells nothing about which one did."""
    expected = [sign(body, secret) for secret in secrets]
    return any([hmac.compare_digest(one, other) for one in expected for other in given])  # noqa: C419 - a generator stops early
