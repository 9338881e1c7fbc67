"""Events become gates: what a message from GateEvents does to its commit's record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline_state import tracing
from pipeline_state.events.codec import decode
from pipeline_state.events.deployment import Deployment, read_deployment
from pipeline_state.events.publish import Queue
from pipeline_state.faults import PermanentFault
from pipeline_state.handlers import hops
from pipeline_state.handlers.batch import Batch, Handle, backing_off
from pipeline_state.model.order import NO_COMMIT, Push
from pipeline_state.model.pipelines import DEPLOYED_TO, SourceKind
from pipeline_state.model.results import OUTCOMES, ReleaseResult, Result, source_kind
from pipeline_state.model.times import format_time
from pipeline_state.settings import read_settings
from pipeline_state.startup import Clients, start_tracing, utc_now
from pipeline_state.table.journal import Happening
from pipeline_state.table.models import connect, tables_of
from pipeline_state.table.pushes import record_push
from pipeline_state.table.results import record_deployment, record_news, record_result
from pipeline_state.table.retry import RepeatedError
from pipeline_state.table.snapshot import Reader

if TYPE_CHECKING:
    from cloudevents.core.v1.event import CloudEvent

MOST_PATHS, LONGEST_PATHS = 200, 8192
"""How many of a push's paths the journal keeps, and how many bytes of them: what has more is not wholly known there."""


@dataclass(frozen=True, slots=True)
class GateRecorder:
    """Records events. now: the current time, aware."""

    reader: Reader
    now: Callable[[], datetime]

    def record(self, message: Mapping[str, Any]) -> None:
        """One SQS message, its body a CloudEvent. Raises PermanentFault and TemporaryFault."""
        event = decode(message["body"])
        about = _commit_of(event)
        if about is None:
            return
        parent = hops.parent_of(str(event.get_extension("traceparent") or ""), *about)
        fields = {**hops.of_event(event), **hops.of_commit(*about)}
        with hops.handling("record gates", message, hop="SNS → SQS", parent=parent, now=self.now(), fields=fields):
            self._write(event, *about)

    def _write(self, event: CloudEvent, repo: str, commit: str) -> None:
        try:
            with tracing.span("write record", hops.DATABASE):
                self._transition(event, repo, commit)
        except RepeatedError:
            tracing.add_field("repeated", True)  # noqa: FBT003 - a field's value

    def _transition(self, event: CloudEvent, repo: str, commit: str) -> None:
        kind = source_kind(event.get_type())
        if event.get_type() == "com.github.push":
            self._push(event, repo, commit)
        elif kind is not None:
            self._result(kind, event, repo, commit)
        else:
            self._deployment(event, read_deployment(event))

    def _push(self, event: CloudEvent, repo: str, commit: str) -> None:
        data = _data(event)
        paths = data.get("paths")
        known = isinstance(paths, list) and data.get("paths_complete") is True and not data.get("created")
        push = Push(
            before=str(data.get("before") or NO_COMMIT),
            after=commit,
            pushed_at=str(data.get("pushed_at") or _time(event)),
            paths=tuple(str(path) for path in paths) if known and isinstance(paths, list) else None,
        )
        marks = {"forced": bool(data.get("forced")), "created": bool(data.get("created"))}
        what = {"branch": data["branch"], "before": push.before, "pushed_at": push.pushed_at, **marks, **_paths(push)}
        happening = self._happening(event, repo, commit, what)
        record_push(self.reader, str(data["branch"]), push, happening, _trace_of)

    def _result(self, kind: SourceKind, event: CloudEvent, repo: str, commit: str) -> None:
        data = _data(event)
        result = Result(
            kind=kind,
            name=str(data.get("name", "")),
            app=str(data.get("app", "")),
            status=str(data.get("status", "")),
            completed_at=str(data.get("completed_at") or _time(event)),
            url=str(data.get("url", "")),
            who=str(data.get("who", "")),
        )
        shown = ("name", "app", "status", "completed_at", "url")
        what = {name: getattr(result, name) for name in shown}
        record_result(self.reader, result, self._happening(event, repo, commit, what), _trace_of)

    def _deployment(self, event: CloudEvent, told: Deployment) -> None:
        promotion = told.promotion
        what = {
            "pipeline": promotion.pipeline,
            "environment": promotion.environment,
            "release": promotion.release.name,
            "generation": promotion.generation,
            "outcome": told.kind,
            "reason": told.reason,
            **{key: value for key, value in _measured(told).items() if value},
        }
        happening = self._happening(event, promotion.repo, promotion.commit, what)
        if told.kind not in OUTCOMES:
            record_news(happening)
            return
        result = ReleaseResult(
            gate=DEPLOYED_TO + promotion.environment_key,
            release=promotion.release.name,
            releases=promotion.releases,
            generation=promotion.generation,
            status=OUTCOMES[told.kind],
            at=format_time(told.at),
            reason=told.reason,
            revision=told.revision,
            chart=told.chart,
            digest=told.digest,
        )
        place = (promotion.pipeline, promotion.environment)
        record_deployment(self.reader, result, place, happening, _trace_of)

    def _happening(self, event: CloudEvent, repo: str, commit: str, what: Mapping[str, Any]) -> Happening:
        return Happening(
            repo=repo,
            commit=commit,
            time=_time(event),
            id=event.get_id(),
            source=event.get_source(),
            kind=event.get_type(),
            by=str(_data(event).get("who", "")),
            verified=True,
            written_at=format_time(self.now()),
            what=what,
        )


