"""One run of the whole way, chapter by chapter, in which any single call can go wrong, and what is there in the end."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from pipeline_state.events.codec import decode
from pipeline_state.events.deployment import read_promotion
from pipeline_state.model.pipelines import Cluster, Environment, Release
from pipeline_state.table import leases
from pipeline_state.table.models import to_plain
from pipeline_state.table.snapshot import LEASED_UNTIL
from tests.contract.function_room import ALL, Crash
from tests.contract.table_room import WEB, A, B, C, pipeline
from tests.contract.way_room import LEASE, WayRoom, nothing

D, E, F, G, H, K, L, M, N, P = (letter * 40 for letter in "def1234567")
LOCAL = Cluster(context="local")
LIVE = replace(WEB, namespace="live")
WORKER = Release("worker", "live", "charts/worker")
STAGING = Environment("staging", ("build",), (), (WEB,), LOCAL)
PRODUCTION = Environment("production", ("legal",), ("staging",), (LIVE, WORKER), LOCAL)
LONG = replace(WEB, chart="charts/long", timeout=4 * 3600)
IN_ORDER = replace(STAGING, releases=(LONG, replace(WORKER, namespace="shop")), in_order=True, rollback_together=True)

HELM = "helm.upgrade"
READS = {"helm.status", "dynamodb.TransactGetItems", "dynamodb.GetItem", "dynamodb.BatchGetItem", "dynamodb.Query"}

UNSENT, UNANSWERED, DIES_BEFORE, DIES_AFTER = KINDS = ("unsent", "unanswered", "dies before", "dies after")
"""A call is not sent; it takes effect but its answer is lost; the process ends before it; the process ends after it."""


def kinds_of(call: str) -> tuple[str, ...]:
    """What can go wrong with a call. A read has no effect that would tell before from after."""
    return (UNSENT, DIES_BEFORE) if call in READS else KINDS


@dataclass
class Fault:
    """The nth call goes wrong, counted from 0. hit: that call, once it has."""

    kind: str
    nth: int
    at: int = field(init=False)
    count: int = 0
    hit: str = ""

    def __post_init__(self) -> None:
        self.at = self.nth

    def before(self, name: str) -> None:
        self.count += 1
        if self.count == self.nth + 1:
            self.hit = name
            if self.kind == UNSENT:
                raise EndpointConnectionError(endpoint_url=name)
            if self.kind == DIES_BEFORE:
                raise Crash

    def after(self, _: str) -> None:
        if self.hit and self.count == self.nth + 1:
            self.nth = -1  # once
            if self.kind == UNANSWERED:
                raise ReadTimeoutError(endpoint_url=self.hit)
            if self.kind == DIES_AFTER:
                raise Crash


Case = tuple[str, int]
"""A kind of fault, and of which call of its chapter."""


@dataclass
class Told:
    """A run, by chapter. calls: in order. hits: the call that went wrong. ends: what was there then.

    queues: what was left in them when it ended.
    """

    calls: dict[str, list[str]] = field(default_factory=dict)
    hits: dict[str, str] = field(default_factory=dict)
    ends: dict[str, Any] = field(default_factory=dict)
    queues: dict[str, Any] = field(default_factory=dict)

    def cases(self, chapter: str) -> list[Case]:
        """All that can go wrong in a chapter."""
        return [(kind, nth) for nth, call in enumerate(self.calls[chapter]) for kind in kinds_of(call)]


@dataclass(frozen=True)
class Chapter:
    """A part of the way.

    calmly: what comes before it, where nothing goes wrong. act: what happens, and then recorder and promoter deal
    with it. ends_calmly: whether nothing goes wrong any more while they do. installing: whether the installer then
    carries out, with nothing in its way, all that there is: twice the same may be there.
    """

    name: str
    calmly: Callable[[WayRoom], object]
    act: Callable[[WayRoom], object]
    ends_calmly: bool = False
    installing: bool = False


def run(room: WayRoom, faults: Mapping[str, Case] | None = None, whole: Told | None = None) -> Told:
    """The whole way, chapter by chapter, with at most one fault in each; it ends with the last chapter that has one.

    A chapter begins with fresh processes and with what the one before has left behind. That is compared with `whole`,
    the run without faults: where it is the same, a chapter is as good as a run of its own, from the beginning and with
    the fault at that place alone.
    """
    room.tables.define(pipeline(STAGING, PRODUCTION))
    told, left, lost = Told(), {*(faults or ())}, 0
    for chapter in CHAPTERS:
        chapter.calmly(room)
        room.restart()
        room.calls.made.clear()
        fault = Fault(*(faults or {}).get(chapter.name, ("", -1)))
        room.calls.before, room.calls.after = fault.before, fault.after
        chapter.act(room)
        if not chapter.ends_calmly:
            room.settle(installing=False)
        told.calls[chapter.name], told.hits[chapter.name] = [*room.calls.made], fault.hit
        room.calls.before = room.calls.after = nothing
        if chapter.ends_calmly or chapter.installing:
            room.settle(installing=chapter.installing)
        told.ends[chapter.name] = state(room)
        lost += _loses_what_helm_did(fault, told.calls[chapter.name])
        assert len(room.releases.runs) - len({*room.releases.runs}) <= lost, (chapter.name, fault)
        if whole:
            assert told.ends[chapter.name] == whole.ends[chapter.name], (chapter.name, fault)
        left.discard(chapter.name)
        if faults and not left:
            break
    told.queues = queues(room)
    return told


def _loses_what_helm_did(fault: Fault, calls: Sequence[str]) -> bool:
    """Whether Helm has run and nobody has written that down: only then it may run once more for the same promotion."""
    helm = calls.index(HELM) if HELM in calls else len(calls)
    kept = {UNANSWERED, DIES_AFTER}
    return (fault.at, fault.kind in kept) in {(helm, True), (helm + 1, False)}


def come(room: WayRoom, commit: str, before: str, second: float) -> None:
    """A push and its build."""
    room.send(room.push(before, commit, second), room.build(commit, second=second + 5))
    room.record()


def to_staging(room: WayRoom, commit: str, before: str, second: float) -> None:
    """All the way there."""
    room.settle()
    come(room, commit, before, second)
    room.settle()


def to_production(room: WayRoom, commit: str, before: str, second: float) -> None:
    """As far as the installer's queue."""
    to_staging(room, commit, before, second)
    room.approve(commit)
    room.settle(installing=False)


