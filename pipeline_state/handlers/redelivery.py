"""A webhook that GitHub could not deliver is asked for again, once an hour, beside what else is due then."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state import tracing
from pipeline_state.events.github_api import Access, GitHub, Signer, bearer, read_access
from pipeline_state.events.redelivery import INTERVAL, KEPT, MARGIN, SOON, Deliveries, Outcome
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.settings import Settings
from pipeline_state.startup import Clients, utc_now
from pipeline_state.table import redelivery as looks

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Redelivery:
    """Looks after one hook of GitHub. The tables have to be connected.

    secret_arn: of the secret that says which hook, "" for none. secrets and kms make a client when one is needed.
    now: the current time, aware. clock: seconds, never going back.
    """

    secret_arn: str
    secrets: Callable[[], SecretsManagerClient]
    kms: Callable[[], Signer]
    now: Callable[[], datetime]
    clock: Callable[[], float]

    def repair(self) -> dict[str, Any]:
        """Have missed deliveries delivered again if it is time to look: {"looked": …, "failed": n, "redelivered": n}.

        A fault is logged and leaves the look for later; it never reaches the caller.
        """
        outcome = None
        if self.secret_arn:
            try:
                outcome = self._repair()
            except (PermanentFault, TemporaryFault) as fault:
                _log.error("missed deliveries: %s", fault.reason)
        report = outcome or Outcome()
        return {"looked": outcome is not None, "failed": report.failed, "redelivered": report.redelivered}

    def _repair(self) -> Outcome | None:
        """How the look went; None when it is not time for one. Raises the tables' faults."""
        look = looks.claim(uuid.uuid4().hex, self.now(), INTERVAL)
        if look is None:
            return None
        with tracing.span("look for missed deliveries"):
            outcome = self._look(look)
            tracing.add_field("failed", outcome.failed)
            tracing.add_field("redelivered", outcome.redelivered)
        self._settle(look, outcome)
        return outcome

    def _look(self, look: looks.Look) -> Outcome:
        now = self.now()
        oldest = now - KEPT
        since = max(look.looked_at - MARGIN, oldest) if look.looked_at else oldest
        try:
            access = self._access()
            github = GitHub(access.api, bearer(access, self.kms, now), now)
        except (PermanentFault, TemporaryFault) as fault:
            return Outcome(cursor=look.cursor, fault=fault)
        return Deliveries(github, access.hook, self.clock).repair(now, since, look.cursor)

    def _access(self) -> Access:
        """What the secret says, read anew for each look, so that a new token counts from then on."""
        try:
            text = self.secrets().get_secret_value(SecretId=self.secret_arn)["SecretString"]
        except (BotoCoreError, ClientError, KeyError) as fault:
            raise TemporaryFault(f"the secret for redelivery is not read: {type(fault).__name__}") from fault
        return read_access(text)

    def _settle(self, look: looks.Look, outcome: Outcome) -> None:
        """Keep how far the look came, and when the next is due."""
        if outcome.is_over:
            looks.finish(look)
            return
        pause = SOON
        if outcome.fault:
            _log.error("missed deliveries: %s", outcome.fault.reason)
            pause = max(pause, timedelta(seconds=getattr(outcome.fault, "delay_seconds", 0.0)))
        looks.give_back(look, self.now() + pause, outcome.cursor)


def redelivery(settings: Settings, clients: Clients) -> Redelivery | None:
    """What looks after GitHub's hook, if the settings name a secret for it."""
    arn = settings.github_redelivery_arn
    if not arn:
        return None
    return Redelivery(arn, lambda: clients("secretsmanager"), lambda: clients("kms"), utc_now, time.monotonic)
