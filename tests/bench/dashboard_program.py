"""The dashboard over tables that are there already: `python -m tests.bench.dashboard_program TABLES`, a JSON object.

It prints its link, and at its end how many calls of DynamoDB it made, by name.
"""

import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from infra.local import ministack
from pipeline_state.cli.dashboard import server
from pipeline_state.cli.dashboard.all_pages import board_of
from pipeline_state.cli.stacks import Stack
from pipeline_state.table.models import Tables, connection


def stack_of(tables: Tables, traces: Path) -> Stack:
    """A local stack that has no more than these tables."""
    client = partial(ministack.client, str(tables.endpoint_url))
    return Stack("made-up", ministack.REGION, tables, {}, {}, client, traces=traces)


def show(stack: Stack, port: int = 0) -> None:
    """Serve a connected stack until Ctrl-C or SIGTERM."""
    listening = server.listen(port)
    board, routes = board_of(stack, listening.getsockname()[1])
    serving = server.server_of(server.application(board, routes))
    print(board.door.new_link(), flush=True)
    serving.run(sockets=[listening])


def main(tables: Tables) -> None:
    calls: Counter[str] = Counter()
    stack = stack_of(tables, Path("traces"))
    stack.connect()
    events: Any = connection().client.meta.events
    events.register("before-call.dynamodb", lambda model, **_: calls.update([model.name]))
    show(stack)
    print(json.dumps(calls), flush=True)


if __name__ == "__main__":
    main(Tables(**json.loads(sys.argv[1])))
