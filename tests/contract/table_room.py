"""The four tables in a local DynamoDB, and short ways to write what functions and people write there."""

import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from infra.local import ministack
from pipeline_state.model.decision import Decision, Promote
from pipeline_state.model.environments import EnvironmentState
from pipeline_state.model.order import NO_COMMIT, Push
from pipeline_state.model.pipelines import (
    Cluster,
    Environment,
    GateDefinition,
    GateSource,
    Pipeline,
    Release,
    SourceKind,
)
from pipeline_state.model.promotion import Promotion
from pipeline_state.model.record import Record
from pipeline_state.model.results import ReleaseResult, Result
from pipeline_state.model.times import format_time
from pipeline_state.table.claims import claim, claimed_promotions, mark_published
from pipeline_state.table.definitions import load_definitions, save_definitions
from pipeline_state.table.journal import Happening, history
from pipeline_state.table.models import JournalEntry, Tables, connect, connection, to_plain, to_raw
from pipeline_state.table.pushes import record_push
from pipeline_state.table.results import note_hand_edits, record_deployment, record_result
from pipeline_state.table.snapshot import EVERYTHING, Definitions, Reader, Snapshot

KEYS = {
    "gates": ("repo", "commit"),
    "environments": ("pipeline", "environment"),
    "journal": ("record", "entry"),
    "pipelines": ("repo",),
}
INDEXES: dict[str, list[dict[str, Any]]] = {
    "gates": [
        {
            "IndexName": "by_sequence",
            "KeySchema": [
                {"AttributeName": "repo", "KeyType": "HASH"},
                {"AttributeName": "sequence", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["branch", "pushed_at", "_branches"]},
        }
    ]
}
"""As template.yaml has them; their range keys are numbers."""
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
START = datetime(2026, 7, 1, 12, tzinfo=UTC)
A, B, C, D = (letter * 40 for letter in "abcd")

BUILD = GateDefinition("build", GateSource(SourceKind.CIRCLECI_WORKFLOW, "build-test"))
LEGAL = GateDefinition("legal")
WEB = Release("web", "shop", "charts/web", values={"replicas": 1})

Answer = TypeVar("Answer")


def seconds(number: float) -> str:
    """A time so many seconds after the start of every test."""
    return format_time(START + timedelta(seconds=number))


def pipeline(*environments: Environment, **changes: Any) -> Pipeline:
    """One with an environment `staging` that wants a build, unless others are given."""
    staging = Environment("staging", ("build",), (), (WEB,), Cluster(context="local"))
    given = {"name": "shop", "repo": "myOrg/myApp", "gates": (BUILD, LEGAL)}
    return Pipeline(**{**given, "environments": environments or (staging,), **changes})


def together(number: int, work: Callable[[int], Answer]) -> list[Answer]:
    """What so many threads answer that begin at one moment."""
    ready = threading.Barrier(number)

    def one(index: int) -> Answer:
        ready.wait()
        return work(index)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(one, range(number)))


def attempted(work: Callable[[], Answer], *expected: type[Exception]) -> Answer | Exception:
    """The answer, or the error if it is an expected one."""
    try:
        return work()
    except expected as error:
        return error


def schema(table: str, name: str) -> dict[str, Any]:
    """What CreateTable is given for one of the tables."""
    indexes = INDEXES.get(table, [])
    numbers = [index["KeySchema"][1]["AttributeName"] for index in indexes]
    types = [*((key, "S") for key in KEYS[table]), *((key, "N") for key in numbers)]
    return {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in types],
        "KeySchema": [
            {"AttributeName": key, "KeyType": kind} for key, kind in zip(KEYS[table], ("HASH", "RANGE"), strict=False)
        ],
        "BillingMode": "PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    }