def swept(room: WayRoom) -> None:
    """Nothing is left of what was."""
    room.settle()
    room.sweep()


def _edited(room: WayRoom) -> None:
    """With a tool that is not ours."""
    room.tables.edit(B, legal={"status": "TRUE", "by": "ann from legal"})


def _to_be_parked(room: WayRoom) -> None:
    to_production(room, C, B, 200)
    room.freeze("production")
    room.settle(installing=False)


def _to_be_overtaken(room: WayRoom) -> None:
    room.settle()
    come(room, E, D, 400)
    room.settle(installing=False)


def _behind_the_dead(room: WayRoom) -> None:
    """The release is leased to an invocation that has died, whose message is gone, and the next commit comes."""
    swept(room)
    come(room, G, F, 500)
    room.settle(installing=False)
    (message,) = lose(room)
    now = room.clock().timestamp()
    leases.take(read_promotion(decode(message)), "one that died", lambda: now, now + LEASE * 10)
    come(room, H, G, 510)
    room.settle(installing=False)


def _in_time(room: WayRoom) -> None:
    """The lease of the dead is over."""
    room.clock.go_on(LEASE * 10)


def _lost(room: WayRoom) -> None:
    """A promotion is published, and nothing comes of it for a long time."""
    swept(room)
    come(room, K, H, 600)
    room.settle(installing=False)
    lose(room)
    room.clock.go_on(3600)


def lose(room: WayRoom) -> list[str]:
    """Take all messages out of the installer's queue."""
    return [body for body, _ in room.bodies(room.installs)]


def _early_result(room: WayRoom) -> None:
    """A result that has to wait until it is known when somebody set the gate."""
    room.tables.edit(K, build="FALSE")
    room.send(room.build(K, second=625))
    room.record()


def _poisoned_queues(room: WayRoom) -> None:
    room.send("no event")
    room.record()
    group = {"MessageGroupId": "g", "MessageDeduplicationId": "no promotion"}
    room.sqs.send_message(QueueUrl=room.installs, MessageBody="no promotion", **group)
    room.install_one()


def _poisoned_record(room: WayRoom) -> None:
    claimed = {"generation": 99, "at": "2026-01-01T00:00:00Z", "promotions": {}, "published": False}
    room.tables.edit(A, _claim_staging=claimed, scan="TRUE")


