"""Summaries of spans in the Journal, from which a deployed stack's traces are drawn without any other service.

They lie beside the entries of commits, as a rule one item a trace and invocation, in a partition of its own for each
trace: the history of a commit never meets them. They leave by age, those of promoted commits too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pynamodb.exceptions import PynamoDBException

from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.table.models import SCHEMA, JournalEntry, connection, expiring, to_plain, to_raw
from pipeline_state.table.transaction import fault
from pipeline_state.tracing.exporter import Answer, BackgroundExporter, Exporter, Item

PARTITION = "trace#"
"""Begins the key `record`; what follows is the trace's id. No commit's key begins so: it has the repository's slash."""

_TRACE_ID, _SERVICE = "trace.trace_id", "service.name"
_BATCH = 25
"""Items of one BatchWriteItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""

_ROW = 100
"""Spans of one item, which has 400 KB at most: an invocation has ten, what waited for the Journal may be a thousand."""

_SHORT = {"name": "name", "trace.span_id": "id", "trace.parent_id": "parent", "duration_ms": "ms"}
_KEPT = (
    "gatestream.kind",
    "error",
    "error_detail",
    "wait.for",
    "wait.who",
    "wait.ended_by",
    "wait.known",
    "cloudevents.event_type",
    "deployment.environment.name",
    "environment",
    "release",
    "messaging.attempt",
    "redriven",
    "meta.span_type",
)


@dataclass(frozen=True, slots=True)
class SummarySink:
    """Summaries of a function's spans go to the Journal that `connect` has named by the time of the first flush."""

    def exporter(self, service: str) -> Exporter:  # noqa: ARG002 - each span names it
        return _SummaryExporter("The Journal", _deliver)


class _SummaryExporter(BackgroundExporter):
    is_beside_journal = True


def write(items: Iterable[Item], now: datetime) -> int:
    """Write the summaries of an invocation's spans; how many of these DynamoDB did not take for want of capacity.

    Raises TemporaryFault and PermanentFault.
    """
    traces = _by_trace(items).items()
    rows = [(trace_id, own[at : at + _ROW]) for trace_id, own in traces for at in range(0, len(own), _ROW)]
    return sum(_write_batch(rows[at : at + _BATCH], now) for at in range(0, len(rows), _BATCH))


def read(trace_id: str) -> list[dict[str, Any]]:
    """The spans of a trace with what the summaries keep of them. Raises TemporaryFault."""
    try:
        return [item for entry in JournalEntry.query(PARTITION + trace_id) for item in _items(entry.raw, trace_id)]
    except PynamoDBException as error:
        raise fault(error) from error


def _deliver(items: Sequence[Item]) -> Answer:
    try:
        left = write(items, datetime.now(UTC))
    except (PermanentFault, TemporaryFault) as refusal:
        return Answer(0, refusal.reason)
    return Answer(len(items) - left, "that it has no capacity for all of them" if left else "")


def _write_batch(traces: Sequence[tuple[str, list[Item]]], now: datetime) -> int:
    rows = [row_of(trace_id, items, now) for trace_id, items in traces]
    table = JournalEntry.Meta.table_name
    try:
        answer = connection().batch_write_item(table, put_items=rows)
    except PynamoDBException as error:
        raise fault(error) from error
    left = [request["PutRequest"]["Item"] for request in answer.get("UnprocessedItems", {}).get(table, ())]
    return sum(len(json.loads(row["spans"]["S"])) for row in left)


def row_of(trace_id: str, items: Sequence[Item], now: datetime) -> dict[str, dict[str, Any]]:
    """The raw item that tells of at least one span of a trace; it leaves so long after now as the journal does."""
    first = min(items, key=lambda item: str(item["time"]))
    row = {
        "record": PARTITION + trace_id,
        "entry": f"{first['time']}#{first['data']['trace.span_id']}",
        "_schema": SCHEMA,
        "service": str(first["data"].get(_SERVICE, "")),
        "spans": json.dumps([_summary(item) for item in items], separators=(",", ":")),
        **expiring(now),
    }
    return {name: to_raw(value) for name, value in row.items()}


def _summary(item: Item) -> dict[str, Any]:
    data = item["data"]
    short = {short: data[name] for name, short in _SHORT.items() if data.get(name) is not None}
    return {"at": item["time"], **short, **{name: data[name] for name in _KEPT if data.get(name) is not None}}


def _items(raw: Mapping[str, Any], trace_id: str) -> Iterator[dict[str, Any]]:
    row = to_plain(raw)
    long = {short: name for name, short in _SHORT.items()}
    for summary in json.loads(row["spans"]):
        time = summary.pop("at")
        data = {long.get(name, name): value for name, value in summary.items()}
        yield {"time": time, "samplerate": 1, "data": {_TRACE_ID: trace_id, _SERVICE: row["service"], **data}}


def _by_trace(items: Iterable[Item]) -> dict[str, list[Item]]:
    traces: dict[str, list[Item]] = {}
    for item in items:
        traces.setdefault(str(item["data"][_TRACE_ID]), []).append(item)
    return traces
