from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline_state import tracing
from pipeline_state.faults import PermanentFault, TemporaryFault
from pipeline_state.tracing import TraceContext, trace_of
from tests.span_file import FileSink

COMMIT = "a" * 40
OTHER = "b" * 40
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Spans = dict[str, dict[str, Any]]


@pytest.fixture
def trace_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "spans.jsonl"
    tracing.configure("gate-recorder", FileSink(path))
    yield path
    tracing.shutdown()


@pytest.fixture
def spans(trace_file: Path) -> Callable[[], Spans]:
    """The spans so far, by name, without their values of time."""

    def read() -> Spans:
        tracing.flush()
        return {item["data"]["name"]: item["data"] for item in map(json.loads, trace_file.read_text().splitlines())}

    return read


def place(span: dict[str, Any]) -> tuple[str, str | None]:
    return span["trace.trace_id"], span.get("trace.parent_id")


def test_each_message_of_a_batch_is_in_its_own_trace(spans: Callable[[], Spans]) -> None:
    with tracing.invocation(None):
        for commit in (COMMIT, OTHER):
            with tracing.message_span(f"record {commit[0]}", parent=trace_of("myOrg/myApp", commit)):
                with tracing.span(f"write {commit[0]}"), tracing.span(f"transaction {commit[0]}"):
                    pass
                with tracing.span(f"journal {commit[0]}"):
                    pass
    found = spans()
    assert len(found) == 8
    for commit in (COMMIT, OTHER):
        root = trace_of("myorg/myapp", commit)
        record, write = found[f"record {commit[0]}"], found[f"write {commit[0]}"]
        assert place(record) == (root.trace_id, root.span_id)
        assert place(write) == place(found[f"journal {commit[0]}"]) == (root.trace_id, record["trace.span_id"])
        assert place(found[f"transaction {commit[0]}"]) == (root.trace_id, write["trace.span_id"])


def test_an_exception_in_one_message_does_not_reach_the_next(spans: Callable[[], Spans]) -> None:
    with (
        pytest.raises(KeyError),
        tracing.message_span("broken", parent=trace_of("o/r", COMMIT)),
        tracing.span("inner"),
    ):
        raise KeyError("no such table")
    assert tracing.current() is None
    with tracing.message_span("fine", parent=trace_of("o/r", OTHER)):
        pass
    found = spans()
    assert place(found["fine"])[0] == trace_of("o/r", OTHER).trace_id
    assert "error" not in found["fine"]
    assert found["broken"]["error"] == found["inner"]["error"] == "KeyError"


@pytest.mark.parametrize(
    "fault",
    [PermanentFault("no field after in the push"), TemporaryFault("table throttled", delay_seconds=3)],
    ids=["permanent", "temporary"],
)
def test_our_own_faults_are_recorded_with_their_reason(
    spans: Callable[[], Spans], fault: PermanentFault | TemporaryFault
) -> None:
    with pytest.raises(type(fault)), tracing.message_span("record", parent=None):
        raise fault
    assert spans()["record"]["error"] == type(fault).__name__
    assert spans()["record"]["error_detail"] == fault.reason


def test_a_secret_in_an_exception_is_nowhere_in_the_output(trace_file: Path) -> None:
    def sign(secret: str) -> None:
        raise ValueError(f"cannot sign with {secret}")

    with pytest.raises(ValueError, match="hunter2"), tracing.invocation(None):  # noqa: SIM117 - as in a handler
        with tracing.message_span("webhook", parent=None), tracing.span("verify"):
            sign("hunter2")
    written = trace_file.read_text()
    assert written.count('"error": "ValueError"') == 2
    assert "hunter2" not in written
    assert "Traceback" not in written


def test_only_short_plain_values_are_recorded(spans: Callable[[], Spans]) -> None:
    payload: Any = {"token": "hunter2"}
    with tracing.message_span("webhook", parent=None, fields={"payload": payload, "size": 3}):
        tracing.add_field("body", payload)
        tracing.add_field("nothing", None)
        tracing.add_field("ratio", float("nan"))
        tracing.add_field("long", "x" * 10_000)
    span = spans()["webhook"]
    assert [span[key] for key in ("payload", "body", "size", "nothing", "ratio")] == ["dict", "dict", 3, None, "float"]
    assert len(span["long"]) < 1000