def _broken_chart(room: WayRoom) -> None:
    room.settle()
    room.releases.broken.add(WEB.chart)
    come(room, L, K, 700)
    room.settle(installing=False)


def _mended_chart(room: WayRoom) -> None:
    room.releases.broken.clear()
    come(room, M, L, 800)
    room.settle(installing=False)


def _unreachable(room: WayRoom) -> None:
    """The cluster, at the first attempt."""
    room.releases.away = 1
    while room.releases.away:
        room.installer.poll()
        room.show_again()


def _beside_each_other(room: WayRoom) -> None:
    """Staging has two releases now, one after the other, of which the first takes longer than an invocation."""
    room.settle()
    room.releases.broken |= {WORKER.chart}
    room.releases.long |= {LONG.chart}
    room.releases.is_late = lambda: True
    room.tables.define(pipeline(IN_ORDER, PRODUCTION))
    come(room, N, M, 900)
    room.settle(installing=False)


def _watched_once(room: WayRoom) -> None:
    """Messages that came twice to the observer are one again."""
    bodies = [body for body, _ in room.bodies(room.rollouts)]
    room.sqs.send_message(QueueUrl=room.rollouts, MessageBody=bodies[0])


def _ready(room: WayRoom) -> None:
    _watched_once(room)
    room.releases.is_late = lambda: False


def _never_ready(room: WayRoom) -> None:
    room.settle()
    come(room, P, N, 1000)
    room.settle(installing=False)
    room.install_one()
    room.releases.broken |= {LONG.chart}
    room.settle(installing=False)
    _watched_once(room)


CHAPTERS = (
    Chapter("pushed", nothing, lambda room: room.send(room.push("", A, 0))),
    Chapter("built", nothing, lambda room: room.send(room.build(A, second=5))),
    Chapter("installed", nothing, WayRoom.install_one),
    Chapter("approved", WayRoom.settle, lambda room: room.approve(A)),
    Chapter("one release of two", nothing, WayRoom.install_one),
    Chapter("both releases", nothing, WayRoom.install_one),
    Chapter("swept", WayRoom.settle, WayRoom.sweep),
    Chapter("frozen", lambda room: to_staging(room, B, A, 100), lambda room: room.freeze("production")),
    Chapter("edited by hand", nothing, _edited),
    Chapter("unfrozen", nothing, lambda room: room.unfreeze("production")),
    Chapter("parked", _to_be_parked, WayRoom.settle),
    Chapter("resumed", nothing, lambda room: room.unfreeze("production"), installing=True),
    Chapter("stopped", WayRoom.settle, WayRoom.stop),
    Chapter("started", lambda room: to_staging(room, D, C, 300), WayRoom.start),
    Chapter("back", WayRoom.settle, lambda room: room.rollback("production", B)),
    Chapter("gone back", nothing, WayRoom.install_one),
    Chapter("held", WayRoom.settle, lambda room: room.approve(D)),
    Chapter("released", nothing, lambda room: room.release("production")),
    Chapter("overtaken", _to_be_overtaken, lambda room: come(room, F, E, 410)),
    Chapter("gives way", nothing, WayRoom.install_one),
    Chapter("busy", _behind_the_dead, WayRoom.install_one),
    Chapter("resumed by the sweeper", _in_time, WayRoom.sweep, installing=True),
    Chapter("overdue", _lost, WayRoom.sweep),
    Chapter("a result that is early", WayRoom.settle, _early_result),
    Chapter("poisoned queues", nothing, _poisoned_queues),
    Chapter("a poisoned record", nothing, _poisoned_record),
    Chapter("failed", _broken_chart, WayRoom.install_one),
    Chapter("unreachable", _mended_chart, _unreachable, ends_calmly=True, installing=True),
    Chapter("applied", _beside_each_other, WayRoom.install_one),
    Chapter("looked at", _watched_once, WayRoom.observe_one),
    Chapter("verified", _ready, WayRoom.observe_one),
    Chapter("failed beside it", nothing, WayRoom.install_one),
    Chapter("withdrawn", nothing, WayRoom.install_one),
    Chapter("rolled back", _never_ready, WayRoom.observe_one),
)


# What is there: without times, and without what is another in each room.

