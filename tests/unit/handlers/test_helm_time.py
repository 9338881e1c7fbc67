"""What installer and observer do before Helm comes off Helm's time: the invocation ends when it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.v1.event import CloudEvent

from pipeline_state.deploy import Failed, Workspace
from pipeline_state.events.codec import encode
from pipeline_state.events.deployment import promoted, withdrawn
from pipeline_state.handlers import helm_installer
from pipeline_state.handlers.helm_function import HelmWorker
from pipeline_state.handlers.helm_installer import HelmInstaller
from pipeline_state.handlers.rollout_observer import RolloutObserver
from pipeline_state.handlers.rollout_turn import RolloutTurn
from pipeline_state.handlers.watching import RESERVE
from pipeline_state.table import leases, rollouts, withdrawals
from pipeline_state.table.lease import Ended, Finished, Taken
from pipeline_state.table.rollouts import Watching
from tests.unit.events.test_deployment import AT, PROMOTION
from tests.unit.model.test_rollout import BEGUN

SECONDS, TABLE, TOPIC = 900.0, 60.0, 7.0
"""What the invocation has in all, and what DynamoDB and SNS take for an answer."""

OUTCOME = {"kind": "deployed", "revision": 2, "previous": 1, "at": "2026-03-02T08:20:00Z"}


@dataclass
class Slow:
    """AWS and Helm. now: seconds since the invocation began. budgets: what Helm was given. untils: what leases were."""

    now: float = 0.0
    budgets: list[float] = field(default_factory=list)
    untils: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def time(self) -> datetime:
        return AT + timedelta(seconds=self.now)

    def say(self, _: CloudEvent) -> None:
        self.now += TOPIC

    def settle(self, *_: object) -> None:
        self.now += TOPIC

    conclude = settle

    def lease(self, value: object) -> Callable[..., object]:
        def take(_: object, __: str, ___: float, until: float) -> object:
            self.untils.append(until - AT.timestamp())
            return self.after_a_while(value)()

        return take

    def after_a_while(self, value: object) -> Callable[..., object]:
        def answer(*_: object) -> object:
            self.now += TABLE
            return value

        return answer

    def helm(self, value: object) -> Callable[..., object]:
        def run(*_: object, budget_seconds: float, **__: object) -> object:
            self.budgets.append(budget_seconds)
            return value

        return run

    def receive(self, kind: type[HelmWorker], event: CloudEvent) -> None:
        parts: Any = (self, None, Workspace(Path(), Path()), 5, self.time, self.clock)
        attributes = {"SentTimestamp": "1772439600000", "ApproximateReceiveCount": "1"}
        message = {"messageId": "m", "body": encode(event).body, "attributes": attributes}
        kind(*parts).receive(message, owner="me", ends=SECONDS)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    monkeypatch.setattr(leases, "take", slow.lease(Taken()))
    monkeypatch.setattr(leases, "finish", slow.after_a_while(Ended("")))
    monkeypatch.setattr(withdrawals, "take_back", slow.lease(Finished(OUTCOME, None)))
    monkeypatch.setattr(rollouts, "find", slow.after_a_while(Watching(BEGUN, True, 0, 6, "")))  # noqa: FBT003 - nobody is at it
    monkeypatch.setattr(helm_installer, "install", slow.helm(Failed("no", 0.0)))
    monkeypatch.setattr(helm_installer, "roll_back", slow.helm("rolled back to revision 1"))
    return slow


def test_an_upgrade_has_what_lease_and_announcement_have_left(slow: Slow) -> None:
    slow.receive(HelmInstaller, promoted(PROMOTION, at=AT))
    assert slow.budgets == [SECONDS - TABLE - TOPIC - RESERVE]


def test_a_rollback_has_what_the_lease_has_left(slow: Slow) -> None:
    slow.receive(HelmInstaller, withdrawn(PROMOTION, at=AT, reason="the worker failed"))
    assert slow.budgets == [SECONDS - TABLE - RESERVE]


@pytest.mark.parametrize(
    "event", [promoted(PROMOTION, at=AT), withdrawn(PROMOTION, at=AT, reason="no")], ids=["install", "roll back"]
)
def test_a_lease_ends_with_the_invocation_however_late_it_is_asked_for(slow: Slow, event: CloudEvent) -> None:
    slow.now = 30.0
    slow.receive(HelmInstaller, event)
    assert slow.untils == [SECONDS]


def test_a_look_has_what_finding_the_rollout_has_left(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    monkeypatch.setattr(RolloutTurn, "run", lambda turn, **_: ends.append(turn.until - AT.timestamp()))
    slow.receive(RolloutObserver, promoted(PROMOTION, at=AT))
    assert ends == [SECONDS - RESERVE]
