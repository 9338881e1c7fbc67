from __future__ import annotations

from itertools import count

import pytest

from pipeline_state.deploy.progress import Progress, without_debug

PREPARES = b'level=DEBUG msg="preparing upgrade" name=web\n'
WAITS = b'level=DEBUG msg="waiting for resources" count=2 timeout=5s\n'
STILL = b'level=DEBUG msg="waiting for resource" namespace=x name=web kind=Deployment\n'
READY = b'level=DEBUG msg="all resources achieved desired status" desiredStatus=Current resourceCount=2\n'
FAILED = b'level=WARN msg="upgrade failed" name=web error="resource Deployment/x/web not ready"\n'
ERROR = b"Error: UPGRADE FAILED: resource Deployment/x/web not ready\n"


@pytest.mark.parametrize(
    "parts,began,ended",
    [
        ([PREPARES, WAITS, STILL, READY], 2, 3),
        ([PREPARES + WAITS, STILL, FAILED, ERROR], 2, 3),
        ([PREPARES, WAITS + STILL + READY], 2, 3),
        ([WAITS, READY, WAITS, READY], 2, 3),
        ([PREPARES, WAITS, STILL], 2, 0),
        ([PREPARES, FAILED, ERROR], 0, 0),
        ([b"Error: release: not found\n"], 0, 0),
        ([], 0, 0),
    ],
)
def test_the_first_wait_is_from_when_helm_says_so_until_it_is_over(parts: list[bytes], began: int, ended: int) -> None:
    times = count(2)
    progress = Progress(lambda: float(next(times)))
    for part in parts:
        progress.hear(part)
    assert (progress.began, progress.ended) == (began, ended)


def test_warnings_and_errors_are_what_is_left_without_debug() -> None:
    assert without_debug(PREPARES + WAITS + FAILED + STILL + ERROR + b"end") == FAILED + ERROR + b"end"
    assert without_debug(b"") == b""