def _measured(told: Deployment) -> dict[str, Any]:
    """What the journal tells of a release where the installer knows it."""
    return {
        "digest": told.digest,
        "revision": told.revision,
        "chart": told.chart,
        "seconds": told.course.seconds,
        "healed": told.course.healed,
        "changes": told.course.changes,
        "output": told.course.output,
    }


def handler() -> Handle:
    """What answers a batch of the GateEvents queue, put together from the settings. Raises MissingSettingError."""
    settings = read_settings(
        "gates_table",
        "environments_table",
        "journal_table",
        "pipelines_table",
        "gate_events_queue_url",
        "dead_letter_queue_url",
    )
    clients = Clients(settings)
    start_tracing("gate_recorder", settings, lambda: clients("secretsmanager"))
    connect(tables_of(settings))
    dead_letters = Queue(settings.dead_letter_queue_url, lambda: clients("sqs"))
    record = GateRecorder(Reader(), utc_now).record
    patient = backing_off(record, lambda: clients("sqs"), settings.gate_events_queue_url)
    return Batch(patient, dead_letters, settings.receive_attempts).messages


def _commit_of(event: CloudEvent) -> tuple[str, str] | None:
    """The repository and commit an event puts into the record; None when it is about no commit of a branch.

    Deleted branches and tags are such: they were published, and there is nothing to record. Raises PermanentFault for
    an event that has no business in this queue.
    """
    type_ = event.get_type()
    if type_.startswith("dev.cdevents"):
        promotion = read_deployment(event).promotion
        return promotion.repo, promotion.commit
    if type_ != "com.github.push" and source_kind(type_) is None:
        raise PermanentFault(f"no gate is made of {type_}; mend the filter of the queue's subscription")
    data = _data(event)
    repo, commit = data.get("repo"), data.get("sha")
    if not repo or not commit or (type_ == "com.github.push" and not data.get("branch")):
        return None
    return str(repo), str(commit)


def _paths(push: Push) -> dict[str, Any]:
    """What the journal keeps of a push's paths."""
    paths = list(push.paths or ())
    size = sum(len(path.encode()) for path in paths)
    if push.paths is None or len(paths) > MOST_PATHS or size > LONGEST_PATHS:
        return {"paths_complete": False}
    return {"paths": paths, "paths_complete": True}


def _data(event: CloudEvent) -> Mapping[str, Any]:
    data = event.get_data()
    return data if isinstance(data, Mapping) else {}


def _time(event: CloudEvent) -> str:
    time = event.get_time()
    if time is None:
        raise PermanentFault(f"event {event.get_id()} has no time")
    return format_time(time)


def _trace_of(repo: str, commit: str) -> str:
    return tracing.trace_of(repo, commit).honeycomb
