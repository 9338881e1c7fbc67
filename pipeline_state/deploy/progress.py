"""What Helm 4 tells with --debug while it works: from when until when it waited. Helm 3 is not asked.

https://github.com/helm/helm/blob/v4.0.0/pkg/kube/statuswait.go
"""

from __future__ import annotations

import time
from collections.abc import Callable

_BEGINS = b'msg="waiting for resources"'
_ENDS = (b'msg="all resources achieved desired status"', b'msg="upgrade failed"')
_DEBUG = b"level=DEBUG "


class Progress:
    """The first wait, which is for the new revision to be ready; what follows it is that of a rollback.

    began, ended: in epoch seconds; 0 for what was not heard of.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.began = self.ended = 0.0

    def hear(self, said: bytes) -> None:
        """Some lines of standard error, as soon as they are written."""
        if not self.began and _BEGINS in said:
            self.began = self._clock()
        if self.began and not self.ended and any(end in said for end in _ENDS):
            self.ended = self._clock()


def without_debug(stderr: bytes) -> bytes:
    """What Helm would have printed without --debug."""
    return b"".join(line for line in stderr.splitlines(keepends=True) if not line.startswith(_DEBUG))
