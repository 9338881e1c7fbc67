"""How a flush stays within its bound, whatever the other side does: here a function, which is told when to end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from pipeline_state.tracing.exporter import Answer, BackgroundExporter, Exporter, Item
from pipeline_state.tracing.outbox import Outbox

RETRY = 30.0
AT_ONCE = 0.0
LONG = 60.0


class Endpoint:
    """Takes all of a batch, unless told otherwise, and not before it may."""

    def __init__(self) -> None:
        self.batches: list[list[Item]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.has_batch = threading.Event()
        self.answer: Answer | Exception | None = None

    def deliver(self, items: Sequence[Item]) -> Answer:
        self.batches.append(list(items))
        self.has_batch.set()
        self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or Answer(len(items))

    @property
    def names(self) -> list[str]:
        return [item["data"]["name"] for batch in self.batches for item in batch]


class Sender:
    """An exporter with a clock that is moved by hand."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.now = 1000.0
        self.exporter = BackgroundExporter(
            "The endpoint", endpoint.deliver, retry_seconds=RETRY, clock=lambda: self.now
        )

    def flush(self, *names: str, bound: float = LONG) -> None:
        self.exporter.export([{"time": "", "samplerate": 1, "data": {"name": name}} for name in names])
        self.exporter.wait(time.monotonic() + bound)

    def answer_comes(self) -> None:
        """However late; the exporter has not looked yet."""
        attempt = self.exporter._attempt  # noqa: SLF001 - there is no other way to know of a late answer
        assert attempt
        self.endpoint.may_answer.set()
        assert attempt.comes_by(time.monotonic() + LONG)

    @property
    def lost(self) -> int:
        return self.exporter.lost


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def sender(endpoint: Endpoint) -> Iterator[Sender]:
    sender = Sender(endpoint)
    yield sender
    endpoint.may_answer.set()
    sender.exporter.close()


def test_each_flush_is_a_batch_and_an_empty_one_is_none(sender: Sender) -> None:
    sender.flush("first", "second")
    sender.flush()
    sender.flush("third")
    assert [len(batch) for batch in sender.endpoint.batches] == [2, 1]
    assert sender.lost == 0


def test_a_silent_endpoint_is_not_waited_for_and_then_left_alone(sender: Sender, endpoint: Endpoint) -> None:
    endpoint.may_answer.clear()
    sender.flush("first", bound=AT_ONCE)
    sender.flush("second")  # would take a minute if it waited
    sender.now += RETRY + 1
    sender.flush("third")  # the first attempt is still on its way
    endpoint.has_batch.wait()
    assert endpoint.names == ["first"]


def test_an_answer_that_comes_late_counts_and_opens_the_way(
    sender: Sender, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.may_answer.clear()
    sender.flush("first", bound=AT_ONCE)
    sender.answer_comes()
    sender.flush("second")
    assert endpoint.names == ["first", "second"]
    assert sender.lost == 0
    assert caplog.messages == ["The endpoint has not answered in time; spans wait"]


def test_a_refusal_that_comes_late_counts_too(sender: Sender, endpoint: Endpoint) -> None:
    endpoint.may_answer.clear()
    endpoint.answer = Answer(0, "status 503")
    sender.flush("first", bound=AT_ONCE)
    sender.answer_comes()
    sender.now += RETRY - 1
    sender.flush("second")
    assert (endpoint.names, sender.lost) == (["first"], 1)


@pytest.mark.parametrize(
    "answer, complaint",
    [(Answer(0, "status 401"), "status 401"), (ConnectionError("https://key@host"), "ConnectionError")],
    ids=["refused", "failed"],
)
def test_an_endpoint_that_takes_nothing_is_left_alone_until_its_time_and_then_told_what_was_lost(
    sender: Sender, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, answer: Answer | Exception, complaint: str
) -> None:
    endpoint.answer = answer
    sender.flush("first", "second")
    sender.flush("third")
    assert (endpoint.names, sender.lost) == (["first", "second"], 2)
    endpoint.answer = None
    sender.now += RETRY
    sender.flush("fourth")
    assert endpoint.names[2:] == ["third", "fourth"]
    assert endpoint.batches[-1][0]["data"]["meta.lost_spans"] == 2
    assert sender.lost == 0
    assert caplog.messages == [f"2 spans lost: The endpoint answered {complaint}"]


def test_what_was_lost_is_told_again_until_it_arrives(sender: Sender, endpoint: Endpoint) -> None:
    endpoint.answer = Answer(0, "status 500")
    for name in ("first", "second"):
        sender.flush(name)
        sender.now += RETRY
    endpoint.answer = None
    sender.flush("third")
    assert [batch[0]["data"].get("meta.lost_spans") for batch in endpoint.batches] == [None, 1, 2]


def test_other_exporters_are_not_told_what_this_one_lost(sender: Sender, endpoint: Endpoint) -> None:
    sender.exporter.lost = 3
    items = [{"time": "", "samplerate": 1, "data": {"name": "first"}}]
    sender.exporter.export(items)
    sender.exporter.wait(time.monotonic() + LONG)
    assert endpoint.batches[0][0]["data"]["meta.lost_spans"] == 3
    assert items[0]["data"] == {"name": "first"}


def test_a_single_refused_span_does_not_close_the_way(sender: Sender, endpoint: Endpoint) -> None:
    endpoint.answer = Answer(1, "status 400")
    sender.flush("first", "second")
    endpoint.answer = None
    sender.flush("third")
    assert endpoint.names == ["first", "second", "third"]
    assert endpoint.batches[-1][0]["data"]["meta.lost_spans"] == 1


def test_while_the_way_is_closed_a_limited_number_of_spans_is_kept(
    sender: Sender, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    sender.now -= 1  # before the way first opens
    with caplog.at_level(logging.WARNING):
        for _ in range(101):
            sender.flush(*map(str, range(10)))
    assert (endpoint.names, sender.lost) == ([], 10)
    sender.now += 1
    sender.flush()
    assert len(endpoint.names) == 1000
    assert endpoint.batches[0][0]["data"]["meta.lost_spans"] == 10


class Order(Exporter):
    """Notes when it is asked to do what."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def export(self, items: Sequence[Item]) -> None:
        self.notes.append(f"export {len(items)}")

    def wait(self, until: float) -> None:
        self.notes.append(f"wait {until - time.monotonic() <= 7.0}")


def test_all_exporters_are_given_their_spans_before_any_is_waited_for_and_all_by_one_deadline() -> None:
    notes: list[str] = []
    outbox = Outbox([Order(notes), Order(notes)], flush_seconds=7.0)
    outbox.flush()
    outbox.close()
    assert notes == ["export 0", "export 0", "wait True", "wait True"] * 2
