"""A change of a record is a wake-up: look, decide, claim, publish, mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipeline_state import tracing
from pipeline_state.events.deployment import promoted
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.faults import TemporaryFault
from pipeline_state.handlers.batch import Batch, Handle
from pipeline_state.model.decide import decide
from pipeline_state.model.decision import Decision, Promote, Promoted
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.times import format_time
from pipeline_state.settings import read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now
from pipeline_state.table.claims import claim, claimed_promotions, mark_published
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import connect, tables_of, to_plain
from pipeline_state.table.results import note_hand_edits
from pipeline_state.table.retry import ATTEMPTS, RepeatedError, step_aside
from pipeline_state.table.snapshot import Reader, Snapshot
from pipeline_state.table.stream import Change, read_change
from pipeline_state.table.transaction import ConflictError, RefusedError

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Promoter:
    """Promotes commits whose gates have opened.

    topic_arn: of the promotions' FIFO topic. now: the current time, aware.
    """

    reader: Reader
    publisher: Publisher
    topic_arn: str
    now: Callable[[], datetime]

    def consider(self, record: Mapping[str, Any]) -> None:
        """One record of the Gates table's stream. Raises PermanentFault and TemporaryFault."""
        change = read_change(record)
        if not change.matters:
            return
        parent = tracing.trace_of(change.repo, change.commit)
        with tracing.message_span("check for promotion", parent=parent):
            sent_at = int(change.at.timestamp() * 1000)
            tracing.transit("stream", sent_at_ms=sent_at, now=self.now(), parent=parent)
            if change.edits:
                self._note(change)
            self._promote(change.repo, change.commit)

    def _note(self, change: Change) -> None:
        values = to_plain({name: value for name, value in change.edits.items() if value is not None})
        shown = {name: str(values.get(name, "removed"))[:_SHOWN] for name in change.edits}
        happening = Happening(
            repo=change.repo,
            commit=change.commit,
            time=format_time(change.at),
            id=change.id,
            source="/gatestream/stream",
            kind="edited by hand",
            by=_claimed_by(values),
            verified=False,
            what=shown,
        )
        with tracing.span("note hand edit", gates=", ".join(change.edits)):
            try:
                note_hand_edits(change.edits, happening)
            except RepeatedError:
                tracing.add_field("repeated", True)  # noqa: FBT003 - a field's value

    def _promote(self, repo: str, commit: str) -> None:
        """Decide and act until nobody's concurrent write has come between."""
        for _ in range(ATTEMPTS):
            try:
                snapshot = self.reader.read(repo, commit)
                is_old = [
                    self._act(snapshot, pipeline, decision)
                    for pipeline in snapshot.definitions.pipelines
                    for decision in self._decide(snapshot, pipeline)
                ]
            except RefusedError:
                continue
            except ConflictError:
                step_aside()
                continue
            if not any(is_old):
                return
        raise TemporaryFault(f"others keep changing what {repo}@{commit[:12]} depends on", delay_seconds=1)

    def _decide(self, snapshot: Snapshot, pipeline: Pipeline) -> list[Decision]:
        states = snapshot.states.get(pipeline.name, {})
        decisions = decide(snapshot.record, states, pipeline, snapshot.definitions.declared, self.now())
        for decision in decisions:
            tracing.add_field(f"decision.{pipeline.key_of(decision.environment)}", decision.kind)
        return decisions

    def _act(self, snapshot: Snapshot, pipeline: Pipeline, decision: Decision) -> bool:
        """Whether an earlier claim had to be seen to first, so that there may be more to decide."""
        if isinstance(decision, Promote):
            with tracing.span("claim", environment=decision.environment):
                promotions = claim(snapshot, pipeline, decision, self.now())
        elif isinstance(decision, Promoted) and not decision.published:
            # A claim that nobody marked: its promoter may have died before publishing. The ids are the same.
            promotions = claimed_promotions(pipeline.name, decision.environment, decision.generation)
        else:
            return False
        for promotion in promotions:
            self._publish(promotion)
        first = promotions[0]
        mark_published(first.repo, first.commit, first.environment_key, first.generation)
        return isinstance(decision, Promoted)

    def _publish(self, promotion: Promotion) -> None:
        with tracing.span("send event", release=promotion.release.name, environment=promotion.environment):
            context = tracing.current() or tracing.trace_of(promotion.repo, promotion.commit)
            event = promoted(replace(promotion, traceparent=context.traceparent), at=self.now())
            self.publisher.publish_ordered(event, self.topic_arn, group=promotion.lock)


def handler() -> Handle:
    """What answers a batch of the Gates table's stream, put together from the settings. Raises MissingSettingError."""
    settings = read_settings(
        "gates_table",
        "environments_table",
        "journal_table",
        "pipelines_table",
        "promotion_topic_arn",
        "dead_letter_queue_url",
    )
    clients = Clients(settings)
    start_tracing("promoter", settings, lambda: clients("secretsmanager"))
    connect(tables_of(settings))
    promoter = Promoter(Reader(), Publisher(clients("sns")), settings.promotion_topic_arn, utc_now)
    return Batch(promoter.consider, Queue(settings.dead_letter_queue_url, lambda: clients("sqs"))).changes


def _claimed_by(values: Mapping[str, Any]) -> str:
    """Who the written evidence says it was; only a claim, since anybody can write anything there."""
    names = {str(value["by"]) for value in values.values() if isinstance(value, Mapping) and value.get("by")}
    return ", ".join(sorted(names))[:_SHOWN] or "unknown"
