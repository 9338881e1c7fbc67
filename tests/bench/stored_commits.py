"""Tables with many commits in them of which few are on their way, and the functions that work on those."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any
from urllib.request import Request, urlopen

from cloudevents.core.v1.event import CloudEvent

from infra.local import ministack
from pipeline_state.events.codec import encode
from pipeline_state.events.publish import Publisher
from pipeline_state.handlers.gate_recorder import GateRecorder
from pipeline_state.handlers.promoter import Promoter
from pipeline_state.handlers.promotion import Promotions
from pipeline_state.handlers.sweeper import Sweeper
from pipeline_state.model.pipelines import Cluster, Environment, Policy
from pipeline_state.startup import utc_now
from pipeline_state.table.models import JournalEntry, connection, to_raw
from pipeline_state.table.snapshot import Reader
from tests.contract.table_room import START, WEB, A, LocalTables, TableRoom, pipeline, raw, seconds

REPOS = 4
ONE_IN = 10
"""Of so many stored commits, one was promoted."""

PER_BATCH = 25
"""Of one BatchWriteItem, by the API reference."""

UNSIGNED = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.BatchWriteItem",
    "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{ministack.REGION}/dynamodb/aws4_request",
}
"""What DynamoDB Local wants to see, and no more: boto3 would take most of the time that filling takes."""

LOCAL = Cluster(context="local")
STAGING = Environment("staging", ("build", "legal"), (), (WEB,), LOCAL, Policy.EVERY)
PRODUCTION = Environment("production", (), ("staging",), (WEB,), LOCAL)

Item = dict[str, Any]


class StoredCommits:
    """Four repositories whose commits wait for people; one of them has many that wait for nothing any more."""

    def __init__(self, endpoint: str, stored: int) -> None:
        self.tables = LocalTables(endpoint)
        for table in ("gates", "environments"):  # nobody reads their streams
            given: Any = {"StreamSpecification": {"StreamEnabled": False}}
            self.tables.client.update_table(TableName=self.tables.names[table], **given)
        self.rooms = [TableRoom(self.tables) for _ in range(REPOS)]
        for room in self.rooms:
            room.define(pipeline(STAGING, PRODUCTION))
            deploy(room)
        put_all(self.tables, copies(self.rooms[0], stored))
        self.pushed: list[list[str]] = [[A] for _ in self.rooms]
        self.calls: list[str] = []
        promotions = Promotions(Reader(), Publisher(ministack.client(endpoint, "sns")), "", utc_now)
        self.recorder, self.promoter = GateRecorder(Reader(), utc_now), Promoter(promotions, utc_now)
        self.sweeper = Sweeper(promotions, utc_now)
        events: Any = connection().client.meta.events
        events.register("before-call.dynamodb", self._note)

    def wait(self, number: int) -> None:
        """Pushes until so many commits wait, as many in one repository as in the next."""
        for each in range(sum(len(pushed) - 1 for pushed in self.pushed), number):
            room, pushed = self.rooms[each % REPOS], self.pushed[each % REPOS]
            pushed.append(f"f{each:039x}")
            room.push(pushed[-2], pushed[-1], 60 * len(pushed))

    def change(self, number: int) -> tuple[float, int]:
        """Milliseconds and calls of recorder and promoter, for a build that opens one gate of two."""
        room, waiting = self.rooms[0], self.pushed[0][1:]
        commit = waiting[number % len(waiting)]
        body = encode(built(room.repo, commit, number)).body
        message = {"messageId": str(number), "body": body, "attributes": {"SentTimestamp": "0"}}
        self.calls.clear()
        before = stored(room, "gates", repo=room.repo, commit=commit)
        recorded = milliseconds(lambda: self.recorder.record(message))
        change = change_of(before, stored(room, "gates", repo=room.repo, commit=commit), number)
        return recorded + milliseconds(lambda: self.promoter.consider(change)), len(self.calls)

    def sweep(self) -> tuple[float, int]:
        """Milliseconds and calls of one sweep."""
        self.calls.clear()
        return milliseconds(lambda: self.sweeper.sweep(lambda: 100.0)), len(self.calls)

    def _note(self, model: Any, **_: Any) -> None:
        self.calls.append(model.name)


def put_all(tables: LocalTables, items: Iterable[tuple[str, Item]]) -> None:
    """Raw items, each with its table, into DynamoDB Local."""
    each = iter(items)
    with ThreadPoolExecutor(4) as threads:
        while batches := [found for _ in range(400) if (found := list(islice(each, PER_BATCH)))]:
            list(threads.map(partial(_put, tables), batches))


def _put(tables: LocalTables, batch: Iterable[tuple[str, Item]]) -> None:
    requests: dict[str, Any] = {}
    for table, item in batch:
        requests.setdefault(tables.names[table], []).append({"PutRequest": {"Item": item}})
    body = json.dumps({"RequestItems": requests}).encode()
    with urlopen(Request(tables.endpoint_url, body, UNSIGNED)) as answer:  # noqa: S310 - loopback
        if json.load(answer)["UnprocessedItems"]:
            raise RuntimeError("DynamoDB Local did not take all of a batch")


def deploy(room: TableRoom) -> None:
    """A first commit goes the whole way."""
    room.ready(A)
    room.edit(A, legal="TRUE")
    for name in ("staging", "production"):
        (promotion,) = room.promote(A, name)
        room.mark(A, name, promotion.generation)
        room.edit_environment(name, **{"done:web": promotion.generation})
        room.deployed(promotion)


def copies(room: TableRoom, number: int) -> Iterator[tuple[str, Item]]:
    """So many commits like the room's first: each a record and an entry of the journal, some of them a promotion."""
    record = stored(room, "gates", repo=room.repo, commit=A)
    entry = next(iter(JournalEntry.query(f"{room.repo}#{A}"))).raw
    name = "staging#deployment#{:010d}".format
    promotion = stored(room, "environments", pipeline=room.named("shop"), environment=name(1))
    for each in range(number):
        commit = f"{each:040x}"
        yield "gates", {**record, "commit": to_raw(commit)}
        yield "journal", {**entry, "record": to_raw(f"{room.repo}#{commit}")}
        if each % ONE_IN == 0:
            yield "environments", {**promotion, "environment": to_raw(name(2 + each)), "commit": to_raw(commit)}


def stored(room: TableRoom, table: str, **key: str) -> Item:
    """An item as DynamoDB has it."""
    answer = room.client.get_item(TableName=room.tables.names[table], Key=raw(key), ConsistentRead=True)
    return dict(answer["Item"])


def built(repo: str, commit: str, number: int) -> CloudEvent:
    """A build that passed, each later than the one before."""
    attributes = {
        "id": f"build {number}",
        "source": f"https://github.com/{repo}",
        "type": "com.circleci.workflow-completed",
        "time": START + timedelta(seconds=number),
        "datacontenttype": "application/json",
    }
    result = {"name": "build-test", "app": "circleci", "status": "success", "completed_at": seconds(number)}
    return CloudEvent(attributes, {"schema": 1, "repo": repo, "sha": commit, **result})


def change_of(before: Item, after: Item, number: int) -> Mapping[str, Any]:
    """What the Gates stream shows of a change of a record."""
    told = {
        "Keys": {name: after[name] for name in ("repo", "commit")},
        "OldImage": before,
        "NewImage": after,
        "ApproximateCreationDateTime": time.time(),
        "SequenceNumber": str(number),
    }
    return {"eventID": f"change {number}", "dynamodb": told}


def milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)