_TIMES = {"at", "told_at", "written_at", "promoted_at", "time", "_last_write", "honeycomb_trace", "helm_seconds"}
_TIMES |= {"seconds", "begun", "since", "until"}
_TIME, _ANY_TIME = re.compile(r"20\d\d-\d\d-\d\dT[\d:.]+Z"), "2000-01-01T00:00:00Z"
_ATTEMPTS = "gatestream-release.errored"
"""Of an attempt that came to nothing there is an entry in the journal, and so it should be."""


def state(room: WayRoom) -> dict[str, Any]:
    """All that a run leaves behind."""
    found = {table: _items(room, table) for table in ("gates", "environments", "journal")}
    ids = _promotion_ids(found["environments"])
    found["journal"] = [_entry(each) for each in found["journal"] if _ATTEMPTS not in str(each["kind"])]
    installed = {"/".join(place): done for place, done in room.releases.history.items()}
    return {
        **{table: _sorted(_plain(items, room, ids)) for table, items in found.items()},
        "installed": _plain(installed, room, ids),
        "given up": len(room.given_up),
    }


def queues(room: WayRoom) -> dict[str, Any]:
    """How many messages are there, visible or not, and why those are dead that are."""
    depths = {url.rpartition("/")[2]: _depth(room, url) for url in (room.events, room.installs)}
    dead = (room.dead_events, room.dead_installs, room.dead_rollouts, room.dead_changes)
    reasons = {url.rpartition("/")[2]: _reasons(room, url) for url in dead}
    found: dict[str, Any] = {name.removeprefix(room.name): what for name, what in (depths | reasons).items()}
    return found


def _items(room: WayRoom, table: str) -> list[dict[str, Any]]:
    pages = room.tables.client.get_paginator("scan").paginate(TableName=room.tables.tables.names[table])
    return [to_plain(item) for page in pages for item in page["Items"]]


def _promotion_ids(environments: list[dict[str, Any]]) -> dict[str, str]:
    """What a promotion's id stands for."""
    promotions = [each for item in environments for each in json.loads(item.get("promotions", "[]"))]
    return {
        each["id"]: f"<{each['commit'][0]} {each['environment']} {each['release']['name']} {each['generation']}>"
        for each in promotions
    }


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What the journal says once, however often it happened: an entry without its time.

    A first deployment whose result was lost is told as an upgrade, once it is seen to have been done.
    """
    _, id_, source = entry["entry"].split("#", 2)
    told = {**entry, "entry": "" if entry["kind"] == "edited by hand" else f"{id_} {source}"}
    return {**told, "kind": told["kind"].replace("service.deployed", "service.upgraded")}


def _plain(value: Any, room: WayRoom, ids: Mapping[str, str]) -> Any:
    match value:
        case Mapping():
            kept = {key: inner for key, inner in value.items() if key not in _TIMES and LEASED_UNTIL not in key}
            return {key: _shortened(key, _plain(inner, room, ids)) for key, inner in kept.items()}
        case list() | tuple():
            return [_plain(inner, room, ids) for inner in value]
        case str():
            for id_, name in ids.items():
                value = value.replace(id_, name)
            return _TIME.sub(_ANY_TIME, value.replace(room.tables.unique, ""))
    return value


def _shortened(key: str, value: Any) -> Any:
    """How an installation went, as the environment keeps it for those who ask again; what is parked there, and noted.

    A mark is another each time that something is parked, and tells which was last of those that may be in any order.
    """
    if key == "mark":
        return re.sub("^.*-[0-9a-f]{32}$", "parked", value)
    if key.startswith("parked:"):
        return decode(value).get_id()
    if key.startswith(("outcome:", "rollout:")):
        return {name: told for name, told in json.loads(value).items() if name not in {*_TIMES, "action"}}
    return value


def _sorted(items: list[Any]) -> list[str]:
    return sorted({json.dumps(item, sort_keys=True, default=str) for item in items})


def _depth(room: WayRoom, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = room.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(counts[name]) for name in names)


def _reasons(room: WayRoom, url: str) -> list[str]:
    """Why they lie there; whoever dies after sending one sends it again."""
    answer = room.sqs.receive_message(QueueUrl=url, **ALL, VisibilityTimeout=0)
    reasons = {each["MessageAttributes"]["reason"]["StringValue"] for each in answer.get("Messages", [])}
    return sorted(reason.replace(room.tables.unique, "") for reason in reasons)
