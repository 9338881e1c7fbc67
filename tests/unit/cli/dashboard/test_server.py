"""How the server ends."""

import signal
import sys
from collections.abc import Iterator

import pytest

from pipeline_state.cli.dashboard import server
from tests.unit.cli.dashboard.test_board import board

ENDS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    if events := sys.modules.get("sse_starlette.sse"):  # it hears of a server's end, and ends every later stream here
        events.AppStatus.should_exit = False


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_that_comes_before_it_serves_ends_it(number: signal.Signals) -> None:
    serving = server.server_of(server.application(board(), []))
    signal.raise_signal(number)
    serving.run(sockets=[server.listen(0)])
    assert serving.should_exit