def test_who_somebody_is_stays_and_the_address_does_not(spans: Callable[[], Spans]) -> None:
    with tracing.message_span("approve", parent=None):
        tracing.add_field("by", "arn:aws:sts::1:assumed-role/sso/ann.b+c@mail.example.com")
        tracing.add_field("image", "registry.example.com/web@sha256:0a1b")
        tracing.add_field("subject", f"myOrg/myApp@{COMMIT}")
    span = spans()["approve"]
    assert span["by"] == "arn:aws:sts::1:assumed-role/sso/ann.b+c@…"
    assert (span["image"], span["subject"]) == ("registry.example.com/web@sha256:0a1b", f"myOrg/myApp@{COMMIT}")


def test_a_text_without_end_is_searched_for_addresses_at_once(spans: Callable[[], Spans]) -> None:
    with tracing.message_span("install", parent=None):
        tracing.add_field("said", "x" * 400_000 + " @")  # by trying each beginning to the end: a quarter of an hour
    assert spans()["install"]["said"] == "x" * 256


def test_fields_go_to_the_span_that_is_open(spans: Callable[[], Spans]) -> None:
    with tracing.message_span("promote", parent=None, fields={"repo": "o/r"}):
        with tracing.span("decide", environment="production"):
            tracing.add_field("decision", "Promote")
        tracing.add_field("published", value=True)
    tracing.add_field("decision", "of nobody")
    found = spans()
    assert (found["decide"]["environment"], found["decide"]["decision"]) == ("production", "Promote")
    assert "decision" not in found["promote"]
    assert (found["promote"]["repo"], found["promote"]["published"]) == ("o/r", True)


def test_a_message_that_turns_out_to_be_about_a_commit_moves_into_its_trace(spans: Callable[[], Spans]) -> None:
    root = trace_of("myOrg/myApp", COMMIT)
    with tracing.message_span("webhook", parent=None):
        with tracing.span("verify"), tracing.span("read secrets"):
            pass
        tracing.adopt(root)
        with tracing.span("publish"):
            sent_from = tracing.current()
    found = spans()
    assert place(found["webhook"]) == (root.trace_id, root.span_id)
    webhook, verify, publish = (found[name]["trace.span_id"] for name in ("webhook", "verify", "publish"))
    assert place(found["verify"]) == place(found["publish"]) == (root.trace_id, webhook)
    assert place(found["read secrets"]) == (root.trace_id, verify)
    assert sent_from == TraceContext(root.trace_id, publish)


def test_a_message_that_nothing_adopts_keeps_a_trace_of_its_own(spans: Callable[[], Spans]) -> None:
    for name in ("ping", "pong"):
        with tracing.message_span(name, parent=None):
            pass
    found = spans()
    assert place(found["ping"])[0] != place(found["pong"])[0]
    assert place(found["ping"])[1] is None


def test_a_message_with_a_parent_stays_with_it(spans: Callable[[], Spans]) -> None:
    root = trace_of("o/r", COMMIT)
    with tracing.message_span("record", parent=root):
        tracing.adopt(trace_of("o/r", OTHER))
    assert place(spans()["record"]) == (root.trace_id, root.span_id)


def test_the_root_of_a_commit_has_the_derived_id_and_no_parent(spans: Callable[[], Spans]) -> None:
    context = tracing.send_root("myOrg/myApp", COMMIT, start=NOON, fields={"branch": "main"})
    root = spans()["commit"]
    assert context == trace_of("myorg/myapp", COMMIT)
    assert (root["trace.trace_id"], root["trace.span_id"]) == (context.trace_id, context.span_id)
    assert "trace.parent_id" not in root
    assert (root["repo"], root["commit"], root["branch"]) == ("myOrg/myApp", COMMIT, "main")


