"""A promotion becomes a Helm release: lease, Helm, result."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline_state import tracing
from pipeline_state.deploy import Deployed, Failed, Install, Workspace, install
from pipeline_state.events import deployment
from pipeline_state.events.codec import decode, encode
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers.batch import Batch, Failures, Record, backing_off
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.times import format_time, parse_time
from pipeline_state.settings import Settings, read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now
from pipeline_state.table import leases
from pipeline_state.table.leases import Barred, Busy, Finished, Overtaken
from pipeline_state.table.models import connect, tables_of

if TYPE_CHECKING:
    from cloudevents.core.v1.event import CloudEvent

_log = logging.getLogger(__name__)

_LONGEST_DELAY = 120
"""Seconds between two attempts: a newer promotion of the release waits behind them, and is what counts by then."""

_RESERVE = 10
"""Seconds of the invocation kept for publishing the result."""


@dataclass(frozen=True, slots=True)
class HelmInstaller:
    """Carries out promotions.

    results_topic, promotions_topic: ARNs. attempts: how often a message is tried while the machinery is broken, before
    the deployment counts as failed. now: the current time, aware.
    """

    publisher: Publisher
    results_topic: str
    promotions_topic: str
    workspace: Workspace
    attempts: int
    now: Callable[[], datetime]

    def install(self, message: Mapping[str, Any], *, owner: str, seconds: float) -> None:
        """One SQS message, its body a promotion. owner: unique to the invocation, which has so many seconds left.

        Raises PermanentFault and TemporaryFault.
        """
        event = decode(message["body"])
        promotion = deployment.read_promotion(event)
        parent = tracing.parse_traceparent(promotion.traceparent) or tracing.trace_of(promotion.repo, promotion.commit)
        fields = {"environment": promotion.environment, "release": promotion.release.name}
        with tracing.message_span("install", parent=parent, fields=fields):
            sent_at = int(message["attributes"]["SentTimestamp"])
            tracing.transit("SNS and SQS FIFO", sent_at_ms=sent_at, now=self.now(), parent=parent)
            last = int(message["attributes"]["ApproximateReceiveCount"]) >= self.attempts
            promotion = replace(promotion, traceparent=_here(promotion))
            self._under_lease(promotion, event, owner, seconds, is_last_attempt=last)

    def _under_lease(
        self, promotion: Promotion, event: CloudEvent, owner: str, seconds: float, *, is_last_attempt: bool
    ) -> None:
        lease = self._lease(promotion, event, owner, seconds)
        if isinstance(lease, Busy):
            tracing.add_field("lease_until", lease.until)
            if lease.same:
                left = lease.until - self.now().timestamp()
                raise TemporaryFault("another invocation installs this promotion, or died with it", max(left, 1))
            return
        if isinstance(lease, Finished):
            self._tell(promotion, lease.outcome)
            self._resume(promotion, lease.parked)
            return
        if isinstance(lease, Overtaken):
            self._publish(deployment.superseded(promotion, at=self.now(), by=lease.generation))
            self._resume(promotion, lease.parked)
            return
        if isinstance(lease, Barred):
            tracing.add_field("parked", lease.why)
            leases.park(promotion, encode(event).body)
            return
        self._carry_out(promotion, owner, seconds, is_last_attempt=is_last_attempt)

    def _lease(self, promotion: Promotion, event: CloudEvent, owner: str, seconds: float) -> leases.Lease:
        """The lease, or why not. Where an older promotion has it this one is parked, to be published again after it."""
        with tracing.span("take lease", generation=promotion.generation):
            now = self.now().timestamp()
            lease = leases.take(promotion, owner, now, now + seconds)
            if isinstance(lease, Busy) and not lease.same:
                parked = encode(event).body
                leases.park(promotion, parked)
                # It may have been given back between the refusal and the parking: then nobody would come for it.
                lease = leases.take(promotion, owner, now, now + seconds)
                if not isinstance(lease, Busy):
                    leases.unpark(promotion, parked)
        return lease

    def _carry_out(self, promotion: Promotion, owner: str, seconds: float, *, is_last_attempt: bool) -> None:
        broken = None
        try:
            self._publish(deployment.started(promotion, at=self.now()))
            result = install(_wanted(promotion), workspace=self.workspace, budget_seconds=seconds - _RESERVE)
        except PermanentFault as fault:
            result = Failed(fault.reason, 0)
        except Exception as error:
            reason = error.reason if isinstance(error, TemporaryFault) else f"unexpected {type(error).__name__}"
            if not is_last_attempt:
                leases.give_back(promotion, owner)
                self._publish(deployment.errored(promotion, at=self.now(), reason=f"{reason}; to be tried again"))
                raise
            broken = PermanentFault(f"given up after {self.attempts} attempts: {reason}")
            result = Failed(broken.reason, 0)
        outcome = {"at": format_time(self.now()), **asdict(result), "kind": _kind(result)}
        with tracing.span("give lease back"):
            parked = leases.finish(promotion, owner, outcome)
        if parked is None:
            raise PermanentFault("the release's lease had passed to another invocation; see its result")
        self._tell(promotion, outcome)
        self._resume(promotion, parked)
        if broken:
            raise broken

    def _tell(self, promotion: Promotion, outcome: Mapping[str, Any]) -> None:
        """Publish a result as it was kept, so that telling it twice is telling the same."""
        at = parse_time(outcome["at"]) or self.now()
        if outcome["kind"] == "failed":
            self._publish(deployment.failed(promotion, at=at, reason=outcome["reason"]))
            return
        action: deployment.Action = "deployed" if outcome["action"] == "deployed" else "upgraded"
        if promotion.action is Action.ROLLBACK:
            action = "rolledback"
        told = deployment.deployed(
            promotion,
            at=at,
            action=action,
            revision=int(outcome["revision"]),
            chart=outcome["chart"],
            digest=outcome.get("digest", ""),  # an older version kept none
        )
        self._publish(told)

    def _publish(self, event: CloudEvent) -> None:
        with tracing.span("send event", type=event.get_type()):
            self.publisher.publish(event, self.results_topic)

    def _resume(self, promotion: Promotion, parked: str | None) -> None:
        """Publish what was parked once more: under another deduplication id, since the first has been used up."""
        if parked:
            event = decode(parked)
            again = f"{event.get_id()}-{promotion.id}"
            self.publisher.publish_ordered(event, self.promotions_topic, group=promotion.lock, deduplication_id=again)
            leases.unpark(promotion, parked)


Answer = Callable[[Sequence[Record], str, float], Failures]


def handler() -> Answer:
    """What answers a batch of the Installs queue, put together from the settings. Raises MissingSettingError.

    The answer also takes the invocation's id and the seconds it has left.
    """
    settings = read_settings(
        "environments_table",
        "deployment_topic_arn",
        "promotion_topic_arn",
        "installs_queue_url",
        "dead_letter_queue_url",
    )
    clients = Clients(settings)
    start_tracing("helm_installer", settings, lambda: clients("secretsmanager"))
    connect(tables_of(settings))
    installer = HelmInstaller(
        publisher=Publisher(clients("sns")),
        results_topic=settings.deployment_topic_arn,
        promotions_topic=settings.promotion_topic_arn,
        workspace=_workspace(settings, clients),
        attempts=settings.install_attempts,
        now=utc_now,
    )
    dead_letters = Queue(settings.dead_letter_queue_url, lambda: clients("sqs"))

    def answer(records: Sequence[Record], owner: str, seconds: float) -> Failures:
        def work(message: Record) -> None:
            installer.install(message, owner=owner, seconds=seconds)

        patient = backing_off(work, lambda: clients("sqs"), settings.installs_queue_url, _LONGEST_DELAY)
        return Batch(patient, dead_letters, settings.receive_attempts).messages(records)

    return answer


def _workspace(settings: Settings, clients: Clients) -> Workspace:
    def fetch(secret: str) -> str:
        try:
            return str(clients("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"ResourceNotFoundException", "AccessDeniedException", "InvalidRequestException"}:
                raise PermanentFault(f"the kubeconfig secret {secret!r} cannot be read: {code}") from error
            raise TemporaryFault(f"Secrets Manager did not answer: {code}", 5) from error
        except BotoCoreError as error:
            raise TemporaryFault(f"Secrets Manager was not reached: {type(error).__name__}", 5) from error

    return Workspace(
        directory=Path(tempfile.gettempdir()) / "gatestream",
        charts_dir=Path(settings.charts_dir),
        local_kubeconfig=settings.local_kubeconfig,
        fetch_secret=fetch,
        environment=settings.helm_environment,
    )


def _wanted(promotion: Promotion) -> Install:
    return Install(promotion.release, promotion.cluster, promotion.commit, promotion.id)


def _kind(result: Deployed | Failed) -> str:
    return "failed" if isinstance(result, Failed) else "deployed"


def _here(promotion: Promotion) -> str:
    context = tracing.current()
    return context.traceparent if context else promotion.traceparent
