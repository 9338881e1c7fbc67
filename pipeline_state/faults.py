"""The two ways in which an edge gives up on a message; anything else that is raised is a bug and crashes."""

from __future__ import annotations


class PermanentFault(Exception):  # noqa: N818 - "fault" is the word used from the queues to the traces
    """A retry cannot help: the message goes to the dead-letter queue with this reason, and is acknowledged.

    reason is a sentence of ours about what is wrong and what to do. People read it and traces record it, so it never
    quotes a payload or a secret.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryFault(Exception):  # noqa: N818 - as above
    """A retry may help: the message goes back to its queue and is tried again after delay_seconds.

    reason is as PermanentFault's. A delay of 0 leaves the time to the queue's own visibility timeout.
    """

    def __init__(self, reason: str, delay_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay_seconds = delay_seconds