def test_a_span_of_the_past_stands_where_and_when_it_was(spans: Callable[[], Spans], trace_file: Path) -> None:
    root = trace_of("o/r", COMMIT)
    wait = tracing.finished_span(
        "wait for approval", parent=root, start=NOON, duration=timedelta(days=2), fields={"gate": "approval_from_legal"}
    )
    span = spans()["wait for approval"]
    assert place(span) == (root.trace_id, root.span_id)
    assert wait == TraceContext(root.trace_id, span["trace.span_id"])
    assert (span["duration_ms"], span["gate"]) == (2 * 24 * 3600 * 1000, "approval_from_legal")
    assert json.loads(trace_file.read_text())["time"] == "2026-03-01T12:00:00.000000Z"


@pytest.mark.parametrize("sent_ago_ms, duration_ms", [(250, 250), (0, 0), (-40, 0)])
def test_transit_is_the_time_since_the_message_was_sent(
    spans: Callable[[], Spans], sent_ago_ms: int, duration_ms: int
) -> None:
    sent_at_ms = int(NOON.timestamp() * 1000) - sent_ago_ms
    tracing.transit("sqs", sent_at_ms=sent_at_ms, now=NOON, parent=trace_of("o/r", COMMIT))
    assert spans()["sqs"]["duration_ms"] == duration_ms


def test_spans_of_the_past_do_not_disturb_the_open_one(spans: Callable[[], Spans]) -> None:
    with tracing.message_span("record", parent=trace_of("o/r", COMMIT)):
        before = tracing.current()
        tracing.send_root("o/r", OTHER, start=NOON)
        tracing.transit("sqs", sent_at_ms=0, now=NOON, parent=trace_of("o/r", OTHER))
        assert tracing.current() == before
    assert len(spans()) == 3


def test_a_transit_says_that_it_is_one_and_what_carried_the_message(spans: Callable[[], Spans]) -> None:
    queue = {"messaging.system": "aws_sqs", "messaging.destination.name": "GateEvents"}
    tracing.transit("SNS → SQS", sent_at_ms=0, now=NOON, parent=trace_of("o/r", COMMIT), fields=queue)
    assert spans()["SNS → SQS"].items() >= {"gatestream.kind": "transit", **queue}.items()


def test_what_is_recorded_twice_under_its_own_id_is_one_span(spans: Callable[[], Spans]) -> None:
    root = trace_of("o/r", COMMIT)
    own = tracing.derived_span_id(root.trace_id, "legal", "2026-03-01T12:00:00Z")
    for _ in range(2):
        context = tracing.finished_span("wait", parent=root, start=NOON, duration=timedelta(1), span_id=own)
        assert context == TraceContext(root.trace_id, own)
    assert spans()["wait"]["trace.span_id"] == own
    others = [tracing.derived_span_id(*parts) for parts in ((root.trace_id, "legal"), (root.trace_id, "le", "gal"))]
    assert len({own, *others}) == 3


def test_a_span_of_another_trace_stands_beside_the_open_one(spans: Callable[[], Spans]) -> None:
    other = trace_of("o/r", OTHER)
    with tracing.message_span("settle", parent=trace_of("o/r", COMMIT)):
        before = tracing.current()
        with tracing.beside("send event", parent=other, fields={"release": "web"}) as context:
            assert tracing.current() == before
        with pytest.raises(TemporaryFault), tracing.beside("send again", parent=other):
            raise TemporaryFault("SNS did not take an event", delay_seconds=5)
        with tracing.span("after"):
            pass
    found = spans()
    assert place(found["send event"]) == place(found["send again"]) == (other.trace_id, other.span_id)
    assert context == TraceContext(other.trace_id, found["send event"]["trace.span_id"])
    assert (found["send event"]["release"], found["send event"]["duration_ms"] >= 0) == ("web", True)
    assert found["send again"]["error_detail"] == "SNS did not take an event"
    assert place(found["after"]) == (trace_of("o/r", COMMIT).trace_id, found["settle"]["trace.span_id"])


def test_fields_may_have_names_that_are_no_identifiers(spans: Callable[[], Spans]) -> None:
    with tracing.message_span("webhook", parent=None):
        with tracing.span("send event", {"messaging.system": "aws.sns"}, release="web"):
            pass
        tracing.add_fields({"vcs.repository.name": "myApp"})
    found = spans()
    assert found["send event"].items() >= {"messaging.system": "aws.sns", "release": "web"}.items()
    assert found["webhook"]["vcs.repository.name"] == "myApp"