class LocalTables:
    """The four tables in one local DynamoDB. Made once, since a new connection costs more than most tests."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.client = ministack.client(endpoint_url, "dynamodb")
        self.names = {table: f"t{uuid.uuid4().hex[:12]}-{table}" for table in KEYS}
        for table, name in self.names.items():
            self.client.create_table(
                **schema(table, name), **({"StreamSpecification": STREAM} if table in {"gates", "environments"} else {})
            )
        self._connection: object = None

    def connect(self) -> None:
        """Points the models here, unless they still do."""
        if self._connection is None or connection() is not self._connection:
            names: dict[str, Any] = {**self.names}
            connect(Tables(**names, endpoint_url=self.endpoint_url, access_key="test", secret_key="test"))
            self._connection = connection()


@dataclass
class TableRoom:
    """A repository and a pipeline of its own for each test. `now` is the time at which functions believe to work."""

    tables: LocalTables
    unique: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    reader: Reader = field(default_factory=Reader)
    now: datetime = START + timedelta(hours=1)

    def __post_init__(self) -> None:
        self.repo = f"myOrg/myApp-{self.unique}"
        self.pipeline_name = self.named("shop")
        self.client = self.tables.client
        self.tables.connect()

    # what the functions write

    def happening(self, id_: str, commit: str, second: float = 0, **what: Any) -> Happening:
        written = format_time(self.now)
        return Happening(self.repo, commit, seconds(second), id_, "source", "test", "ci", True, written, what)  # noqa: FBT003

    def define(self, *pipelines: Pipeline) -> Definitions:
        """Saves the pipelines, as this repository's and with names that only this test has."""
        after = load_definitions(self.repo).version
        mine = [replace(each, repo=self.repo, name=self.named(each.name)) for each in pipelines]
        return save_definitions(self.repo, mine, after=after, by="ann", at_time=seconds(0))

    def named(self, pipeline: str) -> str:
        return f"{pipeline}-{self.unique}"

    def push(self, before: str, after: str, second: float, *, branch: str = "main", id_: str = "") -> Snapshot:
        told = self.happening(id_ or f"push {before[:1]}{after[:1]} {second}", after, second)
        return record_push(self.reader, branch, Push(before or NO_COMMIT, after, seconds(second)), told, trace)

    def result(self, commit: str, status: str = "success", second: float = 60, *, id_: str = "") -> Snapshot:
        result = Result(SourceKind.CIRCLECI_WORKFLOW, "build-test", "circleci", status, seconds(second))
        told = self.happening(id_ or f"result {status} {second}", commit, second)
        return record_result(self.reader, result, told, trace)

    def deployed(self, promotion: Promotion, status: str = "TRUE", second: float = 120, **more: Any) -> Snapshot:
        gate = f"deployed_to_{promotion.environment_key}"
        ended = ReleaseResult(
            gate, promotion.release.name, promotion.releases, promotion.generation, status, seconds(second), **more
        )
        told = self.happening(f"{promotion.id} {status}", promotion.commit, second)
        place = (promotion.pipeline, promotion.environment)
        return record_deployment(self.reader, ended, place, told, trace)

    def ready(self, commit: str = A, second: float = 0, before: str = "") -> Snapshot:
        """A pushed and built commit, as the promoter would read it."""
        self.push(before, commit, second)
        self.result(commit, second=second + 30)
        return self.snapshot(commit)

    def promote(self, commit: str, environment: str = "staging", snapshot: Snapshot | None = None) -> list[Promotion]:
        """Claims on what was read. Raises as `claim`, and AssertionError when the decision is another."""
        seen = snapshot or self.snapshot(commit)
        (found,) = [each for each in self.decisions(commit, seen) if each.environment == environment]
        assert isinstance(found, Promote), found.sentence
        return claim(seen, seen.definitions.pipelines[0], found, self.now)

    def claimed(self, environment: str, generation: int) -> list[Promotion]:
        return claimed_promotions(self.named("shop"), environment, generation)

    def mark(self, commit: str, environment: str, generation: int) -> None:
        first = self.claimed(environment, generation)[0]
        assert (first.commit, first.environment) == (commit, environment)
        mark_published(first, self.now)

    # what is there

    def snapshot(self, commit: str, repo: str = "") -> Snapshot:
        return self.reader.read(repo or self.repo, commit)

    def decisions(self, commit: str, snapshot: Snapshot | None = None) -> list[Decision]:
        return decisions_of(snapshot or self.snapshot(commit), self.now)

    def decision(self, commit: str, environment: str = "staging") -> str:
        (kind,) = [each.kind for each in self.decisions(commit) if each.environment == environment]
        return kind

    def record(self, commit: str) -> Record:
        return self.snapshot(commit).record

    def state(self, environment: str = "staging") -> EnvironmentState:
        snapshot = self.snapshot(A)
        pipeline = snapshot.definitions.pipelines[0]
        found = pipeline.environment(environment)
        assert found
        return snapshot.state(pipeline, found, self.now)

    def order(self, commits: Iterable[str], branch: str = "main") -> str:
        """The first letters of the commits, oldest first."""
        places = {commit: self.record(commit).branches[branch] for commit in commits}
        return "".join(sorted((commit[0] for commit in places), key=lambda letter: places[letter * 40].sequence))

    def item(self, commit: str) -> dict[str, Any]:
        return self.read("gates", repo=self.repo, commit=commit)

    def environment(self, name: str = "staging", pipeline: str = "shop") -> dict[str, Any]:
        return self.read("environments", pipeline=self.named(pipeline), environment=name)

    def read(self, table: str, **key: str) -> dict[str, Any]:
        answer = self.client.get_item(TableName=self.tables.names[table], Key=raw(key), ConsistentRead=True)
        return to_plain(answer.get("Item", {}))

    def told(self, commit: str) -> list[str]:
        """The ids of a commit's journal."""
        return [entry["entry"].split("#")[1] for entry in history(self.repo, commit)]

    # what people do, with tools of their own

    def edit(self, commit: str, **columns: Any) -> None:
        """Sets columns; None removes one."""
        self.change("gates", {"repo": self.repo, "commit": commit}, columns)

    def edit_environment(self, name: str = "staging", **columns: Any) -> None:
        self.change("environments", {"pipeline": self.named("shop"), "environment": name}, columns)

    def change(self, table: str, key: dict[str, str], columns: dict[str, Any]) -> None:
        changes = {
            name: {"Action": "DELETE"} if value is None else {"Action": "PUT", "Value": to_raw(value)}
            for name, value in columns.items()
        }
        self.client.update_item(TableName=self.tables.names[table], Key=raw(key), AttributeUpdates=changes)

    def forget_stops(self) -> None:
        """Their journal is that of all tests with these tables, and whoever looks for waits reads it."""
        for entry in JournalEntry.query("#".join(EVERYTHING)):
            entry.delete()

    def note(self, commit: str, second: float, **edits: Any) -> None:
        """What the promoter does when the stream shows it an edit."""
        found = {name: None if value is None else to_raw(value) for name, value in edits.items()}
        note_hand_edits(found, self.happening(f"edit {second}", commit, second))

    def write(self, table: str, **item: Any) -> None:
        self.client.put_item(TableName=self.tables.names[table], Item=raw(item))


def decisions_of(snapshot: Snapshot, now: datetime) -> list[Decision]:
    """What the promoter decides on what it has read."""
    return [decision for each in snapshot.definitions.pipelines for decision in snapshot.decisions(each, now)]


def raw(values: dict[str, Any]) -> dict[str, Any]:
    return {name: to_raw(value) for name, value in values.items()}


def trace(repo: str, commit: str) -> str:
    return f"trace of {repo}@{commit[:1]}"
