import random
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.ports import free_port

HOLDER = "import sys; from infra.local.ports import free_port; print(free_port(), flush=True); sys.stdin.read()"


def drawing(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next draw has this result; those after it are as usual."""
    draw, results = random.randrange, [first]
    monkeypatch.setattr(random, "randrange", lambda *limits: results.pop() if results else draw(*limits))


def test_a_port_that_is_drawn_again_is_not_given_again_although_nobody_listens_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = free_port()
    drawing(given, monkeypatch)
    assert free_port() != given


def test_a_port_is_not_given_while_another_process_has_it_although_nobody_listens_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as holder:
        assert holder.stdout is not None
        given = int(holder.stdout.readline())
        drawing(given, monkeypatch)
        assert free_port() != given
