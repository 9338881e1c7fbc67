"""Waiting for what the local stack does by itself, and what its functions said when it does not come."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from infra.local.stack import StackInfo

PAUSE_SECONDS = 0.05

T = TypeVar("T")


def eventually(stack: StackInfo, look: Callable[[], T], seconds: float = 120) -> T:
    """What `look` finds, as soon as it is true; otherwise the test fails with the functions' last words."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came\n" + "\n".join(last_words(stack))
        time.sleep(PAUSE_SECONDS)
    return found


def last_words(stack: StackInfo, lines: int = 15) -> Iterator[str]:
    """The ends of all functions' logs."""
    logs = stack.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        events = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        yield from (f"{group['logGroupName']}: {event['message'].rstrip()}" for event in events[-lines:])
