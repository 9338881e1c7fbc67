"""A past that nobody had: repositories whose commits were built, approved, deployed, failed and rolled back.

One repository's is told through the recorder and by claims, as if it had happened; the others are copies of it.
`python -m tests.bench.made_up_past [--repos N] [--days N] [--port N]` shows it in the dashboard until Ctrl-C.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from pipeline_state.cli.dashboard import server
from pipeline_state.cli.dashboard.all_pages import board_of
from pipeline_state.cli.stacks import Stack
from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Release,
    SourceKind,
)
from pipeline_state.model.promotion import Action
from pipeline_state.model.times import format_time
from pipeline_state.table.definitions import save_definitions
from tests.bench.made_up_fleet import made_up_stack
from tests.contract.delivered import Delivered
from tests.contract.table_room import KEYS

_PER_BATCH = 25
"""Of one BatchWriteItem, by the API reference."""

REPO, NAME = "acme/original-000", "original-000"
THINGS = ("checkout", "search", "identity", "billing", "ledger", "catalog", "pricing", "reports", "gateway", "mailer")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

BUILD = GateDefinition("circle_ci_build_done", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
PIPELINE = Pipeline(
    NAME,
    REPO,
    gates=(BUILD, GateDefinition("legal")),
    environments=(
        Environment("staging", (BUILD.name,), (), (Release("web", "stage", "charts/web"),), Cluster(context="local")),
        Environment(
            "production",
            ("legal",),
            ("staging",),
            (Release("web", "live", "charts/web"),),
            Cluster(context="local"),
            soak=900,
        ),
    ),
)


def tell(pipeline: Pipeline, since: datetime, until: datetime) -> None:
    """What happened to the repository: a push every day or so, most of it well."""
    past, chance = Delivered(pipeline), random.Random(pipeline.repo)  # noqa: S311 - no secret
    before, good, at = "", "", since
    while (at := at + HOUR * chance.choice((3, 9, 20, 28))) + 10 * HOUR < until:
        commit = hashlib.sha1(f"{pipeline.repo} {at}".encode()).hexdigest()  # noqa: S324 - git's own
        past.push(before, commit, at)
        built = at + MINUTE * chance.randint(6, 25)
        past.build(commit, built)
        past.deploy(commit, "staging", built + MINUTE / 20, minutes=chance.uniform(0.4, 3))
        approved = built + MINUTE * chance.choice((12, 30, 55, 170, 420))
        past.approve(commit, approved)
        live = max(approved, built + 19 * MINUTE) + MINUTE / 30
        fails = chance.random() < 1 / 9
        past.deploy(
            commit, "production", live, chance.uniform(0.5, 4), "web: 0 of 3 replicas are ready" if fails else ""
        )
        if good and not fails and chance.random() < 1 / 12:
            past.deploy(good, "production", live + MINUTE * chance.randint(20, 200), action=Action.ROLLBACK)
        elif not fails:
            good = commit
        before = commit


def fill(stack: Stack, repos: int, days: int) -> None:
    """Tell of one repository, and copy it as often as wanted."""
    now = datetime.now(UTC).replace(microsecond=0)
    saved = save_definitions(REPO, [PIPELINE], after=0, by="ann", at_time=format_time(now - days * DAY))
    tell(saved.pipelines[0], now - days * DAY, now)
    client: Any = stack.client("dynamodb")
    for table in KEYS:
        name = getattr(stack.tables, table)
        found = [item for page in client.get_paginator("scan").paginate(TableName=name) for item in page["Items"]]
        original = json.dumps([item for item in found if NAME in json.dumps(item)])
        copies = (item for number in range(1, repos) for item in json.loads(_renamed(original, number)))
        while some := list(islice(copies, _PER_BATCH)):
            client.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": item}} for item in some]})


def _renamed(items: str, number: int) -> str:
    return items.replace("original-000", f"{THINGS[number % len(THINGS)]}-{number:03}")


@contextmanager
def made_up_past(repos: int, days: int) -> Iterator[Stack]:
    """A stack with nothing but such repositories."""
    with made_up_stack(0, 0) as stack:
        stack.connect()
        fill(stack, repos, days)
        yield stack


def main() -> None:
    """Shows one."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.made_up_past", description=__doc__)
    parser.add_argument("--repos", type=int, default=40)
    parser.add_argument("--days", type=int, default=70)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with made_up_past(options.repos, options.days) as stack:
        listening = server.listen(options.port)
        board, routes = board_of(stack, listening.getsockname()[1])
        serving = server.server_of(server.application(board, routes))
        print(board.door.new_link(), flush=True)
        serving.run(sockets=[listening])


if __name__ == "__main__":
    main()
