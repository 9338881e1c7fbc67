"""All-or-nothing writes over the tables, and what can go wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pynamodb.exceptions import PynamoDBException, TransactWriteError
from pynamodb.transactions import TransactWrite

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.table.models import connection

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action
    from pynamodb.models import Model

_CONDITION = "ConditionalCheckFailed"
_CONFLICT = "TransactionConflict"
_HOPELESS = {"ValidationError", "ItemCollectionSizeLimitExceeded"}
_DENIALS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html, …/CommonErrors.html"""


class RefusedError(Exception):
    """Conditions did not hold, so nothing was written. labels: those of the writes that refused."""

    def __init__(self, labels: frozenset[str]) -> None:
        super().__init__(f"refused by {', '.join(sorted(labels))}")
        self.labels = labels


class ConflictError(TemporaryFault):
    """Another request touched the same item in the same moment, so nothing was done; soon there may be no other."""


class DeniedError(TemporaryFault):
    """AWS does not let the caller do this with these credentials; others may be given, or the right to it."""


class Transaction:
    """Writes that happen together or not at all, each with a label that names it in a refusal.

    `commit` raises RefusedError when conditions did not hold, TemporaryFault when a retry may help (throttled,
    unreachable; ConflictError, in conflict with another transaction), PermanentFault when DynamoDB says that none can.
    """

    def __init__(self) -> None:
        self._write = TransactWrite(connection=connection())
        self._checks: list[str] = []
        self._updates: list[str] = []

    def check(self, label: str, model: type[Model], key: str | tuple[str, str], condition: Condition) -> None:
        """Require a condition of an item that is not written."""
        hash_key, range_key = (key, None) if isinstance(key, str) else key
        self._write.condition_check(model, hash_key, range_key, condition)
        self._checks.append(label)

    def update(self, label: str, item: Model, actions: list[Action], condition: Condition | None = None) -> None:
        """Write some attributes of an item, which is made if it is not there. Nothing is ever put: see models."""
        self._write.update(item, actions=actions, condition=condition)
        self._updates.append(label)

    def commit(self) -> None:
        """Write everything, or raise."""
        try:
            self._write._commit()  # noqa: SLF001 - otherwise only reachable by leaving a with block
        except TransactWriteError as error:
            # DynamoDB answers in the order in which PynamoDB sends: checks, then updates.
            labels = [*self._checks, *self._updates]
            raise _translated(error, labels) from error


def _translated(error: TransactWriteError, labels: list[str]) -> Exception:
    reasons = [(label, reason) for label, reason in zip(labels, error.cancellation_reasons, strict=False) if reason]
    for label, reason in reasons:
        if reason.code in _HOPELESS:
            return PermanentFault(f"DynamoDB cannot store the {label}: {reason.message}")
    refused = frozenset(label for label, reason in reasons if reason.code == _CONDITION)
    if refused:
        return RefusedError(refused)
    return fault(error)


def is_refusal(error: PynamoDBException) -> bool:
    """Whether a single write's condition did not hold."""
    return _answer(error).get("Code") == f"{_CONDITION}Exception"


def fault(error: PynamoDBException) -> TemporaryFault | PermanentFault:
    """What an error of a single call means for the message at hand."""
    code = _answer(error).get("Code")
    reasons = getattr(error, "cancellation_reasons", ())
    if code == f"{_CONFLICT}Exception" or any(reason and reason.code == _CONFLICT for reason in reasons):
        return ConflictError("DynamoDB has others reading or writing the same items at this moment", delay_seconds=1)
    if code in _DENIALS:
        return DeniedError(f"DynamoDB does not allow it ({code}): {_answer(error).get('Message')}", delay_seconds=1)
    if code in {"ValidationException", "SerializationException"}:
        return PermanentFault(f"DynamoDB refuses the request: {_answer(error).get('Message')}")
    return TemporaryFault(f"DynamoDB did not take the request: {code or type(error.cause).__name__}", delay_seconds=1)


def _answer(error: PynamoDBException) -> Mapping[str, Any]:
    """DynamoDB's own words; empty where it did not answer.

    PynamoDB's properties for them fail on a call that timed out: botocore's error has a response then, which is None.
    """
    response = getattr(error.cause, "response", None) or {}
    return response.get("Error") or {}
