"""A change of a table is a wake-up: of a record, for its commit; of an environment, for all that waits there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pipeline_state import metrics, tracing
from pipeline_state.events.publish import Publisher, Queue
from pipeline_state.handlers import hops
from pipeline_state.handlers.batch import Batch, Handle
from pipeline_state.handlers.promotion import Outcome, Promotions
from pipeline_state.handlers.waits_told import tell_ended
from pipeline_state.model.entries import EDITED, KEPT, kept_value
from pipeline_state.model.times import format_time
from pipeline_state.settings import read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now
from pipeline_state.table import waiting
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import connect, tables_of, to_plain
from pipeline_state.table.results import note_hand_edits
from pipeline_state.table.retry import RepeatedError
from pipeline_state.table.snapshot import Reader, Snapshot
from pipeline_state.table.stream import Change, read_change, read_opening

_LONGEST = timedelta(seconds=20)
"""For what waits in many repositories at once; the sweeper comes to the rest within a minute."""


@dataclass(frozen=True, slots=True)
class Promoter:
    """Promotes commits whose gates, or whose environments, have opened. now: the current time, aware."""

    promotions: Promotions
    now: Callable[[], datetime]

    def consider(self, record: Mapping[str, Any]) -> None:
        """One record of the stream of Gates or Environments. Raises PermanentFault and TemporaryFault."""
        if "environment" in record["dynamodb"]["Keys"]:
            self._consider_opening(record)
        else:
            self._consider_change(record)

    def _consider_opening(self, record: Mapping[str, Any]) -> None:
        opening = read_opening(record)
        if opening is None:
            return
        promotions = replace(self.promotions, since=opening.at)
        if opening.commit:
            with hops.checking(opening.repo, opening.commit):
                promotions.promote(opening.repo, opening.commit)
            return
        repos = [opening.repo] if opening.repo else dict.fromkeys(each.repo for each in waiting.everywhere())
        outcome, until = Outcome(), self.now() + _LONGEST
        for repo in repos:
            outcome.add(promotions.promote_waiting(repo))
            if self.now() > until:
                break
        outcome.raise_fault()

    def _consider_change(self, record: Mapping[str, Any]) -> None:
        change = read_change(record)
        if change.is_new and hops.attempt_of(record) == 1:
            about = hops.of_commit(change.repo, change.commit)
            tracing.send_root(change.repo, change.commit, start=change.pushed_at or change.at, fields=about)
        seen = self._check(change, record) if change.matters else None
        tell_ended(change, lambda: seen or self._snapshot(change), self.now())

    def _check(self, change: Change, record: Mapping[str, Any]) -> Snapshot | None:
        """The commit as it was looked at."""
        told: tracing.Fields = {**hops.of_change(record), "gates": ", ".join(change.gates)}
        with hops.checking(change.repo, change.commit, told):
            hops.changed(record, change.at, parent=tracing.trace_of(change.repo, change.commit), now=self.now())
            if change.edits:
                self._note(change)
            removed_at = change.at if change.lacks else None
            outcome = replace(self.promotions, since=removed_at).promote(change.repo, change.commit)
        metrics.count(metrics.GATE_CHANGES, len(change.gates), commits=f"{change.repo}@{change.commit}")
        return outcome.seen

    def _snapshot(self, change: Change) -> Snapshot:
        return self.promotions.reader.read(change.repo, change.commit, environments=False)

    def _note(self, change: Change) -> None:
        values = to_plain({name: value for name, value in change.edits.items() if value is not None})
        shown = {name: kept_value(values[name]) if name in values else None for name in change.edits}
        happening = Happening(
            repo=change.repo,
            commit=change.commit,
            time=format_time(change.at),
            id=change.id,
            source="/gatestream/stream",
            kind=EDITED,
            by=_claimed_by(values),
            verified=False,
            written_at=format_time(self.now()),
            what=shown,
        )
        with tracing.span("note hand edit", gates=", ".join(change.edits), by=happening.by):
            try:
                note_hand_edits(change.edits, happening)
            except RepeatedError:
                tracing.add_field("repeated", True)  # noqa: FBT003 - a field's value


def handler() -> Handle:
    """What answers a batch of either table's stream, put together from the settings. Raises MissingSettingError."""
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
    promotions = Promotions(Reader(), Publisher(clients("sns")), settings.promotion_topic_arn, utc_now)
    promoter = Promoter(promotions, utc_now)
    return Batch(promoter.consider, Queue(settings.dead_letter_queue_url, lambda: clients("sqs"))).changes


def _claimed_by(values: Mapping[str, Any]) -> str:
    """Who the written evidence says it was; only a claim, since anybody can write anything there."""
    names = {str(value["by"]) for value in values.values() if isinstance(value, Mapping) and value.get("by")}
    return ", ".join(sorted(names))[:KEPT] or "unknown"
