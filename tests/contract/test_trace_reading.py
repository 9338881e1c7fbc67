"""A commit's trace as it is read from a deployed stack's tables: summaries, stand-ins, and what it still waits for."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import ClientError

from pipeline_state.cli.stacks import Stack
from pipeline_state.cli.traces.spans import Span, spans_of
from pipeline_state.model.pipelines import Cluster, Environment, GateDefinition
from pipeline_state.model.times import format_time
from pipeline_state.table import summaries
from pipeline_state.table.definitions import save_definitions
from pipeline_state.table.models import Tables, to_raw
from pipeline_state.table.results import note_hand_edits
from pipeline_state.tracing import to_otlp_json, trace_of
from pipeline_state.tracing.store import append
from tests.contract.table_room import WEB, A, B, TableRoom, pipeline, seconds

PRODUCTION = Environment("production", ("build", "legal"), (), (WEB,), Cluster(context="local"))


class NoTrail:
    """CloudWatch Logs where infra/audit is not deployed."""

    def get_paginator(self, operation: str) -> NoReturn:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, operation)


def deployed_stack() -> Stack:
    return Stack("gatestream", "us-east-1", Tables(gates="gates"), {}, {}, lambda _: NoTrail())


def spans(room: TableRoom, commit: str = A) -> list[Span]:
    return spans_of(deployed_stack(), room.repo, commit, room.now)


def kept(room: TableRoom, name: str, span_id: str, parent: str, **fields: Any) -> None:
    trace_id = trace_of(room.repo, A).trace_id
    ids = {"trace.trace_id": trace_id, "trace.span_id": span_id, "trace.parent_id": parent}
    data = {"name": name, "service.name": "gate_recorder", "duration_ms": 5, **ids, **fields}
    summaries.write([{"time": seconds(1), "data": data}], room.now)


def edited(room: TableRoom, second: float, values: dict[str, Any], by: str = "unknown") -> None:
    told = room.happening(f"edit {second}", A, second, **values)
    raw = {name: to_raw(value) for name, value in values.items()}
    note_hand_edits(raw, replace(told, kind="edited by hand", by=by, verified=False))


def test_a_local_stacks_spans_come_from_its_store(room: TableRoom, tmp_path: Path) -> None:
    root = trace_of(room.repo, A)
    ids = {"trace.trace_id": root.trace_id, "trace.span_id": root.span_id, "meta.span_type": "root"}
    append(tmp_path / "traces.db", [{"time": seconds(0), "samplerate": 1, "data": {"name": "commit", **ids}}])
    stack = replace(deployed_stack(), traces=tmp_path / "traces.db")
    assert [span.name for span in spans_of(stack, room.repo.upper(), A, room.now)] == ["commit"]


def test_what_a_commit_waits_for_lasts_until_now(room: TableRoom) -> None:
    room.define(pipeline(PRODUCTION))
    room.ready()
    waiting = {span.name: span for span in spans(room) if span.is_wait}
    assert not waiting["waiting for build"].is_open
    legal = waiting["waiting for legal"]
    assert (legal.is_open, legal.end, legal.parent) == (True, room.now, trace_of(room.repo, A).span_id)


def test_a_wait_that_was_told_of_counts_once(room: TableRoom) -> None:
    room.define(pipeline(PRODUCTION))
    room.ready()
    (build,) = [span for span in spans(room) if span.name == "waiting for build"]
    kept(room, build.name, build.id, build.parent, **{"gatestream.kind": "wait"})
    assert [span.id for span in spans(room)].count(build.id) == 1


def test_what_nobody_sent_holds_no_address_either(room: TableRoom) -> None:
    room.define(pipeline(PRODUCTION))
    room.ready()
    cleo = "arn:aws:sts::1:assumed-role/sso/cleo@example.com"
    edited(room, 40, {"legal": {"status": "TRUE", "by": cleo}}, by=cleo)
    edited(room, 50, {"dan@example.com": ""})
    found = spans(room)
    assert {"waiting for legal", "waiting for dan@…"} <= {span.name for span in found}
    assert {span.fields.get("wait.ended_by") for span in found} >= {"arn:aws:sts::1:assumed-role/sso/cleo@…"}
    assert "@example.com" not in json.dumps(to_otlp_json([span.to_item() for span in found]))


def test_an_overtaken_commit_waits_for_nothing_any_more(room: TableRoom) -> None:
    room.define(pipeline())
    room.push("", A, 0)
    assert [span.name for span in spans(room) if span.is_open] == ["waiting for build"]
    room.ready(B, 10, A)
    room.now += timedelta(minutes=5)
    room.promote(B)
    room.now += timedelta(hours=1)
    (build,) = [span for span in spans(room) if span.is_wait]
    assert (build.is_open, build.end) == (False, room.now - timedelta(hours=1))
    assert (build.fields["wait.ended_by"], build.fields["wait.known"]) == ("gatestream", "verified")


def test_what_a_commit_has_waited_for_stays_when_other_pipelines_are_applied(room: TableRoom) -> None:
    room.define(pipeline(PRODUCTION))
    room.push("", A, 0)
    edited(room, 40, {"build": "TRUE", "legal": "TRUE"}, by="bea")
    before = [(span.id, span.duration) for span in spans(room)]
    assert len(before) == 3, "build, legal and the promotion"
    shop = replace(pipeline(replace(PRODUCTION, gates=("qa",))), repo=room.repo, name=room.pipeline_name)
    qa = replace(shop, gates=(*shop.gates, GateDefinition("qa")))
    applied_at = room.now + timedelta(hours=1)
    save_definitions(room.repo, [qa], after=1, by="zoe", at_time=format_time(applied_at))
    room.now += timedelta(hours=2)
    *others, last = spans(room)
    assert [(span.id, span.duration) for span in others[:2]] == before[:2]
    assert (others[2].id, others[2].end) == (before[2][0], applied_at)
    assert (last.name, last.start, last.is_open) == ("waiting for qa", applied_at, True)


def test_the_webhooks_of_a_deployed_stack_are_stood_in_for(room: TableRoom) -> None:
    root = trace_of(room.repo, A).span_id
    kept(room, "commit", root, "", **{"meta.span_type": "root"})
    kept(room, "record gates", "1" * 16, "2" * 16, **{"cloudevents.event_type": "com.github.push"})
    found = {span.name: span for span in spans(room)}
    assert found["webhook github"].parent == root
    assert found["webhook github"].start - found["record gates"].start == timedelta(0)


def test_of_a_commit_that_nobody_told_of_there_is_nothing(room: TableRoom) -> None:
    assert spans(room) == []
