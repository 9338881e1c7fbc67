"""Commits that were delivered at whatever times: through the recorder, as people set gates, and by claims."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cloudevents.core.v1.event import CloudEvent

from pipeline_state.events import deployment
from pipeline_state.events.codec import encode
from pipeline_state.events.deployment import Course
from pipeline_state.handlers.gate_recorder import GateRecorder
from pipeline_state.model.decide import on_request
from pipeline_state.model.decision import Promote
from pipeline_state.model.order import NO_COMMIT
from pipeline_state.model.pipelines import Pipeline
from pipeline_state.model.promotion import Action, Promotion
from pipeline_state.model.times import format_time
from pipeline_state.table.claims import Order, claim
from pipeline_state.table.journal import Happening
from pipeline_state.table.results import set_gate
from pipeline_state.table.snapshot import Reader
from tests.contract.table_room import trace


@dataclass
class Delivered:
    """A repository with one pipeline that is saved already, and a past that is told in any order of time."""

    pipeline: Pipeline
    reader: Reader = field(default_factory=Reader)

    @property
    def repo(self) -> str:
        return self.pipeline.repo

    def push(self, before: str, commit: str, at: datetime) -> None:
        told = {"before": before or NO_COMMIT, "sha": commit, "branch": "main", "pushed_at": format_time(at)}
        self._record("com.github.push", at, told | {"paths": [], "paths_complete": False, "who": "ann"})

    def build(self, commit: str, at: datetime, status: str = "success", name: str = "build-test") -> None:
        told = {"sha": commit, "name": name, "app": "circleci", "status": status, "completed_at": format_time(at)}
        self._record("com.circleci.workflow-completed", at, told)

    def approve(self, commit: str, at: datetime, gate: str = "legal", by: str = "ann") -> None:
        value = {"status": "TRUE", "at": format_time(at), "by": by}
        told = self.happening(commit, "gate set", at, by, {"gate": gate, **value})
        set_gate(self.reader, gate, value, told, trace)

    def promote(
        self, commit: str, environment: str, at: datetime, action: Action = Action.PROMOTE, by: str = "ann"
    ) -> list[Promotion]:
        """Claimed; by name unless it is promoted by itself. The commit that is left is read along."""
        place = self.pipeline.environment(environment)
        assert place
        heads = self.reader.read(self.repo, commit)
        left = heads.state(self.pipeline, place, at).head
        snapshot = self.reader.read(self.repo, commit, *([left] if left else []))
        decision = on_request(snapshot.record, self.pipeline, place, snapshot.definitions.declared, at)
        assert isinstance(decision, Promote), decision.sentence
        order = Order() if action is Action.PROMOTE else Order(by, action, "it is slow")
        return claim(snapshot, self.pipeline, decision, at, order)

    def begin(self, promotion: Promotion, at: datetime) -> None:
        self._tell(deployment.started(promotion, at=at), at)

    def end(self, promotion: Promotion, at: datetime, reason: str = "", seconds: float = 0) -> None:
        """Deployed, or failed for a reason."""
        course = Course(seconds)
        if reason:
            self._tell(deployment.failed(promotion, at=at, reason=reason, course=course), at)
        else:
            told = deployment.deployed(
                promotion, at=at, action="upgraded", revision=1, chart="web-1.0.0", course=course
            )
            self._tell(told, at)

    def deploy(
        self, commit: str, environment: str, at: datetime, minutes: float = 2, reason: str = "", **how: Any
    ) -> None:
        """Claimed and carried out, in so many minutes."""
        for promotion in self.promote(commit, environment, at, **how):
            self.begin(promotion, at + timedelta(seconds=1))
            self.end(promotion, at + timedelta(minutes=minutes), reason, 60 * minutes)

    def happening(self, commit: str, kind: str, at: datetime, by: str, what: Mapping[str, Any]) -> Happening:
        time = format_time(at)
        return Happening(self.repo, commit, time, uuid.uuid4().hex, "command", kind, by, True, time, what)  # noqa: FBT003

    def _record(self, type_: str, at: datetime, data: Mapping[str, Any]) -> None:
        source = f"https://github.com/{self.repo}"
        attributes = {"id": uuid.uuid4().hex, "source": source, "type": type_, "time": at}
        told = {"schema": 1, "repo": self.repo, **data}
        self._tell(CloudEvent({**attributes, "datacontenttype": "application/json"}, told), at)

    def _tell(self, event: CloudEvent, at: datetime) -> None:
        sent = str(int(at.timestamp() * 1000))
        attributes = {"SentTimestamp": sent, "ApproximateReceiveCount": "1", "ApproximateFirstReceiveTimestamp": sent}
        message = {"messageId": uuid.uuid4().hex, "attributes": attributes, "messageAttributes": {}}
        GateRecorder(self.reader, lambda: at).record({**message, "body": encode(event).body})
