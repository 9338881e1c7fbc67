"""`delivery`: what the figures of a month of a fleet cost to read, by environment, beside the newest journals."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any

from pipeline_state.cli.delivery.report import Wanted, report
from pipeline_state.table.models import connection
from tests.bench.figures import Figure
from tests.bench.made_up_past import made_up_past

REPOS, QUICK_REPOS, DAYS = 200, 20, 62
GOAL = 4.0
"""Calls an environment: some pages of its promotions, and its share of the batches."""

_UNIT = 4096
"""Bytes of a read request unit, or of two halves where the read is eventually consistent; by the developer guide."""


@dataclass
class Reads:
    """Calls by table, and their read request units by the size of what came back; each call costs a half at least."""

    calls: Counter[str] = field(default_factory=Counter)
    units: float = 0.0
    of_journals: float = 0.0

    def watch(self, client: Any) -> None:
        client.meta.events.register("before-call.dynamodb", self._begin)
        client.meta.events.register("after-call.dynamodb", self._end)

    def _begin(self, params: Any, **_: Any) -> None:
        asked = json.loads(params["body"])
        table = asked.get("TableName") or next(iter(asked["RequestItems"]))
        self.calls[table.rpartition("-")[2]] += 1

    def _end(self, model: Any, parsed: Any, **_: Any) -> None:
        found = parsed.get("Items") or [item for items in parsed.get("Responses", {}).values() for item in items]
        sizes = [len(json.dumps(item, default=str)) for item in found]
        together = [sum(sizes)] if model.name in {"Query", "Scan"} else sizes  # a batch rounds up item by item
        units = sum(max(ceil(size / _UNIT), 1) / 2 for size in together)
        self.units += units
        self.of_journals += units if found and "record" in found[0] else 0.0


def measure(*, quick: bool) -> Iterator[Figure]:
    """A fleet whose commits are all deployed."""
    repos = QUICK_REPOS if quick else REPOS
    with made_up_past(repos, DAYS) as stack:
        stack.connect()
        reads = Reads()
        reads.watch(connection().client)
        begun = time.perf_counter()
        found = report(Wanted(), datetime.now(UTC))
        taken = time.perf_counter() - begun
    calls, journals = reads.calls.total(), reads.calls["journal"]
    told = [
        f"{repos} environments, {found.figures.deployed:,} deployments in {found.wanted.days} days, and as long before",
        f"{calls:,} calls in {taken:.1f} s, {journals:,} of them for journals, to tell where the time went",
        f"{reads.units:,.0f} read units, {reads.of_journals:,.0f} of them for journals",
        f"for 1,000 such environments {1000 * (reads.units - reads.of_journals) / repos + reads.of_journals:,.0f}",
    ]
    yield Figure("delivery", "calls", GOAL, [(calls - journals) / repos], details=told)
