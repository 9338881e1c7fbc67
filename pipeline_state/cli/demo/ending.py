"""Ctrl-C, SIGTERM and a closed terminal as an exception, so that everything started is ended on the way out."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

CLEAN_UP_SECONDS = 20.0
"""For so long further signals do not disturb the clean-up; then they count again."""


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


@contextmanager
def stoppable() -> Iterator[None]:
    """Raises Stopped in the block when a signal comes."""
    stopped_at = -CLEAN_UP_SECONDS

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal stopped_at
        if time.monotonic() - stopped_at > CLEAN_UP_SECONDS:
            stopped_at = time.monotonic()
            raise Stopped(number)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup means it
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
