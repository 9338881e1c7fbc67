"""How the tables are read, and what becomes of calls that DynamoDB does not take."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pynamodb.settings import get_settings_value

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.handlers.watching import RESERVE
from pipeline_state.model.promotion import Promotion
from pipeline_state.settings import Settings
from pipeline_state.table import leases, models, retention, waiting
from pipeline_state.table.claims import claimed_promotions, mark_published
from pipeline_state.table.deployments import deployments
from pipeline_state.table.models import Tables, connect, connection, tables_of
from pipeline_state.table.retention import let_old_promotions_go
from pipeline_state.table.waiting import Waiting
from tests.contract.table_room import A, B, TableRoom, pipeline
from tests.property.memory_tables import refusal

Dispatch = Callable[[str, Mapping[str, Any]], Any]


@pytest.fixture
def promotion(room: TableRoom, monkeypatch: pytest.MonkeyPatch) -> Promotion:
    """The first, of A to staging, where records are kept for ninety days."""
    monkeypatch.setattr(models, "_retention", [90])
    room.define(pipeline())
    room.ready()
    (first,) = room.promote(A)
    return first


CALLS: dict[str, Callable[[TableRoom, Promotion], Any]] = {
    "finish": lambda _, promotion: leases.finish(promotion, "nobody", {}),
    "park": lambda _, promotion: leases.park(promotion, "event"),
    "give back": lambda _, promotion: leases.give_back(promotion, "me"),
    "claimed promotions": lambda room, _: claimed_promotions(room.named("shop"), "staging", 1),
    "mark": lambda room, promotion: mark_published(promotion, room.now),
    "ask": lambda room, _: waiting.ask(room.repo, [A], "mark"),
    "what waits in a repository": lambda room, _: waiting.of_repo(room.repo),
    "what waits anywhere": lambda *_: list(waiting.everywhere()),
    "records": lambda room, _: waiting.records(room.repo, [A, B]),
    "forget": lambda room, _: waiting.forget(Waiting(room.repo, A, "mark")),
    "deployments": lambda room, _: list(deployments(room.named("shop"), "staging")),
    "keep": lambda room, _: retention.keep(room.repo, A),
    "let go": lambda room, _: retention.let_go(room.repo, A, room.now),
    "let old promotions go": lambda room, _: let_old_promotions_go([(room.named("shop"), "staging")], [], room.now),
}


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch, promotion: Promotion) -> Callable[[Dispatch], None]:  # noqa: ARG001 - connects
    """Has every call of the tables go through a function, which is given the real one's arguments."""
    return lambda dispatch: monkeypatch.setattr(connection(), "dispatch", dispatch)


def test_a_call_that_nobody_answers_is_over_in_what_an_invocation_keeps_for_its_result() -> None:
    connect(tables_of(Settings(gates_table="gates")))
    bounds: Any = connection().client.meta.config
    attempts, pause = bounds.retries["total_max_attempts"], 1
    assert attempts * (bounds.connect_timeout + bounds.read_timeout) + (attempts - 1) * pause < RESERVE


def test_a_command_waits_for_a_slow_line_and_repeats_what_is_throttled_as_pynamodb_does() -> None:
    connect(Tables("gates"))
    bounds: Any = connection().client.meta.config
    known = [get_settings_value(f"{name}_timeout_seconds") for name in ("connect", "read")]
    assert [bounds.connect_timeout, bounds.read_timeout] == known
    assert bounds.retries["total_max_attempts"] == 1 + get_settings_value("max_retry_attempts") == 4


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_is_throttled_is_tried_again_later(
    room: TableRoom, promotion: Promotion, through: Callable[[Dispatch], None], call: str
) -> None:
    def dispatch(operation: str, _: Mapping[str, Any]) -> Any:
        raise refusal("ThrottlingException", operation, message="slow down")

    through(dispatch)
    with pytest.raises(TemporaryFault) as fault:
        CALLS[call](room, promotion)
    assert fault.value.reason == "DynamoDB did not take the request: ThrottlingException"
    assert fault.value.delay_seconds == 1


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_makes_no_sense_is_given_up(
    room: TableRoom, promotion: Promotion, through: Callable[[Dispatch], None], call: str
) -> None:
    def dispatch(operation: str, _: Mapping[str, Any]) -> Any:
        raise refusal("ValidationException", operation, message="no such thing")

    through(dispatch)
    with pytest.raises(PermanentFault, match="DynamoDB refuses the request: no such thing"):
        CALLS[call](room, promotion)


@pytest.mark.parametrize(
    "call", ["finish", "claimed promotions", "what waits in a repository", "records", "deployments", "keep", "let go"]
)
def test_what_is_decided_on_is_read_as_it_is_now(
    room: TableRoom, promotion: Promotion, through: Callable[[Dispatch], None], call: str
) -> None:
    seen: list[Any] = []
    real = connection().dispatch

    def dispatch(operation: str, request: Mapping[str, Any]) -> Any:
        reads = request.get("RequestItems", {"": request}) if operation != "UpdateItem" else {}
        seen.extend(each.get("ConsistentRead") for each in reads.values())
        return real(operation, dict(request))

    through(dispatch)
    CALLS[call](room, promotion)
    assert seen
    assert set(seen) == {True}


def test_what_has_left_between_the_look_and_the_write_is_not_made_again(
    room: TableRoom, promotion: Promotion, through: Callable[[Dispatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written, no part of the journal, no record and no promotion, where the item is gone."""
    conditions: list[str] = []
    real = connection().dispatch

    def dispatch(operation: str, request: Mapping[str, Any]) -> Any:
        if operation == "UpdateItem":
            conditions.append(str(request.get("ConditionExpression")))
        return real(operation, dict(request))

    through(dispatch)
    retention.keep(room.repo, A)
    retention.let_go(room.repo, promotion.commit, room.now)
    assert len(conditions) == 7  # of the journal's entries, the claim's is kept from the first
    monkeypatch.setattr(retention, "KEPT", 0)
    retention.let_old_promotions_go([(room.named("shop"), "staging")], [], room.now)
    assert len(conditions) == 7 + 5
    assert all("attribute_exists" in condition for condition in conditions)
