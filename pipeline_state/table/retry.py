"""Optimistic writes: read, decide, write on condition that nothing changed, and begin again if it did."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from pipeline_state.faults import TemporaryFault
from pipeline_state.table.journal import LABEL
from pipeline_state.table.transaction import ConflictError, RefusedError

ATTEMPTS = 5

Result = TypeVar("Result")


class RepeatedError(Exception):
    """The event is in the journal already: whatever it asks for has been done."""


def step_aside() -> None:
    """Wait a moment, never the same as whoever came in the way: a tenth of a second on average."""
    time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - no secret


def until_unopposed(attempt: Callable[[], Result]) -> Result:
    """The result of the first attempt that nobody's concurrent write refuses.

    Raises RepeatedError when the journal has the event, TemporaryFault when others keep writing the same items.
    """
    for _ in range(ATTEMPTS):
        try:
            return attempt()
        except RefusedError as refusal:
            if LABEL in refusal.labels:
                raise RepeatedError from refusal
        except ConflictError:
            step_aside()
    raise TemporaryFault("others keep changing the same items in DynamoDB", delay_seconds=2)
