"""Webhook secrets, kept for as short a time as the calls to Secrets Manager allow."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state.faults import TemporaryFault

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_LONGEST_USE = 300.0
_RENEWED_AFTER = 240.0
_PAUSE = 10.0

_log = logging.getLogger(__name__)


class WebhookSecrets:
    """The secrets that are valid now: the JSON `{"secrets": ["current", "previous"]}` of one Secrets Manager secret.

    clock: seconds, never going back. The rules, all times since the last successful read:

        0 s ────────── used as they are ────────── 240 s ── renewed, or kept if that fails ── 300 s ── forgotten

    A signature that fits none has them read again at once, since they may just have been rotated. No two reads begin
    within 10 s, so that a flood of forgeries costs nothing; a secret that is about to be used must therefore be in
    Secrets Manager for 10 s before the first webhook signed with it. When Secrets Manager is out of reach the last
    minute of use remains, and after it TemporaryFault: the sender may come again, and no forgotten secret is accepted.
    """

    def __init__(self, client: SecretsManagerClient, secret_id: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._secrets: tuple[str, ...] = ()
        self._read_at = float("-inf")
        self._tried_at = float("-inf")

    def vouch(self, signed: Callable[[Sequence[str]], bool]) -> bool:
        """Whether one of the valid secrets signed it. Raises TemporaryFault when no valid secret is known."""
        if self._age() >= _RENEWED_AFTER:
            self._renew()
        if self._age() >= _LONGEST_USE:
            raise TemporaryFault("no webhook secret can be read; check Secrets Manager and the function's role", _PAUSE)
        return signed(self._secrets) or (self._renew() and signed(self._secrets))

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _renew(self) -> bool:
        """Reads them again unless that was tried a moment ago; False leaves the old ones as they were."""
        if self._clock() - self._tried_at < _PAUSE:
            return False
        self._tried_at = self._clock()
        try:
            answer = self._client.get_secret_value(SecretId=self._secret_id)
            self._secrets = _usable(answer["SecretString"])
        except (BotoCoreError, ClientError, LookupError, TypeError, ValueError) as fault:
            _log.error("webhook secrets not read: %s", type(fault).__name__)
            return False
        self._read_at = self._tried_at
        return True


def _usable(text: str) -> tuple[str, ...]:
    """An empty secret would let everybody sign, so it refuses the whole value. The error never quotes it."""
    secrets = json.loads(text)["secrets"]
    usable = isinstance(secrets, list) and all(isinstance(secret, str) and secret.strip() for secret in secrets)
    if not usable or not secrets:
        raise ValueError('expected {"secrets": ["…", …]} with at least one secret')
    "".join(secrets).encode()  # raises ValueError for what could sign nothing
    return tuple(secrets)
