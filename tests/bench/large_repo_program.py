"""`python -m tests.bench.large_repo_program "[FEW, MANY, SAMPLES]"`: a line of JSON, what was measured or why not."""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline_state.cli.dashboard import repo, server
from pipeline_state.cli.dashboard.board import Board, utc_now
from pipeline_state.cli.dashboard.fleet_behind import Behind
from pipeline_state.cli.dashboard.fleet_memory import Fleet
from pipeline_state.cli.dashboard.security import Door
from pipeline_state.table.models import Tables
from tests.bench.dashboard_program import stack_of
from tests.bench.made_up_fleet import MadeUp
from tests.bench.stored_commits import milliseconds, put_all
from tests.contract import dynamodb_local
from tests.contract.table_room import LocalTables, raw
from tests.visitor import Visitor

Samples = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Sized(MadeUp):
    """A repository that is like the others but for how many commits it has."""

    @property
    def repo(self) -> str:
        return f"acme/of-{self.commits}"

    def _chance(self, what: str) -> random.Random:
        return random.Random(what)  # noqa: S311 - no secret


def main(few: int, many: int, samples: int) -> None:
    """Prints it."""
    if why := dynamodb_local.missing():
        print(json.dumps({"missing": why}))
        return
    with TemporaryDirectory() as folder, dynamodb_local.running(Path(folder), "-Xmx3g") as endpoint:
        tables, now = LocalTables(endpoint), datetime.now(UTC)
        for table in ("gates", "environments"):  # nobody reads their streams
            given: Any = {"StreamSpecification": {"StreamEnabled": False}}
            tables.client.update_table(TableName=tables.names[table], **given)
        repos = {"few": Sized(1, few, now), "many": Sized(1, many, now)}
        begun = time.monotonic()
        for each in repos.values():
            put_all(tables, ((table, raw(item)) for table, item in each.items()))
        print(f"filled in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        tables.connect()
        print(json.dumps(measured(repos, samples, Path(folder))))


def measured(repos: dict[str, Sized], samples: int, folder: Path) -> Samples:
    """Milliseconds of everything, one repository after the other."""
    board = Board(stack_of(Tables("gates"), folder), Door(4321))
    visitor = Visitor(server.application(board, repo.routes(board)), board.door).enter()
    fleet = Fleet(utc_now)

    def page(which: Sized) -> None:
        assert visitor.get(f"/repo/{which.repo}").status == 200

    def behind(which: Sized) -> None:
        rows = [row for row in fleet.rows() if row.head["repo"] == which.repo]
        assert len(Behind(fleet).count(rows)) == len(rows) > 0

    return {name: dict(_sampled(work, repos, samples)) for name, work in (("page", page), ("behind", behind))}


def _sampled(work: Callable[[Sized], None], repos: dict[str, Sized], samples: int) -> Iterator[tuple[str, list[float]]]:
    found: dict[str, list[float]] = {name: [] for name in repos}
    for at in range(samples + 1):
        for name, each in repos.items():
            took = milliseconds(lambda each=each: work(each))  # type: ignore[misc]
            found[name] += [took] if at else []  # the first is not like the others
    yield from found.items()


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