def test_spans_inside_an_event_loop_stay_in_their_message(spans: Callable[[], Spans]) -> None:
    async def install() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        with tracing.span("helm upgrade"):
            await process.wait()

    with tracing.message_span("install", parent=trace_of("o/r", COMMIT)):
        asyncio.run(install())
    found = spans()
    assert place(found["helm upgrade"]) == (trace_of("o/r", COMMIT).trace_id, found["install"]["trace.span_id"])


def test_an_invocation_names_itself_and_only_the_first_is_cold(spans: Callable[[], Spans]) -> None:
    class Context:
        aws_request_id = "8f0e"

    for name in ("first", "second"):
        with tracing.invocation(Context()), tracing.message_span(name, parent=None):
            pass
    found = spans()
    assert {span["faas.invocation_id"] for span in found.values()} == {"8f0e"}
    assert found["second"]["faas.coldstart"] is False
    assert found["second"]["service.name"] == "gate-recorder"


def test_an_invocation_flushes_even_when_it_fails(trace_file: Path) -> None:
    with pytest.raises(ZeroDivisionError), tracing.invocation(None), tracing.message_span("record", parent=None):
        raise ZeroDivisionError
    assert '"error": "ZeroDivisionError"' in trace_file.read_text()


def test_configuring_again_with_the_same_values_keeps_what_is_pending(trace_file: Path) -> None:
    with tracing.message_span("record", parent=None):
        tracing.configure("gate-recorder", FileSink(trace_file))
        assert tracing.current() is not None
    assert not trace_file.exists()
    tracing.flush()
    assert len(trace_file.read_text().splitlines()) == 1


def test_a_trace_is_sampled_whole(tmp_path: Path) -> None:
    path = tmp_path / "sampled.jsonl"
    tracing.configure("promoter", FileSink(path), sample_rate=4)
    for number in range(100):
        root = tracing.send_root("o/r", f"{number:040x}", start=NOON)
        tracing.transit("sqs", sent_at_ms=0, now=NOON, parent=root)
        with tracing.message_span("webhook", parent=None), tracing.span("verify"):
            tracing.adopt(root)
    tracing.shutdown()
    items = [json.loads(line) for line in path.read_text().splitlines()]
    traces = [item["data"]["trace.trace_id"] for item in items]
    assert {traces.count(trace) for trace in traces} == {4}
    assert 5 <= len(set(traces)) <= 60
    assert {item["samplerate"] for item in items} == {4}


def test_without_set_up_nothing_is_traced_and_nothing_fails() -> None:
    tracing.shutdown()
    root = trace_of("o/r", COMMIT)
    with tracing.invocation(None), tracing.message_span("record", parent=root), tracing.span("write", repo="o/r"):
        tracing.add_field("key", "value")
        tracing.add_fields({"key": "value"})
        tracing.adopt(root)
        with tracing.beside("send event", parent=root) as context:
            assert context == root
        assert tracing.current() is None
    assert tracing.send_root("o/r", COMMIT, start=NOON) == root
    assert tracing.transit("sqs", sent_at_ms=0, now=NOON, parent=root).trace_id == root.trace_id


def test_with_nowhere_to_send_to_context_still_travels() -> None:
    tracing.configure("promoter")
    with tracing.invocation(None), tracing.message_span("promote", parent=trace_of("o/r", COMMIT)):
        context = tracing.current()
    tracing.shutdown()
    assert context is not None
    assert context.trace_id == trace_of("o/r", COMMIT).trace_id


@pytest.mark.parametrize(
    "code, absent",
    [
        ("pass", {"beeline", "libhoney", "asyncio", "requests"}),
        ("tracing.configure('f')", {"requests", "urllib3"}),
    ],
    ids=["imported only", "without a key"],
)
def test_a_process_loads_only_what_its_tracing_needs(code: str, absent: set[str]) -> None:
    script = f"import sys; from pipeline_state import tracing; {code}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert not absent.intersection(loaded)
